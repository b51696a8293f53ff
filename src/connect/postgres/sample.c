// What only the data says: how many decimal places a numeric without precision has, and how many
// rows there are.
#include "connect/postgres/relate.h"

typedef struct sampled { // of one column, in the query's order
  wh_pg_relation *relation;
} sampled;

enum { MONEY_DIGITS = 19 }; // it is an int8 of the smallest coin

static const int scales[] = {0, 6, 12, 18};

// See postgres.h. `places` and `whole` are what the sample showed at most.
static uint8_t choose_scale(int places, int whole) {
  int most = WH_DECIMAL_DIGITS_MAX;
  int scale = places < most ? places : most;
  for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
    if (scales[i] < places) continue;
    scale = scales[i];
    break;
  }
  int room = most - whole;
  if (scale > room) scale = room > places ? room : places;
  return (uint8_t)(scale < most ? scale : most);
}

static bool takes_part(const wh_pg_column *c) {
  return c->reading.open_scale && c->may_read; // else it is not read, and its places do not matter
}

static void set_scale(wh_pg_column *c, int precision, uint8_t scale) {
  bool is_array = c->reading.form == WH_PG_ARRAY;
  // The item's field is ours, made by wh_pg_reading_of.
  wh_type *t = is_array ? &((wh_field *)c->reading.type.fields)->type : &c->reading.type;
  t->precision = (uint8_t)precision;
  t->scale = scale;
  c->sql.type = c->reading.type;
}

static int small_number(wh_str text) {
  int64_t value = 0;
  if (!wh_str_to_i64(text, &value) || value < 0) return 0;
  return value < 10000 ? (int)value : 10000;
}

static wh_status see_sample(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)err;
  const sampled *sample = context;
  size_t at = 0;
  for (size_t i = 0; i < sample->relation->count && at + 1 < count; i++) {
    wh_pg_column *c = &sample->relation->columns[i];
    if (!takes_part(c)) continue;
    c->seen = v[at].data != NULL;
    int places = small_number(v[at]);
    bool is_money = c->reading.cast == WH_PG_AS_NUMERIC;
    set_scale(c, is_money ? MONEY_DIGITS : WH_DECIMAL_DIGITS_MAX,
              is_money ? (uint8_t)places : choose_scale(places, small_number(v[at + 1])));
    at += 2;
  }
  return WH_OK;
}

// The places, and the digits before the point; of NaN and infinities there are none. All money of
// a database has the same places.
static void add_measures(wh_buf *sql, const wh_pg_column *c) {
  if (c->reading.cast == WH_PG_AS_NUMERIC) {
    wh_buf_add_c(sql, "pg_catalog.scale(0::pg_catalog.int4::pg_catalog.money::pg_catalog.numeric), "
                      "NULL");
    return;
  }
  static const char *const measures[] = {
      "max(pg_catalog.scale(u.item))",
      "max(pg_catalog.length(pg_catalog.trunc(pg_catalog.abs(u.item))::pg_catalog.text))"};
  for (size_t i = 0; i < 2; i++) {
    wh_buf_add_c(sql, i ? ", (SELECT " : "(SELECT ");
    wh_buf_add_c(sql, measures[i]);
    wh_buf_add_c(sql, c->reading.form == WH_PG_ARRAY ? " FROM s, unnest(s." : " FROM (SELECT s.");
    wh_pg_add_name(sql, c->sql.name);
    wh_buf_add_c(sql, c->reading.form == WH_PG_ARRAY ? ") AS u(item)" : " AS item FROM s) AS u");
    wh_buf_add_c(sql, " WHERE u.item::pg_catalog.text !~ '^-?[NI]')");
  }
}

