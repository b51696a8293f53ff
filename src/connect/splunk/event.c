#include "connect/splunk/event.h"

#include "base/crypto.h"
#include "codec/json/json.h"
#include "codec/text_block.h"
#include "data/put.h"

#include <stdio.h>
#include <xxhash.h>

#define ID_ZEROS "00000000000000000000000000000000"
static_assert(sizeof ID_ZEROS - 1 == WH_SPLUNK_ID_CHARS);

static const char *const meta_names[WH_SPLUNK_METAS] = {[WH_SPLUNK_HOST] = "host",
                                                        [WH_SPLUNK_SOURCE] = "source",
                                                        [WH_SPLUNK_SOURCETYPE] = "sourcetype",
                                                        [WH_SPLUNK_INDEX] = "index"};

// --- columns -------------------------------------------------------------------------------------

static ptrdiff_t find(const wh_splunk_rows *r, const char *name) {
  return wh_schema_find(&r->schema, wh_str_of(name));
}

static wh_status fail_column(const wh_splunk_rows *r, ptrdiff_t at, const char *what,
                             wh_error *err) {
  return wh_fail(err, WH_ERR_USAGE, "%.*s: column %.*s %s", WH_STR_ARG(r->connection->name),
                 WH_STR_ARG(r->schema.fields[at].name), what);
}

static wh_status find_event_columns(wh_splunk_rows *r, wh_error *err) {
  r->time = find(r, "_time");
  if (r->time >= 0) {
    wh_kind kind = r->schema.fields[r->time].type.kind;
    if (kind != WH_TIMESTAMP && kind != WH_DATE && kind != WH_NULL)
      return fail_column(r, r->time,
                         "must be a timestamp or a date. Give its type: "
                         "_time: { from: COLUMN, type: timestamp }",
                         err);
  }
  for (int i = 0; i < WH_SPLUNK_METAS; i++) {
    char name[16];
    snprintf(name, sizeof name, "_%s", meta_names[i]);
    r->meta[i] = find(r, name);
    if (r->meta[i] < 0) continue;
    wh_kind kind = r->schema.fields[r->meta[i]].type.kind;
    if (kind != WH_STRING && kind != WH_NULL)
      return fail_column(r, r->meta[i], "must be text", err);
  }
  return WH_OK;
}

// A request has one of each for all of its lines.
static wh_status find_raw_columns(wh_splunk_rows *r, wh_error *err) {
  static const char *const none[] = {"_time", "_host", "_source", "_sourcetype", "_index"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    ptrdiff_t at = find(r, none[i]);
    if (at >= 0)
      return fail_column(r, at, "is for the endpoint `event`: of raw lines the connection says it",
                         err);
  }
  r->line = find(r, "_raw");
  if (r->line >= 0 && r->schema.fields[r->line].type.kind != WH_STRING)
    return fail_column(r, r->line, "must be text: it is the line", err);
  if (r->line >= 0 && r->schema.count > 1)
    return fail_column(r, r->line, "is the whole line, and there are other columns", err);
  return WH_OK;
}

static bool is_listed(const wh_str_list *list, wh_str name) {
  for (size_t i = 0; i < list->count; i++)
    if (wh_str_eq(list->items[i], name)) return true;
  return false;
}

static bool is_meta(const wh_splunk_rows *r, size_t column) {
  bool is = (ptrdiff_t)column == r->time || (ptrdiff_t)column == r->line;
  for (int i = 0; i < WH_SPLUNK_METAS; i++)
    is = is || (ptrdiff_t)column == r->meta[i];
  return is;
}

static bool can_be_indexed(const wh_type *type) {
  return type->kind != WH_LIST && type->kind != WH_STRUCT && type->kind != WH_BOOL;
}

static void add_column(wh_splunk_lines *l, wh_field *fields, const wh_schema *from, size_t column) {
  fields[l->schema.count] = from->fields[column];
  l->map[l->schema.count++] = column;
}

static wh_status sort_columns(wh_splunk_rows *r, wh_arena *arena, wh_error *err) {
  const wh_str_list *indexed = &wh_splunk_options_of(r->connection)->fields;
  size_t n = r->schema.count;
  wh_field *event = WH_NEW_ARRAY(arena, n + 1, wh_field);
  wh_field *fields = WH_NEW_ARRAY(arena, n + 1, wh_field);
  r->event.map = WH_NEW_ARRAY(arena, n + 1, size_t);
  r->fields.map = WH_NEW_ARRAY(arena, n + 1, size_t);
  if (!event || !fields || !r->event.map || !r->fields.map) return wh_fail_memory(err);
  for (size_t i = 0; i < n; i++) {
    const wh_field *f = &r->schema.fields[i];
    if (wh_str_is(f->name, "_wherry_id"))
      return fail_column(r, (ptrdiff_t)i, "has the name of what every event gets", err);
    if (is_meta(r, i)) continue;
    bool is_indexed = !r->is_raw && is_listed(indexed, f->name);
    if (is_indexed && !can_be_indexed(&f->type))
      return fail_column(r, (ptrdiff_t)i, "cannot be an indexed field: it is no text or number",
                         err);
    add_column(is_indexed ? &r->fields : &r->event, is_indexed ? fields : event, &r->schema, i);
  }
  r->event.schema.fields = event;
  r->fields.schema.fields = fields;
  if (r->event.schema.count == 0 && r->line < 0)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: none of the columns is part of the event itself",
                   WH_STR_ARG(r->connection->name));
  return WH_OK;
}

