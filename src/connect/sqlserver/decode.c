#include "connect/sqlserver/decode.h"

#include "connect/sqlserver/encode.h"
#include "data/number.h"
#include "data/temporal.h"

enum {
  DAYS_1900 = -25567, // 1900-01-01, where the server's days begin
  TICKS_PER_SECOND = 10000000,
  UUID_TEXT = 36,
};

// --- What comes ----------------------------------------------------------------------------------

static wh_type decimal_of(int precision, int scale) {
  return (wh_type){.kind = WH_DECIMAL,
                   .precision = (uint8_t)(precision > 0 ? precision : WH_DECIMAL_DIGITS_MAX),
                   .scale = (uint8_t)(scale > 0 ? scale : 0),
                   .unit = WH_UNIT_US};
}

// Times come in steps of 100 ns: they are read in the unit that is wanted.
static wh_type time_of(wh_kind kind, bool zoned, const wh_type *wanted) {
  wh_type type = wh_type_of(kind);
  type.zoned = zoned;
  if (wanted->kind == kind) type.unit = wanted->unit;
  return type;
}

static wh_type found_type(DBPROCESS *db, int wire, int column, const wh_type *wanted) {
  const DBTYPEINFO *info;
  switch (wire) {
  case SYBBIT:
    return wh_type_of(WH_BOOL);
  case SYBINT1:
    return wh_type_of(WH_UINT8);
  case SYBINT2:
    return wh_type_of(WH_INT16);
  case SYBINT4:
    return wh_type_of(WH_INT32);
  case SYBINT8:
    return wh_type_of(WH_INT64);
  case SYBREAL:
    return wh_type_of(WH_FLOAT32);
  case SYBFLT8:
    return wh_type_of(WH_FLOAT64);
  case SYBMONEY:
    return decimal_of(19, 4);
  case SYBMONEY4:
    return decimal_of(10, 4);
  case SYBNUMERIC:
  case SYBDECIMAL:
    info = dbcoltypeinfo(db, column);
    return decimal_of(info ? info->precision : 0, info ? info->scale : 0);
  case SYBMSDATE:
    return wh_type_of(WH_DATE);
  case SYBMSTIME:
    return time_of(WH_TIME, false, wanted);
  case SYBDATETIME:
  case SYBDATETIME4:
  case SYBMSDATETIME2:
    return time_of(WH_TIMESTAMP, false, wanted);
  case SYBMSDATETIMEOFFSET:
    return time_of(WH_TIMESTAMP, true, wanted);
  case SYBBINARY:
  case SYBVARBINARY:
  case SYBIMAGE: // a rowversion is eight bytes of a number
    return wh_type_of(wanted->kind == WH_UINT64 ? WH_UINT64 : WH_BINARY);
  default:
    return wh_type_of(WH_STRING);
  }
}

wh_mssql_decoder wh_mssql_decoder_of(wh_mssql_session *s, size_t column, const wh_field *into) {
  wh_mssql_decoder d = {.name = into->name,
                        .type = into->type,
                        .column = (int)column + 1,
                        .nullable = into->nullable,
                        .mem = s->base.connection->mem};
  d.wire = dbcoltype(s->db, d.column);
  d.found = found_type(s->db, d.wire, d.column, &d.type);
  d.is_same = wh_type_eq(&d.found, &d.type);
  return d;
}

// --- Values that do not fit ----------------------------------------------------------------------

static wh_status misfit(wh_misfit *m, const char *rule, const char *reason) {
  m->rule = rule;
  snprintf(m->reason, sizeof m->reason, "%s", reason);
  return WH_ERR_TYPE;
}

// --- Numbers -------------------------------------------------------------------------------------

static int64_t whole_of(int wire, const BYTE *at) {
  int16_t i16;
  int32_t i32;
  int64_t i64;
  switch (wire) {
  case SYBINT1:
  case SYBBIT:
    return *at;
  case SYBINT2:
    memcpy(&i16, at, sizeof i16);
    return i16;
  case SYBINT4:
    memcpy(&i32, at, sizeof i32);
    return i32;
  default:
    memcpy(&i64, at, sizeof i64);
    return i64;
  }
}

static __int128 decimal_value(int wire, const BYTE *at) {
  if (wire == SYBMONEY4) {
    DBMONEY4 m;
    memcpy(&m, at, sizeof m);
    return m.mny4;
  }
  if (wire == SYBMONEY) {
    DBMONEY m;
    memcpy(&m, at, sizeof m);
    return (int64_t)((uint64_t)(uint32_t)m.mnyhigh << 32 | m.mnylow);
  }
  DBNUMERIC n;
  memcpy(&n, at, sizeof n);
  unsigned __int128 digits = 0;
  int bytes = wh_mssql_decimal_bytes(n.precision);
  for (int i = 1; i <= bytes; i++)
    digits = digits << 8 | n.array[i];
  return n.array[0] ? -(__int128)digits : (__int128)digits;
}

