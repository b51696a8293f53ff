// The source's reader: one COPY out of one SELECT, in one snapshot.
//
// COPY, since it is the one way on which rows come one behind the other without a round trip or a
// result object for each, and no more than one of them has to be held. The bounds of a cursor,
// which COPY takes no parameters for, stand in settings of the transaction.
#include "connect/postgres/decode.h"
#include "connect/postgres/source.h"
#include "connect/row_reader.h"
#include "data/value.h"

enum { HEADER_BYTES = 19 }; // of the copy: its signature, flags, and no extension

#define SETTING_FROM "wherry.cursor_from"
#define SETTING_TO   "wherry.cursor_to"
#define SETTING_LOW  "wherry.range_low"
#define SETTING_HIGH "wherry.range_high"

typedef struct reader {
  wh_row_reader base;
  wh_pg_session *session;
  const char *doing;
  wh_pg_decoder *decoders;
  wh_pg_value *values; // of the row in hand, in `message`
  char *message;       // as libpq gave it
  bool has_header;     // of the copy was seen
} reader;

static void reader_close(wh_row_reader *base) {
  reader *r = (reader *)base;
  PQfreemem(r->message);
  wh_pg_close(r->session); // and with it the snapshot; a copy under way ends too
}

static wh_status not_a_copy(reader *r, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "%.*s: what the server sends is no copy in binary form",
                 WH_STR_ARG(r->base.connection->name));
}

// --- rows ----------------------------------------------------------------------------------------

static wh_status write_json(wh_row_reader *base, wh_buf *out, wh_error *err) {
  reader *r = (reader *)base;
  return wh_pg_row_json(r->decoders, r->values, base->schema.count, base->connection->mem, out,
                        err);
}

// The fields of a row: each one's length, -1 for NULL, and its bytes.
static wh_status split_row(reader *r, const char *data, size_t len, wh_error *err) {
  const char *at = data, *end = data + len;
  for (size_t i = 0; i < r->base.schema.count; i++) {
    if (end - at < 4) return not_a_copy(r, err);
    uint32_t size = wh_pg_u32(at);
    at += 4;
    if (size == UINT32_MAX) {
      r->values[i] = (wh_pg_value){0};
      continue;
    }
    if (size > (size_t)(end - at)) return not_a_copy(r, err);
    r->values[i] = (wh_pg_value){at, size};
    at += size;
  }
  return at == end ? WH_OK : not_a_copy(r, err);
}

static wh_status append_value(const wh_pg_decoder *d, const wh_pg_value *v, wh_column *column,
                              wh_misfit *misfit, wh_error *err) {
  if (__builtin_expect(v->data != NULL, 1))
    return d->decode(d, v->data, v->len, column, misfit, err);
  if (d->nullable) return wh_column_add_null(column, err);
  *misfit = (wh_misfit){.rule = "not_null", .reason = "missing"};
  return WH_ERR_TYPE;
}

static wh_status append(wh_row_reader *base, wh_column *columns, size_t *ret_column,
                        wh_misfit *misfit, wh_error *err) {
  reader *r = (reader *)base;
  for (size_t i = 0; i < base->schema.count; i++) {
    wh_status status = append_value(&r->decoders[i], &r->values[i], &columns[i], misfit, err);
    if (__builtin_expect(status == WH_OK, 1)) continue;
    *ret_column = i;
    return status;
  }
  return WH_OK;
}

// One message of the server: a row, with the header in front of the first; or the trailer.
static wh_status take_message(reader *r, size_t len, bool *ret_row, wh_error *err) {
  static const char signature[] = "PGCOPY\n\377\r\n";
  const char *data = r->message;
  size_t count = r->base.schema.count;
  *ret_row = false;
  if (!r->has_header) {
    if (len < HEADER_BYTES || memcmp(data, signature, sizeof signature) != 0)
      return not_a_copy(r, err);
    r->has_header = true;
    data += HEADER_BYTES;
    len -= HEADER_BYTES;
    if (len == 0) return WH_OK;
  }
  if (len < 2) return not_a_copy(r, err);
  uint16_t fields = wh_pg_u16(data);
  if (fields == UINT16_MAX) return WH_OK; // the trailer
  if (fields != count + (count == 0)) return not_a_copy(r, err);
  *ret_row = true;
  return count ? split_row(r, data + 2, len - 2, err) : WH_OK;
}

