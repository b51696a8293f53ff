#include "connect/sqlite/cursor.h"

#include <math.h>

enum {
  DAY_S = 86400,
  SLACK_S = DAY_S, // offsets from UTC are less than a day
  EARLIER_DAYS = 3,
};

#define DATE_SHAPE "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"

typedef enum narrowing {
  NARROW_NOT, // every row is looked at
  NARROW_NUMBER,
  NARROW_TEXT,
  NARROW_TIME,
} narrowing;

static bool is_dated(const wh_type *type) {
  return type->kind == WH_DATE || type->kind == WH_TIMESTAMP;
}

// Dates count as midnight.
static wh_sqlite_instant instant_of(const wh_value *v) {
  if (v->type.kind == WH_DATE)
    return (wh_sqlite_instant){.seconds = v->as.i * DAY_S, .has_date = true};
  int64_t per_second = wh_unit_per_second(v->type.unit);
  int64_t seconds = v->as.i / per_second, rest = v->as.i % per_second;
  if (rest < 0) {
    rest += per_second;
    seconds--;
  }
  return (wh_sqlite_instant){
      .seconds = seconds,
      .nanos = (int32_t)(rest * (1000000000 / per_second)),
      .has_date = v->type.kind == WH_TIMESTAMP,
      .has_time = true,
      .has_zone = v->type.zoned,
  };
}

// Any ISO 8601 text of a time at or after `from` begins with a date that is not before the one
// three days earlier (an offset and a missing zone move it by less than a day each, and division
// rounds), so it sorts behind that date, whatever follows. Text of another shape is asked for as
// well.
static bool write_low(wh_sqlite_cursor *cursor) {
  wh_sqlite_instant from = instant_of(&cursor->from);
  wh_type date = wh_type_of(WH_DATE);
  int64_t days = from.seconds / DAY_S - EARLIER_DAYS;
  size_t len = wh_sqlite_instant_write(&date, days, &cursor->day, cursor->low);
  cursor->low[len] = 0;
  return len > 0;
}

static narrowing narrowing_of(wh_sqlite_cursor *cursor, const wh_sqlite_relation *relation) {
  ptrdiff_t at = wh_sqlite_relation_find(relation, cursor->column);
  if (!cursor->has_from || at < 0) return NARROW_NOT;
  wh_sqlite_affinity affinity = wh_sqlite_affinity_of(relation->columns[at].declared);
  // Affinity changes what is compared: numbers with a TEXT column as text, and the reverse.
  bool as_text = affinity == WH_SQLITE_AFF_TEXT;
  bool as_number = !as_text && affinity != WH_SQLITE_AFF_NONE;
  wh_kind kind = cursor->from.type.kind;
  if (is_dated(&cursor->from.type)) return write_low(cursor) ? NARROW_TIME : NARROW_NOT;
  if (kind == WH_STRING) return as_number ? NARROW_NOT : NARROW_TEXT;
  bool is_number = (wh_kind_is_int(kind) && kind != WH_UINT64) || kind == WH_DECIMAL ||
                   kind == WH_FLOAT32 || kind == WH_FLOAT64;
  return is_number && !as_text ? NARROW_NUMBER : NARROW_NOT;
}

static wh_status has_index(wh_sqlite_db *db, const wh_sqlite_relation *relation, wh_str column,
                           bool *ret, wh_error *err) {
  *ret = false;
  if (!relation->table.len || relation->is_view) return WH_OK;
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(db,
                             "SELECT 1 FROM pragma_index_list(?1) AS l, pragma_index_xinfo(l.name) "
                             "AS x WHERE l.partial = 0 AND x.seqno = 0 AND x.name = ?2 "
                             "UNION ALL SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2 AND "
                             "pk = 1 AND upper(type) = 'INTEGER'",
                             &stmt, err));
  wh_sqlite_bind_str(stmt, 1, relation->table);
  wh_sqlite_bind_str(stmt, 2, column);
  return wh_sqlite_step(db, stmt, ret, err);
}

