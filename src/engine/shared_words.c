#include "engine/shared_words.h"

#include "ledger/schema_json.h"

#include <inttypes.h>

enum { WORDS_BYTES_MAX = 64 << 20 };

// --- writing -----------------------------------------------------------------------------------

static void add_text(wh_buf *out, const char *name, wh_str value) {
  wh_buf_printf(out, ",\"%s\":", name);
  wh_buf_add_json(out, value);
}

static void add_value(wh_buf *out, const char *name, const wh_value *value) {
  WH_CLEAN_BUF wh_buf text = {.mem = out->mem};
  if (!wh_value_write(value, &text)) out->failed = true;
  add_text(out, name, wh_buf_str(&text));
}

bool wh_range_task_write(const wh_range_task *t, wh_buf *out) {
  wh_buf_printf(out, "{\"count\":%" PRIu64 ",\"start\":%" PRId64, t->count, t->start_us);
  add_text(out, "table", t->table);
  add_text(out, "key", t->key);
  add_text(out, "snapshot", t->snapshot);
  add_text(out, "codec", t->codec);
  if (t->has_low || t->has_high) {
    WH_CLEAN_BUF wh_buf type = {.mem = out->mem};
    if (!wh_type_write(t->has_low ? &t->low.type : &t->high.type, &type)) out->failed = true;
    add_text(out, "type", wh_buf_str(&type));
  }
  if (t->cursor.len) {
    add_text(out, "cursor", t->cursor);
    wh_buf_printf(out,
                  ",\"step\":%" PRId64 ",\"overlap\":%" PRId64 ",\"clock\":%" PRId64
                  ",\"clock_us\":%" PRId64,
                  t->step, t->overlap, t->clock, t->clock_us);
    if (t->has_to) add_value(out, "to", &t->to);
  }
  if (t->has_low) add_value(out, "low", &t->low);
  if (t->has_high) add_value(out, "high", &t->high);
  wh_buf_add_c(out, ",\"schema\":");
  (void)wh_schema_write_json(&t->schema, out);
  return wh_buf_add_char(out, '}') && !out->failed;
}

bool wh_range_result_write(const wh_range_result *r, wh_buf *out) {
  const wh_counts *c = &r->counts;
  wh_buf_printf(out,
                "{\"read\":%" PRIu64 ",\"written\":%" PRIu64 ",\"filtered\":%" PRIu64
                ",\"quarantined\":%" PRIu64 ",\"deleted\":%" PRIu64 ",\"bytes_read\":%" PRIu64
                ",\"row_hash\":%" PRId64,
                c->read, c->written, c->filtered, c->quarantined, c->deleted, r->bytes_read,
                (int64_t)r->row_hash);
  add_text(out, "worker", r->worker);
  add_text(out, "sha256", r->sha256);
  add_text(out, "rejects_sha256", r->rejects_sha256);
  add_text(out, "first", r->first);
  add_text(out, "window_sha256", r->window_sha256);
  wh_buf_printf(out, ",\"cut\":%s", r->cut ? "true" : "false");
  if (r->has_highest) add_value(out, "highest", &r->highest);
  wh_buf_add_c(out, ",\"newest\":[");
  for (size_t i = 0; i < WH_FRESH_MAX; i++)
    wh_buf_printf(out, "%s%" PRId64, i ? "," : "", r->newest[i]);
  return wh_buf_add_c(out, "]}") && !out->failed;
}

// --- parsing -----------------------------------------------------------------------------------

typedef struct words {
  const json_t *root;
  wh_arena *arena;
  wh_error *err;
} words;

static wh_status fail(const words *w, const char *name) {
  return wh_fail(w->err, WH_ERR_DATA, "what the ledger says of a range is damaged: '%s'", name);
}

static wh_status read_text(const words *w, const char *name, wh_str *ret) {
  if (!json_is_string(json_object_get(w->root, name))) return fail(w, name);
  *ret = wh_arena_str(w->arena, wh_json_text(w->root, name));
  return ret->data ? WH_OK : wh_fail_memory(w->err);
}

static wh_status read_number(const words *w, const char *name, int64_t least, int64_t *ret) {
  const json_t *member = json_object_get(w->root, name);
  if (!json_is_integer(member) || json_integer_value(member) < least) return fail(w, name);
  *ret = json_integer_value(member);
  return WH_OK;
}

static wh_status read_count(const words *w, const char *name, uint64_t *ret) {
  int64_t value = 0;
  WH_TRY(read_number(w, name, 0, &value));
  *ret = (uint64_t)value;
  return WH_OK;
}

// `type` NULL: it cannot be there.
static wh_status read_value(const words *w, const char *name, const wh_type *type, bool *ret_has,
                            wh_value *ret) {
  wh_str text;
  *ret_has = json_object_get(w->root, name);
  if (!*ret_has) return WH_OK;
  WH_TRY(read_text(w, name, &text));
  wh_status status = type ? wh_value_parse(text, type, w->arena, ret, NULL) : WH_ERR_DATA;
  if (status == WH_ERR_MEMORY) return wh_fail_memory(w->err);
  return status == WH_OK ? WH_OK : fail(w, name);
}