static wh_status end_copy(reader *r, wh_error *err) {
  WH_TRY(wh_pg_finish(r->session, r->doing, err));
  return wh_pg_run_c(r->session, "COMMIT", err); // gives the snapshot up
}

static wh_status fetch(wh_row_reader *base, bool *ret_row, wh_error *err) {
  reader *r = (reader *)base;
  PGconn *conn = r->session->conn;
  *ret_row = false;
  while (!*ret_row) {
    PQfreemem(r->message);
    r->message = NULL;
    int len;
    while ((len = PQgetCopyData(conn, &r->message, 1)) == 0) {
      WH_TRY(wh_pg_wait(r->session, false, err));
      if (!PQconsumeInput(conn)) return wh_pg_fail_lost(r->session, r->doing, err);
    }
    if (len == -1) return end_copy(r, err);
    if (len < 0) return wh_pg_fail_lost(r->session, r->doing, err);
    WH_TRY(take_message(r, (size_t)len, ret_row, err));
  }
  return WH_OK;
}

// --- the statement -------------------------------------------------------------------------------

static wh_status make_decoders(reader *r, const wh_pg_relation *relation, wh_error *err) {
  r->decoders = WH_NEW_ARRAY(&r->base.arena, r->base.schema.count, wh_pg_decoder);
  r->values = WH_NEW_ARRAY(&r->base.arena, r->base.schema.count, wh_pg_value);
  if (!r->decoders || !r->values) return wh_fail_memory(err);
  for (size_t i = 0; i < r->base.schema.count; i++) {
    const wh_field *f = &r->base.schema.fields[i];
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(relation), f->name);
    if (at < 0) return wh_pg_no_column(r->session, relation, f->name, err);
    wh_status status =
        wh_pg_decoder_init(&r->decoders[i], f, &relation->columns[at].reading, &r->base.arena, err);
    if (status == WH_ERR_CHANGED)
      wh_error_prefix(err, "%.*s: ", WH_STR_ARG(r->base.connection->name));
    WH_TRY(status);
  }
  return WH_OK;
}

// As the server calls the column's type, for a value that comes as text.
static const char *cast_of(const wh_pg_column *column) {
  const wh_pg_base *base = wh_pg_base_of(column->declared.oid);
  return base && !wh_kind_is_text(base->kind) ? base->name : NULL;
}

// `"c" >= current_setting('...')::type`, which an index serves: settings do not change while a
// statement runs. Text compares by its bytes, as our values do.
static void add_bound(wh_buf *sql, const wh_pg_column *column, const char *comparison,
                      const char *setting) {
  const char *cast = cast_of(column);
  if (cast) {
    wh_pg_add_name(sql, column->sql.name);
    wh_buf_printf(sql, " %s pg_catalog.current_setting('%s')::%s", comparison, setting, cast);
    return;
  }
  wh_pg_add_read(sql, column);
  wh_buf_printf(sql, "::pg_catalog.text COLLATE \"C\" %s pg_catalog.current_setting('%s')",
                comparison, setting);
}

static wh_status set_bound(reader *r, const char *setting, const wh_value *value, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, r->base.connection->mem, 0);
  wh_value_write(value, &text);
  WH_TRY(wh_buf_check(&text, err));
  wh_str params[] = {wh_str_of(setting), wh_buf_str(&text)};
  return wh_pg_run(r->session, WH_STR("SELECT pg_catalog.set_config($1, $2, true)"), params, 2,
                   NULL, err);
}

// `((c >= low AND c < high) OR c IS NULL)`
typedef struct condition {
  wh_str column;
  const wh_value *low, *high; // NULL: none
  const char *low_setting, *high_setting;
  bool takes_null;
} condition;

static wh_status add_condition(reader *r, const condition *c, const wh_pg_relation *relation,
                               wh_buf *sql, wh_error *err) {
  ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(relation), c->column);
  if (at < 0) return wh_pg_no_column(r->session, relation, c->column, err);
  const wh_pg_column *column = &relation->columns[at];
  wh_buf_add_c(sql, "((");
  if (c->low) {
    WH_TRY(set_bound(r, c->low_setting, c->low, err));
    add_bound(sql, column, ">=", c->low_setting);
  }
  if (c->high) {
    WH_TRY(set_bound(r, c->high_setting, c->high, err));
    wh_buf_add_c(sql, c->low ? " AND " : "");
    add_bound(sql, column, "<", c->high_setting);
  }
  wh_buf_add_char(sql, ')');
  if (c->takes_null && column->sql.nullable) {
    wh_buf_add_c(sql, " OR ");
    wh_pg_add_name(sql, column->sql.name);
    wh_buf_add_c(sql, " IS NULL");
  }
  wh_buf_add_char(sql, ')');
  return WH_OK;
}

