#include "base/stream.h"

#include <string.h>

static wh_status bytes_read(wh_input *base, void *data, size_t cap, size_t *ret_len,
                            wh_error *err) {
  (void)err;
  wh_bytes_input *in = (wh_bytes_input *)base;
  size_t n = in->len - in->at < cap ? in->len - in->at : cap;
  if (n) memcpy(data, in->data + in->at, n);
  in->at += n;
  *ret_len = n;
  return WH_OK;
}

static wh_status bytes_read_at(wh_input *base, uint64_t offset, void *data, size_t len,
                               wh_error *err) {
  wh_bytes_input *in = (wh_bytes_input *)base;
  if (offset > in->len || len > in->len - offset) {
    return wh_fail(err, WH_ERR_END, "read beyond the end");
  }
  if (len) memcpy(data, in->data + offset, len);
  return WH_OK;
}

static void bytes_close(wh_input *base) {
  (void)base;
}

void wh_bytes_input_init(wh_bytes_input *in, const void *data, size_t len) {
  *in = (wh_bytes_input){
      .base = {.size = len, .read = bytes_read, .read_at = bytes_read_at, .close = bytes_close},
      .data = data,
      .len = len,
  };
}
