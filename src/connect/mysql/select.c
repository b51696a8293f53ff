// What a source reads from: a table or view by its name, or a query of the user's.
#include "connect/mysql/relate.h"

#include "data/format.h"
#include "data/temporal.h"

// --- Queries -------------------------------------------------------------------------------------

enum {
  BAD_FIELD = 1054,
  DUPLICATE_COLUMN = 1060,
  SYNTAX = 1064,
  EMPTY_QUERY = 1065,
  READ_ONLY = 1792,
};

static wh_status does_not_run(wh_mysql_session *s, MYSQL_STMT *stmt, wh_error *err) {
  wh_mysql_trouble t = wh_mysql_trouble_of(s, stmt);
  if (t.code == EMPTY_QUERY) return wh_source_refuse(s->base.connection, err, "is empty");
  if (t.code == READ_ONLY)
    return wh_source_refuse(s->base.connection, err,
                            "would write. A source only reads: use a SELECT");
  if (t.code == SYNTAX || t.code == BAD_FIELD || t.code == DUPLICATE_COLUMN)
    return wh_source_refuse(s->base.connection, err, "does not run: %s", t.text);
  return wh_mysql_fail(s, &t, "reading the query", err);
}

static wh_status check_names(wh_mysql_session *s, const MYSQL_STMT *stmt, wh_error *err) {
  for (unsigned i = 0; i < stmt->field_count; i++)
    for (unsigned k = 0; k < i; k++)
      if (wh_str_eq_nocase(wh_str_of(stmt->fields[i].name), wh_str_of(stmt->fields[k].name)))
        return wh_source_refuse(s->base.connection, err,
                                "has two columns named '%s'. Give one another name with AS",
                                stmt->fields[i].name);
  return WH_OK;
}

