#include "connect/sealed_format.h"

#include <string.h>

enum {
  VERSION = 1,
  AT_VERSION = 8,
  AT_WRAP = 9,
  AT_CHUNK = 12,
  AT_NONCE = 16,
  AT_LENGTHS = 24, // of the wrapped key, the key's id and the place
  AT_TEXTS = 32,
  TEXTS = 3,
  TEXTS_BYTES_MAX = WH_SEALED_HEADER_BYTES - AT_TEXTS,
};

static const uint8_t magic[WH_SEALED_MAGIC_BYTES] = {0x89, 'W', 'H', 'R', 'Y', '\r', '\n', 0x1A};

static void put_number(uint8_t *out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get_number(const uint8_t *in, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++)
    value = value << 8 | in[i];
  return value;
}

// --- the header ----------------------------------------------------------------------------------

wh_status wh_sealed_header_write(const wh_sealed_header *header,
                                 uint8_t ret[WH_SEALED_HEADER_BYTES], wh_error *err) {
  const wh_str texts[TEXTS] = {header->wrapped, header->key_id, header->place};
  size_t len = 0;
  for (size_t i = 0; i < TEXTS; i++)
    len += texts[i].len;
  if (len > TEXTS_BYTES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT,
                   "the wrapped data key, its key's id and the bucket's name have %zu bytes; the "
                   "header of an encrypted object takes %d",
                   len, (int)TEXTS_BYTES_MAX);
  }
  memset(ret, 0, WH_SEALED_HEADER_BYTES);
  memcpy(ret, magic, sizeof magic);
  ret[AT_VERSION] = VERSION;
  ret[AT_WRAP] = (uint8_t)header->wrap;
  put_number(ret + AT_CHUNK, WH_SEALED_CHUNK_BYTES, 4);
  memcpy(ret + AT_NONCE, header->nonce, sizeof header->nonce);
  uint8_t *at = ret + AT_TEXTS;
  for (size_t i = 0; i < TEXTS; i++) {
    put_number(ret + AT_LENGTHS + 2 * i, texts[i].len, 2);
    if (texts[i].len) memcpy(at, texts[i].data, texts[i].len);
    at += texts[i].len;
  }
  return WH_OK;
}

bool wh_sealed_has_magic(const void *data, size_t len) {
  return len >= sizeof magic && memcmp(data, magic, sizeof magic) == 0;
}

bool wh_sealed_looks_so(wh_input *in) {
  uint8_t data[WH_SEALED_MAGIC_BYTES];
  if (!in->read_at || in->size == WH_SIZE_UNKNOWN || in->size < WH_SEALED_HEADER_BYTES)
    return false;
  return in->read_at(in, 0, data, sizeof data, NULL) == WH_OK &&
         wh_sealed_has_magic(data, sizeof data);
}

static bool is_zero(const uint8_t *data, size_t len) {
  uint8_t any = 0;
  for (size_t i = 0; i < len; i++)
    any |= data[i];
  return any == 0;
}

static wh_status damaged(const char *what, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "the header of the encrypted object is damaged: %s", what);
}

static wh_status read_texts(const uint8_t *data, wh_sealed_header *ret, wh_error *err) {
  wh_str *texts[TEXTS] = {&ret->wrapped, &ret->key_id, &ret->place};
  const char *at = (const char *)data + AT_TEXTS;
  size_t left = TEXTS_BYTES_MAX;
  for (size_t i = 0; i < TEXTS; i++) {
    size_t len = (size_t)get_number(data + AT_LENGTHS + 2 * i, 2);
    if (len > left) return damaged("its texts are longer than it is", err);
    *texts[i] = wh_str_n(at, len);
    at += len;
    left -= len;
  }
  if (!wh_utf8_valid(ret->key_id) || !wh_utf8_valid(ret->place))
    return damaged("its texts are no UTF-8", err);
  return is_zero((const uint8_t *)at, left) ? WH_OK : damaged("something stands at its end", err);
}

wh_status wh_sealed_header_read(const uint8_t data[WH_SEALED_HEADER_BYTES], wh_sealed_header *ret,
                                wh_error *err) {
  if (!wh_sealed_has_magic(data, WH_SEALED_HEADER_BYTES)) return damaged("it is none", err);
  if (data[AT_VERSION] != VERSION) {
    return wh_fail(err, WH_ERR_DATA,
                   "the encrypted object is of version %d of the format; this program reads %d",
                   data[AT_VERSION], VERSION);
  }
  wh_sealed_header header = {.wrap = (wh_sealed_wrap)data[AT_WRAP]};
  if (header.wrap != WH_SEALED_BY_KEY && header.wrap != WH_SEALED_BY_KMS)
    return damaged("it does not say whose key it needs", err);
  if (get_number(data + AT_CHUNK, 4) != WH_SEALED_CHUNK_BYTES)
    return damaged("its chunks have another size", err);
  if (!is_zero(data + 10, 2) || data[23] || !is_zero(data + 30, 2))
    return damaged("something stands where nothing is", err);
  memcpy(header.nonce, data + AT_NONCE, sizeof header.nonce);
  WH_TRY(read_texts(data, &header, err));
  *ret = header;
  return WH_OK;
}

