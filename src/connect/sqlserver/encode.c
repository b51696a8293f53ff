#include "connect/sqlserver/encode.h"
#include "connect/sql_fits.h"

#include "data/number.h"
#include "data/temporal.h"

enum {
  DAYS_1900 = -25567, // 1900-01-01, where the server's days begin
  TICKS_PER_SECOND = 10000000,
};

int wh_mssql_bulk_type(const wh_sql_column *c) {
  static const int types[] = {
      [WH_MSSQL_BIT] = SYBBIT,
      [WH_MSSQL_TINYINT] = SYBINT1,
      [WH_MSSQL_SMALLINT] = SYBINT2,
      [WH_MSSQL_INT] = SYBINT4,
      [WH_MSSQL_BIGINT] = SYBINT8,
      [WH_MSSQL_DECIMAL] = SYBNUMERIC,
      [WH_MSSQL_MONEY] = SYBMONEY,
      [WH_MSSQL_SMALLMONEY] = SYBMONEY4,
      [WH_MSSQL_REAL] = SYBREAL,
      [WH_MSSQL_FLOAT] = SYBFLT8,
      [WH_MSSQL_DATE] = SYBMSDATE,
      [WH_MSSQL_TIME] = SYBMSTIME,
      [WH_MSSQL_DATETIME] = SYBDATETIME,
      [WH_MSSQL_SMALLDATETIME] = SYBDATETIME4,
      [WH_MSSQL_DATETIME2] = SYBMSDATETIME2,
      [WH_MSSQL_DATETIMEOFFSET] = SYBMSDATETIMEOFFSET,
      [WH_MSSQL_BINARY] = SYBVARBINARY,
      [WH_MSSQL_VARBINARY] = SYBVARBINARY,
      [WH_MSSQL_UUID] = WH_MSSQL_SYBUNIQUE,
  };
  wh_mssql_native native = wh_mssql_native_of(c);
  int type = native < sizeof types / sizeof types[0] ? types[native] : 0;
  return type ? type : SYBVARCHAR;
}

// --- Numbers -------------------------------------------------------------------------------------

int wh_mssql_decimal_bytes(int precision) {
  int bytes = 1;
  unsigned __int128 most = (unsigned __int128)wh_pow10(precision) - 1;
  while (most >>= 8)
    bytes++;
  return bytes;
}

// A sign, then the digits as a number, highest byte first.
static void put_decimal(wh_mssql_cell *cell, __int128 unscaled, int precision, int scale) {
  DBNUMERIC *n = &cell->as.numeric;
  int bytes = wh_mssql_decimal_bytes(precision);
  unsigned __int128 digits =
      unscaled < 0 ? -(unsigned __int128)unscaled : (unsigned __int128)unscaled;
  memset(n, 0, sizeof *n);
  n->precision = (unsigned char)precision;
  n->scale = (unsigned char)scale;
  n->array[0] = unscaled < 0;
  for (int i = bytes; i > 0; i--, digits >>= 8)
    n->array[i] = (unsigned char)digits;
  cell->len = sizeof *n;
}

static void put_number(const wh_column *values, size_t row, const wh_sql_column *c,
                       wh_mssql_cell *cell) {
  int scale;
  __int128 unscaled = wh_sql_number(values, row, &scale), there = 0;
  int to_scale = c->type.kind == WH_DECIMAL ? c->type.scale : 0;
  (void)wh_decimal_rescale(unscaled, scale, WH_DECIMAL_DIGITS_MAX, to_scale, &there); // it fits
  switch (cell->type) {
  case SYBBIT:
  case SYBINT1:
    cell->as.u8 = (uint8_t)there;
    return;
  case SYBINT2:
    cell->as.i16 = (int16_t)there;
    return;
  case SYBINT4:
    cell->as.i32 = (int32_t)there;
    return;
  case SYBINT8:
    cell->as.i64 = (int64_t)there;
    return;
  case SYBMONEY:
    cell->as.money = (DBMONEY){.mnyhigh = (DBINT)((int64_t)there >> 32), .mnylow = (DBUINT)there};
    return;
  case SYBMONEY4:
    cell->as.small_money = (DBMONEY4){.mny4 = (DBINT)there};
    return;
  default:
    put_decimal(cell, there, c->type.precision, to_scale);
    return;
  }
}

static void put_float(const wh_column *values, size_t row, wh_mssql_cell *cell) {
  bool is_float = values->type.kind == WH_FLOAT32 || values->type.kind == WH_FLOAT64;
  int scale;
  double value = is_float ? wh_column_f64(values, row) : (double)wh_sql_number(values, row, &scale);
  if (cell->type == SYBREAL)
    cell->as.f32 = (float)value;
  else
    cell->as.f64 = value;
}

// --- Times ---------------------------------------------------------------------------------------

typedef struct moment {
  int64_t day;   // since 1970-01-01
  int64_t ticks; // of 100 ns, since midnight
} moment;

static moment moment_of(const wh_column *values, size_t row) {
  int64_t value = wh_column_i64(values, row);
  if (values->type.kind == WH_DATE) return (moment){.day = value};
  int64_t per_second = wh_unit_per_second(values->type.unit);
  int64_t seconds = value / per_second - (value % per_second < 0);
  int64_t rest = value - seconds * per_second;
  int64_t day = seconds / 86400 - (seconds % 86400 < 0);
  int64_t ticks = per_second > TICKS_PER_SECOND ? rest / (per_second / TICKS_PER_SECOND)
                                                : rest * (TICKS_PER_SECOND / per_second);
  return (moment){.day = day, .ticks = (seconds - day * 86400) * TICKS_PER_SECOND + ticks};
}

