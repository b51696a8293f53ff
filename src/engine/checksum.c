#include "engine/checksum.h"

#include "base/crypto.h"

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
