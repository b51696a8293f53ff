#include "parquet_file.h"

#include "codec-run.h"
#include "random_table.h"
#include "test.h"

static wh_status counted_read_at(wh_input *base, uint64_t offset, void *data, size_t len,
                                 wh_error *err) {
  counted_input *in = (counted_input *)base;
  in->count += len;
  return in->read_at(base, offset, data, len, err);
}

void counted_input_init(counted_input *in, wh_str bytes) {
  *in = (counted_input){0};
  wh_bytes_input_init(&in->bytes, bytes.data, bytes.len);
  in->read_at = in->bytes.base.read_at;
  in->bytes.base.read_at = counted_read_at;
}

static wh_status write_rows(wh_writer *writer, wh_batch *batch, size_t rows, parquet_row row,
                            wh_error *err) {
  for (size_t i = 0; i < rows;) {
    wh_batch_reset(batch);
    for (; i < rows && batch->rows < WH_BATCH_ROWS_DEFAULT; i++) {
      WH_TRY(row(batch, i, err));
      wh_batch_row_end(batch);
    }
    WH_TRY(writer->write(writer, batch, err));
  }
  return writer->finish(writer, err);
}

wh_status parquet_file_write(wh_mem *mem, const wh_schema *schema, size_t rows, parquet_row row,
                             const wh_parquet_write_options *options, wh_buf *out, wh_error *err) {
  buf_output output;
  wh_codec_context context = {.mem = mem};
  wh_writer *writer;
  wh_batch batch;
  buf_output_init(&output, out);
  WH_TRY(wh_codec_parquet.open_writer(&context, &output.base, options, schema, &writer, err));
  wh_status status = wh_batch_init(&batch, mem, schema, err);
  if (status == WH_OK) {
    status = write_rows(writer, &batch, rows, row, err);
    wh_batch_free(&batch);
  }
  wh_writer_close(writer);
  return status;
}

void parquet_reading_init(parquet_reading *r, wh_mem *mem) {
  *r = (parquet_reading){.context = {.mem = mem}};
  wh_buf_init(&r->text, mem, 0);
  wh_buf_init(&r->places, mem, 0);
  wh_buf_init(&r->schema, mem, 0);
}

void parquet_reading_free(parquet_reading *r) {
  wh_buf_free(&r->text);
  wh_buf_free(&r->places);
  wh_buf_free(&r->schema);
}

static wh_status read_rows(parquet_reading *r, wh_reader *reader, wh_batch *batch, wh_error *err) {
  do {
    wh_batch_reset(batch);
    WH_TRY(reader->next(reader, batch, r->rejects, err));
    for (size_t i = 0; i < batch->rows; i++) {
      random_table_write_row(batch, i, &r->text);
      wh_buf_add_u64(&r->places, wh_batch_place(batch, i).row);
      wh_buf_add_char(&r->places, ' ');
    }
    r->rows += batch->rows;
    r->batches++;
    if (batch->bytes > r->batch_bytes_most) r->batch_bytes_most = batch->bytes;
  } while (batch->rows || reader->paused);
  return WH_OK;
}

static wh_status read_parts(parquet_reading *r, wh_reader *reader, wh_batch *batch, wh_error *err) {
  for (;;) {
    wh_reader *part;
    wh_status status = reader->next_part(reader, &part, err);
    if (status == WH_ERR_END) return WH_OK;
    if (status != WH_OK) return status;
    r->parts++;
    status = read_rows(r, part, batch, err);
    wh_reader_close(part);
    if (status != WH_OK) return status;
  }
}

wh_status parquet_reading_run(parquet_reading *r, wh_str file, wh_error *err) {
  counted_input in;
  wh_reader *reader;
  wh_batch batch;
  wh_buf_clear(&r->text);
  wh_buf_clear(&r->places);
  wh_buf_clear(&r->schema);
  r->rows = r->batches = r->parts = r->batch_bytes_most = 0;
  counted_input_init(&in, file);
  WH_TRY(wh_codec_parquet.open_reader(&r->context, &in.bytes.base, &r->options, r->given, &reader,
                                      err));
  codec_write_schema(reader->schema, &r->schema);
  wh_status status = wh_batch_init(&batch, r->context.mem, reader->schema, err);
  if (status == WH_OK) {
    status = r->in_parts ? read_parts(r, reader, &batch, err) : read_rows(r, reader, &batch, err);
    wh_batch_free(&batch);
  }
  if (status == WH_ERR_WIDEN) {
    wh_buf_clear(&r->schema);
    codec_write_schema(reader->schema, &r->schema);
  }
  wh_reader_close(reader);
  r->bytes = in.count;
  return status;
}

wh_status parquet_file_edit(wh_mem *mem, wh_str file, void (*edit)(pq_file_meta *meta), wh_buf *out,
                            wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  pq_file_meta meta;
  uint32_t len;
  wh_arena_init(&arena, mem);
  memcpy(&len, file.data + file.len - PQ_TAIL_BYTES, sizeof len);
  size_t at = file.len - PQ_TAIL_BYTES - len;
  pq_cursor cursor = pq_cursor_over(wh_str_n(file.data + at, len), at, "the footer");
  WH_TRY(pq_thrift_read(&cursor, &pq_rule_file, &arena, &meta, err));
  edit(&meta);
  wh_buf_clear(out);
  wh_buf_add(out, file.data, at);
  pq_thrift_write(out, &pq_rule_file, &meta);
  len = (uint32_t)(out->len - at);
  wh_buf_add(out, &len, sizeof len);
  wh_buf_add(out, PQ_MAGIC, PQ_MAGIC_BYTES);
  return wh_buf_check(out, err);
}
