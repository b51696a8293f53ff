// Byte streams: what a store opens and a codec reads or writes. An implementation embeds the
// struct as its first member and fills in the functions it has.
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define WH_SIZE_UNKNOWN UINT64_MAX

typedef struct wh_input wh_input;
struct wh_input {
  uint64_t size; // bytes, or WH_SIZE_UNKNOWN
  // Reads up to cap bytes from where the last read ended; *ret_len is 0 only at the end.
  // Fails with WH_ERR_CHANGED when the object is no longer the version that was opened.
  wh_status (*read)(wh_input *in, void *data, size_t cap, size_t *ret_len, wh_error *err);
  // Reads exactly len bytes at offset, without moving `read`; from several threads at once too.
  // NULL where the input cannot seek.
  wh_status (*read_at)(wh_input *in, uint64_t offset, void *data, size_t len, wh_error *err);
  void (*close)(wh_input *in); // frees `in`
};

typedef struct wh_output wh_output;
struct wh_output {
  uint64_t written; // bytes accepted so far
  wh_status (*write)(wh_output *out, const void *data, size_t len, wh_error *err);
};

static inline wh_status wh_input_read(wh_input *in, void *data, size_t cap, size_t *ret_len,
                                      wh_error *err) {
  return in->read(in, data, cap, ret_len, err);
}
static inline void wh_input_close(wh_input *in) {
  if (in) in->close(in);
}
static inline wh_status wh_output_write(wh_output *out, const void *data, size_t len,
                                        wh_error *err) {
  return out->write(out, data, len, err);
}

// An input over bytes that stay where they are; `in` is the caller's, close does nothing.
typedef struct wh_bytes_input {
  wh_input base;
  const char *data;
  size_t len;
  size_t at;
} wh_bytes_input;
void wh_bytes_input_init(wh_bytes_input *in, const void *data, size_t len);
