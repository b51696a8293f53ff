// Prints the rows of Parquet files as our reader sees them, for parquet_reading.py:
//
//   parquet-rows FILE...
//
// For each file a line "= ROWS", then so many lines as random_table.h describes them; or
// "! ERROR". Each file is read several ways: in small batches, in parts, with the plain C path.
// Where these differ, the program says so and fails.
#include "base/cpu.h"
#include "codec/parquet/parquet.h"
#include "random_table.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct way {
  const char *name;
  size_t batch_rows;
  size_t part_rows; // 0: not in parts
  wh_cpu cpu;
} way;

static const way ways[] = {
    {"as it is", 0, 0, WH_CPU_AVX512},
    {"in small batches", 7, 0, WH_CPU_AVX512},
    {"in parts", 0, 100, WH_CPU_AVX512},
    {"in large parts, plain", 1000, 5000, WH_CPU_PLAIN},
};

static bool load(const char *path, wh_buf *out) {
  FILE *file = fopen(path, "rb");
  char piece[1 << 16];
  if (!file) return false;
  for (size_t n; (n = fread(piece, 1, sizeof piece, file));)
    wh_buf_add(out, piece, n);
  fclose(file);
  return !out->failed;
}

static wh_status read_rows(wh_reader *reader, wh_batch *batch, wh_buf *out, uint64_t *rows,
                           wh_error *err) {
  do {
    wh_batch_reset(batch);
    WH_TRY(reader->next(reader, batch, NULL, err));
    for (size_t i = 0; i < batch->rows; i++)
      random_table_write_row(batch, i, out);
    *rows += batch->rows;
  } while (batch->rows || reader->paused);
  return wh_buf_check(out, err);
}

static wh_status read_parts(wh_reader *reader, wh_batch *batch, wh_buf *out, uint64_t *rows,
                            wh_error *err) {
  for (uint64_t at = 0;;) {
    wh_reader *part;
    wh_status status = reader->next_part(reader, &part, err);
    if (status == WH_ERR_END) return WH_OK;
    if (status != WH_OK) return status;
    uint64_t before = *rows;
    if (part->part.from != at) status = wh_fail(err, WH_ERR_BUG, "a part begins at another row");
    if (status == WH_OK) status = read_rows(part, batch, out, rows, err);
    at = part->part.to;
    if (status == WH_OK && (*rows - before != part->part.rows || before + part->part.rows != at))
      status = wh_fail(err, WH_ERR_BUG, "a part has other rows than it says");
    wh_reader_close(part);
    if (status != WH_OK) return status;
  }
}

static wh_status read_way(wh_mem *mem, wh_str bytes, const way *w, wh_buf *out, uint64_t *rows,
                          wh_error *err) {
  wh_bytes_input in;
  wh_codec_context context = {.mem = mem,
                              .batch_rows = w->batch_rows,
                              .part_rows = w->part_rows,
                              .row_limit_bytes = 64 << 20};
  wh_reader *reader;
  wh_batch batch;
  wh_cpu_limit(w->cpu);
  wh_bytes_input_init(&in, bytes.data, bytes.len);
  *rows = 0;
  WH_TRY(wh_codec_parquet.open_reader(&context, &in.base, NULL, NULL, &reader, err));
  wh_status status = wh_batch_init(&batch, mem, reader->schema, err);
  if (status == WH_OK) {
    status = w->part_rows ? read_parts(reader, &batch, out, rows, err)
                          : read_rows(reader, &batch, out, rows, err);
    wh_batch_free(&batch);
  }
  wh_reader_close(reader);
  return status;
}

static int read_file(wh_mem *mem, const char *path) {
  WH_CLEAN_BUF wh_buf bytes = {.mem = mem};
  WH_CLEAN_BUF wh_buf first = {.mem = mem};
  WH_CLEAN_BUF wh_buf other = {.mem = mem};
  wh_error err = {0};
  uint64_t rows, other_rows;
  if (!load(path, &bytes)) return 1;
  wh_status status = read_way(mem, wh_buf_str(&bytes), &ways[0], &first, &rows, &err);
  if (status != WH_OK) {
    printf("! %s\n", err.text);
    return 0;
  }
  printf("= %llu\n", (unsigned long long)rows);
  if (first.len) fwrite(first.data, 1, first.len, stdout);
  for (size_t i = 1; i < sizeof ways / sizeof *ways; i++) {
    wh_buf_clear(&other);
    status = read_way(mem, wh_buf_str(&bytes), &ways[i], &other, &other_rows, &err);
    if (status == WH_OK && wh_str_eq(wh_buf_str(&first), wh_buf_str(&other))) continue;
    fprintf(stderr, "%s: read %s it is not the same: %s\n", path, ways[i].name,
            status == WH_OK ? "other rows" : err.text);
    return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  wh_mem mem;
  wh_mem_init(&mem, 0);
  for (int i = 1; i < argc; i++)
    if (read_file(&mem, argv[i]) != 0) return 1;
  return atomic_load(&mem.used) ? 3 : 0;
}
