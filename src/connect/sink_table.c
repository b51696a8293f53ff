#include "connect/sink_table.h"

#include "data/deleted.h"
#include "data/temporal.h"

#include <stdio.h>

#define DAY_US    ((int64_t)86400 * 1000000)
#define FUTURE_US DAY_US // versions further ahead than this are mistakes

// Now and a day in units of the column; false for versions that are no times.
static bool last_version(const wh_type *type, int64_t now_us, int64_t *ret) {
  int64_t limit_us;
  return !__builtin_add_overflow(now_us, FUTURE_US, &limit_us) &&
         wh_instant_in(type, limit_us, ret);
}

wh_sink_rows wh_sink_rows_of(const wh_schema *schema, const size_t *key, size_t key_count,
                             ptrdiff_t version, int64_t now_us) {
  wh_sink_rows r = {.schema = schema, .key = key, .key_count = key_count, .version = version};
  if (version >= 0)
    r.limits_version = last_version(&schema->fields[version].type, now_us, &r.last_version);
  return r;
}

static bool is_bad(const wh_sink_rows *r, const wh_batch *batch, size_t row, size_t column,
                   const char *rule, const char *reason, wh_reject *ret) {
  *ret = (wh_reject){.rule = wh_str_of(rule),
                     .column = r->schema->fields[column].name,
                     .reason = wh_str_of(reason),
                     .place = wh_batch_place(batch, row)};
  return true;
}

bool wh_sink_row_is_bad(const wh_sink_rows *r, const wh_batch *batch, size_t row, wh_reject *ret) {
  for (size_t i = 0; i < r->key_count; i++) {
    if (wh_column_is_null(&batch->columns[r->key[i]], row))
      return is_bad(r, batch, row, r->key[i], "key", "missing", ret);
  }
  if (r->version < 0) return false;
  const wh_column *version = &batch->columns[r->version];
  if (wh_column_is_null(version, row))
    return is_bad(r, batch, row, (size_t)r->version, "version", "missing", ret);
  if (r->limits_version && wh_column_i64(version, row) > r->last_version)
    return is_bad(r, batch, row, (size_t)r->version, "version_future",
                  "more than a day in the future", ret);
  return false;
}

// --- Targets -------------------------------------------------------------------------------------

wh_status wh_target_find(const wh_connection *c, const wh_target *t, wh_str name, const char *what,
                         size_t *ret, wh_error *err) {
  ptrdiff_t at = wh_schema_find(t->schema, name);
  if (at < 0)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: the %s '%.*s' of table %.*s is not among the columns",
                   WH_STR_ARG(c->name), what, WH_STR_ARG(name), WH_STR_ARG(t->table));
  wh_kind kind = t->schema->fields[at].type.kind;
  if (kind == WH_LIST || kind == WH_STRUCT)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: the %s '%.*s' of table %.*s is a list or a structure",
                   WH_STR_ARG(c->name), what, WH_STR_ARG(name), WH_STR_ARG(t->table));
  *ret = (size_t)at;
  return WH_OK;
}

static wh_status check_column(const wh_connection *c, const wh_schema *schema, size_t i,
                              const char *product, wh_error *err) {
  wh_str name = schema->fields[i].name;
  bool is_mark = wh_deleted_column(schema) == (ptrdiff_t)i;
  if (wh_str_starts(name, "_wherry_") && !is_mark)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: column '%.*s' has a name that Wherry keeps to itself",
                   WH_STR_ARG(c->name), WH_STR_ARG(name));
  for (size_t k = 0; k < i; k++) {
    wh_str other = schema->fields[k].name;
    if (product && wh_str_eq_nocase(name, other))
      return wh_fail(err, WH_ERR_REFUSED,
                     "%.*s: %s cannot tell the columns '%.*s' and '%.*s' apart",
                     WH_STR_ARG(c->name), product, WH_STR_ARG(other), WH_STR_ARG(name));
  }
  return WH_OK;
}

