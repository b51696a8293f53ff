// Files in parts: rows, rejects and places are those of the whole, wherever it was cut.
#include "codec-run.h"
#include "codec/csv/csv.h"
#include "data/value.h"
#include "test.h"

typedef struct ranged_input {
  wh_bytes_input bytes;
} ranged_input;

static wh_status ranged_read_at(wh_input *in, uint64_t offset, void *data, size_t len,
                                wh_error *err) {
  const wh_bytes_input *b = (const wh_bytes_input *)in;
  if (offset > b->len || len > b->len - offset) return wh_fail(err, WH_ERR_BUG, "beyond the end");
  memcpy(data, b->data + offset, len);
  return WH_OK;
}

static void ranged_init(wh_bytes_input *in, wh_str text) {
  wh_bytes_input_init(in, text.data, text.len);
  in->base.size = text.len;
  in->base.read_at = ranged_read_at;
}

typedef struct listing {
  wh_rejects base;
  wh_buf *out;
  uint64_t row, line; // before the part
} listing;

static void write_place(const listing *l, wh_place p) {
  wh_buf_printf(l->out, "@%llu:%llu:%llu:%llu ", (unsigned long long)(p.row + l->row),
                (unsigned long long)(p.line + l->line), (unsigned long long)p.column,
                (unsigned long long)p.byte);
}

static wh_status list_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  listing *l = (listing *)self;
  (void)err;
  write_place(l, reject->place);
  wh_buf_printf(l->out, "%.*s %.*s: ", WH_STR_ARG(reject->rule), WH_STR_ARG(reject->reason));
  wh_buf_add_str(l->out, text);
  wh_buf_add_char(l->out, '\n');
  return WH_OK;
}

// Rows with their places; rejects apart, because batches are cut elsewhere.
static wh_status list_rows(wh_reader *reader, listing *l, wh_buf *rows, wh_error *err) {
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, &test_mem, reader->schema, err));
  wh_status status;
  for (;;) {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, &l->base, err);
    if (status != WH_OK || (batch.rows == 0 && !reader->paused)) break;
    for (size_t row = 0; row < batch.rows; row++) {
      listing to = {.out = rows, .row = l->row, .line = l->line};
      write_place(&to, wh_batch_place(&batch, row));
      for (size_t i = 0; i < batch.schema->count; i++) {
        wh_column_write_json(&batch.columns[i], row, rows);
        wh_buf_add_char(rows, '|');
      }
      wh_buf_add_char(rows, '\n');
    }
  }
  wh_batch_free(&batch);
  return status;
}

typedef struct outcome {
  wh_buf rows, rejects;
  wh_status status;
  uint64_t bytes;
} outcome;

static void outcome_init(outcome *o) {
  *o = (outcome){0};
  wh_buf_init(&o->rows, &test_mem, 0);
  wh_buf_init(&o->rejects, &test_mem, 0);
}

static void outcome_free(outcome *o) {
  wh_buf_free(&o->rows);
  wh_buf_free(&o->rejects);
}

// One part after the other, as the engine takes them: a part that began at the wrong place is read
// again from the right one.
static wh_status read_parts(wh_reader *whole, outcome *o, uint64_t *restarts, wh_error *err) {
  listing l = {.base = {.raw = list_raw}, .out = &o->rejects};
  uint64_t expected = 0, index = 0;
  for (;; index++) {
    wh_reader *part;
    wh_status status = whole->next_part(whole, &part, err);
    if (status != WH_OK) return status == WH_ERR_END ? WH_OK : status;
    CHECK_EQ(part->part.index, index);
    if (index && part->part.from != expected) {
      (*restarts)++;
      // Read some of the wrong rows first: a restart forgets them.
      outcome wrong;
      outcome_init(&wrong);
      listing none = {.base = {.raw = list_raw}, .out = &wrong.rejects};
      if (test_random() & 1) WH_IGNORE(list_rows(part, &none, &wrong.rows, NULL));
      outcome_free(&wrong);
      status = part->restart_part(part, expected, err);
    }
    if (status == WH_OK) status = list_rows(part, &l, &o->rows, err);
    expected = part->part.to;
    l.row += part->part.rows;
    l.line += part->part.lines;
    whole->bytes_read += part->bytes_read;
    wh_reader_close(part);
    if (status != WH_OK) return status;
  }
}

