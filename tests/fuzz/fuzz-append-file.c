// Any bytes as a file that is appended to another.
//
// The first byte says how (bits 0 and 1: the codec; bit 2: the bytes are the file, else a good file
// is changed by them, three a change: where, and to what; bit 3: the allocation numbered by the
// second byte fails). What must hold: no crash, no leak; an error has a text and is one of the
// file; what was appended to a Parquet file can be read to an end or an error.
#include "codec-run.h"
#include "codec/csv/csv.h"
#include "codec/json/json.h"
#include "codec/parquet/parquet.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 200, MEMORY = 64 << 20, CHANGE_BYTES = 3 };

static const wh_codec_type *const codecs[] = {&wh_codec_parquet, &wh_codec_csv, &wh_codec_json,
                                              &wh_codec_ndjson};
static wh_field fields[] = {{.name = WH_STR_INIT("id"), .type = {.kind = WH_INT64}},
                            {.name = WH_STR_INIT("name"), .type = {.kind = WH_STRING}}};
static const wh_schema schema = {.fields = fields, .count = 2};
static wh_str bloom[] = {WH_STR_INIT("id")};
static const wh_parquet_write_options parquet = {.level = 1,
                                                 .row_group_rows = 90,
                                                 .page_bytes = 500,
                                                 .page_index = true,
                                                 .crc = true,
                                                 .bloom = {.items = bloom, .count = 1}};

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static const void *options_of(const wh_codec_type *codec) {
  return codec == &wh_codec_parquet ? &parquet : NULL;
}

static void write_good(wh_mem *mem, const wh_codec_type *codec, wh_buf *out) {
  wh_codec_context context = {.mem = mem};
  wh_error err = {0};
  buf_output to;
  wh_writer *writer;
  wh_batch batch;
  buf_output_init(&to, out);
  must(codec->open_writer(&context, &to.base, options_of(codec), &schema, &writer, &err) == WH_OK &&
           wh_batch_init(&batch, mem, &schema, &err) == WH_OK,
       "a writer");
  for (int i = 0; i < ROWS; i++) {
    wh_str name = i % 3 ? WH_STR("abc") : WH_STR("de");
    must(wh_column_add_i64(&batch.columns[0], i, &err) == WH_OK &&
             wh_column_add_text(&batch.columns[1], name, &err) == WH_OK,
         "a row");
    wh_batch_row_end(&batch);
  }
  must(writer->write(writer, &batch, &err) == WH_OK && writer->finish(writer, &err) == WH_OK,
       "a file");
  wh_batch_free(&batch);
  wh_writer_close(writer);
}

static wh_status append(wh_mem *mem, const wh_codec_type *codec, wh_str first, wh_str second,
                        wh_buf *out, wh_error *err) {
  wh_codec_context context = {.mem = mem};
  buf_output to;
  wh_writer *writer;
  wh_bytes_input in;
  buf_output_init(&to, out);
  WH_TRY(codec->open_writer(&context, &to.base, options_of(codec), &schema, &writer, err));
  wh_bytes_input_init(&in, first.data, first.len);
  wh_status status = writer->append_file(writer, &in.base, err);
  wh_bytes_input_init(&in, second.data, second.len);
  if (status == WH_OK) status = writer->append_file(writer, &in.base, err);
  if (status == WH_OK) status = writer->finish(writer, err);
  wh_writer_close(writer);
  return status;
}

static void read_back(wh_mem *mem, const wh_codec_type *codec, wh_str file) {
  codec_run run;
  wh_error err = {0};
  codec_run_init(&run, mem, codec);
  run.quiet = true;
  wh_status status = codec_run_read(&run, file, &err);
  must(status == WH_OK || err.text[0], "an error has a text");
  must(status != WH_ERR_BUG, "what was appended can be read, or not");
  codec_run_free(&run);
}

static wh_str make_file(uint8_t how, const uint8_t *data, size_t size, wh_buf *good) {
  if (how & 4) return wh_str_n((const char *)data, size);
  for (; size >= CHANGE_BYTES; data += CHANGE_BYTES, size -= CHANGE_BYTES)
    good->data[((size_t)data[0] << 8 | data[1]) % good->len] = (char)data[2];
  return wh_buf_str(good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_mem mem;
  wh_error err = {0};
  const wh_codec_type *codec = codecs[data[0] & 3];
  wh_mem_init(&mem, MEMORY);
  wh_buf good = {.mem = &mem}, changed = {.mem = &mem}, out = {.mem = &mem};
  write_good(&mem, codec, &good);
  must(wh_buf_add_str(&changed, wh_buf_str(&good)), "memory");
  wh_str file = make_file(data[0], data + 2, size - 2, &changed);
  if (data[0] & 8) atomic_store(&mem.fail_at, atomic_load(&mem.count) + 1 + data[1]);
  wh_status status = append(&mem, codec, wh_buf_str(&good), file, &out, &err);
  atomic_store(&mem.fail_at, 0);
  must(status == WH_OK || err.text[0], "an error has a text");
  must(status == WH_OK || status == WH_ERR_DATA || status == WH_ERR_LIMIT ||
           status == WH_ERR_MEMORY || status == WH_ERR_TYPE,
       "an error of the file");
  if (status == WH_OK) read_back(&mem, codec, wh_buf_str(&out));
  wh_buf_free(&good);
  wh_buf_free(&changed);
  wh_buf_free(&out);
  must(atomic_load(&mem.used) == 0, "all memory is given back");
  return 0;
}