wh_status wh_target_check(const wh_connection *c, const wh_target *t, const char *product,
                          const char *reserved, wh_error *err) {
  for (size_t i = 0; i < t->schema->count; i++)
    WH_TRY(check_column(c, t->schema, i, product, err));
  if (t->schema->count == 0)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: table %.*s would have no columns", WH_STR_ARG(c->name),
                   WH_STR_ARG(t->table));
  if (t->mode == WH_WRITE_UPSERT && t->key_count == 0)
    return wh_fail(err, WH_ERR_USAGE, "%.*s: upsert into %.*s needs a key", WH_STR_ARG(c->name),
                   WH_STR_ARG(t->table));
  if (wh_str_starts(t->table, "_wherry_") || (reserved && wh_str_starts(t->table, reserved)))
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: table '%.*s' has a name that is reserved",
                   WH_STR_ARG(c->name), WH_STR_ARG(t->table));
  return WH_OK;
}

wh_status wh_target_refuse(const wh_connection *c, wh_str table, wh_str difference, wh_str clashes,
                           wh_error *err) {
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s: table %.*s does not fit:\n%.*s%s%.*s\nNothing was changed",
                 WH_STR_ARG(c->name), WH_STR_ARG(table), WH_STR_ARG(difference),
                 difference.len && clashes.len ? "\n" : "", WH_STR_ARG(clashes));
}

void wh_difference_add(wh_buf *difference, const char *fmt, ...) {
  char line[WH_DIFFERENCE_LINE_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(line, sizeof line, fmt, args);
  va_end(args);
  wh_target_show(difference, wh_str_of(line));
}

void wh_target_show(wh_buf *text, wh_str lines) {
  if (text->len) wh_buf_add_char(text, '\n');
  wh_buf_add_str(text, lines);
}

void wh_target_show_difference(wh_buf *text, wh_str table, wh_str difference) {
  wh_str line;
  wh_target_show(text, table);
  wh_buf_add_c(text, " does not fit:");
  while (wh_str_split(&difference, '\n', &line)) {
    wh_buf_add_c(text, "\n  ");
    wh_buf_add_str(text, line);
  }
}

// --- Loads and marks -----------------------------------------------------------------------------

wh_status wh_load_copy(const wh_load *load, wh_arena *arena, wh_load *ret, wh_error *err) {
  *ret = *load;
  ret->pipeline = wh_arena_str(arena, load->pipeline);
  ret->object = wh_arena_str(arena, load->object);
  ret->run = wh_arena_str(arena, load->run);
  return ret->pipeline.data && ret->object.data && ret->run.data ? WH_OK : wh_fail_memory(err);
}

void wh_mark_write(const wh_mark *m, const wh_load *load, int64_t numbers[WH_MARK_NUMBERS],
                   wh_str texts[WH_MARK_TEXTS]) {
  const uint64_t values[WH_MARK_NUMBERS] = {
      m->done,
      m->rows_done,
      m->counts.read,
      m->counts.written,
      m->counts.unchanged,
      m->counts.superseded,
      m->counts.filtered,
      m->counts.quarantined,
      m->counts.deleted,
      m->row_hash,
      (uint64_t)(m->order ? m->order : load->order),
      (uint64_t)(m->time_us ? m->time_us : load->now_us),
  };
  for (size_t i = 0; i < WH_MARK_NUMBERS; i++)
    numbers[i] = (int64_t)values[i];
  texts[0] = m->rejects;
  texts[1] = m->run.len ? m->run : load->run;
}

wh_status wh_mark_read(const int64_t n[WH_MARK_NUMBERS], const wh_str texts[WH_MARK_TEXTS],
                       wh_arena *arena, wh_mark *ret, wh_error *err) {
  *ret = (wh_mark){
      .found = true,
      .done = n[0] != 0,
      .rows_done = (uint64_t)n[1],
      .counts = {.read = (uint64_t)n[2],
                 .written = (uint64_t)n[3],
                 .unchanged = (uint64_t)n[4],
                 .superseded = (uint64_t)n[5],
                 .filtered = (uint64_t)n[6],
                 .quarantined = (uint64_t)n[7],
                 .deleted = (uint64_t)n[8]},
      .row_hash = (uint64_t)n[9],
      .order = n[10],
      .time_us = n[11],
      .rejects = wh_arena_str(arena, texts[0]),
      .run = wh_arena_str(arena, texts[1]),
  };
  return ret->rejects.data && ret->run.data ? WH_OK : wh_fail_memory(err);
}