static wh_status read_bounds(const words *w, wh_range_task *t) {
  wh_str text;
  wh_type type;
  if (!json_object_get(w->root, "type")) return WH_OK;
  WH_TRY(read_text(w, "type", &text));
  wh_status status = wh_type_parse(text, w->arena, &type, NULL);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(w->err);
  if (status != WH_OK) return fail(w, "type");
  WH_TRY(read_value(w, "low", &type, &t->has_low, &t->low));
  return read_value(w, "high", &type, &t->has_high, &t->high);
}

const wh_type *wh_range_task_cursor(const wh_range_task *t) {
  ptrdiff_t at = t->cursor.len ? wh_schema_find(&t->schema, t->cursor) : -1;
  return at < 0 ? NULL : &t->schema.fields[at].type;
}

static wh_status read_cursor(const words *w, wh_range_task *t) {
  t->cursor = WH_STR("");
  if (!json_object_get(w->root, "cursor")) return WH_OK;
  WH_TRY(read_text(w, "cursor", &t->cursor));
  const wh_type *type = wh_range_task_cursor(t);
  if (!type) return fail(w, "cursor");
  WH_TRY(read_number(w, "step", 0, &t->step));
  WH_TRY(read_number(w, "overlap", 0, &t->overlap));
  WH_TRY(read_number(w, "clock", INT64_MIN, &t->clock));
  WH_TRY(read_number(w, "clock_us", INT64_MIN, &t->clock_us));
  return read_value(w, "to", type, &t->has_to, &t->to);
}

static wh_status read_task(const words *w, wh_range_task *t) {
  WH_TRY(read_count(w, "count", &t->count));
  WH_TRY(read_number(w, "start", INT64_MIN, &t->start_us));
  WH_TRY(read_text(w, "table", &t->table));
  WH_TRY(read_text(w, "key", &t->key));
  WH_TRY(read_text(w, "snapshot", &t->snapshot));
  WH_TRY(read_text(w, "codec", &t->codec));
  WH_TRY(read_bounds(w, t));
  const json_t *schema = json_object_get(w->root, "schema");
  if (!schema) return fail(w, "schema");
  WH_TRY(wh_schema_of_json(schema, w->arena, &t->schema, w->err));
  return t->schema.count ? read_cursor(w, t) : fail(w, "schema");
}

static wh_status read_newest(const words *w, int64_t newest[WH_FRESH_MAX]) {
  const json_t *list = json_object_get(w->root, "newest");
  if (!json_is_array(list) || json_array_size(list) != WH_FRESH_MAX) return fail(w, "newest");
  for (size_t i = 0; i < WH_FRESH_MAX; i++) {
    const json_t *item = json_array_get(list, i);
    if (!json_is_integer(item)) return fail(w, "newest");
    newest[i] = json_integer_value(item);
  }
  return WH_OK;
}

static wh_status check_counts(const words *w, const wh_counts *c) {
  bool add_up = c->written <= c->read && c->filtered <= c->read - c->written &&
                c->quarantined == c->read - c->written - c->filtered && c->deleted <= c->written;
  return add_up ? WH_OK : fail(w, "read");
}

static wh_status read_window(const words *w, const wh_type *cursor, wh_range_result *r) {
  const json_t *cut = json_object_get(w->root, "cut");
  WH_TRY(read_text(w, "window_sha256", &r->window_sha256));
  if (!json_is_boolean(cut)) return fail(w, "cut");
  r->cut = json_is_true(cut);
  return read_value(w, "highest", cursor, &r->has_highest, &r->highest);
}

static wh_status read_result(const words *w, const wh_type *cursor, wh_range_result *r) {
  wh_counts *c = &r->counts;
  int64_t row_hash;
  WH_TRY(read_count(w, "read", &c->read));
  WH_TRY(read_count(w, "written", &c->written));
  WH_TRY(read_count(w, "filtered", &c->filtered));
  WH_TRY(read_count(w, "quarantined", &c->quarantined));
  WH_TRY(read_count(w, "deleted", &c->deleted));
  WH_TRY(read_count(w, "bytes_read", &r->bytes_read));
  WH_TRY(read_number(w, "row_hash", INT64_MIN, &row_hash));
  r->row_hash = (uint64_t)row_hash;
  WH_TRY(read_text(w, "worker", &r->worker));
  WH_TRY(read_text(w, "sha256", &r->sha256));
  WH_TRY(read_text(w, "rejects_sha256", &r->rejects_sha256));
  WH_TRY(read_text(w, "first", &r->first));
  if ((r->sha256.len > 0) != (c->written > 0)) return fail(w, "sha256");
  if ((r->rejects_sha256.len > 0) != (c->quarantined > 0)) return fail(w, "rejects_sha256");
  WH_TRY(check_counts(w, c));
  WH_TRY(read_window(w, cursor, r));
  return read_newest(w, r->newest);
}

wh_status wh_range_task_parse(wh_str json, wh_arena *arena, wh_range_task *ret, wh_error *err) {
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(json, WORDS_BYTES_MAX, "the ledger's word of a range", &root, err));
  words w = {root, arena, err};
  wh_range_task task = {0};
  WH_TRY(read_task(&w, &task));
  *ret = task;
  return WH_OK;
}

wh_status wh_range_result_parse(wh_str json, const wh_type *cursor, wh_arena *arena,
                                wh_range_result *ret, wh_error *err) {
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(json, WORDS_BYTES_MAX, "the ledger's word of a range", &root, err));
  words w = {root, arena, err};
  wh_range_result result = {0};
  WH_TRY(read_result(&w, cursor, &result));
  *ret = result;
  return WH_OK;
}