// The conditions exclude each other, so that they may be asked one by one.
static size_t write_conditions(narrowing how, const wh_sqlite_relation *relation, wh_str column,
                               wh_buf parts[3]) {
  // In a query the affinity of an expression is not known: '+' takes it away.
  const char *plain = relation->table.len || how == NARROW_TIME ? "" : "+";
  wh_buf_add_c(&parts[0], plain);
  wh_sqlite_add_name(&parts[0], column);
  wh_buf_add_c(&parts[0], how == NARROW_TEXT ? " COLLATE BINARY >= ?1" : " >= ?1");
  wh_sqlite_add_name(&parts[1], column);
  wh_buf_add_c(&parts[1], " IS NULL");
  if (how == NARROW_NUMBER) return 2; // text and blobs sort behind all numbers
  wh_buf_add_c(&parts[2], plain);
  wh_sqlite_add_name(&parts[2], column);
  wh_buf_add_c(&parts[2],
               how == NARROW_TEXT ? " COLLATE BINARY < ?1 AND typeof(" : " < ?1 AND NOT (");
  wh_sqlite_add_name(&parts[2], column);
  wh_buf_add_c(&parts[2], how == NARROW_TEXT ? ") <> 'text'" : " GLOB " DATE_SHAPE ")");
  return 3;
}

static void join_conditions(wh_buf *sql, wh_str select, wh_buf *parts, size_t count, bool apart) {
  for (size_t i = 0; i < count; i++) {
    if (i == 0 || apart) {
      wh_buf_add_c(sql, i ? " UNION ALL " : "");
      wh_buf_add_str(sql, select);
      wh_buf_add_c(sql, " WHERE ");
    } else {
      wh_buf_add_c(sql, " OR ");
    }
    wh_buf_add_char(sql, '(');
    wh_buf_add_str(sql, wh_buf_str(&parts[i]));
    wh_buf_add_char(sql, ')');
    if (parts[i].failed) sql->failed = true;
  }
}

wh_status wh_sqlite_cursor_select(wh_sqlite_db *db, wh_sqlite_cursor *cursor,
                                  const wh_sqlite_relation *relation, wh_str select, wh_buf *sql,
                                  wh_error *err) {
  narrowing how = narrowing_of(cursor, relation);
  if (how == NARROW_NOT) {
    wh_buf_add_str(sql, select);
    return wh_buf_check(sql, err);
  }
  bool indexed;
  WH_TRY(has_index(db, relation, cursor->column, &indexed, err));
  wh_buf parts[3];
  for (size_t i = 0; i < 3; i++)
    wh_buf_init(&parts[i], db->connection->mem, WH_SQLITE_SQL_MAX);
  size_t count = write_conditions(how, relation, cursor->column, parts);
  join_conditions(sql, select, parts, count, indexed);
  for (size_t i = 0; i < 3; i++)
    wh_buf_free(&parts[i]);
  return wh_buf_check(sql, err);
}

wh_status wh_sqlite_cursor_bind(wh_sqlite_db *db, wh_sqlite_cursor *cursor, sqlite3_stmt *stmt,
                                wh_error *err) {
  if (sqlite3_bind_parameter_count(stmt) == 0) return WH_OK;
  const wh_value *from = &cursor->from;
  int rc;
  switch (from->type.kind) {
  case WH_DATE:
  case WH_TIMESTAMP:
    rc = wh_sqlite_bind_str(stmt, 1, wh_str_of(cursor->low));
    break;
  case WH_STRING:
    rc = wh_sqlite_bind_str(stmt, 1, from->as.s);
    break;
  case WH_FLOAT32:
  case WH_FLOAT64:
    rc = sqlite3_bind_double(stmt, 1, from->as.f);
    break;
  case WH_DECIMAL: // a little less: the exact look comes later
    rc = sqlite3_bind_double(stmt, 1,
                             nextafter((double)from->as.d / pow(10, from->type.scale), -INFINITY));
    break;
  case WH_UINT8:
  case WH_UINT16:
  case WH_UINT32:
    rc = sqlite3_bind_int64(stmt, 1, (int64_t)from->as.u);
    break;
  default:
    rc = sqlite3_bind_int64(stmt, 1, from->as.i);
  }
  return rc == SQLITE_OK ? WH_OK : wh_sqlite_fail(db, rc, err, "reading");
}

