#include "connect/postgres/types.h"

static const wh_pg_base bases[] = {
    {16, 1000, "boolean", WH_PG_BOOL, WH_BOOL, false},
    {21, 1005, "smallint", WH_PG_INT2, WH_INT16, false},
    {23, 1007, "integer", WH_PG_INT4, WH_INT32, false},
    {20, 1016, "bigint", WH_PG_INT8, WH_INT64, false},
    {700, 1021, "real", WH_PG_FLOAT4, WH_FLOAT32, false},
    {701, 1022, "double precision", WH_PG_FLOAT8, WH_FLOAT64, false},
    {1700, 1231, "numeric", WH_PG_NUMERIC, WH_DECIMAL, false},
    {1082, 1182, "date", WH_PG_DATE, WH_DATE, false},
    {1083, 1183, "time", WH_PG_TIME, WH_TIME, false},
    {1114, 1115, "timestamp", WH_PG_TIMESTAMP, WH_TIMESTAMP, false},
    {1184, 1185, "timestamptz", WH_PG_TIMESTAMP, WH_TIMESTAMP, true},
    {25, 1009, "text", WH_PG_TEXT, WH_STRING, false},
    {17, 1001, "bytea", WH_PG_BYTES, WH_BINARY, false},
    // What a new column is made with stands above.
    {1043, 1015, "varchar", WH_PG_TEXT, WH_STRING, false},
    {1042, 1014, "bpchar", WH_PG_CHAR, WH_STRING, false},
    {19, 1003, "name", WH_PG_TEXT, WH_STRING, false},
    {2950, 2951, "uuid", WH_PG_UUID, WH_STRING, false},
    {114, 199, "json", WH_PG_JSON, WH_STRING, false},
    {3802, 3807, "jsonb", WH_PG_JSONB, WH_STRING, false},
    {26, 1028, "oid", WH_PG_OID, WH_UINT32, false},
    {28, 1011, "xid", WH_PG_OID, WH_UINT32, false},
    {5069, 271, "xid8", WH_PG_XID8, WH_UINT64, false},
};
enum { BASE_COUNT = sizeof bases / sizeof *bases, MONEY = 790, DIGITS_MAX = WH_DECIMAL_DIGITS_MAX };

const wh_pg_base *wh_pg_base_of(uint32_t oid) {
  for (size_t i = 0; i < BASE_COUNT; i++)
    if (bases[i].oid == oid) return &bases[i];
  return NULL;
}

const wh_pg_base *wh_pg_item_of(uint32_t oid) {
  for (size_t i = 0; i < BASE_COUNT; i++)
    if (bases[i].array_oid == oid) return &bases[i];
  return NULL;
}

const wh_pg_base *wh_pg_base_of_kind(const wh_type *type) {
  for (size_t i = 0; i < BASE_COUNT; i++)
    if (bases[i].kind == type->kind && bases[i].zoned == type->zoned) return &bases[i];
  return NULL;
}

// numeric's modifier is ((precision << 16) | scale) + 4, the scale in 11 bits with its sign.
static void read_numeric(int32_t modifier, wh_pg_reading *r) {
  r->type.kind = WH_DECIMAL;
  if (modifier < 4) {
    r->type.precision = DIGITS_MAX;
    r->open_scale = true;
    return;
  }
  int precision = ((modifier - 4) >> 16) & 0xFFFF;
  int scale = (((modifier - 4) & 0x7FF) ^ 1024) - 1024;
  r->limit = precision;
  if (scale < 0) precision -= scale, scale = 0; // numeric(2,-3): thousands
  if (precision < scale) precision = scale;
  r->type.precision = (uint8_t)(precision < DIGITS_MAX ? precision : DIGITS_MAX);
  r->type.scale = (uint8_t)(scale < DIGITS_MAX ? scale : DIGITS_MAX);
}

static wh_unit unit_of(int32_t modifier) {
  return modifier == 0 ? WH_UNIT_S : modifier == 3 ? WH_UNIT_MS : WH_UNIT_US;
}

static void read_base(const wh_pg_base *base, int32_t modifier, wh_pg_reading *r) {
  r->type = wh_type_of(base->kind);
  r->type.zoned = base->zoned;
  r->form = base->form;
  r->native = base->oid;
  if (base->form == WH_PG_NUMERIC) read_numeric(modifier, r);
  if (base->kind == WH_TIME || base->kind == WH_TIMESTAMP) r->type.unit = unit_of(modifier);
  bool is_text = base->form == WH_PG_TEXT || base->form == WH_PG_CHAR;
  if (is_text && modifier > 4) r->limit = modifier - 4;
  if (base->form == WH_PG_CHAR && modifier < 4) r->limit = 0;
}

static bool is_geometry(const wh_pg_type *t) {
  return t->kind == 'b' && (wh_str_is(t->name, "geometry") || wh_str_is(t->name, "geography"));
}

static void read_scalar(const wh_pg_type *t, wh_pg_reading *r) {
  const wh_pg_base *base = wh_pg_base_of(t->oid);
  if (base) {
    read_base(base, t->modifier, r);
    return;
  }
  r->type = wh_type_of(WH_STRING);
  r->form = WH_PG_TEXT;
  r->native = t->kind == 'e' ? WH_PG_OID_ENUM : WH_PG_OID_OTHER;
  r->cast = WH_PG_AS_TEXT;
  if (t->oid == MONEY) { // what its cast gives has the digits of lc_monetary
    read_numeric(-1, r);
    r->form = WH_PG_NUMERIC;
    r->cast = WH_PG_AS_NUMERIC;
  } else if (is_geometry(t)) {
    r->type = wh_type_of(WH_BINARY);
    r->form = WH_PG_BYTES;
    r->cast = WH_PG_AS_WKB;
    r->native = WH_PG_OID_GEOMETRY;
  } else if (wh_str_is(t->name, "citext")) { // sends what text sends
    r->cast = WH_PG_AS_IS;
    r->native = 25;
  } else if (t->kind == 'p' && !wh_str_is(t->name, "record")) {
    r->unread = "is of a type that has no values";
  }
}

wh_status wh_pg_reading_of(const wh_pg_type *type, const wh_pg_type *item, wh_arena *arena,
                           wh_pg_reading *ret, wh_error *err) {
  wh_pg_reading r = {0};
  if (!item) {
    read_scalar(type, &r);
    *ret = r;
    return WH_OK;
  }
  // An array's modifier is that of its items.
  wh_pg_type inner = *item;
  if (inner.modifier < 0) inner.modifier = type->modifier;
  read_scalar(&inner, &r);
  wh_field *field = WH_NEW(arena, wh_field);
  if (!field) return wh_fail_memory(err);
  *field =
      (wh_field){.name = WH_STR("item"), .type = r.type, .nullable = true, .privacy = WH_INTERNAL};
  const wh_pg_base *known = wh_pg_item_of(type->oid);
  r.item_form = r.form;
  r.form = WH_PG_ARRAY;
  r.type = (wh_type){.kind = WH_LIST, .unit = WH_UNIT_US, .field_count = 1, .fields = field};
  r.native = known && !r.cast ? known->array_oid : WH_PG_OID_OTHER;
  if (r.cast == WH_PG_AS_WKB) r.unread = "is an array of geometries";
  *ret = r;
  return WH_OK;
}
