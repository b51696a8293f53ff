// Tables that the bytes decide on, written to Parquet and read again.
//
// The first bytes are the writer's options, the others the decisions of random_table.h: types,
// shapes, values. What must hold: writing succeeds or says why; what was written reads back equal.
#include "codec-run.h"
#include "codec/parquet/parquet.h"
#include "random_table.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPTION_BYTES = 6, COLUMNS = 4, ROWS = 400, DEPTH = 2 };

static void must(bool holds, const char *what, const wh_error *err) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s (%s)\n", what, err->text);
  abort();
}

static wh_parquet_write_options options_of(const uint8_t *data) {
  static const int64_t rows[] = {1 << 17, 100, 7, 1}, pages[] = {0, 1, 64, 1000};
  return (wh_parquet_write_options){.compression = data[0] & 3,
                                    .level = 1 + (data[0] >> 2 & 3),
                                    .row_group_rows = rows[data[1] & 3],
                                    .page_bytes = pages[data[1] >> 2 & 3],
                                    .dictionary = data[1] >> 4 & 1,
                                    .page_index = data[1] >> 5 & 1,
                                    .crc = data[1] >> 6 & 1};
}

static void write_lines(const wh_batch *batch, wh_buf *out) {
  for (size_t i = 0; i < batch->rows; i++)
    random_table_write_row(batch, i, out);
}

static wh_status write_file(wh_mem *mem, const wh_parquet_write_options *options,
                            const wh_batch *batch, wh_buf *out, wh_error *err) {
  wh_codec_context context = {.mem = mem};
  buf_output to;
  buf_output_init(&to, out);
  wh_writer *writer;
  WH_TRY(wh_codec_parquet.open_writer(&context, &to.base, options, batch->schema, &writer, err));
  wh_status status = writer->write(writer, batch, err);
  if (status == WH_OK) status = writer->finish(writer, err);
  wh_writer_close(writer);
  return status;
}

static wh_status read_file(wh_mem *mem, wh_str file, wh_buf *out, wh_error *err) {
  wh_codec_context context = {.mem = mem, .row_limit_bytes = 1 << 24};
  wh_bytes_input in;
  wh_bytes_input_init(&in, file.data, file.len);
  wh_reader *reader;
  wh_batch batch = {0};
  WH_TRY(wh_codec_parquet.open_reader(&context, &in.base, NULL, NULL, &reader, err));
  wh_status status = wh_batch_init(&batch, mem, reader->schema, err);
  while (status == WH_OK) {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, NULL, err);
    if (batch.rows == 0 && !reader->paused) break;
    write_lines(&batch, out);
  }
  wh_batch_free(&batch);
  wh_reader_close(reader);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < OPTION_BYTES) return 0;
  wh_mem mem;
  wh_error err = {0};
  wh_mem_init(&mem, 0);
  wh_parquet_write_options options = options_of(data);
  random_table t;
  random_table_init_from(&t, &mem, data + OPTION_BYTES, size - OPTION_BYTES, COLUMNS, ROWS, DEPTH);
  wh_batch batch;
  wh_buf want = {.mem = &mem}, file = {.mem = &mem}, got = {.mem = &mem};
  must(wh_batch_init(&batch, &mem, &t.schema, &err) == WH_OK, "a batch", &err);
  must(random_table_fill(&t, &batch, t.rows, &err) == WH_OK, "rows", &err);
  must(write_file(&mem, &options, &batch, &file, &err) == WH_OK, "the table is written", &err);
  must(read_file(&mem, wh_buf_str(&file), &got, &err) == WH_OK, "what was written is read", &err);
  write_lines(&batch, &want);
  must(wh_str_eq(wh_buf_str(&got), wh_buf_str(&want)), "what was written is what is read", &err);
  wh_batch_free(&batch);
  wh_buf_free(&want);
  wh_buf_free(&file);
  wh_buf_free(&got);
  random_table_free(&t);
  must(atomic_load(&mem.used) == 0, "all memory is given back", &err);
  return 0;
}
