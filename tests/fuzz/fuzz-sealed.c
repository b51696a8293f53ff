// Any bytes as an encrypted object, in a folder whose connection has the key.
//
// What must hold: no crash, no leak; an error has a text; what is read on is what is read anywhere,
// and as long as it was said to be. The first byte: with bit 0 set, the allocation numbered by the
// second byte fails; with bit 1 set, the header's magic and lengths are put right first, so that
// what is behind them is reached.
#include "connect/local/local.h"
#include "connect/sealed_format.h"
#include "sim_os.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static wh_status put_file(wh_os *os, const uint8_t *data, size_t size) {
  wh_file *file;
  WH_TRY(wh_os_make_path(os, "/lake", NULL));
  WH_TRY(wh_os_open(os, "/lake/x", WH_OPEN_WRITE | WH_OPEN_CREATE, &file, NULL));
  wh_status status = file->type->write_at(file, 0, data, size, NULL);
  wh_file_close(file);
  return status;
}

static void compare(wh_input *in, const char *on, size_t len, wh_error *err) {
  char some[1000];
  for (size_t at = 0; at < len; at += 40000) {
    size_t n = len - at < sizeof some ? len - at : sizeof some;
    wh_status status = in->read_at(in, at, some, n, err);
    must(status == WH_OK || status == WH_ERR_MEMORY, "what was read on is read anywhere");
    must(status != WH_OK || memcmp(some, on + at, n) == 0, "and is the same");
  }
}

static wh_status read_all(wh_connection *c, wh_error *err) {
  static char on[1 << 20];
  wh_input *in;
  size_t at = 0, n = 1;
  WH_TRY(c->type->store->open(c, WH_STR("x"), WH_STR(""), &in, err));
  wh_status status = WH_OK;
  while (status == WH_OK && n && at < sizeof on) {
    status = wh_input_read(in, on + at, sizeof on - at < 777 ? sizeof on - at : 777, &n, err);
    if (status == WH_OK) at += n;
  }
  if (status == WH_OK && at < sizeof on) must(at == in->size, "it is as long as it was said to be");
  if (status == WH_OK) compare(in, on, at, err);
  wh_input_close(in);
  return status;
}

static void mend(uint8_t *file, size_t size) {
  static const uint8_t start[] = {0x89, 'W', 'H', 'R', 'Y', '\r', '\n', 0x1A, 1, 1, 0, 0, 0, 1};
  if (size >= 24) {
    memcpy(file, start, sizeof start);
    file[14] = file[15] = file[23] = 0;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_mem mem;
  wh_error err = {0};
  wh_mem_init(&mem, 0);
  wh_os *os = sim_os_new(&mem, 1);
  wh_local_options options = {
      .path = WH_STR("/lake"),
      .encryption_key = WH_STR("6b0e1f4c93a75d28e4f10c5a7b9362d8415fe09c7a2b6d3e8f1054c9b7a2e6d1")};
  wh_connection c = {.name = WH_STR_INIT("lake"),
                     .type = &wh_connector_local,
                     .options = &options,
                     .os = os,
                     .mem = &mem};
  must(wh_connector_local.open(&c, &err) == WH_OK, "the connection opens");
  uint8_t *file = malloc(size);
  memcpy(file, data + 2, size - 2);
  if (data[0] & 2) mend(file, size - 2);
  must(put_file(os, file, size - 2) == WH_OK, "the file is written");
  free(file);
  atomic_store(&mem.count, 0);
  if (data[0] & 1) atomic_store(&mem.fail_at, data[1]);
  wh_status status = read_all(&c, &err);
  atomic_store(&mem.fail_at, 0);
  must(status == WH_OK || (err.text[0] && err.status == status), "an error has a text");
  wh_connector_local.close(&c);
  sim_os_free(os);
  must(atomic_load(&mem.used) == 0, "nothing is left in memory");
  return 0;
}
