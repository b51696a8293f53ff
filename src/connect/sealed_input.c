// Reading: on from where it was, a chunk at a time, or anywhere, and then only the chunks that it
// takes.
#include "connect/sealed_private.h"

typedef struct sealed_input {
  wh_input base;
  wh_connection c; // the inner one
  wh_mem *mem;
  wh_input *inner;
  uint8_t key[WH_SEAL_KEY_BYTES];
  uint8_t header[WH_SEALED_HEADER_BYTES];
  wh_sealed_cipher cipher; // for reading on
  uint64_t at;             // of reading on
  uint64_t chunks;         // of the object
  uint64_t next;           // chunk that the inner input is at
  size_t have;             // left of `plain`, which ends where chunk `next` begins
  size_t name_len;
  uint8_t plain[WH_SEALED_CHUNK_BYTES];
  uint8_t stored[WH_SEALED_STORED_BYTES];
  char name[]; // for messages
} sealed_input;

enum { SPAN_CHUNKS_MAX = 64, SPAN_SHARE_OF_MEMORY = 64 };

static size_t size_of(const sealed_input *in) {
  return sizeof *in + in->name_len;
}

static wh_status say(const sealed_input *in, wh_status status, wh_error *err) {
  return wh_sealed_say(&in->c, wh_str_n(in->name, in->name_len), status, err);
}

static size_t plain_len(const sealed_input *in, uint64_t chunk) {
  uint64_t left = in->base.size - chunk * WH_SEALED_CHUNK_BYTES;
  return left < WH_SEALED_CHUNK_BYTES ? (size_t)left : WH_SEALED_CHUNK_BYTES;
}

static wh_status unseal(const sealed_input *in, wh_sealed_cipher *cipher, uint64_t chunk,
                        const uint8_t *stored, uint8_t *out, wh_error *err) {
  wh_str text = wh_str_n((const char *)stored, plain_len(in, chunk) + WH_SEAL_TAG_BYTES);
  bool is_last = chunk + 1 == in->chunks;
  return say(in, wh_sealed_chunk_unseal(cipher, chunk, is_last, text, out, err), err);
}

// --- reading on ----------------------------------------------------------------------------------

static wh_status read_exactly(sealed_input *in, uint8_t *data, size_t len, wh_error *err) {
  for (size_t at = 0, n; at < len; at += n) {
    WH_TRY(wh_input_read(in->inner, data + at, len - at, &n, err));
    if (n == 0) {
      wh_status status = wh_fail(err, WH_ERR_CHANGED, "became shorter while it was read");
      if (err) err->retry = true;
      return say(in, status, err);
    }
  }
  return WH_OK;
}

static wh_status next_chunk(sealed_input *in, uint8_t *out, wh_error *err) {
  WH_TRY(read_exactly(in, in->stored, plain_len(in, in->next) + WH_SEAL_TAG_BYTES, err));
  WH_TRY(unseal(in, &in->cipher, in->next, in->stored, out, err));
  in->next++;
  return WH_OK;
}

static wh_status input_read(wh_input *base, void *data, size_t cap, size_t *ret_len,
                            wh_error *err) {
  sealed_input *in = (sealed_input *)base;
  *ret_len = 0;
  if (in->at == base->size || cap == 0) return WH_OK;
  if (in->have == 0) {
    size_t len = plain_len(in, in->next);
    bool whole = cap >= len;
    WH_TRY(next_chunk(in, whole ? data : in->plain, err));
    if (whole) {
      in->at += len;
      *ret_len = len;
      return WH_OK;
    }
    in->have = len;
  }
  size_t from = (size_t)(in->at % WH_SEALED_CHUNK_BYTES);
  size_t n = in->have < cap ? in->have : cap;
  memcpy(data, in->plain + from, n);
  in->have -= n;
  in->at += n;
  *ret_len = n;
  return WH_OK;
}

// --- reading anywhere ----------------------------------------------------------------------------

// A range that is read at once. Threads have one each.
typedef struct span {
  wh_sealed_cipher cipher;
  uint8_t *stored;
  size_t stored_size;
  uint64_t first, count; // chunks
  uint8_t plain[WH_SEALED_CHUNK_BYTES];
} span;

static wh_status copy_span(const sealed_input *in, span *s, uint64_t offset, uint8_t *data,
                           size_t len, wh_error *err) {
  for (uint64_t i = 0; i < s->count; i++) {
    uint64_t chunk = s->first + i, start = chunk * WH_SEALED_CHUNK_BYTES;
    size_t have = plain_len(in, chunk);
    size_t from = offset > start ? (size_t)(offset - start) : 0;
    size_t to = offset + len < start + have ? (size_t)(offset + len - start) : have;
    bool whole = from == 0 && to == have;
    const uint8_t *stored = s->stored + i * WH_SEALED_STORED_BYTES;
    uint8_t *out = data + (start + from - offset);
    WH_TRY(unseal(in, &s->cipher, chunk, stored, whole ? out : s->plain, err));
    if (!whole) memcpy(out, s->plain + from, to - from);
  }
  return WH_OK;
}

