#include "connect/sealed_keys.h"

// Two keys are derived from the one that was given: HMAC-SHA-256 of a label, as the second step of
// HKDF (RFC 5869) does it, so that the id tells nothing of the key that wraps.
#define LABEL_WRAP "wherry encrypted object: wrap"
#define LABEL_ID   "wherry encrypted object: id"
#define ID_PREFIX  "local:"

enum { ID_BYTES = 8 };

typedef struct place_key {
  uint8_t wrap[WH_SEAL_KEY_BYTES];
  char id[WH_SEALED_KEY_ID_CHARS + 1];
} place_key;

typedef struct given_keys {
  wh_sealed_keys base;
  wh_mem *mem;
  size_t count;
  place_key keys[]; // the first is for writing
} given_keys;

// --- what kind of key ----------------------------------------------------------------------------

// [https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-id]
static bool is_key_id(wh_str text) {
  if (wh_str_starts(text, "mrk-")) return true;
  enum { UUID_CHARS = 36 };
  bool ok = text.len == UUID_CHARS;
  for (size_t i = 0; ok && i < text.len; i++) {
    bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    ok = is_dash ? text.data[i] == '-' : strchr("0123456789abcdefABCDEF", text.data[i]) != NULL;
  }
  return ok;
}

bool wh_sealed_is_kms_key(wh_str text) {
  return wh_str_starts(text, "arn:") || wh_str_starts(text, "alias/") || is_key_id(text);
}

// --- reading a key -------------------------------------------------------------------------------

static wh_status derive(wh_str text, const char *option, place_key *ret, wh_error *err) {
  uint8_t key[WH_SEAL_KEY_BYTES], id[WH_SHA256_BYTES];
  if (!wh_key_read(text, key)) {
    return wh_fail(err, WH_ERR_USAGE,
                   "%s is not 32 bytes, as 64 hexadecimal digits or in base64; a passphrase is too "
                   "easily guessed. Make one with: wherry secret set lake --random, and write "
                   "${secret:lake}",
                   option);
  }
  wh_str secret = wh_str_n((const char *)key, sizeof key);
  wh_hmac_of(secret, WH_STR(LABEL_WRAP), ret->wrap);
  wh_hmac_of(secret, WH_STR(LABEL_ID), id);
  wh_wipe(key, sizeof key);
  memcpy(ret->id, ID_PREFIX, sizeof ID_PREFIX);
  wh_hex_encode(id, ID_BYTES, ret->id + sizeof ID_PREFIX - 1);
  return WH_OK;
}

wh_status wh_sealed_keys_check(wh_str key, const wh_str_list *old, wh_error *err) {
  if (!key.len && old->count) {
    return wh_fail(err, WH_ERR_USAGE,
                   WH_SEALED_OLD_KEYS " has keys, and there is no " WH_SEALED_KEY);
  }
  if (old->count > WH_SEALED_OLD_KEYS_MAX) {
    return wh_fail(err, WH_ERR_USAGE, WH_SEALED_OLD_KEYS " has more than %d keys",
                   (int)WH_SEALED_OLD_KEYS_MAX);
  }
  place_key scratch;
  wh_status status = key.len ? derive(key, WH_SEALED_KEY, &scratch, err) : WH_OK;
  for (size_t i = 0; status == WH_OK && i < old->count; i++)
    status = derive(old->items[i], WH_SEALED_OLD_KEYS, &scratch, err);
  wh_wipe(&scratch, sizeof scratch);
  return status;
}

// --- wrapping ------------------------------------------------------------------------------------

// What a wrapped data key is bound to: the rest of the header is bound by each chunk.
static wh_status write_aad(wh_buf *aad, wh_str key_id, wh_str place, wh_error *err) {
  wh_buf_add_str(aad, key_id);
  wh_buf_add_char(aad, '\0');
  wh_buf_add_str(aad, place);
  return wh_buf_check(aad, err);
}

