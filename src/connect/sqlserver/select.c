// What a source reads from: a table or view by its name, or a query of the user's.
#include "connect/sql_catalog.h"
#include "connect/sqlserver/relate.h"

#include "data/temporal.h"

// --- Queries -------------------------------------------------------------------------------------

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool begins_with(wh_str q, const char *word) {
  size_t at = wh_source_skip(q, 0), len = strlen(word);
  if (q.len - at < len || !wh_str_eq_nocase(wh_str_sub(q, at, at + len), wh_str_of(word)))
    return false;
  char next = at + len < q.len ? q.data[at + len] : ' ';
  return is_space(next) || next == '(' || next == '*' || next == '\'' || next == '/' ||
         next == '-' || next == '[' || next == '@';
}

// Behind what begins at `at` and ends with `end`, where two of those stand for one.
static size_t skip_quoted(wh_str q, size_t at, char end) {
  for (at++; at < q.len; at++) {
    if (q.data[at] != end) continue;
    if (at + 1 >= q.len || q.data[at + 1] != end) return at + 1;
    at++;
  }
  return at;
}

// Whether something follows a semicolon. (Statements without one between them are no harm: what
// they write is rolled back.)
static bool has_second(wh_str q) {
  for (size_t at = wh_source_skip(q, 0); at < q.len; at = wh_source_skip(q, at)) {
    char c = q.data[at];
    if (c == ';') return true;
    at = c == '\'' || c == '"' ? skip_quoted(q, at, c)
         : c == '['            ? skip_quoted(q, at, ']')
                               : at + 1;
  }
  return false;
}

// Without the semicolons, white space and comments behind it.
static wh_str without_end(wh_str q) {
  size_t end = 0;
  for (size_t at = wh_source_skip(q, 0); at < q.len; at = wh_source_skip(q, at)) {
    char c = q.data[at];
    at = c == '\'' || c == '"' ? skip_quoted(q, at, c)
         : c == '['            ? skip_quoted(q, at, ']')
                               : at + 1;
    if (c != ';') end = at;
  }
  return wh_str_sub(q, 0, end);
}

typedef struct query_look {
  wh_mssql_session *session;
  wh_sql_column_list list;
} query_look;

enum {
  NAME,
  NULLABLE,
  TYPE,
  MAX_LENGTH,
  PRECISION,
  SCALE,
  COLLATION,
  CODE_PAGE,
  MESSAGE,
};

static int64_t number(wh_str text) {
  int64_t value;
  return text.data && wh_str_to_i64(text, &value) ? value : 0;
}

static wh_status take_column(void *context, const wh_str *v, size_t count, wh_error *err) {
  query_look *l = context;
  wh_sql_relation *r = l->list.relation;
  (void)count;
  if (v[MESSAGE].len && memmem(v[MESSAGE].data, v[MESSAGE].len, "scalar variable", 15))
    return wh_source_refuse(l->session->base.connection, err,
                            "has a parameter ('@NAME'), which nothing fills");
  if (v[MESSAGE].len)
    return wh_source_refuse(l->session->base.connection, err, "does not run: %.*s",
                            (int)wh_utf8_cut(v[MESSAGE], 400), v[MESSAGE].data);
  if (!v[NAME].len)
    return wh_source_refuse(l->session->base.connection, err,
                            "has a column without a name. Give it one with AS");
  for (size_t i = 0; i < r->count; i++)
    if (wh_str_eq_nocase(r->columns[i].name, v[NAME]))
      return wh_source_refuse(l->session->base.connection, err,
                              "has two columns named '%.*s'. Give one another name with AS",
                              (int)wh_utf8_cut(v[NAME], 128), v[NAME].data);
  // "decimal(10,2)": the rest of the columns says what is in the brackets.
  wh_str type = wh_str_sub(v[TYPE], 0, wh_str_find(v[TYPE], 0, '('));
  wh_mssql_catalog_type t = {.name = type.len ? type : WH_STR("?"),
                             .bytes = number(v[MAX_LENGTH]),
                             .precision = number(v[PRECISION]),
                             .scale = number(v[SCALE]),
                             .collation = v[COLLATION],
                             .page = number(v[CODE_PAGE])};
  wh_sql_column *c;
  WH_TRY(wh_sql_next_column(&l->list, &c, err));
  *c = (wh_sql_column){.name = wh_arena_str(l->list.arena, v[NAME]),
                       .nullable = !wh_str_is(v[NULLABLE], "0")};
  if (!c->name.data) return wh_fail_memory(err);
  WH_TRY(wh_mssql_type_column(&t, l->list.arena, c, err));
  r->count++;
  return WH_OK;
}