static void read_text(wh_str text, const wh_csv_read_options *options, size_t part_bytes,
                      size_t batch_rows, outcome *o, uint64_t *restarts) {
  wh_codec_context context = {.mem = &test_mem,
                              .row_limit_bytes = 1 << 20,
                              .threads = 1,
                              .batch_rows = batch_rows,
                              .part_bytes = part_bytes};
  wh_bytes_input in;
  wh_reader *reader;
  ranged_init(&in, text);
  o->status = wh_codec_csv.open_reader(&context, &in.base, options, NULL, &reader, &test_err);
  if (o->status != WH_OK) return;
  listing l = {.base = {.raw = list_raw}, .out = &o->rejects};
  if (part_bytes == 0 || !reader->next_part) {
    o->status = list_rows(reader, &l, &o->rows, &test_err);
    o->bytes = reader->bytes_read;
  } else {
    o->status = read_parts(reader, o, restarts, &test_err);
    o->bytes = reader->bytes_read;
  }
  wh_reader_close(reader);
}

static uint64_t compare(wh_str text, const wh_csv_read_options *options) {
  uint64_t restarts = 0;
  outcome whole;
  outcome_init(&whole);
  read_text(text, options, 0, 0, &whole, &restarts);
  for (size_t part = 1; part <= 64 && !test_failed(); part += part < 12 ? 1 : 13) {
    outcome parts;
    outcome_init(&parts);
    read_text(text, options, part, 1 + test_random_below(40), &parts, &restarts);
    bool same = CHECK_EQ(parts.status, whole.status);
    if (whole.status == WH_OK) {
      same &= CHECK_STR(wh_buf_str(&parts.rows), wh_buf_str(&whole.rows));
      same &= CHECK_STR(wh_buf_str(&parts.rejects), wh_buf_str(&whole.rejects));
      same &= CHECK_EQ(parts.bytes, whole.bytes);
    }
    if (!same) test_note("parts of %zu bytes of: %.*s", part, WH_STR_ARG(text));
    outcome_free(&parts);
  }
  outcome_free(&whole);
  return restarts;
}

static void random_text(wh_buf *text, const char *const *pieces, size_t count, size_t len) {
  wh_buf_clear(text);
  wh_buf_add_c(text, "a,b\n");
  while (text->len < len)
    wh_buf_add_c(text, pieces[test_random_below(count)]);
}

// RFC 4180: so that nothing is found out from texts that are too short for it.
static const wh_csv_read_options rfc = {.delimiter = WH_STR_INIT(","),
                                        .quote = WH_STR_INIT("\""),
                                        .escape = WH_STR_INIT("none"),
                                        .header = WH_CSV_HEADER_YES,
                                        .decimal = WH_STR_INIT("."),
                                        .encoding = WH_CSV_UTF8};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void try_all(const char *const *pieces, size_t count, const wh_csv_read_options *options) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  for (int i = 0; i < 60 && !test_failed(); i++) {
    random_text(&text, pieces, count, 4 + test_random_below(400));
    compare(wh_buf_str(&text), options);
  }
}

TEST(parts_of_clean_files) {
  static const char *const pieces[] = {"1,2\n",           "text,\"quoted, text\"\n",
                                       "\"a\nb\nc\",x\n", "\"q\"\"\n\"\"\",y\n",
                                       "2026-11-21,5\n",  ",\n"};
  try_all(pieces, COUNT(pieces), &rfc);
}

TEST(parts_of_dirty_files) {
  static const char *const pieces[] = {
      "1,2\n",   "a",       "\"",   ",",        "\n",
      "\r\n",    "\r",      "\"\"", "x\"y,z\n", "\"x\n1,2\n3,4\n\",5\n",
      "1,2,3\n", "\xFF,1\n"};
  try_all(pieces, COUNT(pieces), &rfc);
}