wh_status wh_pg_sample(wh_pg_session *s, wh_pg_relation *relation, wh_error *err) {
  sampled sample = {.relation = relation};
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->base.connection->mem, WH_PG_SQL_MAX);
  size_t count = 0;
  wh_buf_add_c(&sql, "WITH s AS MATERIALIZED (SELECT ");
  for (size_t i = 0; i < relation->count; i++) {
    const wh_pg_column *c = &relation->columns[i];
    if (!takes_part(c)) continue;
    if (count++) wh_buf_add_c(&sql, ", ");
    wh_pg_add_read(&sql, c);
    wh_buf_add_c(&sql, " AS ");
    wh_pg_add_name(&sql, c->sql.name);
  }
  if (count == 0) return WH_OK;
  wh_pg_add_from(&sql, relation);
  wh_buf_printf(&sql, " LIMIT %d) SELECT ", WH_PG_SAMPLE_ROWS);
  for (size_t i = 0, at = 0; i < relation->count; i++) {
    if (!takes_part(&relation->columns[i])) continue;
    if (at++) wh_buf_add_c(&sql, ", ");
    add_measures(&sql, &relation->columns[i]);
  }
  WH_TRY(wh_buf_check(&sql, err));
  return wh_pg_ask(s, wh_buf_str(&sql), NULL, 0, see_sample, &sample, err);
}

// --- rows ----------------------------------------------------------------------------------------

typedef struct sizes {
  uint64_t bytes;
  double rows; // of the server's statistics; negative: none
  uint64_t counted;
} sizes;

static wh_status see_sizes(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count, (void)err;
  sizes *z = context;
  if (!wh_str_to_u64(v[0], &z->bytes)) z->bytes = 0;
  if (!wh_str_to_f64(v[1], &z->rows)) z->rows = -1;
  return WH_OK;
}

static wh_status see_count(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count, (void)err;
  (void)wh_str_to_u64(v[0], &((sizes *)context)->counted);
  return WH_OK;
}

static uint64_t two_digits(double rows) {
  uint64_t value = (uint64_t)rows, power = 1;
  while (value / power >= 100)
    power *= 10;
  return (value + power / 2) / power * power;
}

static bool may_read_any(const wh_pg_relation *relation) {
  for (size_t i = 0; i < relation->count; i++)
    if (relation->columns[i].may_read) return true;
  return false;
}

wh_status wh_pg_count(wh_pg_session *s, const wh_pg_relation *relation, uint64_t *ret,
                      wh_error *err) {
  // The statistics are as old as the last ANALYZE; the file has grown since.
  static const char ask[] =
      "SELECT sum(pg_catalog.pg_relation_size(c.oid))::pg_catalog.int8, "
      "sum(CASE WHEN c.reltuples < 0 OR c.relpages = 0 THEN NULL ELSE c.reltuples / c.relpages * "
      "(pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int4) END) "
      "FROM pg_catalog.pg_class AS c WHERE c.oid = $1::pg_catalog.oid OR c.oid IN "
      "(SELECT relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid))";
  *ret = WH_SIZE_UNKNOWN;
  if (!may_read_any(relation)) return WH_OK; // a table that is only written to
  if (relation->kind != 'r' && relation->kind != 'p' && relation->kind != 'm') return WH_OK;
  char oid[16];
  snprintf(oid, sizeof oid, "%u", relation->oid);
  wh_str params[] = {wh_str_of(oid)};
  sizes z = {.rows = -1};
  WH_TRY(wh_pg_ask(s, wh_str_of(ask), params, 1, see_sizes, &z, err));
  if (z.bytes > WH_PG_COUNT_BYTES) {
    if (z.rows >= 0 && z.rows < 1e18) *ret = two_digits(z.rows);
    return WH_OK;
  }
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->base.connection->mem, WH_PG_SQL_MAX);
  wh_buf_add_c(&sql, "SELECT count(*)");
  wh_pg_add_from(&sql, relation);
  WH_TRY(wh_buf_check(&sql, err));
  WH_TRY(wh_pg_ask(s, wh_buf_str(&sql), NULL, 0, see_count, &z, err));
  *ret = z.counted;
  return WH_OK;
}