// --- lines ---------------------------------------------------------------------------------------

static wh_status open_lines(wh_splunk_lines *l, const wh_connection *c, wh_json_nulls nulls,
                            wh_error *err) {
  if (l->schema.count == 0) return WH_OK;
  wh_json_write_options options = {.nulls = nulls};
  wh_codec_context context = {.os = c->os, .mem = c->mem, .threads = 1};
  WH_TRY(wh_batch_init(&l->view, c->mem, &l->schema, err));
  l->has_view = true;
  return wh_codec_ndjson.open_encoder(&context, &options, &l->schema, &l->encoder, err);
}

static void close_lines(wh_splunk_lines *l) {
  wh_block_free(l->block);
  wh_encoder_close(l->encoder);
  if (l->has_view) wh_batch_free(&l->view);
}

static wh_status take_lines(wh_splunk_lines *l, const wh_batch *batch, wh_error *err) {
  wh_block_free(l->block);
  l->block = NULL;
  l->rest = (wh_str){0};
  if (!l->encoder || batch->rows == 0) return WH_OK;
  wh_batch_borrow(&l->view, batch, l->map);
  wh_status status = l->encoder->add(l->encoder, &l->view, err);
  wh_batch_reset(&l->view);
  WH_TRY(status);
  WH_TRY(l->encoder->take(l->encoder, &l->block, err));
  l->rest = wh_buf_str(&((wh_text_block *)l->block)->text);
  return WH_OK;
}

// The members of the next row's object, with the closing brace: '"a":1}', '}'.
static wh_str next_line(wh_splunk_lines *l) {
  size_t end = wh_str_find(l->rest, 0, '\n');
  wh_str line = wh_str_sub(l->rest, 1, end);
  l->rest = wh_str_sub(l->rest, end + 1, l->rest.len);
  return line;
}

// --- the verbs -----------------------------------------------------------------------------------

wh_status wh_splunk_rows_init(wh_splunk_rows *r, const wh_connection *c, const wh_target *target,
                              wh_arena *arena, wh_error *err) {
  *r = (wh_splunk_rows){.connection = c, .time = -1, .line = -1};
  for (int i = 0; i < WH_SPLUNK_METAS; i++)
    r->meta[i] = -1;
  r->is_raw = wh_str_is(target->table, "raw");
  WH_TRY(wh_schema_copy(target->schema, arena, &r->schema, err));
  WH_TRY(r->is_raw ? find_raw_columns(r, err) : find_event_columns(r, err));
  WH_TRY(sort_columns(r, arena, err));
  WH_TRY(open_lines(&r->event, c, WH_JSON_NULLS_KEEP, err));
  return open_lines(&r->fields, c, WH_JSON_NULLS_OMIT, err);
}

void wh_splunk_rows_free(wh_splunk_rows *r) {
  close_lines(&r->event);
  close_lines(&r->fields);
}

// Rows straight from a database have no place that stays: then the load's object is the run.
void wh_splunk_rows_begin(wh_splunk_rows *r, const wh_load *load) {
  r->from_object = !wh_str_eq(load->object, load->run);
  r->seed = XXH3_64bits(load->pipeline.data, load->pipeline.len);
  if (r->from_object) r->seed = XXH3_64bits_withSeed(load->object.data, load->object.len, r->seed);
  r->last_row = r->same_row = 0;
}

wh_status wh_splunk_rows_take(wh_splunk_rows *r, const wh_batch *batch, wh_error *err) {
  WH_TRY(take_lines(&r->event, batch, err));
  return take_lines(&r->fields, batch, err);
}

// --- a row ---------------------------------------------------------------------------------------

static bool add_time(const wh_column *column, size_t row, wh_buf *out) {
  static const int digits[] = {
      [WH_UNIT_S] = 0, [WH_UNIT_MS] = 3, [WH_UNIT_US] = 6, [WH_UNIT_NS] = 9};
  static const int64_t units[] = {
      [WH_UNIT_S] = 1, [WH_UNIT_MS] = 1000, [WH_UNIT_US] = 1000000, [WH_UNIT_NS] = 1000000000};
  if (wh_column_is_null(column, row)) return true;
  int64_t value = wh_column_i64(column, row);
  if (value < 0) return false;
  wh_unit unit = column->type.kind == WH_DATE ? WH_UNIT_S : column->type.unit;
  if (column->type.kind == WH_DATE) value *= 86400;
  wh_buf_printf(out, "\"time\":%lld", (long long)(value / units[unit]));
  if (digits[unit]) wh_buf_printf(out, ".%0*lld", digits[unit], (long long)(value % units[unit]));
  wh_buf_add_char(out, ',');
  return true;
}

