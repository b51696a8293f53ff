#include "connect/ingest/intake.h"

#include "codec/json/json.h"

wh_intake_kind wh_intake_kind_of(wh_str content_type) {
  size_t semicolon = wh_str_find(content_type, 0, ';');
  wh_str type = wh_str_trim(wh_str_sub(content_type, 0, semicolon));
  static const char *const lines[] = {"application/x-ndjson", "application/ndjson",
                                      "application/jsonl", "application/x-jsonlines"};
  wh_intake_kind kind = WH_INTAKE_OTHER;
  if (wh_str_eq_nocase(type, WH_STR("application/json"))) kind = WH_INTAKE_JSON;
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
    if (wh_str_eq_nocase(type, wh_str_of(lines[i]))) kind = WH_INTAKE_LINES;
  if (semicolon == content_type.len) return kind;
  wh_str rest = wh_str_trim(wh_str_sub(content_type, semicolon + 1, content_type.len));
  bool is_utf8 = wh_str_eq_nocase(rest, WH_STR("charset=utf-8")) ||
                 wh_str_eq_nocase(rest, WH_STR("charset=\"utf-8\""));
  return is_utf8 ? kind : WH_INTAKE_OTHER;
}

void wh_intake_init(wh_intake *i, wh_mem *mem) {
  *i = (wh_intake){0};
  wh_buf_init(&i->lines, mem, 0);
  wh_buf_init(&i->errors, mem, 0);
}

void wh_intake_free(wh_intake *i) {
  wh_buf_free(&i->lines);
  wh_buf_free(&i->errors);
}

// --- what does not fit ---------------------------------------------------------------------------

typedef struct collector {
  wh_rejects base;
  wh_intake *intake;
  wh_buf raw;  // lines
  bool is_one; // the body is one event: nothing stands in front of its fields
} collector;

// RFC 6901 section 3.
static void add_token(wh_buf *out, wh_str token) {
  wh_buf_add_char(out, '/');
  for (size_t i = 0; i < token.len; i++) {
    char c = token.data[i];
    if (c == '~' || c == '/')
      wh_buf_add_c(out, c == '~' ? "~0" : "~1");
    else
      wh_buf_add_char(out, c);
  }
}

static void add_error(collector *c, const wh_reject *reject, wh_mem *mem) {
  wh_intake *i = c->intake;
  WH_CLEAN_BUF wh_buf pointer;
  wh_buf_init(&pointer, mem, 0);
  if (!c->is_one) wh_buf_printf(&pointer, "/%llu", (unsigned long long)reject->place.row - 1);
  if (reject->column.len) add_token(&pointer, reject->column);
  wh_buf_add_c(&i->errors, i->errors.len ? ",{\"pointer\":" : "{\"pointer\":");
  wh_buf_add_json(&i->errors, wh_buf_str(&pointer));
  wh_buf_add_c(&i->errors, ",\"detail\":");
  wh_buf_add_json(&i->errors, reject->reason);
  wh_buf_add_char(&i->errors, '}');
  if (pointer.failed) i->errors.failed = true;
}

static wh_status take_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  collector *c = (collector *)self;
  wh_intake *i = c->intake;
  if (wh_str_is(reject->rule, "json")) i->is_malformed = true;
  if (i->rejected++ < WH_INTAKE_ERRORS_MAX) add_error(c, reject, i->errors.mem);
  // A line feed ends the event here. A carriage return is white space to JSON where that is, and no
  // more allowed in a string than it: what is wrong stays wrong.
  for (size_t at = 0; at < text.len; at++)
    wh_buf_add_char(&c->raw, text.data[at] == '\n' ? '\r' : text.data[at]);
  wh_buf_add_char(&c->raw, '\n');
  WH_TRY(wh_buf_check(&i->errors, err));
  return wh_buf_check(&c->raw, err);
}

// A batch's row never is: only the codec rejects.
static wh_status take_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                          size_t row, wh_error *err) {
  (void)batch, (void)row;
  return take_raw(self, reject, WH_STR(""), err);
}

