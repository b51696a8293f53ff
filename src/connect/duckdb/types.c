#include "connect/duckdb/types.h"

// --- to DuckDB -----------------------------------------------------------------------------------

static duckdb_type timestamp_id(const wh_type *type) {
  static const duckdb_type local[] = {
      [WH_UNIT_S] = DUCKDB_TIMESTAMP_S,
      [WH_UNIT_MS] = DUCKDB_TIMESTAMP_MS,
      [WH_UNIT_US] = DUCKDB_TIMESTAMP,
      [WH_UNIT_NS] = DUCKDB_TIMESTAMP_NS,
  };
  return type->zoned ? DUCKDB_TIMESTAMP_TZ : local[type->unit];
}

static duckdb_type plain_id(const wh_type *type) {
  static const duckdb_type ids[] = {
      [WH_NULL] = DUCKDB_SQLNULL,   [WH_BOOL] = DUCKDB_BOOLEAN,     [WH_INT8] = DUCKDB_TINYINT,
      [WH_INT16] = DUCKDB_SMALLINT, [WH_INT32] = DUCKDB_INTEGER,    [WH_INT64] = DUCKDB_BIGINT,
      [WH_UINT8] = DUCKDB_UTINYINT, [WH_UINT16] = DUCKDB_USMALLINT, [WH_UINT32] = DUCKDB_UINTEGER,
      [WH_UINT64] = DUCKDB_UBIGINT, [WH_FLOAT32] = DUCKDB_FLOAT,    [WH_FLOAT64] = DUCKDB_DOUBLE,
      [WH_DATE] = DUCKDB_DATE,      [WH_STRING] = DUCKDB_VARCHAR,   [WH_BINARY] = DUCKDB_BLOB,
  };
  if (type->kind == WH_TIMESTAMP) return timestamp_id(type);
  if (type->kind == WH_TIME) return type->unit == WH_UNIT_NS ? DUCKDB_TIME_NS : DUCKDB_TIME;
  return ids[type->kind];
}

static wh_status list_of(const wh_type *type, wh_arena *arena, duckdb_logical_type *ret,
                         wh_error *err) {
  duckdb_logical_type item;
  WH_TRY(wh_duckdb_type_of(&type->fields[0].type, arena, &item, err));
  *ret = wh_duckdb.duckdb_create_list_type(item);
  wh_duckdb.duckdb_destroy_logical_type(&item);
  return *ret ? WH_OK : wh_fail_memory(err);
}

// `types` and `names` have room for the fields; those made so far are destroyed here.
static wh_status fields_of(const wh_type *type, wh_arena *arena, duckdb_logical_type *types,
                           const char **names, size_t *made, wh_error *err) {
  for (; *made < type->field_count; ++*made) {
    const wh_field *f = &type->fields[*made];
    names[*made] = wh_arena_cstr(arena, f->name);
    if (!names[*made]) return wh_fail_memory(err);
    for (size_t i = 0; i < *made; i++)
      if (wh_str_eq_nocase(f->name, type->fields[i].name))
        return wh_fail(err, WH_ERR_REFUSED, "has fields whose names differ in case only: %.*s",
                       WH_STR_ARG(f->name));
    WH_TRY(wh_duckdb_type_of(&f->type, arena, &types[*made], err));
  }
  return WH_OK;
}

static wh_status struct_of(const wh_type *type, wh_arena *arena, duckdb_logical_type *ret,
                           wh_error *err) {
  if (type->field_count == 0) return wh_fail(err, WH_ERR_REFUSED, "is a struct without fields");
  duckdb_logical_type *types = WH_NEW_ARRAY(arena, type->field_count, duckdb_logical_type);
  const char **names = WH_NEW_ARRAY(arena, type->field_count, const char *);
  if (!types || !names) return wh_fail_memory(err);
  size_t made = 0;
  wh_status status = fields_of(type, arena, types, names, &made, err);
  if (status == WH_OK) *ret = wh_duckdb.duckdb_create_struct_type(types, names, made);
  while (made > 0)
    wh_duckdb.duckdb_destroy_logical_type(&types[--made]);
  if (status == WH_OK && !*ret) return wh_fail_memory(err);
  return status;
}