static wh_status add_where(reader *r, const wh_source_query *query, const wh_pg_relation *relation,
                           wh_buf *sql, wh_error *err) {
  bool has_from = query->has_from && !query->from.is_null;
  bool has_cursor = query->cursor.len && (has_from || query->has_to);
  condition cursor = {.column = query->cursor,
                      .low = has_from ? &query->from : NULL,
                      .high = query->has_to ? &query->to : NULL,
                      .low_setting = SETTING_FROM,
                      .high_setting = SETTING_TO,
                      .takes_null = true};
  if (has_cursor || query->range) wh_buf_add_c(sql, " WHERE ");
  if (has_cursor) WH_TRY(add_condition(r, &cursor, relation, sql, err));
  if (!query->range) return WH_OK;
  condition range = {.column = query->range->column,
                     .low = query->range->low,
                     .high = query->range->high,
                     .low_setting = SETTING_LOW,
                     .high_setting = SETTING_HIGH,
                     .takes_null = !query->range->low};
  if (has_cursor) wh_buf_add_c(sql, " AND ");
  return add_condition(r, &range, relation, sql, err);
}

static wh_status build_copy(reader *r, const wh_source_query *query, const wh_pg_relation *relation,
                            wh_buf *sql, wh_error *err) {
  wh_buf_add_c(sql, "COPY (SELECT ");
  for (size_t i = 0; i < r->base.schema.count; i++) {
    if (i) wh_buf_add_c(sql, ", ");
    wh_pg_add_read(sql,
                   &relation->columns[wh_sql_find(WH_SQL_COLUMNS(relation), r->decoders[i].name)]);
  }
  if (r->base.schema.count == 0) wh_buf_add_c(sql, "NULL");
  wh_pg_add_from(sql, relation);
  WH_TRY(add_where(r, query, relation, sql, err));
  if (query->limit_rows) {
    wh_buf_add_c(sql, " LIMIT ");
    wh_buf_add_u64(sql, query->limit_rows);
  }
  wh_buf_add_c(sql, ") TO STDOUT (FORMAT binary)");
  return wh_buf_check(sql, err);
}

static wh_status start(wh_row_reader *base, const wh_source_query *query, wh_error *err) {
  reader *r = (reader *)base;
  wh_row_reader *rows = &r->base;
  wh_pg_relation relation;
  WH_TRY(wh_pg_open(rows->connection, WH_SQL_READ, &r->session, err));
  WH_TRY(wh_pg_run_c(r->session, WH_PG_BEGIN_READING, err));
  if (query->snapshot.len) WH_TRY(wh_pg_take_snapshot(r->session, query->snapshot, err));
  WH_TRY(wh_pg_relate(r->session, query->table, query->query, &rows->arena, &relation, err));
  rows->what = relation.table.len ? relation.table : WH_STR("the query");
  r->doing = wh_arena_printf(&rows->arena, "reading %.*s", WH_STR_ARG(rows->what)).data;
  if (!r->doing) return wh_fail_memory(err);
  WH_TRY(make_decoders(r, &relation, err));
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, rows->connection->mem, WH_PG_SQL_MAX);
  WH_TRY(build_copy(r, query, &relation, &sql, err));
  return wh_pg_start_copy(r->session, wh_buf_str(&sql), PGRES_COPY_OUT, r->doing, err);
}

wh_status wh_pg_open_reader(wh_connection *c, const wh_source_query *query, const wh_schema *schema,
                            wh_reader **ret, wh_error *err) {
  static const wh_row_reader_type type = {
      .size = sizeof(reader),
      .start = start,
      .fetch = fetch,
      .append = append,
      .write_json = write_json,
      .close = reader_close,
  };
  return wh_row_reader_open(&type, c, query, schema, wh_pg_options_of(c)->server.rows_per_second,
                            ret, err);
}