// CLR types have no system type's name here: "db.sys.hierarchyid" is in user_type_name.
static wh_status from_query(wh_mssql_session *s, wh_str query, wh_arena *arena, wh_sql_from *ret,
                            wh_error *err) {
  static const char sql[] =
      "SELECT d.name, d.is_nullable, COALESCE(d.system_type_name, d.user_type_name), d.max_length, "
      "d.precision, d.scale, d.collation_name, CAST(COLLATIONPROPERTY(d.collation_name, "
      "'CodePage') "
      "AS int), d.error_message FROM sys.dm_exec_describe_first_result_set(@P1, NULL, 0) AS d "
      "WHERE "
      "d.is_hidden = 0 OR d.error_message IS NOT NULL ORDER BY d.column_ordinal";
  *ret = (wh_sql_from){.query = without_end(query), .what = WH_STR("the query")};
  ret->relation.rows_estimate = WH_SIZE_UNKNOWN;
  if (wh_source_skip(ret->query, 0) >= ret->query.len)
    return wh_source_refuse(s->base.connection, err, "is empty");
  if (!begins_with(ret->query, "SELECT") && !begins_with(ret->query, "WITH"))
    return wh_source_refuse(s->base.connection, err,
                            "would write, or gives no rows. A source only reads: use a SELECT");
  if (has_second(ret->query))
    return wh_source_refuse(s->base.connection, err,
                            "has more than one statement. Keep one SELECT");
  query_look l = {.session = s, .list = {.arena = arena, .relation = &ret->relation}};
  WH_TRY(wh_mssql_ask(&s->base, wh_str_of(sql), &ret->query, 1, take_column, &l, err));
  return ret->relation.count ? WH_OK
                             : wh_source_refuse(s->base.connection, err,
                                                "gives no rows. A source only reads: use a SELECT");
}

wh_status wh_mssql_from_of(wh_mssql_session *s, wh_str table, wh_str query, wh_arena *arena,
                           wh_sql_from *ret, wh_error *err) {
  if (query.len) return from_query(s, query, arena, ret, err);
  return wh_sql_from_table(&s->base, table, arena, ret, err);
}

// --- Pieces --------------------------------------------------------------------------------------

bool wh_mssql_is_wrapped(const wh_sql_column *c) {
  switch (wh_mssql_native_of(c)) {
  case WH_MSSQL_XML:
  case WH_MSSQL_JSON:
  case WH_MSSQL_HIERARCHY:
  case WH_MSSQL_GEOMETRY:
    return true;
  default:
    return false;
  }
}

bool wh_mssql_add_shown(wh_buf *sql, const wh_sql_column *c) {
  bool is_document =
      wh_mssql_native_of(c) == WH_MSSQL_XML || wh_mssql_native_of(c) == WH_MSSQL_JSON;
  if (!wh_mssql_is_wrapped(c)) return wh_mssql_add_name(sql, c->name);
  if (is_document) wh_buf_add_c(sql, "CAST(");
  wh_mssql_add_name(sql, c->name);
  wh_buf_add_c(sql, is_document                                   ? " AS nvarchar(max))"
                    : wh_mssql_native_of(c) == WH_MSSQL_HIERARCHY ? ".ToString()"
                                                                  : ".STAsBinary()");
  wh_buf_add_c(sql, " AS ");
  return wh_mssql_add_name(sql, c->name);
}

