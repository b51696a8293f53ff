// Writing: what comes is gathered into chunks; the last is known when the upload is sealed.
#include "connect/sealed_private.h"

typedef struct sealed_upload {
  wh_upload base;
  wh_connection c; // the inner one
  wh_upload *inner;
  wh_sealed_cipher cipher;
  uint64_t chunks; // written
  size_t fill;     // of `plain`
  bool finished;   // the last chunk was written
  uint8_t plain[WH_SEALED_CHUNK_BYTES];
  uint8_t stored[WH_SEALED_STORED_BYTES];
} sealed_upload;

_Static_assert((int)WH_SEALED_STORED_BYTES >= (int)WH_SEALED_HEADER_BYTES,
               "the header is put there");

static wh_status write_chunk(sealed_upload *u, const void *plain, size_t len, bool is_last,
                             wh_error *err) {
  wh_str text = wh_str_n(plain, len);
  WH_TRY(wh_sealed_chunk_seal(&u->cipher, u->chunks, is_last, text, u->stored, err));
  WH_TRY(wh_output_write(&u->inner->output, u->stored, len + WH_SEAL_TAG_BYTES, err));
  u->chunks++;
  return WH_OK;
}

// A full chunk is written when more comes: it may be the last.
static wh_status take(sealed_upload *u, const uint8_t *data, size_t len, wh_error *err) {
  while (len) {
    if (u->fill == WH_SEALED_CHUNK_BYTES) {
      WH_TRY(write_chunk(u, u->plain, u->fill, false, err));
      u->fill = 0;
    }
    bool whole = u->fill == 0 && len > WH_SEALED_CHUNK_BYTES;
    size_t room = WH_SEALED_CHUNK_BYTES - u->fill, n = len < room ? len : room;
    if (whole) {
      WH_TRY(write_chunk(u, data, n, false, err));
    } else {
      memcpy(u->plain + u->fill, data, n);
      u->fill += n;
    }
    u->base.output.written += n;
    data += n;
    len -= n;
  }
  return WH_OK;
}

static wh_status upload_write(wh_output *out, const void *data, size_t len, wh_error *err) {
  sealed_upload *u = (sealed_upload *)out;
  if (u->finished) {
    wh_status status = wh_fail(err, WH_ERR_BUG, "written to after it was sealed");
    wh_error_prefix(err, "%.*s: ", WH_STR_ARG(u->c.name));
    return status;
  }
  return take(u, data, len, err);
}

static wh_status upload_seal(wh_upload *base, wh_error *err) {
  sealed_upload *u = (sealed_upload *)base;
  if (!u->finished) {
    WH_TRY(write_chunk(u, u->plain, u->fill, true, err));
    u->finished = true;
  }
  return u->inner->seal(u->inner, err);
}

static void upload_close(wh_upload *base) {
  if (!base) return;
  sealed_upload *u = (sealed_upload *)base;
  if (u->inner) u->inner->close(u->inner);
  wh_sealed_cipher_free(&u->cipher);
  wh_mem_free(u->c.mem, u, sizeof *u);
}

// The header, and the cipher that goes with it.
static wh_status make_header(sealed_upload *u, wh_sealed_keys *keys, wh_arena *arena,
                             uint8_t key[WH_SEAL_KEY_BYTES], wh_error *err) {
  wh_sealed_header header;
  WH_TRY(keys->type->make(keys, &u->c, arena, key, &header, err));
  WH_TRY(u->c.os->type->random(u->c.os, header.nonce, sizeof header.nonce, err));
  WH_TRY(wh_sealed_header_write(&header, u->stored, err));
  return wh_sealed_cipher_init(&u->cipher, key, u->stored, true, err);
}

static wh_status prepare(wh_connection *c, wh_str name, sealed_upload **ret, wh_error *err) {
  sealed_upload *u = wh_mem_alloc(c->mem, sizeof *u);
  if (!u) return wh_sealed_say(c, name, wh_fail_memory(err), err);
  memset(u, 0, offsetof(sealed_upload, plain));
  u->base = (wh_upload){{0, upload_write}, upload_seal, upload_close, NULL, 0};
  u->c = wh_sealed_inner(c);
  uint8_t key[WH_SEAL_KEY_BYTES];
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_status status = make_header(u, wh_sealed_of(c)->keys, &arena, key, err);
  wh_wipe(key, sizeof key);
  if (status == WH_OK)
    *ret = u;
  else
    upload_close(&u->base);
  return wh_sealed_say(c, name, status, err);
}

// The header goes first. `status` is of opening the inner upload.
static wh_status begin(sealed_upload *u, wh_status status, wh_upload **ret, wh_error *err) {
  if (status == WH_OK)
    status = wh_output_write(&u->inner->output, u->stored, WH_SEALED_HEADER_BYTES, err);
  if (status == WH_OK)
    *ret = &u->base;
  else
    upload_close(&u->base);
  return status;
}

wh_status wh_sealed_create(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err) {
  sealed_upload *u = NULL;
  WH_TRY(prepare(c, attempt, &u, err));
  return begin(u, u->c.type->store->create(&u->c, attempt, &u->inner, err), ret, err);
}

wh_status wh_sealed_put(wh_connection *c, wh_str key, const wh_put_options *options,
                        wh_upload **ret, wh_error *err) {
  sealed_upload *u = NULL;
  WH_TRY(prepare(c, key, &u, err));
  return begin(u, u->c.type->store->put(&u->c, key, options, &u->inner, err), ret, err);
}
