// Any rows through the CSV writer and back through the reader.
//
// The bytes choose the options, the columns and the values. What must hold: what is written is read
// back as the same rows, with the schema given; what cannot be written is an error with a text; and
// blocks make the file that writing makes.
#include "base/cpu.h"
#include "codec-run.h"
#include "codec/csv/csv.h"
#include "data/temporal.h"
#include "data/value.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS = 8, ROWS = 40, TEXT = 80 };

static void must(bool holds, const char *what, const wh_error *err) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s (%s)\n", what, err ? err->text : "");
  abort();
}

typedef struct chooser {
  const uint8_t *at, *end;
} chooser;

static uint8_t one(chooser *c) {
  return c->at < c->end ? *c->at++ : 0;
}

static uint64_t eight(chooser *c) {
  uint64_t value = 0;
  for (int i = one(c) % 9; i; i--)
    value = value << 8 | one(c);
  return value;
}

// --- Options -------------------------------------------------------------------------------------

typedef struct options {
  wh_csv_write_options write;
  wh_csv_read_options read;
  wh_str nulls[1];
} options;

static void choose_options(chooser *c, options *o) {
  static const char *const delimiters[] = {",",  ";", "tab", "|", "||", ", ",
                                           "::", "-", ":",   "1", "a"};
  static const char *const quotes[] = {"\"", "'", "\"", "none"};
  static const char *const nulls[] = {"", "NA", "\\N", "-1", "null"};
  *o = (options){.write = {.delimiter = wh_str_of(delimiters[one(c) % 11]),
                           .quote = wh_str_of(quotes[one(c) % 4]),
                           .quoting = one(c) % 4,
                           .header = one(c) % 2,
                           .null = wh_str_of(nulls[one(c) % 5]),
                           .line_ending = one(c) % 2,
                           .decimal = wh_str_of(one(c) % 3 ? "." : ",")}};
  o->nulls[0] = o->write.null;
  bool none = o->write.quoting == WH_CSV_QUOTE_NONE;
  o->read = (wh_csv_read_options){.delimiter = o->write.delimiter,
                                  .quote = none ? WH_STR("none") : o->write.quote,
                                  .escape = WH_STR("none"),
                                  .header = o->write.header ? WH_CSV_HEADER_YES : WH_CSV_HEADER_NO,
                                  .nulls = {o->nulls, o->write.null.len > 0},
                                  .decimal = o->write.decimal,
                                  .encoding = WH_CSV_UTF8};
}

// --- Columns and values --------------------------------------------------------------------------

static wh_type choose_type(chooser *c) {
  static const wh_kind kinds[] = {
      WH_STRING,    WH_STRING,  WH_STRING, WH_INT64,   WH_BOOL,    WH_INT8, WH_INT16,
      WH_INT32,     WH_UINT8,   WH_UINT16, WH_UINT32,  WH_UINT64,  WH_DATE, WH_TIME,
      WH_TIMESTAMP, WH_DECIMAL, WH_BINARY, WH_FLOAT32, WH_FLOAT64,
  };
  wh_type type = wh_type_of(kinds[one(c) % (sizeof kinds / sizeof *kinds)]);
  if (type.kind == WH_DECIMAL) {
    type.precision = (uint8_t)(1 + one(c) % WH_DECIMAL_DIGITS_MAX);
    type.scale = (uint8_t)(one(c) % (type.precision + 1));
  }
  type.unit = (wh_unit)(one(c) % 4);
  type.zoned = type.kind == WH_TIMESTAMP && one(c) % 2;
  return type;
}

static void choose_schema(chooser *c, wh_arena *arena, wh_schema *ret) {
  size_t count = 1 + one(c) % COLUMNS;
  wh_field *fields = WH_NEW_ARRAY(arena, count, wh_field);
  must(fields != NULL, "memory", NULL);
  for (size_t i = 0; i < count; i++) {
    fields[i] = (wh_field){.name = wh_arena_printf(arena, "column_%zu", i + 1),
                           .type = choose_type(c),
                           .nullable = true};
  }
  *ret = (wh_schema){count, fields};
}