static uint64_t rowversion_of(const BYTE *at, DBINT len) {
  uint64_t value = 0;
  for (DBINT i = 0; i < len && i < 8; i++)
    value = value << 8 | at[i];
  return value;
}

static double real_of(int wire, const BYTE *at) {
  float f32;
  double f64;
  if (wire == SYBREAL) {
    memcpy(&f32, at, sizeof f32);
    return f32;
  }
  memcpy(&f64, at, sizeof f64);
  return f64;
}

// --- Times ---------------------------------------------------------------------------------------

typedef struct moment {
  int64_t day;   // since 1970-01-01
  int64_t ticks; // of 100 ns, since midnight
} moment;

static moment moment_of(int wire, const BYTE *at) {
  if (wire == SYBDATETIME) { // three hundredths of a second, which stand for whole milliseconds
    DBDATETIME d;
    memcpy(&d, at, sizeof d);
    int64_t ms = ((int64_t)d.dttime * 10 + 1) / 3;
    return (moment){d.dtdays + DAYS_1900, ms * (TICKS_PER_SECOND / 1000)};
  }
  if (wire == SYBDATETIME4) {
    DBDATETIME4 d;
    memcpy(&d, at, sizeof d);
    return (moment){d.days + DAYS_1900, (int64_t)d.minutes * 60 * TICKS_PER_SECOND};
  }
  DBDATETIMEALL d; // with an offset it is in UTC already
  memcpy(&d, at, sizeof d);
  return (moment){d.date + DAYS_1900, (int64_t)d.time};
}

static wh_status decode_time(const wh_mssql_decoder *d, const BYTE *at, wh_column *column,
                             wh_misfit *m, wh_error *err) {
  moment v = moment_of(d->wire, at);
  if (d->found.kind == WH_DATE) return wh_column_add_i64(column, v.day, err);
  __int128 ticks = v.ticks;
  if (d->found.kind == WH_TIMESTAMP) ticks += (__int128)v.day * 86400 * TICKS_PER_SECOND;
  int64_t per_second = wh_unit_per_second(d->found.unit);
  __int128 value;
  if (per_second >= TICKS_PER_SECOND) {
    value = ticks * (per_second / TICKS_PER_SECOND);
  } else {
    int64_t step = TICKS_PER_SECOND / per_second;
    if (ticks % step) return misfit(m, "type", "is finer than the column is read");
    value = ticks / step;
  }
  if (value < INT64_MIN || value > INT64_MAX)
    return misfit(m, "type",
                  "is too far from 1970 for nanoseconds; CAST it to datetime2(6) in a "
                  "`query`");
  return wh_column_add_i64(column, (int64_t)value, err);
}

// --- Texts ---------------------------------------------------------------------------------------