wh_status wh_duckdb_type_of(const wh_type *type, wh_arena *arena, duckdb_logical_type *ret,
                            wh_error *err) {
  if (type->kind == WH_LIST) return list_of(type, arena, ret, err);
  if (type->kind == WH_STRUCT) return struct_of(type, arena, ret, err);
  *ret = type->kind == WH_DECIMAL
             ? wh_duckdb.duckdb_create_decimal_type(type->precision, type->scale)
             : wh_duckdb.duckdb_create_logical_type(plain_id(type));
  return *ret ? WH_OK : wh_fail_memory(err);
}

// --- from DuckDB ---------------------------------------------------------------------------------

typedef struct known {
  wh_kind kind;
  wh_unit unit;
  bool zoned;
} known;

static const known *find_plain(duckdb_type id) {
  static const known types[] = {
      [DUCKDB_BOOLEAN] = {WH_BOOL, 0, false},
      [DUCKDB_TINYINT] = {WH_INT8, 0, false},
      [DUCKDB_SMALLINT] = {WH_INT16, 0, false},
      [DUCKDB_INTEGER] = {WH_INT32, 0, false},
      [DUCKDB_BIGINT] = {WH_INT64, 0, false},
      [DUCKDB_UTINYINT] = {WH_UINT8, 0, false},
      [DUCKDB_USMALLINT] = {WH_UINT16, 0, false},
      [DUCKDB_UINTEGER] = {WH_UINT32, 0, false},
      [DUCKDB_UBIGINT] = {WH_UINT64, 0, false},
      [DUCKDB_FLOAT] = {WH_FLOAT32, 0, false},
      [DUCKDB_DOUBLE] = {WH_FLOAT64, 0, false},
      [DUCKDB_TIMESTAMP] = {WH_TIMESTAMP, WH_UNIT_US, false},
      [DUCKDB_DATE] = {WH_DATE, 0, false},
      [DUCKDB_TIME] = {WH_TIME, WH_UNIT_US, false},
      [DUCKDB_VARCHAR] = {WH_STRING, 0, false},
      [DUCKDB_BLOB] = {WH_BINARY, 0, false},
      [DUCKDB_TIMESTAMP_S] = {WH_TIMESTAMP, WH_UNIT_S, false},
      [DUCKDB_TIMESTAMP_MS] = {WH_TIMESTAMP, WH_UNIT_MS, false},
      [DUCKDB_TIMESTAMP_NS] = {WH_TIMESTAMP, WH_UNIT_NS, false},
      [DUCKDB_TIMESTAMP_TZ] = {WH_TIMESTAMP, WH_UNIT_US, true},
      [DUCKDB_TIME_NS] = {WH_TIME, WH_UNIT_NS, false},
  };
  if ((size_t)id >= sizeof types / sizeof types[0]) return NULL;
  return types[id].kind == WH_NULL ? NULL : &types[id];
}

static wh_status refuse(duckdb_type id, wh_error *err) {
  static const struct {
    duckdb_type id;
    const char *name;
  } others[] = {
      {DUCKDB_INTERVAL, "INTERVAL"}, {DUCKDB_ENUM, "ENUM"},     {DUCKDB_MAP, "MAP"},
      {DUCKDB_UUID, "UUID"},         {DUCKDB_UNION, "UNION"},   {DUCKDB_BIT, "BIT"},
      {DUCKDB_TIME_TZ, "TIMETZ"},    {DUCKDB_BIGNUM, "BIGNUM"}, {DUCKDB_GEOMETRY, "GEOMETRY"},
  };
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    if (others[i].id == id) return wh_fail(err, WH_ERR_REFUSED, "is of type %s", others[i].name);
  return wh_fail(err, WH_ERR_REFUSED, "is of type number %d of DuckDB", (int)id);
}

