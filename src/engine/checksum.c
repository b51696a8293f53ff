#include "engine/checksum.h"

enum { CHECKSUM_READ_BYTES = 256 * 1024 };

static wh_status add_all(wh_input *in, wh_sha256 *sha, wh_mem *mem, wh_error *err) {
  char *data = wh_mem_alloc_aligned(mem, CHECKSUM_READ_BYTES);
  if (!data) return wh_fail_memory(err);
  wh_status status = WH_OK;
  size_t n = 1;
  while (status == WH_OK && n) {
    status = wh_input_read(in, data, CHECKSUM_READ_BYTES, &n, err);
    if (status == WH_OK && n) status = wh_sha256_add(sha, data, n, err);
  }
  wh_mem_free(mem, data, CHECKSUM_READ_BYTES);
  return status;
}

wh_status wh_sha256_matches(wh_input *in, wh_str sha256, wh_mem *mem, bool *ret, wh_error *err) {
  wh_sha256 sha;
  wh_status status = wh_sha256_init(&sha, err);
  if (status != WH_OK) {
    wh_input_close(in);
    return status;
  }
  status = add_all(in, &sha, mem, err);
  wh_input_close(in);
  char hex[WH_SHA256_HEX + 1];
  if (status == WH_OK) status = wh_sha256_finish_hex(&sha, hex, err);
  wh_sha256_free(&sha);
  WH_TRY(status);
  *ret = wh_str_is(sha256, hex);
  return WH_OK;
}

static wh_status hashing_write(wh_output *base, const void *data, size_t len, wh_error *err) {
  wh_sha256_output *out = (wh_sha256_output *)base;
  WH_TRY(wh_sha256_add(&out->sha, data, len, err));
  WH_TRY(wh_output_write(out->to, data, len, err));
  base->written += len;
  return WH_OK;
}

wh_status wh_sha256_output_init(wh_sha256_output *out, wh_output *to, wh_error *err) {
  *out = (wh_sha256_output){.base.write = hashing_write, .to = to};
  return wh_sha256_init(&out->sha, err);
}

void wh_sha256_output_free(wh_sha256_output *out) {
  wh_sha256_free(&out->sha);
}

static wh_status hashing_read(wh_input *base, void *data, size_t cap, size_t *ret_len,
                              wh_error *err) {
  wh_sha256_input *in = (wh_sha256_input *)base;
  WH_TRY(wh_input_read(in->from, data, cap, ret_len, err));
  return *ret_len ? wh_sha256_add(&in->sha, data, *ret_len, err) : WH_OK;
}

static wh_status read_at(wh_input *base, uint64_t offset, void *data, size_t len, wh_error *err) {
  wh_input *from = ((wh_sha256_input *)base)->from;
  return from->read_at(from, offset, data, len, err);
}

static void hashing_close(wh_input *base) {
  wh_sha256_input *in = (wh_sha256_input *)base;
  wh_input_close(in->from);
  wh_sha256_free(&in->sha);
  *in = (wh_sha256_input){0};
}

wh_status wh_sha256_input_init(wh_sha256_input *in, wh_input *from, wh_error *err) {
  *in = (wh_sha256_input){
      .base = {.size = from->size, .read = hashing_read, .close = hashing_close}, .from = from};
  if (from->read_at) in->base.read_at = read_at;
  wh_status status = wh_sha256_init(&in->sha, err);
  if (status != WH_OK) hashing_close(&in->base);
  return status;
}

wh_status wh_sha256_input_check(wh_sha256_input *in, wh_str sha256, wh_error *err) {
  char hex[WH_SHA256_HEX + 1];
  WH_TRY(wh_sha256_finish_hex(&in->sha, hex, err));
  return wh_str_is(sha256, hex) ? WH_OK
                                : wh_fail(err, WH_ERR_DATA, "its checksum is %s, and not %.*s", hex,
                                          WH_STR_ARG(sha256));
}