static wh_status add_text(chooser *c, wh_column *column, bool no_quotes, wh_error *err) {
  static const char *const parts[] = {
      "\"",           "'",  ",", ";", "\n", "\r",  "\t",   "|",    " ", "#", "a", "1", "\xC3\xA9",
      "\xEF\xBB\xBF", "\\", "-", ":", "NA", "\\N", "null", "\x1F", "."};
  enum { PARTS = sizeof parts / sizeof *parts };
  char text[TEXT * 4];
  size_t len = 0;
  for (int i = one(c) % TEXT; i; i--) {
    const char *part = parts[one(c) % PARTS];
    memcpy(text + len, part, strlen(part));
    len += strlen(part);
  }
  // Where nothing is quoted, readers other than ours may tell an empty text from NULL.
  if (len == 0 && no_quotes) text[len++] = 'x';
  return wh_column_add_text(column, wh_str_n(text, len), err);
}

static wh_status add_decimal(chooser *c, wh_column *column, wh_error *err) {
  __int128 most = 1;
  for (int i = 0; i < column->type.precision; i++)
    most *= 10;
  unsigned __int128 bits = (unsigned __int128)eight(c) << 64 | eight(c);
  __int128 value = (__int128)(bits % (unsigned __int128)most);
  return wh_column_add_decimal(column, one(c) % 2 ? -value : value, err);
}

static wh_status add_value(chooser *c, wh_column *column, bool no_quotes, wh_error *err) {
  const wh_type *type = &column->type;
  if (one(c) % 8 == 0) return wh_column_add_null(column, err);
  unsigned unused = 64 - 8 * (unsigned)wh_kind_width(type->kind);
  int64_t per_second = wh_unit_per_second(type->unit);
  switch (type->kind) {
  case WH_STRING:
    return add_text(c, column, no_quotes, err);
  case WH_BINARY: {
    uint64_t bytes = eight(c);
    return wh_column_add_text(column, wh_str_n((char *)&bytes, no_quotes + one(c) % 8), err);
  }
  case WH_BOOL:
    return wh_column_add_bool(column, one(c) % 2, err);
  case WH_UINT8:
  case WH_UINT16:
  case WH_UINT32:
  case WH_UINT64:
    return wh_column_add_u64(column, eight(c) << unused >> unused, err);
  case WH_FLOAT32:
  case WH_FLOAT64: {
    double value;
    uint64_t bits = eight(c);
    memcpy(&value, &bits, sizeof value);
    if (one(c) % 2) value = (double)(int64_t)bits / 100;
    return wh_column_add_f64(column, value != value ? (double)__builtin_nan("") : value, err);
  }
  case WH_DECIMAL:
    return add_decimal(c, column, err);
  case WH_DATE:
    return wh_column_add_i64(column, (int64_t)(eight(c) % 6000000) - 3000000, err);
  case WH_TIME:
    return wh_column_add_i64(column, (int64_t)(eight(c) % (uint64_t)(86400 * per_second)), err);
  case WH_TIMESTAMP: {
    int64_t most = 9000000000 * (per_second > 1000000 ? 1000000000 : per_second);
    return wh_column_add_i64(column, (int64_t)eight(c) % most, err);
  }
  default:
    return wh_column_add_i64(column, (int64_t)(eight(c) << unused) >> unused, err);
  }
}

// --- There and back ------------------------------------------------------------------------------

static wh_status write_all(wh_mem *mem, const wh_batch *batch, const options *o, bool blocks,
                           wh_buf *text, wh_error *err) {
  wh_codec_context context = {.mem = mem, .part_bytes = 64};
  buf_output out;
  buf_output_init(&out, text);
  wh_writer *writer = NULL;
  wh_encoder *encoder = NULL;
  wh_block *block = NULL;
  WH_TRY(wh_codec_csv.open_writer(&context, &out.base, &o->write, batch->schema, &writer, err));
  wh_status status = WH_OK;
  if (!blocks) {
    status = writer->write(writer, batch, err);
  } else {
    status = wh_codec_csv.open_encoder(&context, &o->write, batch->schema, &encoder, err);
    if (status == WH_OK) status = encoder->add(encoder, batch, err);
    if (status == WH_OK) status = encoder->take(encoder, &block, err);
    if (status == WH_OK && block) status = writer->append(writer, block, err);
  }
  if (status == WH_OK) status = writer->finish(writer, err);
  wh_block_free(block);
  wh_encoder_close(encoder);
  wh_writer_close(writer);
  return status;
}