static void add_meta(const wh_splunk_rows *r, const wh_batch *batch, size_t row, wh_buf *out) {
  const wh_splunk_options *o = wh_splunk_options_of(r->connection);
  const wh_str said[WH_SPLUNK_METAS] = {[WH_SPLUNK_HOST] = o->host,
                                        [WH_SPLUNK_SOURCE] = o->source,
                                        [WH_SPLUNK_SOURCETYPE] = o->sourcetype,
                                        [WH_SPLUNK_INDEX] = o->index};
  for (int i = 0; i < WH_SPLUNK_METAS; i++) {
    wh_str value = said[i];
    const wh_column *column = r->meta[i] >= 0 ? &batch->columns[r->meta[i]] : NULL;
    if (column && !wh_column_is_null(column, row) && wh_column_text(column, row).len)
      value = wh_column_text(column, row);
    if (!value.len) continue;
    wh_buf_add_char(out, '"');
    wh_buf_add_c(out, meta_names[i]);
    wh_buf_add_c(out, "\":");
    wh_buf_add_json(out, value);
    wh_buf_add_char(out, ',');
  }
}

// An object with the id before the members. *ret_at: where its digits are to be.
static void add_object(wh_str members, wh_buf *out, size_t *ret_at) {
  wh_buf_add_c(out, "{\"_wherry_id\":\"");
  *ret_at = out->len;
  wh_buf_add_c(out, ID_ZEROS "\"");
  if (members.len > 1) wh_buf_add_char(out, ',');
  wh_buf_add_str(out, members);
}

static bool write_event(wh_splunk_rows *r, const wh_batch *batch, size_t row, wh_buf *out,
                        size_t *ret_at, wh_reject *ret) {
  wh_str members = next_line(&r->event);
  wh_str fields = r->fields.encoder ? next_line(&r->fields) : WH_STR("}");
  wh_buf_add_char(out, '{');
  if (r->time >= 0 && !add_time(&batch->columns[r->time], row, out)) {
    *ret = (wh_reject){.rule = WH_STR("time"),
                       .column = r->schema.fields[r->time].name,
                       .reason = WH_STR("before 1970, from where Splunk counts")};
    return false;
  }
  add_meta(r, batch, row, out);
  if (fields.len > 1) {
    wh_buf_add_c(out, "\"fields\":{");
    wh_buf_add_str(out, fields);
    wh_buf_add_char(out, ',');
  }
  wh_buf_add_c(out, "\"event\":");
  add_object(members, out, ret_at);
  wh_buf_add_c(out, "}\n");
  return true;
}

static bool write_raw(wh_splunk_rows *r, const wh_batch *batch, size_t row, wh_buf *out,
                      size_t *ret_at, wh_reject *ret) {
  if (r->line < 0) {
    add_object(next_line(&r->event), out, ret_at);
    wh_buf_add_char(out, '\n');
    return true;
  }
  const wh_column *column = &batch->columns[r->line];
  bool is_null = wh_column_is_null(column, row);
  wh_str text = is_null ? (wh_str){0} : wh_column_text(column, row);
  bool breaks =
      text.len && (memchr(text.data, '\n', text.len) || memchr(text.data, '\r', text.len));
  if (text.len == 0 || breaks) {
    *ret =
        (wh_reject){.rule = WH_STR("raw"),
                    .column = r->schema.fields[r->line].name,
                    .reason = breaks ? WH_STR("has a line break: Splunk would make more than one "
                                              "event of it")
                                     : WH_STR("missing")};
    return false;
  }
  wh_buf_add_str(out, text);
  wh_buf_add_c(out, " _wherry_id=");
  *ret_at = out->len;
  wh_buf_add_c(out, ID_ZEROS "\n");
  return true;
}

// A hash of the text, in which there are zeros where it will stand.
static void put_id(wh_splunk_rows *r, uint64_t row, wh_buf *out, size_t from, size_t at) {
  r->same_row = row == r->last_row ? r->same_row + 1 : 0;
  r->last_row = row;
  uint64_t where[] = {r->seed, r->from_object ? row : 0, r->from_object ? r->same_row : 0};
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, XXH3_128bits_withSeed(out->data + from, out->len - from,
                                                         XXH3_64bits(where, sizeof where)));
  char digits[WH_SPLUNK_ID_CHARS + 1];
  wh_hex_encode(bytes.digest, sizeof bytes.digest, digits);
  memcpy(out->data + at, digits, WH_SPLUNK_ID_CHARS);
}

bool wh_splunk_rows_write(wh_splunk_rows *r, const wh_batch *batch, size_t row, wh_buf *out,
                          wh_reject *ret) {
  size_t from = out->len, at = 0;
  wh_place place = wh_batch_place(batch, row);
  bool fine = r->is_raw ? write_raw(r, batch, row, out, &at, ret)
                        : write_event(r, batch, row, out, &at, ret);
  if (!fine) ret->place = place;
  if (fine && !out->failed) put_id(r, place.row, out, from, at);
  return fine;
}
