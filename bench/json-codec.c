// How fast the JSON codec writes and reads order rows, one thread, bytes in memory.
//
//   build/bench/json-codec [ROWS [ROUNDS]]
//
// Prints MB (10^6 bytes) of JSON text a second of processor time, the best of the rounds.
#include "base/mem.h"
#include "codec/json/json.h"

#include <stdio.h>
#include <time.h>

typedef struct memory_output {
  wh_output base;
  char *data;
  size_t cap;
} memory_output;

static wh_status memory_write(wh_output *out, const void *data, size_t len, wh_error *err) {
  memory_output *m = (memory_output *)out;
  if (out->written + len > m->cap) return wh_fail(err, WH_ERR_LIMIT, "the output is full");
  memcpy(m->data + out->written, data, len);
  out->written += len;
  return WH_OK;
}

static wh_status no_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  (void)self, (void)text;
  return wh_fail_at(err, WH_ERR_DATA, reject->place, "%.*s: %.*s", WH_STR_ARG(reject->column),
                    WH_STR_ARG(reject->reason));
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const wh_field order_fields[] = {
    {.name = WH_STR_INIT("OrderNumber"), .type = {.kind = WH_STRING}},
    {.name = WH_STR_INIT("OrderStatus"), .type = {.kind = WH_STRING}},
    {.name = WH_STR_INIT("OrderDate"), .type = {.kind = WH_DATE}, .nullable = true},
    {.name = WH_STR_INIT("CustomerName"), .type = {.kind = WH_STRING}},
    {.name = WH_STR_INIT("Quantity"), .type = {.kind = WH_INT64}},
    {.name = WH_STR_INIT("Price"), .type = {.kind = WH_FLOAT64}},
    {.name = WH_STR_INIT("Total"), .type = {.kind = WH_DECIMAL, .precision = 12, .scale = 2}},
    {.name = WH_STR_INIT("Paid"), .type = {.kind = WH_BOOL}},
    {.name = WH_STR_INIT("PostcodeProof"), .type = {.kind = WH_STRING}, .nullable = true},
    {.name = WH_STR_INIT("UpdatedAt"),
     .type = {.kind = WH_TIMESTAMP, .unit = WH_UNIT_US, .zoned = true}},
};
static const wh_schema orders = {sizeof order_fields / sizeof *order_fields, order_fields};

static wh_status fill(wh_batch *batch, size_t from, size_t rows, wh_error *err) {
  static const char *const status[] = {"Open", "Back ordered", "Shipped", "Cancelled"};
  static const char *const names[] = {"Harbour Lamps Ltd", "Bäckerei Sommer", "North Quay Rope",
                                      "Atelier d'Été",     "Copper & Pine",   "Riverside Paints"};
  char text[64];
  for (size_t i = from; i < from + rows; i++) {
    uint64_t r = (i + 1) * 0x9E3779B97F4A7C15ull;
    wh_column *c = batch->columns;
    int n = snprintf(text, sizeof text, "SO%07zu", i);
    WH_TRY(wh_column_add_text(&c[0], wh_str_n(text, (size_t)n), err));
    WH_TRY(wh_column_add_text(&c[1], wh_str_of(status[r >> 62]), err));
    if ((r & 31) == 0)
      WH_TRY(wh_column_add_null(&c[2], err));
    else
      WH_TRY(wh_column_add_i64(&c[2], 20000 + (int64_t)(i / 300), err));
    WH_TRY(wh_column_add_text(&c[3], wh_str_of(names[(r >> 40) % 6]), err));
    WH_TRY(wh_column_add_i64(&c[4], (int64_t)(r >> 20) % 500, err));
    WH_TRY(wh_column_add_f64(&c[5], (double)((r >> 16) % 100000) / 100, err));
    WH_TRY(wh_column_add_decimal(&c[6], (__int128)((r >> 8) % 10000000), err));
    WH_TRY(wh_column_add_bool(&c[7], r >> 33 & 1, err));
    n = snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)r,
                 (unsigned long long)(r * r));
    WH_TRY(wh_column_add_text(&c[8], wh_str_n(text, (size_t)n), err));
    int64_t us = (20000 + (int64_t)(i / 300)) * 86400000000 + (int64_t)(r >> 30) % 86400000000;
    WH_TRY(wh_column_add_i64(&c[9], us / 1000 * 1000, err));
    wh_batch_row_end(batch);
  }
  return WH_OK;
}