static void write_down(const wh_batch *batch, wh_buf *out) {
  for (size_t row = 0; row < batch->rows; row++) {
    wh_buf_add_char(out, '{');
    for (size_t i = 0; i < batch->schema->count; i++) {
      if (i) wh_buf_add_char(out, ',');
      wh_buf_add_json(out, batch->schema->fields[i].name);
      wh_buf_add_char(out, ':');
      wh_column_write_json(&batch->columns[i], row, out);
    }
    wh_buf_add_c(out, "}\n");
  }
}

static void check_read(wh_mem *mem, const wh_batch *batch, const options *o, wh_str text,
                       size_t most) {
  wh_error err = {0};
  codec_run run;
  codec_run_init(&run, mem, &wh_codec_csv);
  run.options = &o->read;
  run.given = batch->schema;
  run.most = most;
  wh_status status = codec_run_read(&run, text, &err);
  must(status == WH_OK, "what was written is read", &err);
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&want, mem, 0);
  write_down(batch, &want);
  bool same = run.reject_count == 0 && wh_str_eq(wh_buf_str(&run.rows), wh_buf_str(&want));
  if (!same) {
    fprintf(stderr, "written:\n%.*s\nrejected:\n%.*s\nread:\n%.*s\nexpected:\n%.*s\n",
            WH_STR_ARG(text), WH_STR_ARG(wh_buf_str(&run.rejects)),
            WH_STR_ARG(wh_buf_str(&run.rows)), WH_STR_ARG(wh_buf_str(&want)));
  }
  must(same, "the rows are the same", NULL);
  codec_run_free(&run);
}

static void check_copy(wh_mem *mem, const wh_batch *batch, const options *o) {
  wh_error err = {0};
  WH_CLEAN_BUF wh_buf text;
  WH_CLEAN_BUF wh_buf again;
  wh_buf_init(&text, mem, 0);
  wh_buf_init(&again, mem, 0);
  wh_cpu_limit(WH_CPU_PLAIN);
  wh_status plain = write_all(mem, batch, o, false, &text, &err);
  wh_cpu_limit(WH_CPU_AVX512);
  wh_status vectors = write_all(mem, batch, o, true, &again, &err);
  must(plain == vectors, "all machines write the same", &err);
  if (plain != WH_OK) {
    must(plain == WH_ERR_USAGE || plain == WH_ERR_TYPE, "a refusal", &err);
    must(plain == WH_ERR_USAGE || o->write.quoting == WH_CSV_QUOTE_NONE ||
             wh_str_is(o->write.quote, "none"),
         "only without quotes is there anything that cannot be written", &err);
    must(err.text[0], "an error has a text", NULL);
    return;
  }
  must(wh_str_eq(wh_buf_str(&text), wh_buf_str(&again)), "blocks make the same file", NULL);
  check_read(mem, batch, o, wh_buf_str(&text), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  chooser c = {data, data + size};
  wh_mem mem;
  wh_error err = {0};
  wh_mem_init(&mem, 0);
  wh_arena arena;
  wh_arena_init(&arena, &mem);
  options o;
  wh_schema schema;
  wh_batch batch = {0};
  choose_options(&c, &o);
  choose_schema(&c, &arena, &schema);
  must(wh_batch_init(&batch, &mem, &schema, &err) == WH_OK, "memory", &err);
  bool no_quotes = wh_str_is(o.read.quote, "none");
  while (c.at < c.end && batch.rows < ROWS) {
    for (size_t i = 0; i < schema.count; i++)
      must(add_value(&c, &batch.columns[i], no_quotes, &err) == WH_OK, "memory", &err);
    wh_batch_row_end(&batch);
  }
  if (wh_codec_csv.check_read(&o.read, &err) == WH_OK) check_copy(&mem, &batch, &o);
  wh_batch_free(&batch);
  wh_arena_free(&arena);
  must(atomic_load(&mem.used) == 0, "all memory is given back", NULL);
  return 0;
}