static wh_status read_spans(const sealed_input *in, span *s, uint64_t offset, uint8_t *data,
                            size_t len, wh_error *err) {
  uint64_t at_once = s->stored_size / WH_SEALED_STORED_BYTES;
  while (len) {
    s->first = offset / WH_SEALED_CHUNK_BYTES;
    uint64_t end = (offset + len - 1) / WH_SEALED_CHUNK_BYTES + 1;
    s->count = end - s->first < at_once ? end - s->first : at_once;
    uint64_t last = s->first + s->count - 1;
    uint64_t from = WH_SEALED_HEADER_BYTES + s->first * WH_SEALED_STORED_BYTES;
    size_t bytes =
        (size_t)(s->count - 1) * WH_SEALED_STORED_BYTES + plain_len(in, last) + WH_SEAL_TAG_BYTES;
    WH_TRY(in->inner->read_at(in->inner, from, s->stored, bytes, err));
    uint64_t until = last * WH_SEALED_CHUNK_BYTES + plain_len(in, last);
    size_t n = until - offset < len ? (size_t)(until - offset) : len;
    WH_TRY(copy_span(in, s, offset, data, n, err));
    offset += n;
    data += n;
    len -= n;
  }
  return WH_OK;
}

static size_t span_size(const sealed_input *in, uint64_t offset, size_t len) {
  uint64_t chunks = (offset + len - 1) / WH_SEALED_CHUNK_BYTES - offset / WH_SEALED_CHUNK_BYTES + 1;
  uint64_t most = SPAN_CHUNKS_MAX;
  uint64_t share = in->mem->limit / SPAN_SHARE_OF_MEMORY / WH_SEALED_STORED_BYTES;
  if (in->mem->limit && share < most) most = share ? share : 1;
  return (size_t)(chunks < most ? chunks : most) * WH_SEALED_STORED_BYTES;
}

static wh_status input_read_at(wh_input *base, uint64_t offset, void *data, size_t len,
                               wh_error *err) {
  sealed_input *in = (sealed_input *)base;
  if (offset > base->size || len > base->size - offset) {
    wh_status status =
        wh_fail(err, WH_ERR_END, "ends at byte %llu", (unsigned long long)base->size);
    return say(in, status, err);
  }
  if (len == 0) return WH_OK;
  span *s = wh_mem_alloc(in->mem, sizeof *s);
  if (!s) return say(in, wh_fail_memory(err), err);
  s->stored_size = span_size(in, offset, len);
  s->stored = wh_mem_alloc(in->mem, s->stored_size);
  wh_status status = s->stored ? WH_OK : say(in, wh_fail_memory(err), err);
  s->cipher = (wh_sealed_cipher){0};
  if (status == WH_OK)
    status = say(in, wh_sealed_cipher_init(&s->cipher, in->key, in->header, false, err), err);
  if (status == WH_OK) status = read_spans(in, s, offset, data, len, err);
  wh_sealed_cipher_free(&s->cipher);
  wh_mem_free(in->mem, s->stored, s->stored ? s->stored_size : 0);
  wh_mem_free(in->mem, s, sizeof *s);
  return status;
}

static void input_close(wh_input *base) {
  sealed_input *in = (sealed_input *)base;
  wh_input_close(in->inner);
  wh_sealed_cipher_free(&in->cipher);
  wh_wipe(in->key, sizeof in->key);
  wh_mem_free(in->mem, in, size_of(in));
}

// --- opening -------------------------------------------------------------------------------------

static wh_status refuse_plain(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA,
                 "is not encrypted, and the connection has an " WH_SEALED_KEY
                 ". What is there from before belongs in a place of its own: give it a connection "
                 "without the key, and wherry copy it from there to this one");
}

static wh_status read_header(sealed_input *in, wh_sealed_header *ret, wh_error *err) {
  uint64_t size = in->inner->size;
  if (size == WH_SIZE_UNKNOWN) return say(in, wh_fail(err, WH_ERR_BUG, "has no known size"), err);
  size_t n = size < sizeof in->header ? (size_t)size : sizeof in->header;
  WH_TRY(read_exactly(in, in->header, n, err));
  if (!wh_sealed_has_magic(in->header, n)) return say(in, refuse_plain(err), err);
  if (!wh_sealed_plain_size(size, &in->base.size)) {
    wh_status status = wh_fail(err, WH_ERR_DATA,
                               "the encrypted object was cut short, or something was put behind "
                               "its end: %llu bytes make no whole chunks",
                               (unsigned long long)size);
    return say(in, status, err);
  }
  in->chunks = wh_sealed_chunks(in->base.size);
  return say(in, wh_sealed_header_read(in->header, ret, err), err);
}

static wh_status begin(sealed_input *in, wh_connection *c, wh_error *err) {
  wh_sealed_header header;
  wh_sealed_keys *keys = wh_sealed_of(c)->keys;
  WH_TRY(read_header(in, &header, err));
  WH_TRY(say(in, keys->type->find(keys, &in->c, &header, in->key, err), err));
  WH_TRY(say(in, wh_sealed_cipher_init(&in->cipher, in->key, in->header, false, err), err));
  // Nobody reads an empty object on, so its one chunk is looked at here.
  return in->base.size == 0 ? next_chunk(in, in->plain, err) : WH_OK;
}

wh_status wh_sealed_open_object(wh_connection *c, wh_str key, wh_str version, wh_input **ret,
                                wh_error *err) {
  sealed_input *in = wh_mem_alloc(c->mem, sizeof *in + key.len);
  if (!in) return wh_sealed_say(c, key, wh_fail_memory(err), err);
  memset(in, 0, offsetof(sealed_input, plain));
  in->c = wh_sealed_inner(c);
  in->mem = c->mem;
  in->name_len = key.len;
  if (key.len) memcpy(in->name, key.data, key.len);
  wh_status status = in->c.type->store->open(&in->c, key, version, &in->inner, err);
  if (status == WH_OK) status = begin(in, c, err);
  bool anywhere = status == WH_OK && in->inner->read_at;
  in->base = (wh_input){in->base.size, input_read, anywhere ? input_read_at : NULL, input_close};
  if (status == WH_OK)
    *ret = &in->base;
  else
    input_close(&in->base);
  return status;
}
