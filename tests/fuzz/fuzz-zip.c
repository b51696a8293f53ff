// Any bytes as a ZIP archive (codec/zip.h).
//
// What must hold: no crash, no leak, no memory beyond the windows and the directory; an error has a
// text; a member has as many bytes as it says. With bit 0 of the first byte set, the allocation
// numbered by the second byte fails.
#include "codec/compression.h"
#include "codec/zip.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { READ_MAX = 8 << 20 }; // of all members

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static wh_status read_member(wh_zip *zip, const wh_zip_member *m, uint64_t *left, wh_error *err) {
  static char piece[10000];
  wh_input *in;
  uint64_t given = 0;
  size_t n = 1;
  WH_TRY(wh_zip_open_member(zip, m, &in, err));
  wh_status status = WH_OK;
  while (status == WH_OK && n && given < *left) {
    status = wh_input_read(in, piece, sizeof piece, &n, err);
    if (status == WH_OK) given += n;
    must(given <= m->size, "no more than it says");
  }
  must(status != WH_OK || n || given == m->size, "no less than it says");
  *left -= given < *left ? given : *left;
  wh_input_close(in);
  return status;
}

static wh_status read_all(wh_zip *zip, wh_error *err) {
  uint64_t left = READ_MAX;
  wh_zip_member m;
  wh_status status;
  while ((status = wh_zip_next(zip, &m, err)) == WH_OK) {
    wh_error why = {0};
    must(m.name.len > 0 && m.name.len <= WH_ZIP_NAME_MAX && wh_utf8_valid(m.name), "a name");
    status = m.is_folder ? WH_OK : read_member(zip, &m, &left, &why);
    must(status == WH_OK || why.text[0], "an error says what it is");
    if (status == WH_ERR_MEMORY && err) *err = why;
    if (status == WH_ERR_MEMORY) return status;
  }
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_mem mem;
  wh_mem_init(&mem, 8 << 20);
  wh_bytes_input in;
  wh_zip *zip;
  wh_error err = {0};
  wh_bytes_input_init(&in, data + 2, size - 2);
  if (data[0] & 1) mem.fail_at = 1 + data[1];
  wh_status status = wh_zip_open(&mem, &in.base, &zip, &err);
  if (status == WH_OK) {
    status = read_all(zip, &err);
    wh_zip_close(zip);
    must(status == WH_ERR_END || status == WH_ERR_MEMORY, "its directory was read before");
  }
  must(status == WH_ERR_END || err.text[0], "an error says what it is");
  must(status != WH_ERR_MEMORY || mem.failed, "no more memory than was allowed is asked for");
  must(atomic_load(&mem.used) == 0, "nothing is kept");
  return 0;
}