// --- lengths -------------------------------------------------------------------------------------

uint64_t wh_sealed_chunks(uint64_t plain) {
  uint64_t count = plain / WH_SEALED_CHUNK_BYTES + (plain % WH_SEALED_CHUNK_BYTES != 0);
  return count ? count : 1;
}

uint64_t wh_sealed_stored_size(uint64_t plain) {
  return WH_SEALED_HEADER_BYTES + plain + wh_sealed_chunks(plain) * WH_SEAL_TAG_BYTES;
}

bool wh_sealed_plain_size(uint64_t stored, uint64_t *ret_plain) {
  if (stored < WH_SEALED_HEADER_BYTES + WH_SEAL_TAG_BYTES) return false;
  uint64_t body = stored - WH_SEALED_HEADER_BYTES;
  uint64_t whole = body / WH_SEALED_STORED_BYTES, rest = body % WH_SEALED_STORED_BYTES;
  uint64_t count = whole + (rest != 0);
  // A last chunk of no bytes is that of an empty object alone.
  if (rest && (rest < WH_SEAL_TAG_BYTES || (rest == WH_SEAL_TAG_BYTES && whole))) return false;
  if (count > WH_SEALED_CHUNKS_MAX) return false;
  *ret_plain = body - count * WH_SEAL_TAG_BYTES;
  return true;
}

// --- chunks --------------------------------------------------------------------------------------

wh_status wh_sealed_cipher_init(wh_sealed_cipher *cipher, const uint8_t key[WH_SEAL_KEY_BYTES],
                                const uint8_t header[WH_SEALED_HEADER_BYTES], bool seals,
                                wh_error *err) {
  *cipher = (wh_sealed_cipher){0};
  memcpy(cipher->nonce, header + AT_NONCE, sizeof cipher->nonce);
  wh_sha256_of(wh_str_n((const char *)header, WH_SEALED_HEADER_BYTES), cipher->header);
  return wh_gcm_init(&cipher->gcm, key, seals, err);
}

void wh_sealed_cipher_free(wh_sealed_cipher *cipher) {
  if (cipher) wh_gcm_free(&cipher->gcm);
}

static wh_str aad_of(const wh_sealed_cipher *cipher) {
  return wh_str_n((const char *)cipher->header, sizeof cipher->header);
}

static void nonce_of(const wh_sealed_cipher *cipher, uint64_t number, bool is_last,
                     uint8_t nonce[WH_SEAL_NONCE_BYTES]) {
  memcpy(nonce, cipher->nonce, WH_SEALED_NONCE_BYTES);
  put_number(nonce + WH_SEALED_NONCE_BYTES, number, 4);
  nonce[WH_SEAL_NONCE_BYTES - 1] = is_last;
}

wh_status wh_sealed_chunk_seal(wh_sealed_cipher *cipher, uint64_t number, bool is_last,
                               wh_str plain, uint8_t *out, wh_error *err) {
  if (number >= WH_SEALED_CHUNKS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "an encrypted object takes at most 256 TiB");
  uint8_t nonce[WH_SEAL_NONCE_BYTES];
  nonce_of(cipher, number, is_last, nonce);
  return wh_gcm_seal(&cipher->gcm, nonce, aad_of(cipher), plain, out, err);
}

static wh_status unseal(wh_sealed_cipher *cipher, uint64_t number, bool is_last, wh_str stored,
                        uint8_t *out, wh_error *err) {
  uint8_t nonce[WH_SEAL_NONCE_BYTES];
  nonce_of(cipher, number, is_last, nonce);
  return wh_gcm_unseal(&cipher->gcm, nonce, aad_of(cipher), stored, out, err);
}

// What is whole but for its place at the end says so.
static const char *find_fault(wh_sealed_cipher *cipher, uint64_t number, bool is_last,
                              wh_str stored, uint8_t *out) {
  if (unseal(cipher, number, !is_last, stored, out, NULL) != WH_OK)
    return "it was changed, or is not the one that was written there";
  wh_wipe(out, stored.len - WH_SEAL_TAG_BYTES);
  return is_last ? "others came behind it: the object was cut short"
                 : "it was the last one: something was put behind the object's end";
}

wh_status wh_sealed_chunk_unseal(wh_sealed_cipher *cipher, uint64_t number, bool is_last,
                                 wh_str stored, uint8_t *out, wh_error *err) {
  wh_status status = unseal(cipher, number, is_last, stored, out, err);
  if (status != WH_ERR_DENIED) return status;
  return wh_fail(err, WH_ERR_DATA, "encrypted chunk %llu, from byte %llu: %s",
                 (unsigned long long)number + 1, (unsigned long long)number * WH_SEALED_CHUNK_BYTES,
                 find_fault(cipher, number, is_last, stored, out));
}