TEST(parts_with_other_dialects) {
  static const char *const pieces[] = {"1,2\n", "#c\"\n",    "#\n",
                                       "\\\"",  "a\\,b,c\n", "\"x\\\"\ny\",z\n",
                                       "\\\n",  "\n",        "\"a\n#b\",c\r\n"};
  wh_csv_read_options o = rfc;
  o.comment = WH_STR("#");
  o.escape = WH_STR("\\");
  try_all(pieces, COUNT(pieces), &o);
  o = rfc;
  o.quote = WH_STR("none");
  try_all(pieces, COUNT(pieces), &o);
  o = rfc;
  o.encoding = WH_CSV_LATIN1;
  o.header = WH_CSV_HEADER_NO;
  try_all(pieces, COUNT(pieces), &o);
}

// Parts of a usual size begin where they should, also inside quoted text with line ends.
TEST(guesses_are_right) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_add_c(&text, "id,title,body\n");
  for (int i = 0; text.len < 600 * 1024; i++) {
    wh_buf_printf(&text, "%d,\"one, \"\"two\"\"\nthree\",\"", i);
    for (uint64_t n = test_random_below(60); n; n--)
      wh_buf_add_c(&text, n % 7 ? "some words, " : "and a line\n");
    wh_buf_add_c(&text, "\"\n");
  }
  outcome whole, parts;
  outcome_init(&whole);
  outcome_init(&parts);
  uint64_t restarts = 0;
  read_text(wh_buf_str(&text), &rfc, 0, 0, &whole, &restarts);
  read_text(wh_buf_str(&text), &rfc, 10000, 0, &parts, &restarts);
  CHECK_EQ(whole.status, WH_OK);
  CHECK(wh_str_eq(wh_buf_str(&whole.rows), wh_buf_str(&parts.rows)));
  CHECK_EQ(whole.rejects.len, 0);
  CHECK(restarts <= 1);
  outcome_free(&whole);
  outcome_free(&parts);
}

TEST(parts_are_as_large_as_asked) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_add_c(&text, "id,n\n");
  for (int i = 0; i < 100000; i++)
    wh_buf_printf(&text, "%06d,%d\n", i, i % 10);
  wh_codec_context context = {
      .mem = &test_mem, .row_limit_bytes = 1 << 20, .part_rows = 10000, .part_bytes = 1 << 20};
  wh_bytes_input in;
  wh_reader *reader, *part;
  ranged_init(&in, wh_buf_str(&text));
  REQUIRE_OK(wh_codec_csv.open_reader(&context, &in.base, NULL, NULL, &reader, &test_err));
  size_t count = 0;
  while (reader->next_part(reader, &part, &test_err) == WH_OK) {
    wh_reader_close(part);
    count++;
  }
  CHECK(count >= 9 && count <= 12);
  wh_reader_close(reader);
  // What cannot be cut says so.
  wh_csv_read_options o = rfc;
  o.footer = 1;
  ranged_init(&in, wh_buf_str(&text));
  REQUIRE_OK(wh_codec_csv.open_reader(&context, &in.base, &o, NULL, &reader, &test_err));
  CHECK(!reader->next_part);
  wh_reader_close(reader);
}

TEST(a_part_widens_by_itself) {
  WH_CLEAN_BUF wh_buf text, schema;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_init(&schema, &test_mem, 0);
  wh_buf_add_c(&text, "id,n\n");
  for (int i = 0; i < 300000; i++)
    wh_buf_printf(&text, "%06d,%s\n", i, i == 250000 ? "0.5" : "7");
  wh_codec_context context = {.mem = &test_mem, .row_limit_bytes = 1 << 20, .part_bytes = 1 << 20};
  wh_bytes_input in;
  wh_reader *reader, *part;
  ranged_init(&in, wh_buf_str(&text));
  REQUIRE_OK(wh_codec_csv.open_reader(&context, &in.base, NULL, NULL, &reader, &test_err));
  uint64_t widened = 0;
  while (reader->next_part(reader, &part, &test_err) == WH_OK) {
    outcome o;
    outcome_init(&o);
    listing l = {.base = {.raw = list_raw}, .out = &o.rejects};
    wh_status status = list_rows(part, &l, &o.rows, &test_err);
    if (status == WH_ERR_WIDEN) {
      widened++;
      codec_write_schema(part->schema, &schema);
    }
    outcome_free(&o);
    wh_reader_close(part);
  }
  CHECK_EQ(widened, 1);
  CHECK_STR(wh_buf_str(&schema), WH_STR("id: string?, n: float64?"));
  wh_reader_close(reader);
}
