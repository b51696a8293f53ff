// What is stored decides where declarations do not: see the rules in sqlite.h.
#include "connect/sqlite/describe.h"
#include "connect/sqlite/instant.h"

enum { SAMPLE_HALF = WH_SQLITE_SAMPLE_ROWS / 2 };

typedef struct tally {
  bool whole;    // the values themselves are looked at, not only how they are stored
  size_t values; // not NULL
  size_t ints, reals, texts, blobs;
  size_t whole_reals;          // of the reals
  size_t bits;                 // of the ints: 0 or 1
  size_t dates, times, stamps; // of the texts; dates have no time, times no date
  size_t zoned;                // of the stamps
  size_t fine;                 // times and stamps with nanoseconds
  wh_sqlite_day day;
} tally;

// Of these classes only the storage matters, so that long values need not be loaded.
static bool needs_values(wh_sqlite_class is) {
  return is == WH_SQLITE_INT || is == WH_SQLITE_BOOL || is == WH_SQLITE_DATE ||
         is == WH_SQLITE_TIME || is == WH_SQLITE_TIMESTAMP;
}

static void tally_text(tally *t, wh_str text) {
  wh_sqlite_instant at;
  if (!wh_sqlite_instant_parse(text, &t->day, &at)) return;
  if (!at.has_time)
    t->dates++;
  else if (!at.has_date)
    t->times++;
  else
    t->stamps++;
  t->zoned += at.has_date && at.has_zone;
  t->fine += at.nanos % 1000 != 0;
}

static void tally_value(tally *t, sqlite3_value *value) {
  double real;
  switch (sqlite3_value_type(value)) {
  case SQLITE_INTEGER:
    t->ints++;
    t->bits += sqlite3_value_int64(value) == 0 || sqlite3_value_int64(value) == 1;
    break;
  case SQLITE_FLOAT:
    t->reals++;
    real = sqlite3_value_double(value);
    t->whole_reals += real >= -1e15 && real <= 1e15 && (double)(int64_t)real == real;
    break;
  case SQLITE_TEXT:
    t->texts++;
    tally_text(t, wh_sqlite_value_text(value));
    break;
  case SQLITE_BLOB:
    t->blobs++;
    break;
  default:
    return;
  }
  t->values++;
}

// The answer of typeof(): "integer", "real", "text", "blob", "null".
static void tally_storage(tally *t, wh_str word) {
  char first = word.len ? word.data[0] : 'n';
  if (first == 'n') return;
  t->values++;
  t->ints += first == 'i';
  t->reals += first == 'r';
  t->texts += first == 't';
  t->blobs += first == 'b';
}

static size_t count_fits(const tally *t, wh_sqlite_class is, wh_sqlite_affinity affinity) {
  bool text_numbers = affinity == WH_SQLITE_AFF_TEXT || affinity == WH_SQLITE_AFF_NONE;
  switch (is) {
  case WH_SQLITE_INT:
    return t->ints + t->whole_reals;
  case WH_SQLITE_BOOL:
    return t->bits;
  case WH_SQLITE_FLOAT:
  case WH_SQLITE_NUMBER:
    return t->ints + t->reals;
  case WH_SQLITE_DECIMAL:
    return t->ints + t->reals + (text_numbers ? t->texts : 0);
  case WH_SQLITE_TEXT:
    return t->texts + t->ints + t->reals;
  case WH_SQLITE_BLOB:
    return t->blobs;
  case WH_SQLITE_DATE:
  case WH_SQLITE_TIMESTAMP:
    return t->dates + t->stamps;
  case WH_SQLITE_TIME:
    return t->times;
  case WH_SQLITE_UNKNOWN:
    return 0;
  }
  return 0;
}

// The declared class, made exact by what the values show.
static wh_type refine(const tally *t, const wh_sqlite_decl *decl) {
  wh_type type = decl->type;
  if (decl->is == WH_SQLITE_NUMBER && t->values && t->reals == 0) type.kind = WH_INT64;
  if (decl->is == WH_SQLITE_DATE && t->stamps) type.kind = WH_TIMESTAMP;
  if (type.kind == WH_TIMESTAMP && t->stamps) type.zoned = t->zoned * 2 > t->stamps;
  if ((type.kind == WH_TIMESTAMP || type.kind == WH_TIME) && t->fine) type.unit = WH_UNIT_NS;
  return type;
}