static void write_uuid(const BYTE *at, char out[UUID_TEXT + 1]) {
  static const uint8_t places[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  static const char digits[] = "0123456789ABCDEF";
  size_t n = 0;
  for (size_t i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out[n++] = '-';
    out[n++] = digits[at[places[i]] >> 4];
    out[n++] = digits[at[places[i]] & 15];
  }
  out[n] = 0;
}

static wh_status decode_text(const wh_mssql_decoder *d, const BYTE *at, DBINT len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  wh_str text = wh_str_n((const char *)at, (size_t)len);
  char uuid[UUID_TEXT + 1], reason[64];
  if (d->wire == WH_MSSQL_SYBUNIQUE) {
    write_uuid(at, uuid);
    return wh_column_add_text(column, wh_str_n(uuid, UUID_TEXT), err);
  }
  size_t valid = d->found.kind == WH_STRING ? wh_utf8_valid_prefix(text) : text.len;
  if (valid == text.len) return wh_column_add_text(column, text, err);
  snprintf(reason, sizeof reason, "is not UTF-8 at byte %zu", valid);
  return misfit(m, "utf8", reason);
}

// --- Rows ----------------------------------------------------------------------------------------

static wh_status decode_same(const wh_mssql_decoder *d, const BYTE *at, DBINT len,
                             wh_column *column, wh_misfit *m, wh_error *err) {
  switch (d->found.kind) {
  case WH_BOOL:
    return wh_column_add_bool(column, *at != 0, err);
  case WH_UINT8:
  case WH_INT16:
  case WH_INT32:
  case WH_INT64:
    return wh_column_add_i64(column, whole_of(d->wire, at), err);
  case WH_UINT64:
    return wh_column_add_u64(column, rowversion_of(at, len), err);
  case WH_FLOAT32:
  case WH_FLOAT64:
    return wh_column_add_f64(column, real_of(d->wire, at), err);
  case WH_DECIMAL:
    return wh_column_add_decimal(column, decimal_value(d->wire, at), err);
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return decode_time(d, at, column, m, err);
  default:
    return decode_text(d, at, len, column, m, err);
  }
}

// The table was altered since it was described: by way of the text that both types share.
static wh_status decode_other(const wh_mssql_decoder *d, const BYTE *at, DBINT len,
                              wh_column *column, wh_misfit *m, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf text;
  wh_arena_init(&arena, d->mem);
  wh_buf_init(&text, d->mem, 0);
  wh_column found;
  wh_column_init(&found, d->mem, &d->found);
  wh_status status = decode_same(d, at, len, &found, m, err);
  if (status == WH_OK) {
    wh_column_write(&found, 0, &text);
    status = wh_buf_check(&text, err);
  }
  wh_column_free(&found);
  if (status != WH_OK) return status;
  wh_value value;
  wh_error reason = {0};
  status = wh_value_parse(wh_buf_str(&text), &d->type, &arena, &value, &reason);
  if (status == WH_OK) return wh_value_add(column, &value, err);
  if (status != WH_ERR_TYPE) return wh_fail(err, status, "%s", reason.text);
  reason.text[wh_utf8_cut(wh_str_of(reason.text), sizeof m->reason - 1)] = 0;
  return misfit(m, "type", reason.text);
}

wh_status wh_mssql_decode(wh_mssql_session *s, const wh_mssql_decoder *d, wh_column *column,
                          wh_misfit *m, wh_error *err) {
  const BYTE *at = dbdata(s->db, d->column);
  if (!at) {
    if (d->nullable) return wh_column_add_null(column, err);
    return misfit(m, "not_null", "missing");
  }
  DBINT len = dbdatlen(s->db, d->column);
  return d->is_same ? decode_same(d, at, len, column, m, err)
                    : decode_other(d, at, len, column, m, err);
}

// --- For quarantine ------------------------------------------------------------------------------

static size_t raw_left(const wh_buf *out) {
  return out->len < WH_MSSQL_RAW_MAX ? WH_MSSQL_RAW_MAX - out->len : 0;
}

static wh_status add_json(wh_mssql_session *s, const wh_mssql_decoder *d, wh_buf *out,
                          wh_error *err) {
  const BYTE *at = dbdata(s->db, d->column);
  DBINT len = dbdatlen(s->db, d->column);
  size_t left = raw_left(out);
  wh_misfit unused;
  if (!at) {
    wh_buf_add_c(out, "null");
    return WH_OK;
  }
  if (d->found.kind == WH_STRING && d->wire != WH_MSSQL_SYBUNIQUE) {
    wh_str text = wh_str_n((const char *)at, (size_t)len);
    wh_buf_add_json(out, wh_str_sub(text, 0, wh_utf8_cut(text, left)));
    return WH_OK;
  }
  if (d->found.kind == WH_BINARY) {
    wh_buf_add_c(out, "\"0x");
    wh_buf_add_hex(out, at, (size_t)len < left / 2 ? (size_t)len : left / 2);
    wh_buf_add_c(out, "\"");
    return WH_OK;
  }
  // Far dates are what does not fit as nanoseconds.
  wh_mssql_decoder wide = *d;
  if (wide.found.unit == WH_UNIT_NS && d->found.kind == WH_TIMESTAMP) wide.found.unit = WH_UNIT_S;
  wh_column value;
  wh_column_init(&value, d->mem, &wide.found);
  wh_status status = decode_same(&wide, at, len, &value, &unused, err);
  if (status == WH_OK) wh_column_write_json(&value, 0, out);
  if (status == WH_ERR_TYPE) wh_buf_add_c(out, "\"?\"");
  wh_column_free(&value);
  return status == WH_ERR_TYPE ? WH_OK : status;
}

wh_status wh_mssql_row_json(wh_mssql_session *s, const wh_mssql_decoder *decoders, size_t count,
                            wh_buf *out, wh_error *err) {
  wh_buf_clear(out);
  wh_buf_add_char(out, '{');
  for (size_t i = 0; i < count && raw_left(out); i++) {
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, decoders[i].name);
    wh_buf_add_char(out, ':');
    WH_TRY(add_json(s, &decoders[i], out, err));
  }
  wh_buf_add_char(out, '}');
  return wh_buf_check(out, err);
}