// --- Comparing -----------------------------------------------------------------------------------

bool wh_mssql_add_compared(wh_buf *sql, const wh_sql_column *c) {
  bool is_text = c->type.kind == WH_STRING;
  if (is_text) wh_buf_add_c(sql, "CAST(");
  wh_mssql_add_name(sql, c->name);
  return !is_text || wh_buf_add_c(sql, " AS nvarchar(max)) COLLATE " WH_MSSQL_BY_CODE);
}

static const char *operand_type(const wh_type *type) {
  switch (type->kind) {
  case WH_BOOL:
    return "bit";
  case WH_FLOAT32:
  case WH_FLOAT64:
    return "float";
  case WH_DATE:
    return "date";
  case WH_TIME:
    return "time(7)";
  case WH_TIMESTAMP:
    return type->zoned ? "datetimeoffset(7)" : "datetime2(7)";
  default:
    return "bigint";
  }
}

bool wh_mssql_add_operand(wh_buf *sql, const wh_sql_column *c, unsigned number) {
  switch (c->type.kind) {
  case WH_STRING:
    return wh_buf_printf(sql, "@P%u", number);
  case WH_BINARY:
    return wh_buf_printf(sql, "CONVERT(varbinary(max), @P%u, 2)", number);
  case WH_UINT64: // a rowversion
    return wh_buf_printf(sql, "CAST(CAST(@P%u AS bigint) AS binary(8))", number);
  case WH_DECIMAL:
    return wh_buf_printf(sql, "CAST(@P%u AS decimal(%d,%d))", number, c->type.precision,
                         c->type.scale);
  default:
    return wh_buf_printf(sql, "CAST(@P%u AS %s)", number, operand_type(&c->type));
  }
}

// The server knows the years 1 to 9999 and 100 nanoseconds; what is outside becomes the first or
// the last instant, what is finer the step that it is in.
static bool write_instant(const wh_value *v, wh_buf *out) {
  const int64_t first = wh_days_from_civil(1, 1, 1) * 86400000000;
  const int64_t last = wh_days_from_civil(9999, 12, 31) * 86400000000 + 86399999999;
  int64_t us;
  if (v->type.unit == WH_UNIT_NS)
    return wh_iso_write_timestamp(v->as.i - ((v->as.i % 100 + 100) % 100), WH_UNIT_NS,
                                  v->type.zoned, out);
  if (!wh_unit_convert(v->as.i, v->type.unit, WH_UNIT_US, &us))
    us = v->as.i < 0 ? INT64_MIN : INT64_MAX;
  us = us < first ? first : us > last ? last : us;
  return wh_iso_write_timestamp(us, WH_UNIT_US, v->type.zoned, out);
}

wh_status wh_mssql_operand(const wh_sql_column *c, const wh_value *v, wh_arena *arena, wh_str *ret,
                           wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, arena->mem, 0);
  switch (v->type.kind) {
  case WH_BINARY:
    wh_buf_add_hex(&text, v->as.s.data, v->as.s.len);
    break;
  case WH_TIMESTAMP:
    write_instant(v, &text);
    break;
  case WH_BOOL:
    wh_buf_add_c(&text, v->as.b ? "1" : "0");
    break;
  default:
    if (c->type.kind == WH_UINT64 && v->type.kind == WH_UINT64 && v->as.u > INT64_MAX)
      wh_buf_printf(&text, "%lld", (long long)INT64_MAX); // no rowversion is beyond a bigint
    else
      wh_value_write(v, &text);
    break;
  }
  WH_TRY(wh_buf_check(&text, err));
  *ret = wh_arena_str(arena, wh_buf_str(&text));
  return ret->data ? WH_OK : wh_fail_memory(err);
}
