// The bytes of an object, as libhdf5 reads them: pieces of any size, anywhere. A small object is
// read whole before libhdf5 is entered, so that no thread waits for another's network; of a larger
// one the blocks used last are kept.
#pragma once

#include "base/mem.h"
#include "base/stream.h"
#include "codec/hdf5/lib.h"

typedef struct h5_block {
  uint64_t index;
  uint64_t used; // when, in reads; 0: empty
  uint8_t *data;
} h5_block;

typedef struct h5_bytes {
  wh_mem *mem;
  wh_input *in;
  uint64_t size;
  uint8_t *whole; // NULL: in blocks
  h5_block *blocks;
  uint64_t reads;
  uint64_t fetched; // bytes of the input, so far
  wh_status status; // of the first read that failed: libhdf5 only knows that one did
  wh_error err;
} h5_bytes;

wh_status h5_bytes_init(h5_bytes *bytes, wh_mem *mem, wh_input *in, wh_error *err);
void h5_bytes_free(h5_bytes *bytes); // zeroed is fine

// Opens it as a file; h5_enter was called. The bytes stay where they are until it is closed.
wh_status h5_bytes_open(h5_bytes *bytes, hid_t *ret_file, wh_error *err);
// After libhdf5 failed: the failure of the input that was behind it, if there was one.
wh_status h5_bytes_blame(const h5_bytes *bytes, wh_status status, wh_error *err);