static wh_status write_all(const wh_codec_context *context, wh_batch *batch, size_t rows,
                           memory_output *out, wh_error *err) {
  wh_writer *writer;
  out->base.written = 0;
  WH_TRY(wh_codec_json.open_writer(context, &out->base, NULL, &orders, &writer, err));
  wh_status status = WH_OK;
  for (size_t done = 0; status == WH_OK && done < rows; done += batch->rows)
    status = writer->write(writer, batch, err);
  if (status == WH_OK) status = writer->finish(writer, err);
  wh_writer_close(writer);
  return status;
}

static wh_status read_all(const wh_codec_context *context, const wh_schema *schema,
                          const memory_output *text, size_t *ret_rows, wh_error *err) {
  wh_bytes_input in;
  wh_bytes_input_init(&in, text->data, text->base.written);
  wh_reader *reader;
  wh_batch batch = {0};
  wh_rejects rejects = {.raw = no_raw};
  WH_TRY(wh_codec_json.open_reader(context, &in.base, NULL, schema, &reader, err));
  wh_status status = wh_batch_init(&batch, context->mem, reader->schema, err);
  *ret_rows = 0;
  while (status == WH_OK) {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, &rejects, err);
    if (batch.rows == 0) break;
    *ret_rows += batch.rows;
  }
  wh_batch_free(&batch);
  wh_reader_close(reader);
  return status;
}

static int fail(const wh_error *err) {
  fprintf(stderr, "%s\n", err->text);
  return 1;
}

int main(int argc, char **argv) {
  size_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 400000;
  int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
  wh_mem mem;
  wh_error err;
  wh_batch batch;
  wh_mem_init(&mem, 0);
  wh_codec_context context = {.mem = &mem, .row_limit_bytes = 8 << 20, .threads = 1};
  if (wh_batch_init(&batch, &mem, &orders, &err) != WH_OK) return fail(&err);
  if (fill(&batch, 0, WH_BATCH_ROWS_DEFAULT, &err) != WH_OK) return fail(&err);
  memory_output out = {.base = {.write = memory_write},
                       .cap = (rows + WH_BATCH_ROWS_DEFAULT) * 400};
  out.data = malloc(out.cap);
  if (!out.data) return 1;
  memset(out.data, 1, out.cap);
  double best_write = 1e9, best_given = 1e9, best_inferred = 1e9;
  size_t got = 0;
  for (int i = 0; i < rounds; i++) {
    double t0 = now();
    if (write_all(&context, &batch, rows, &out, &err) != WH_OK) return fail(&err);
    double t1 = now();
    if (read_all(&context, &orders, &out, &got, &err) != WH_OK) return fail(&err);
    double t2 = now();
    if (read_all(&context, NULL, &out, &got, &err) != WH_OK) return fail(&err);
    double t3 = now();
    if (t1 - t0 < best_write) best_write = t1 - t0;
    if (t2 - t1 < best_given) best_given = t2 - t1;
    if (t3 - t2 < best_inferred) best_inferred = t3 - t2;
  }
  double mb = (double)out.base.written / 1e6;
  printf("%zu rows, %.1f MB, %.0f bytes a row\n", got, mb, (double)out.base.written / (double)got);
  printf("write               %6.0f MB/s\n", mb / best_write);
  printf("read, schema given  %6.0f MB/s\n", mb / best_given);
  printf("read, inferred      %6.0f MB/s\n", mb / best_inferred);
  wh_batch_free(&batch);
  free(out.data);
  return 0;
}
