// Any bytes as a compressed object, and any text compressed and read again (codec/compression.h).
//
// What must hold: no crash, no leak, no memory beyond the windows; an error has a text; what was
// compressed is read back. The first byte: bit 0 chooses the kind, bit 1 whether the rest is
// compressed first; with bit 2 set, the allocation numbered by the second byte fails.
#include "base/buf.h"
#include "codec-run.h"
#include "codec/compression.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static wh_status compress(wh_mem *mem, wh_compression kind, wh_str text, wh_buf *to,
                          wh_error *err) {
  buf_output out;
  buf_output_init(&out, to);
  wh_compressor *c;
  WH_TRY(wh_compress_open(mem, &out.base, kind, &c, err));
  wh_status status = wh_output_write(&c->output, text.data, text.len, err);
  if (status == WH_OK) status = c->finish(c, err);
  wh_compressor_close(c);
  return status;
}

// At most `max` bytes of it.
static wh_status decompress(wh_mem *mem, wh_compression kind, wh_str bytes, size_t max, wh_buf *to,
                            wh_error *err) {
  static char piece[10000];
  wh_bytes_input in;
  wh_bytes_input_init(&in, bytes.data, bytes.len);
  wh_input *d;
  WH_TRY(wh_decompress_open(mem, &in.base, kind, &d, err));
  wh_status status = WH_OK;
  for (size_t n = 1; status == WH_OK && n && to->len < max;) {
    status = wh_input_read(d, piece, sizeof piece, &n, err);
    must(status != WH_OK || n <= sizeof piece, "no more than there is room for");
    if (status == WH_OK) wh_buf_add_str(to, wh_str_n(piece, n));
  }
  wh_input_close(d);
  return status == WH_OK ? wh_buf_check(to, err) : status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_mem mem;
  wh_mem_init(&mem, 64 << 20);
  wh_buf bytes, back;
  wh_buf_init(&bytes, &mem, 0);
  wh_buf_init(&back, &mem, 0);
  wh_compression kind = data[0] & 1 ? WH_ZSTD : WH_GZIP;
  wh_str rest = wh_str_n((const char *)data + 2, size - 2);
  wh_error err = {0};
  wh_status status = WH_OK;
  if (data[0] & 4) mem.fail_at = 1 + data[1];
  if (data[0] & 2) {
    status = compress(&mem, kind, rest, &bytes, &err);
    if (status == WH_OK) status = decompress(&mem, kind, wh_buf_str(&bytes), SIZE_MAX, &back, &err);
    must(status == WH_OK || status == WH_ERR_MEMORY, "what was compressed is read back");
    must(status != WH_OK || wh_str_eq(wh_buf_str(&back), rest), "and is the same");
  } else {
    status = decompress(&mem, kind, rest, 8 << 20, &back, &err);
  }
  must(status == WH_OK || err.text[0], "an error says what it is");
  must(status != WH_ERR_MEMORY || mem.failed, "no more memory than was allowed is asked for");
  wh_buf_free(&bytes);
  wh_buf_free(&back);
  must(atomic_load(&mem.used) == 0, "nothing is kept");
  return 0;
}