static wh_status item_from(duckdb_logical_type item, wh_arena *arena, wh_type *ret, wh_error *err) {
  wh_field *field = WH_NEW(arena, wh_field);
  if (!field) return wh_fail_memory(err);
  *field = (wh_field){.name = WH_STR("item"), .nullable = true, .privacy = WH_INTERNAL};
  *ret = (wh_type){.kind = WH_LIST, .unit = WH_UNIT_US, .field_count = 1, .fields = field};
  return wh_duckdb_type_from(item, arena, &field->type, err);
}

static wh_status list_from(duckdb_logical_type type, duckdb_type id, wh_arena *arena, wh_type *ret,
                           wh_error *err) {
  duckdb_logical_type item = id == DUCKDB_LIST ? wh_duckdb.duckdb_list_type_child_type(type)
                                               : wh_duckdb.duckdb_array_type_child_type(type);
  wh_status status = item_from(item, arena, ret, err);
  wh_duckdb.duckdb_destroy_logical_type(&item);
  return status;
}

static wh_status field_from(duckdb_logical_type type, size_t i, wh_arena *arena, wh_field *ret,
                            wh_error *err) {
  *ret = (wh_field){.nullable = true, .privacy = WH_INTERNAL};
  char *name = wh_duckdb.duckdb_struct_type_child_name(type, i);
  ret->name = name ? wh_arena_str(arena, wh_str_of(name)) : (wh_str){0};
  wh_duckdb.duckdb_free(name);
  if (!ret->name.data) return wh_fail_memory(err);
  duckdb_logical_type child = wh_duckdb.duckdb_struct_type_child_type(type, i);
  wh_status status = wh_duckdb_type_from(child, arena, &ret->type, err);
  wh_duckdb.duckdb_destroy_logical_type(&child);
  return status;
}

static wh_status struct_from(duckdb_logical_type type, wh_arena *arena, wh_type *ret,
                             wh_error *err) {
  size_t count = wh_duckdb.duckdb_struct_type_child_count(type);
  wh_field *fields = WH_NEW_ARRAY(arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    WH_TRY(field_from(type, i, arena, &fields[i], err));
  *ret = (wh_type){
      .kind = WH_STRUCT, .unit = WH_UNIT_US, .field_count = (uint32_t)count, .fields = fields};
  return WH_OK;
}

wh_status wh_duckdb_type_from(duckdb_logical_type type, wh_arena *arena, wh_type *ret,
                              wh_error *err) {
  duckdb_type id = wh_duckdb.duckdb_get_type_id(type);
  *ret = wh_type_of(WH_NULL);
  if (id == DUCKDB_SQLNULL) return WH_OK;
  if (id == DUCKDB_LIST || id == DUCKDB_ARRAY) return list_from(type, id, arena, ret, err);
  if (id == DUCKDB_STRUCT) return struct_from(type, arena, ret, err);
  if (id == DUCKDB_DECIMAL || id == DUCKDB_HUGEINT || id == DUCKDB_UHUGEINT) {
    ret->kind = WH_DECIMAL;
    ret->precision = id == DUCKDB_DECIMAL ? wh_duckdb.duckdb_decimal_width(type)
                                          : (uint8_t)WH_DECIMAL_DIGITS_MAX;
    ret->scale = id == DUCKDB_DECIMAL ? wh_duckdb.duckdb_decimal_scale(type) : 0;
    return WH_OK;
  }
  const known *found = find_plain(id);
  if (!found) return refuse(id, err);
  *ret = wh_type_of(found->kind);
  if (found->kind == WH_TIMESTAMP || found->kind == WH_TIME) ret->unit = found->unit;
  ret->zoned = found->zoned;
  return WH_OK;
}