// A datetime counts three hundredths of a second.
static void put_time(const wh_column *values, size_t row, wh_mssql_cell *cell) {
  moment m = moment_of(values, row);
  switch (cell->type) {
  case SYBDATETIME: {
    int64_t ms = m.ticks / (TICKS_PER_SECOND / 1000);
    cell->as.datetime =
        (DBDATETIME){.dtdays = (DBINT)(m.day - DAYS_1900), .dttime = (DBINT)((ms * 3 + 5) / 10)};
    return;
  }
  case SYBDATETIME4:
    cell->as.small_datetime =
        (DBDATETIME4){.days = (DBUSMALLINT)(m.day - DAYS_1900),
                      .minutes = (DBUSMALLINT)(m.ticks / TICKS_PER_SECOND / 60)};
    return;
  default:
    cell->as.time = (DBDATETIMEALL){.time = (DBUBIGINT)m.ticks,
                                    .date = (DBINT)(m.day - DAYS_1900),
                                    .time_prec = WH_MSSQL_TICK_DIGITS,
                                    .has_time = cell->type != SYBMSDATE,
                                    .has_date = cell->type != SYBMSTIME,
                                    .has_offset = cell->type == SYBMSDATETIMEOFFSET};
    cell->len = sizeof cell->as.time;
    return;
  }
}

// --- Bytes ---------------------------------------------------------------------------------------

// UTF-16, little endian.
static bool add_utf16(wh_buf *out, wh_str text) {
  if (!wh_buf_reserve(out, 2 * text.len)) return false;
  uint8_t *to = (uint8_t *)out->data + out->len;
  const uint8_t *at = (const uint8_t *)text.data, *end = at + text.len;
  while (at < end) {
    uint32_t code = *at;
    int more = code < 0x80 ? 0 : code < 0xE0 ? 1 : code < 0xF0 ? 2 : 3;
    static const uint8_t masks[] = {0x7F, 0x1F, 0x0F, 0x07};
    code &= masks[more];
    for (at++; more > 0; more--, at++)
      code = code << 6 | (*at & 0x3F);
    if (code >= 0x10000) { // two halves
      uint32_t high = 0xD800 + ((code - 0x10000) >> 10);
      *to++ = (uint8_t)high;
      *to++ = (uint8_t)(high >> 8);
      code = 0xDC00 + ((code - 0x10000) & 0x3FF);
    }
    *to++ = (uint8_t)code;
    *to++ = (uint8_t)(code >> 8);
  }
  out->len = (size_t)(to - (uint8_t *)out->data);
  return true;
}

// The first three parts are numbers with their lowest byte first.
static void put_uuid(wh_str text, wh_mssql_cell *cell) {
  static const uint8_t places[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  size_t at = 0;
  for (size_t i = 0; i < 16; i++) {
    if (text.data[at] == '-') at++;
    cell->as.uuid[places[i]] =
        (uint8_t)(wh_hex_digit(text.data[at]) << 4 | wh_hex_digit(text.data[at + 1]));
    at += 2;
  }
  cell->len = sizeof cell->as.uuid;
}

static wh_status put_bytes(wh_mssql_cell *cell, wh_str bytes, wh_error *err) {
  if (bytes.len > INT32_MAX) return wh_fail(err, WH_ERR_LIMIT, "a value of more than 2 GiB");
  static const BYTE nothing[2];
  cell->data = bytes.len ? (const BYTE *)bytes.data : nothing;
  cell->len = bytes.len ? (DBINT)bytes.len : -1;
  return WH_OK;
}

static wh_status put_text(const wh_column *values, size_t row, const wh_sql_column *c,
                          wh_mssql_cell *cell, wh_error *err) {
  wh_kind kind = values->type.kind;
  if (kind == WH_BINARY) return put_bytes(cell, wh_column_text(values, row), err);
  WH_CLEAN_BUF wh_buf nested;
  wh_buf_init(&nested, cell->text.mem, 0);
  wh_str text;
  if (kind == WH_STRING) {
    text = wh_column_text(values, row);
  } else {
    wh_column_write(values, row, &nested);
    WH_TRY(wh_buf_check(&nested, err));
    text = wh_buf_str(&nested);
  }
  if (cell->type == WH_MSSQL_SYBUNIQUE) {
    put_uuid(text, cell);
    return WH_OK;
  }
  wh_buf_clear(&cell->text);
  if (wh_mssql_is_unicode(c))
    add_utf16(&cell->text, text);
  else if (!wh_mssql_to_page(wh_mssql_page_of(c), text, &cell->text) && !cell->text.failed)
    return wh_fail(err, WH_ERR_TYPE, "has characters that the column's code page has not");
  WH_TRY(wh_buf_check(&cell->text, err));
  return put_bytes(cell, wh_buf_str(&cell->text), err);
}

wh_status wh_mssql_encode(const wh_column *values, size_t row, const wh_sql_column *c,
                          wh_mssql_cell *cell, wh_error *err) {
  cell->data = (const BYTE *)&cell->as;
  cell->len = 0;
  if (wh_column_is_null(values, row)) return WH_OK;
  cell->len = -1; // of its type's own size
  switch (values->type.kind) {
  case WH_STRING:
  case WH_BINARY:
  case WH_LIST:
  case WH_STRUCT:
    return put_text(values, row, c, cell, err);
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    put_time(values, row, cell);
    return WH_OK;
  default:
    if (cell->type == SYBREAL || cell->type == SYBFLT8)
      put_float(values, row, cell);
    else
      put_number(values, row, c, cell);
    return WH_OK;
  }
}