static int compare_instants(const wh_sqlite_instant *a, const wh_sqlite_instant *b) {
  if (a->seconds != b->seconds) return a->seconds < b->seconds ? -1 : 1;
  return (a->nanos > b->nanos) - (a->nanos < b->nanos);
}

// Where only one side has a zone, a row counts when some zone could make it count.
static bool instant_passes(wh_sqlite_cursor *cursor, wh_sqlite_instant at) {
  if (cursor->has_from) {
    wh_sqlite_instant from = instant_of(&cursor->from), latest = at;
    if (at.has_zone != from.has_zone) latest.seconds += SLACK_S;
    if (compare_instants(&latest, &from) < 0) return false;
  }
  if (cursor->has_to) {
    wh_sqlite_instant to = instant_of(&cursor->to), earliest = at;
    if (at.has_zone != to.has_zone) earliest.seconds -= SLACK_S;
    if (compare_instants(&earliest, &to) >= 0) return false;
  }
  return true;
}

static bool value_passes(const wh_sqlite_cursor *cursor, const wh_value *value) {
  if (cursor->has_from && wh_value_compare(value, &cursor->from) < 0) return false;
  return !cursor->has_to || wh_value_compare(value, &cursor->to) < 0;
}

static wh_status text_passes(wh_sqlite_cursor *cursor, wh_str text, bool *ret, wh_error *err) {
  const wh_type *type = cursor->has_from ? &cursor->from.type : &cursor->to.type;
  wh_sqlite_instant at;
  if (is_dated(type) || type->kind == WH_TIME) {
    bool parsed = wh_sqlite_instant_parse(text, &cursor->day, &at);
    *ret = !parsed || at.has_date != is_dated(type) || instant_passes(cursor, at);
    return WH_OK;
  }
  if (type->kind == WH_STRING) {
    wh_value value = {.type = wh_type_of(WH_STRING), .as.s = text};
    *ret = value_passes(cursor, &value);
    return WH_OK;
  }
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, cursor->mem);
  wh_value value;
  wh_status status = wh_value_parse(text, type, &arena, &value, err);
  if (status != WH_OK && status != WH_ERR_TYPE) return status;
  *ret = status == WH_ERR_TYPE || value_passes(cursor, &value);
  return WH_OK;
}

static bool is_comparable_number(const wh_type *type) {
  return wh_kind_is_int(type->kind) || type->kind == WH_DECIMAL || type->kind == WH_FLOAT32 ||
         type->kind == WH_FLOAT64;
}

wh_status wh_sqlite_cursor_passes(wh_sqlite_cursor *cursor, sqlite3_value *value, bool *ret,
                                  wh_error *err) {
  const wh_type *type = cursor->has_from ? &cursor->from.type : &cursor->to.type;
  wh_value number = {0};
  switch (sqlite3_value_type(value)) {
  case SQLITE_TEXT:
    if (!sqlite3_value_text(value)) return wh_fail_memory(err);
    return text_passes(cursor, wh_sqlite_value_text(value), ret, err);
  case SQLITE_INTEGER:
    number = (wh_value){.type = wh_type_of(WH_INT64), .as.i = sqlite3_value_int64(value)};
    break;
  case SQLITE_FLOAT:
    number = (wh_value){.type = wh_type_of(WH_FLOAT64), .as.f = sqlite3_value_double(value)};
    break;
  default:
    *ret = true;
    return WH_OK;
  }
  // A real that stands for a decimal need not be equal to it: it is compared as the real is.
  if (number.type.kind == WH_FLOAT64 && type->kind == WH_DECIMAL) {
    double low = cursor->has_from ? (double)cursor->from.as.d / pow(10, type->scale) : -INFINITY;
    *ret = number.as.f >= nextafter(low, -INFINITY);
    return WH_OK;
  }
  *ret = !is_comparable_number(type) || value_passes(cursor, &number);
  return WH_OK;
}