static wh_type by_storage(const tally *t, wh_sqlite_affinity affinity) {
  if (t->values == 0) {
    static const wh_kind kinds[] = {
        [WH_SQLITE_AFF_NONE] = WH_STRING,     [WH_SQLITE_AFF_TEXT] = WH_STRING,
        [WH_SQLITE_AFF_NUMERIC] = WH_FLOAT64, [WH_SQLITE_AFF_INTEGER] = WH_INT64,
        [WH_SQLITE_AFF_REAL] = WH_FLOAT64,
    };
    return wh_type_of(kinds[affinity]);
  }
  if (t->ints == t->values) return wh_type_of(WH_INT64);
  if (t->ints + t->reals == t->values) return wh_type_of(WH_FLOAT64);
  if (t->blobs == t->values) return wh_type_of(WH_BINARY);
  return wh_type_of(WH_STRING);
}

static wh_type decide(const tally *t, const wh_sqlite_column *column, bool is_own) {
  wh_sqlite_decl decl = wh_sqlite_decl_parse(column->declared);
  wh_sqlite_affinity affinity = wh_sqlite_affinity_of(column->declared);
  if (decl.is == WH_SQLITE_UNKNOWN) return by_storage(t, affinity);
  if (is_own) return decl.exact;
  bool believed = count_fits(t, decl.is, affinity) * 2 >= t->values;
  return believed ? refine(t, &decl) : by_storage(t, affinity);
}

static void add_columns(wh_buf *sql, const wh_sqlite_relation *r, const tally *tallies) {
  for (size_t i = 0; i < r->count; i++) {
    wh_buf_add_c(sql, i ? ", " : "SELECT ");
    wh_buf_add_c(sql, tallies[i].whole ? "" : "typeof(");
    wh_sqlite_add_name(sql, r->columns[i].name);
    wh_buf_add_c(sql, tallies[i].whole ? "" : ")");
  }
  wh_sqlite_add_from(sql, r);
}

// A name of the rowid that no column hides, or NULL.
static const char *rowid_name(const wh_sqlite_relation *r) {
  static const char *const names[] = {"rowid", "_rowid_", "oid"};
  if (!r->has_rowid) return NULL;
  for (size_t n = 0; n < 3; n++) {
    bool hidden = false;
    for (size_t i = 0; i < r->count; i++)
      hidden |= wh_str_eq_nocase(r->columns[i].name, wh_str_of(names[n]));
    if (!hidden) return names[n];
  }
  return NULL;
}

// The first rows and, where that costs no sort, the last ones, which tell more of what comes.
static void build_sample(wh_buf *sql, const wh_sqlite_relation *r, const tally *tallies) {
  const char *rowid = rowid_name(r);
  if (!rowid) {
    add_columns(sql, r, tallies);
    wh_buf_printf(sql, " LIMIT %d", WH_SQLITE_SAMPLE_ROWS);
    return;
  }
  wh_buf_add_c(sql, "SELECT * FROM (");
  add_columns(sql, r, tallies);
  wh_buf_printf(sql, " LIMIT %d) UNION ALL SELECT * FROM (", SAMPLE_HALF);
  add_columns(sql, r, tallies);
  wh_buf_printf(sql, " ORDER BY %s DESC LIMIT %d)", rowid, SAMPLE_HALF);
}

static wh_status tally_rows(wh_sqlite_db *db, const wh_sqlite_relation *r, sqlite3_stmt *stmt,
                            tally *tallies, wh_error *err) {
  for (;;) {
    bool row;
    WH_TRY(wh_sqlite_step(db, stmt, &row, err));
    if (!row) return WH_OK;
    for (size_t i = 0; i < r->count; i++) {
      if (tallies[i].whole)
        tally_value(&tallies[i], sqlite3_column_value(stmt, (int)i));
      else
        tally_storage(&tallies[i], wh_sqlite_text(stmt, (int)i));
    }
  }
}

static bool is_exact_by_declaration(const wh_sqlite_relation *r) {
  if (!r->has_order) return false;
  for (size_t i = 0; i < r->count; i++)
    if (wh_sqlite_decl_parse(r->columns[i].declared).is == WH_SQLITE_UNKNOWN) return false;
  return true;
}

wh_status wh_sqlite_sample(wh_sqlite_db *db, wh_sqlite_relation *r, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, db->connection->mem);
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, db->connection->mem, WH_SQLITE_SQL_MAX);
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  tally *tallies = WH_NEW_ARRAY(&arena, r->count, tally);
  if (!tallies) return wh_fail_memory(err);
  for (size_t i = 0; i < r->count; i++)
    tallies[i].whole = needs_values(wh_sqlite_decl_parse(r->columns[i].declared).is);
  if (!is_exact_by_declaration(r)) {
    build_sample(&sql, r, tallies);
    WH_TRY(wh_sqlite_prepare(db, &sql, &stmt, err));
    WH_TRY(tally_rows(db, r, stmt, tallies, err));
  }
  for (size_t i = 0; i < r->count; i++) {
    r->columns[i].seen = tallies[i].values > 0;
    r->columns[i].type = decide(&tallies[i], &r->columns[i], r->has_order);
  }
  return WH_OK;
}
