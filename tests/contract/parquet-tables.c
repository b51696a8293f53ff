// Writes random tables for parquet_peers.py to read:
//
//   parquet-tables FOLDER SEED COUNT
//
// makes FOLDER/N.parquet with our writer, and FOLDER/N.json with the same rows (random_table.h),
// for N from 0 on. The options of the writer are random, too.
#include "codec/parquet/parquet.h"
#include "random_table.h"

#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS = 8, ROWS = 1500, ROWS_LARGE = 40000, DEPTH = 3, PATH = 1024 };

typedef struct file_output {
  wh_output base;
  FILE *file;
} file_output;

static wh_status file_write(wh_output *base, const void *data, size_t len, wh_error *err) {
  file_output *out = (file_output *)base;
  base->written += len;
  if (fwrite(data, 1, len, out->file) == len) return WH_OK;
  return wh_fail(err, WH_ERR_IO, "cannot write");
}

static FILE *open_file(const char *folder, uint64_t number, const char *extension) {
  char path[PATH];
  snprintf(path, sizeof path, "%s/%llu.%s", folder, (unsigned long long)number, extension);
  FILE *file = fopen(path, "wb");
  if (!file) {
    perror(path);
    exit(1);
  }
  return file;
}

static wh_parquet_write_options random_options(random_table *t) {
  static const int64_t rows[] = {131072, 131072, 1000, 7}, pages[] = {0, 0, 4096, 50000};
  return (wh_parquet_write_options){
      .compression = (int)random_table_below(t, 4),
      .level = 1 + (int64_t)random_table_below(t, 3),
      .row_group_rows = rows[random_table_below(t, t->rows < ROWS ? 4 : 3)],
      .page_bytes = pages[random_table_below(t, 4)],
      .dictionary = random_table_below(t, 4) == 0,
      .page_index = random_table_below(t, 4) > 0,
      .crc = random_table_below(t, 2),
  };
}

static wh_status write_rows(random_table *t, wh_mem *mem, wh_writer *writer, FILE *text,
                            wh_error *err) {
  static const size_t sizes[] = {1, 17, 1000, WH_BATCH_ROWS_DEFAULT};
  wh_batch batch;
  wh_status status = wh_batch_init(&batch, mem, &t->schema, err);
  WH_CLEAN_BUF wh_buf line = {.mem = mem};
  size_t size = sizes[1 + random_table_below(t, 3)];
  for (size_t done = 0; done < t->rows && status == WH_OK; done += batch.rows) {
    wh_batch_reset(&batch);
    status = random_table_fill(t, &batch, t->rows - done < size ? t->rows - done : size, err);
    wh_buf_clear(&line);
    for (size_t i = 0; i < batch.rows && status == WH_OK; i++)
      random_table_write_row(&batch, i, &line);
    if (line.len) fwrite(line.data, 1, line.len, text);
    if (status == WH_OK) status = writer->write(writer, &batch, err);
  }
  wh_batch_free(&batch);
  return status;
}

static wh_status write_table(wh_mem *mem, const char *folder, uint64_t seed, uint64_t number,
                             wh_error *err) {
  random_table t;
  size_t rows = number % 25 == 0 ? ROWS_LARGE : ROWS;
  random_table_init(&t, mem, seed + number, COLUMNS, rows, DEPTH);
  wh_parquet_write_options options = random_options(&t);
  wh_str blooms[1];
  wh_kind kind = t.schema.fields[0].type.kind;
  if (kind != WH_BOOL && kind != WH_NULL && random_table_below(&t, 2)) {
    blooms[0] = t.schema.fields[0].name;
    options.bloom = (wh_str_list){blooms, 1};
  }
  wh_codec_context context = {.mem = mem};
  FILE *text = open_file(folder, number, "json");
  file_output out = {.base = {.write = file_write}, .file = open_file(folder, number, "parquet")};
  wh_writer *writer = NULL;
  wh_status status =
      wh_codec_parquet.open_writer(&context, &out.base, &options, &t.schema, &writer, err);
  if (status == WH_OK) status = write_rows(&t, mem, writer, text, err);
  if (status == WH_OK) status = writer->finish(writer, err);
  wh_writer_close(writer);
  random_table_free(&t);
  if (fclose(out.file) != 0 || fclose(text) != 0) exit(1);
  return status;
}

int main(int argc, char **argv) {
  uint64_t seed, count;
  if (argc != 4 || !wh_str_to_u64(wh_str_of(argv[2]), &seed) ||
      !wh_str_to_u64(wh_str_of(argv[3]), &count)) {
    fputs("usage: parquet-tables FOLDER SEED COUNT\n", stderr);
    return 2;
  }
  wh_mem mem;
  wh_error err = {0};
  wh_mem_init(&mem, 0);
  for (uint64_t i = 0; i < count; i++) {
    if (write_table(&mem, argv[1], seed, i, &err) == WH_OK) continue;
    fprintf(stderr, "table %llu: %s\n", (unsigned long long)i, err.text);
    return 1;
  }
  return atomic_load(&mem.used) ? 3 : 0;
}