static wh_status make(wh_sealed_keys *base, wh_connection *c, wh_arena *arena,
                      uint8_t ret_key[WH_SEAL_KEY_BYTES], wh_sealed_header *ret, wh_error *err) {
  given_keys *keys = (given_keys *)base;
  WH_CLEAN_BUF wh_buf aad;
  WH_CLEAN_BUF wh_buf wrapped;
  wh_buf_init(&aad, c->mem, 0);
  wh_buf_init(&wrapped, c->mem, 0);
  WH_TRY(write_aad(&aad, base->key_id, base->place, err));
  WH_TRY(c->os->type->random(c->os, ret_key, WH_SEAL_KEY_BYTES, err));
  wh_str plain = wh_str_n((const char *)ret_key, WH_SEAL_KEY_BYTES);
  WH_TRY(wh_seal(c->os, keys->keys[0].wrap, wh_buf_str(&aad), plain, &wrapped, err));
  wh_str copy = wh_arena_str(arena, wh_buf_str(&wrapped));
  if (!copy.data) return wh_fail_memory(err);
  *ret = (wh_sealed_header){WH_SEALED_BY_KEY, {0}, copy, base->key_id, base->place};
  return WH_OK;
}

static const place_key *key_by_id(const given_keys *keys, wh_str id) {
  for (size_t i = 0; i < keys->count; i++)
    if (wh_str_is(id, keys->keys[i].id)) return &keys->keys[i];
  return NULL;
}

static wh_status find(wh_sealed_keys *base, wh_connection *c, const wh_sealed_header *header,
                      uint8_t ret_key[WH_SEAL_KEY_BYTES], wh_error *err) {
  given_keys *keys = (given_keys *)base;
  const place_key *key = key_by_id(keys, header->key_id);
  if (!key || header->wrap != WH_SEALED_BY_KEY) {
    return wh_fail(err, WH_ERR_DENIED,
                   "it is encrypted with key %.*s, and the connection's " WH_SEALED_KEY
                   " is %s. Add that key to " WH_SEALED_OLD_KEYS,
                   WH_STR_ARG(header->key_id), keys->keys[0].id);
  }
  WH_CLEAN_BUF wh_buf aad;
  WH_CLEAN_BUF wh_buf plain;
  wh_buf_init(&aad, c->mem, 0);
  wh_buf_init(&plain, c->mem, 0);
  WH_TRY(write_aad(&aad, header->key_id, header->place, err));
  wh_status status = wh_unseal(key->wrap, wh_buf_str(&aad), header->wrapped, &plain, err);
  if (status == WH_ERR_DENIED || (status == WH_OK && plain.len != WH_SEAL_KEY_BYTES)) {
    status =
        wh_fail(err, WH_ERR_DATA,
                "the header of the encrypted object was changed: key %s does not open it", key->id);
  }
  if (status == WH_OK) memcpy(ret_key, plain.data, WH_SEAL_KEY_BYTES);
  if (plain.data) wh_wipe(plain.data, plain.cap);
  return status;
}

static void close_keys(wh_sealed_keys *base) {
  given_keys *keys = (given_keys *)base;
  size_t size = sizeof *keys + keys->count * sizeof keys->keys[0];
  wh_mem *mem = keys->mem;
  wh_wipe(keys, size);
  wh_mem_free(mem, keys, size);
}

static const wh_sealed_keys_type given_type = {make, find, close_keys, WH_SEALED_BY_KEY};

wh_status wh_sealed_keys_new(wh_mem *mem, wh_str key, const wh_str_list *old, wh_str place,
                             wh_sealed_keys **ret, wh_error *err) {
  size_t count = 1 + old->count;
  given_keys *keys = wh_mem_alloc_zero(mem, sizeof *keys + count * sizeof keys->keys[0]);
  if (!keys) return wh_fail_memory(err);
  keys->base = (wh_sealed_keys){.type = &given_type, .place = place};
  keys->mem = mem;
  keys->count = count;
  wh_status status = derive(key, WH_SEALED_KEY, &keys->keys[0], err);
  for (size_t i = 1; status == WH_OK && i < count; i++)
    status = derive(old->items[i - 1], WH_SEALED_OLD_KEYS, &keys->keys[i], err);
  keys->base.key_id = wh_str_of(keys->keys[0].id);
  if (status == WH_OK)
    *ret = &keys->base;
  else
    close_keys(&keys->base);
  return status;
}
