// Makes the ERP that bench/crossing.py reads: make-orders FILE ROWS
#include "cli/sample_orders.h"

#include "base/sqlite_mem.h"

int main(int argc, char **argv) {
  uint64_t rows;
  if (argc != 3 || !wh_str_to_u64(wh_str_of(argv[2]), &rows)) {
    fputs("usage: make-orders FILE ROWS\n", stderr);
    return 2;
  }
  wh_mem mem;
  wh_mem_init(&mem, 0);
  wh_sqlite_use_mem(&mem);
  wh_error err = {0};
  wh_os_real os;
  wh_status status = wh_os_real_init(&os, &mem, &err);
  if (status == WH_OK)
    status = wh_sample_orders(&os.base, argv[1], 1, rows, wh_now_us(&os.base), &err);
  if (status != WH_OK) fprintf(stderr, "%s\n", err.text);
  wh_os_real_free(&os);
  return status == WH_OK ? 0 : 1;
}