static wh_status name_columns(wh_mysql_session *s, const MYSQL_STMT *stmt, wh_arena *arena,
                              wh_sql_relation *r, wh_error *err) {
  r->count = stmt->field_count;
  r->columns = WH_NEW_ARRAY(arena, r->count, wh_sql_column);
  if (!r->columns) return wh_fail_memory(err);
  for (size_t i = 0; i < r->count; i++) {
    const MYSQL_FIELD *f = &stmt->fields[i];
    r->columns[i] = (wh_sql_column){
        .name = wh_arena_str(arena, wh_str_n(f->name, f->name_length)),
        .type = wh_mysql_field_of(f, wh_mysql_options_of(s)).type,
        .nullable = (f->flags & NOT_NULL_FLAG) == 0,
        .native = f->type == MYSQL_TYPE_GEOMETRY ? WH_MYSQL_GEOMETRY : WH_MYSQL_OTHER,
    };
    if (!r->columns[i].name.data) return wh_fail_memory(err);
  }
  return WH_OK;
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Where the statement ends: at a semicolon that only white space and comments follow. Quotes and
// comments are stepped over; that there is one statement is for the server to say.
static size_t statement_end(wh_str q, bool *ret_more) {
  size_t semicolon = q.len;
  *ret_more = false;
  for (size_t i = 0; i < q.len; i++) {
    char c = q.data[i], next = i + 1 < q.len ? q.data[i + 1] : 0;
    if (c == '#' || (c == '-' && next == '-' && (i + 2 >= q.len || is_space(q.data[i + 2])))) {
      i = wh_str_find(q, i, '\n');
    } else if (c == '/' && next == '*' && !(i + 2 < q.len && q.data[i + 2] == '!')) {
      for (i += 2; i + 1 < q.len && !(q.data[i] == '*' && q.data[i + 1] == '/'); i++) {
      }
      i++;
    } else if (c == ';') {
      if (semicolon == q.len) semicolon = i;
    } else if (!is_space(c)) {
      *ret_more |= semicolon < q.len; // it was no end
      semicolon = q.len;
      if (c != '\'' && c != '"' && c != '`') continue;
      for (i++; i < q.len && q.data[i] != c; i++)
        i += q.data[i] == '\\' && c != '`';
    }
  }
  return semicolon;
}

static wh_status from_query(wh_mysql_session *s, wh_str query, wh_arena *arena, wh_sql_from *ret,
                            wh_error *err) {
  if (memchr(query.data, 0, query.len))
    return wh_source_refuse(s->base.connection, err, "has a NUL byte");
  bool more;
  wh_str body = wh_arena_str(arena, wh_str_sub(query, 0, statement_end(query, &more)));
  if (!body.data) return wh_fail_memory(err);
  *ret = (wh_sql_from){.query = body, .what = WH_STR("the query")};
  ret->relation.rows_estimate = WH_SIZE_UNKNOWN;
  wh_mysql_will_wait(s);
  WH_CLEAN_MYSQL_STMT MYSQL_STMT *stmt = mysql_stmt_init(s->handle);
  if (!stmt) return wh_fail_memory(err);
  if (mysql_stmt_prepare(stmt, body.data, body.len)) {
    if (more && mysql_stmt_errno(stmt) == SYNTAX)
      return wh_source_refuse(s->base.connection, err,
                              "has more than one statement. Keep one SELECT");
    return does_not_run(s, stmt, err);
  }
  if (mysql_stmt_param_count(stmt))
    return wh_source_refuse(s->base.connection, err, "has a parameter ('?'), which nothing fills");
  if (mysql_stmt_field_count(stmt) == 0)
    return wh_source_refuse(s->base.connection, err,
                            "would write, or gives no rows. A source only reads: use a SELECT");
  WH_TRY(check_names(s, stmt, err));
  WH_TRY(name_columns(s, stmt, arena, &ret->relation, err));
  // SHOW and the like give rows, too, but nothing can be selected from them.
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->base.connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT *");
  wh_sql_add_from(&sql, &s->base, ret);
  WH_TRY(wh_buf_check(&sql, err));
  if (!mysql_stmt_prepare(stmt, sql.data, sql.len)) return WH_OK;
  if (mysql_stmt_errno(stmt) == SYNTAX)
    return wh_source_refuse(s->base.connection, err, "is not a SELECT that gives rows");
  return does_not_run(s, stmt, err);
}

wh_status wh_mysql_from_of(wh_mysql_session *s, wh_str table, wh_str query, wh_arena *arena,
                           wh_sql_from *ret, wh_error *err) {
  if (query.len) return from_query(s, query, arena, ret, err);
  return wh_sql_from_table(&s->base, table, arena, ret, err);
}

// --- Pieces --------------------------------------------------------------------------------------

bool wh_mysql_add_shown(wh_buf *sql, const wh_sql_column *column) {
  if (wh_mysql_native_of(column) != WH_MYSQL_GEOMETRY) return wh_mysql_add_name(sql, column->name);
  wh_buf_add_c(sql, "ST_AsWKB(");
  wh_mysql_add_name(sql, column->name);
  return wh_buf_add_char(sql, ')');
}

static bool may_be_zero(const wh_type *type) {
  return type->kind == WH_DATE || type->kind == WH_TIMESTAMP;
}

wh_status wh_mysql_schema(const wh_sql_session *s, const wh_sql_relation *r, wh_arena *arena,
                          wh_schema *ret, wh_error *err) {
  const wh_mysql_options *options = s->connection->options;
  bool zero_is_null = options->zero_dates == WH_MYSQL_ZERO_NULL;
  wh_field *fields = WH_NEW_ARRAY(arena, r->count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < r->count; i++) {
    const wh_sql_column *c = &r->columns[i];
    fields[i] = (wh_field){.name = c->name,
                           .type = c->type,
                           .nullable = c->nullable || (zero_is_null && may_be_zero(&c->type)),
                           .privacy = WH_INTERNAL};
  }
  *ret = (wh_schema){.count = r->count, .fields = fields};
  return WH_OK;
}

// --- Parameters ----------------------------------------------------------------------------------

// The servers know the years 0 to 9999; what is outside becomes the first or the last instant.
static void set_time(MYSQL_TIME *t, int64_t us) {
  const int64_t first = wh_days_from_civil(0, 1, 1) * 86400000000;
  const int64_t last = wh_days_from_civil(9999, 12, 31) * 86400000000 + 86399999999;
  us = us < first ? first : us > last ? last : us;
  wh_civil civil;
  wh_civil_from_us(us, &civil);
  *t = (MYSQL_TIME){.year = (unsigned)civil.year,
                    .month = (unsigned)civil.month,
                    .day = (unsigned)civil.day,
                    .hour = (unsigned)civil.hour,
                    .minute = (unsigned)civil.minute,
                    .second = (unsigned)civil.second,
                    .second_part = (unsigned long)civil.nanos / 1000,
                    .time_type = MYSQL_TIMESTAMP_DATETIME};
}

// Of a unit that is finer the microsecond that it is in.
static int64_t microseconds(int64_t value, wh_unit unit) {
  int64_t us;
  if (unit == WH_UNIT_NS) return value / 1000 - (value % 1000 < 0);
  if (wh_unit_convert(value, unit, WH_UNIT_US, &us)) return us;
  return value < 0 ? INT64_MIN : INT64_MAX;
}

static void bind_time(MYSQL_BIND *bind, wh_mysql_param *room, const wh_value *v) {
  bind->buffer = &room->time;
  if (v->type.kind == WH_TIME) {
    int64_t us = microseconds(v->as.i, v->type.unit);
    bind->buffer_type = MYSQL_TYPE_TIME;
    room->time = (MYSQL_TIME){.hour = (unsigned)(us / 3600000000),
                              .minute = (unsigned)(us / 60000000 % 60),
                              .second = (unsigned)(us / 1000000 % 60),
                              .second_part = (unsigned long)(us % 1000000),
                              .time_type = MYSQL_TIMESTAMP_TIME};
    return;
  }
  bind->buffer_type = MYSQL_TYPE_DATETIME;
  set_time(&room->time,
           v->type.kind == WH_DATE ? v->as.i * 86400000000 : microseconds(v->as.i, v->type.unit));
}

void wh_mysql_bind_value(MYSQL_BIND *bind, wh_mysql_param *room, const wh_value *v) {
  *bind = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_NULL};
  if (v->is_null) return;
  switch (v->type.kind) {
  case WH_STRING:
  case WH_BINARY:
    wh_mysql_bind_text(bind, v->as.s.data ? v->as.s : WH_STR(""), v->type.kind == WH_BINARY);
    return;
  case WH_FLOAT32:
  case WH_FLOAT64:
    room->real = v->as.f;
    *bind = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_DOUBLE, .buffer = &room->real};
    return;
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    bind_time(bind, room, v);
    return;
  case WH_DECIMAL:
    bind->buffer_type = MYSQL_TYPE_NEWDECIMAL;
    bind->buffer = room->number;
    bind->buffer_length = wh_format_decimal(v->as.d, v->type.scale, room->number);
    return;
  case WH_BOOL:
    room->whole = v->as.b;
    break;
  default:
    room->whole = v->as.i; // u has the same bits
    break;
  }
  *bind = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG,
                       .buffer = &room->whole,
                       .is_unsigned = v->type.kind >= WH_UINT8 && v->type.kind <= WH_UINT64};
}