// --- events --------------------------------------------------------------------------------------

typedef struct lines_output {
  wh_output base;
  wh_buf *to;
} lines_output;

static wh_status write_lines(wh_output *base, const void *data, size_t len, wh_error *err) {
  lines_output *out = (lines_output *)base;
  out->base.written += len;
  wh_buf_add(out->to, data, len);
  return wh_buf_check(out->to, err);
}

static wh_status copy_rows(wh_intake *i, wh_reader *reader, wh_writer *writer, collector *c,
                           wh_error *err) {
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, i->lines.mem, reader->schema, err));
  wh_status status;
  do {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, &c->base, err);
    if (status == WH_OK && batch.rows) status = writer->write(writer, &batch, err);
    i->events += batch.rows;
  } while (status == WH_OK && reader->paused);
  wh_batch_free(&batch);
  return status == WH_OK ? writer->finish(writer, err) : status;
}

static wh_status read_events(wh_intake *i, const wh_schema *columns, wh_intake_kind kind,
                             wh_str body, collector *c, wh_error *err) {
  static const wh_json_read_options reading = {.unknown = WH_JSON_UNKNOWN_IGNORE};
  static const wh_json_write_options writing = {.nulls = WH_JSON_NULLS_OMIT};
  wh_mem *mem = i->lines.mem;
  // A row is never more than the body, and so is the window that it is read in.
  wh_codec_context context = {.mem = mem, .row_limit_bytes = body.len + 1, .threads = 1};
  wh_bytes_input in;
  lines_output out = {.base = {.write = write_lines}, .to = &i->lines};
  wh_reader *reader = NULL;
  wh_writer *writer = NULL;
  wh_bytes_input_init(&in, body.data, body.len);
  const wh_codec_type *codec = kind == WH_INTAKE_LINES ? &wh_codec_ndjson : &wh_codec_json;
  wh_status status = codec->open_reader(&context, &in.base, &reading, columns, &reader, err);
  if (status == WH_OK)
    status = wh_codec_ndjson.open_writer(&context, &out.base, &writing, columns, &writer, err);
  if (status == WH_OK) status = copy_rows(i, reader, writer, c, err);
  wh_writer_close(writer);
  wh_reader_close(reader);
  return status;
}

static wh_status check_lines(const wh_intake *i, size_t line_max, wh_error *err) {
  wh_str rest = wh_buf_str(&i->lines);
  if (rest.len <= line_max) return WH_OK;
  while (rest.len) {
    size_t end = wh_str_find(rest, 0, '\n');
    if (end > line_max)
      return wh_fail(err, WH_ERR_LIMIT, "an event takes more than %zu bytes in its columns' types",
                     line_max);
    rest = wh_str_sub(rest, end + 1, rest.len);
  }
  return WH_OK;
}

wh_status wh_intake_read(wh_intake *i, const wh_schema *columns, wh_intake_kind kind, wh_str body,
                         size_t line_max, wh_error *err) {
  collector c = {.base = {.row = take_row, .raw = take_raw}, .intake = i};
  wh_buf_init(&c.raw, i->lines.mem, 0);
  wh_str text = wh_str_trim(body);
  if (wh_str_starts(text, "\xEF\xBB\xBF")) text = wh_str_sub(text, 3, text.len);
  c.is_one = kind == WH_INTAKE_JSON && wh_str_starts(wh_str_trim(text), "{");
  wh_status status = text.len ? read_events(i, columns, kind, body, &c, err) : WH_OK;
  if (status == WH_OK) {
    wh_buf_add_str(&i->lines, wh_buf_str(&c.raw));
    i->events += i->rejected;
    status = wh_buf_check(&i->lines, err);
  }
  if (status == WH_OK) status = check_lines(i, line_max, err);
  wh_buf_free(&c.raw);
  if (status == WH_OK && !i->events) return wh_fail(err, WH_ERR_DATA, "there is no event in it");
  return status;
}
