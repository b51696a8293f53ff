#include "codec/csv/infer.h"

#include "codec/csv/number.h"
#include "data/number.h"
#include "data/temporal.h"

#define F64_WHOLE_MAX (UINT64_C(1) << 53)

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static uint8_t many(int64_t digits) {
  return digits < 0 ? 0 : digits > CSV_MANY_DIGITS ? CSV_MANY_DIGITS : (uint8_t)digits;
}

// --- Numbers -------------------------------------------------------------------------------------

// The parts of a number's text.
typedef struct parts {
  bool negative;
  size_t whole;    // digits before the point
  size_t fraction; // and behind it
  bool point;
  bool exponent;
  bool clear; // the exponent has a sign, or the number a point
} parts;

static size_t count_digits(wh_str text, size_t at) {
  size_t from = at;
  while (at < text.len && is_digit(text.data[at]))
    at++;
  return at - from;
}

// Whether the text is a number that is written the usual way.
static bool take_parts(wh_str text, parts *ret) {
  parts p = {.negative = text.data[0] == '-'};
  size_t at = p.negative;
  p.whole = count_digits(text, at);
  if (p.whole > 1 && text.data[at] == '0') return false;
  at += p.whole;
  if (at < text.len && text.data[at] == '.') {
    p.point = true;
    p.fraction = count_digits(text, ++at);
    if (p.fraction == 0) return false;
    at += p.fraction;
  }
  if (p.whole + p.fraction == 0) return false;
  if (at < text.len && (text.data[at] == 'e' || text.data[at] == 'E')) {
    p.exponent = true;
    p.clear = p.point;
    at++;
    if (at < text.len && (text.data[at] == '+' || text.data[at] == '-')) {
      p.clear = true;
      at++;
    }
    size_t digits = count_digits(text, at);
    if (digits == 0) return false;
    at += digits;
  }
  *ret = p;
  return at == text.len;
}

static int count_significant(unsigned __int128 digits) {
  int count = 0;
  for (; digits; digits /= 10)
    count++;
  return count;
}

static void shape_of_whole(wh_str text, const parts *p, const wh_number *n, csv_shape *ret) {
  int64_t value;
  ret->seen = CSV_SEEN_INT;
  ret->whole = many((int64_t)p->whole);
  if (!wh_str_to_i64(text, &value)) {
    ret->seen |= CSV_SEEN_BEYOND | CSV_SEEN_INEXACT;
    if (n->overlong) ret->whole = CSV_MANY_DIGITS;
  } else if (value > (int64_t)F64_WHOLE_MAX || value < -(int64_t)F64_WHOLE_MAX) {
    ret->seen |= CSV_SEEN_INEXACT;
  }
}

static void shape_of_fraction(wh_str text, const parts *p, const wh_number *n, csv_shape *ret) {
  double value;
  ret->seen = CSV_SEEN_FRACTION;
  if (p->exponent && !p->clear) ret->seen = CSV_SEEN_LOOSE;
  int count = count_significant(n->digits);
  bool fits = !n->overlong && count <= 17 && wh_f64_parse(text, &value);
  if (!fits || !csv_f64_keeps((uint64_t)n->digits, count, n->exponent, value)) {
    ret->seen |= CSV_SEEN_INEXACT;
  }
  if (p->exponent) {
    ret->whole = many(n->overlong ? CSV_MANY_DIGITS : (int64_t)count + n->exponent);
    ret->scale = many(-(int64_t)n->exponent);
  } else {
    ret->whole = many((int64_t)p->whole);
    ret->scale = many((int64_t)p->fraction);
  }
}

static bool shape_of_number(wh_str text, csv_shape *ret) {
  parts p;
  wh_number n;
  if (!take_parts(text, &p) || !wh_number_parse(text, &n)) return false;
  bool minus_zero = p.negative && n.digits == 0;
  if (p.point || p.exponent || minus_zero)
    shape_of_fraction(text, &p, &n, ret);
  else
    shape_of_whole(text, &p, &n, ret);
  return true;
}

// --- Others --------------------------------------------------------------------------------------

static bool shape_of_time(wh_str text, csv_shape *ret) {
  wh_iso iso;
  bool may = (text.len >= 10 && text.data[4] == '-') || (text.len >= 8 && text.data[2] == ':');
  if (!may || !wh_iso_parse(text, &iso)) return false;
  if (!iso.has_date) {
    if (iso.has_zone) return false;
    ret->seen = CSV_SEEN_TIME;
  } else if (!iso.has_time) {
    ret->seen = CSV_SEEN_DATE;
  } else {
    ret->seen = iso.has_zone ? CSV_SEEN_ZONED : CSV_SEEN_STAMP;
  }
  if (iso.civil.nanos % 1000) ret->seen |= CSV_SEEN_NANOS;
  if (iso.has_date && (iso.civil.year < 1678 || iso.civil.year > 2261)) ret->seen |= CSV_SEEN_FAR;
  return true;
}

static bool is_bool(wh_str s) {
  if (s.len == 4) {
    return memcmp(s.data, "true", 4) == 0 || memcmp(s.data, "True", 4) == 0 ||
           memcmp(s.data, "TRUE", 4) == 0;
  }
  return s.len == 5 && (memcmp(s.data, "false", 5) == 0 || memcmp(s.data, "False", 5) == 0 ||
                        memcmp(s.data, "FALSE", 5) == 0);
}

static bool is_not_finite(wh_str s) {
  return wh_str_is(s, "NaN") || wh_str_is(s, "Infinity") || wh_str_is(s, "-Infinity");
}

void csv_shape_of_text(const csv_dialect *dialect, wh_str text, csv_shape *ret) {
  *ret = (csv_shape){.seen = CSV_SEEN_TEXT};
  if (text.len == 0) {
    ret->seen = CSV_SEEN_EMPTY;
    return;
  }
  char c = text.data[0];
  if (is_digit(c) && shape_of_time(text, ret)) return;
  if (is_digit(c) || c == '-' || c == dialect->decimal) {
    char room[CSV_NUMBER_ROOM];
    wh_str plain = text;
    if (!csv_number_is_plain(dialect) && !csv_number_plain(dialect, text, room, &plain)) return;
    if (shape_of_number(plain, ret)) return;
  }
  if (is_bool(text)) ret->seen = CSV_SEEN_BOOL;
  if (is_not_finite(text)) ret->seen = CSV_SEEN_LOOSE | CSV_SEEN_NOT_FINITE;
}

// --- Types ---------------------------------------------------------------------------------------

void csv_shape_of_type(const wh_type *type, csv_shape *ret) {
  *ret = (csv_shape){.seen = CSV_SEEN_FIXED, .fixed = *type};
  bool fine = type->unit == WH_UNIT_NS, usual = fine || type->unit == WH_UNIT_US;
  switch (type->kind) {
  case WH_NULL:
    ret->seen = 0;
    break;
  case WH_BOOL:
    ret->seen = CSV_SEEN_BOOL;
    break;
  case WH_STRING:
    ret->seen = CSV_SEEN_TEXT;
    break;
  case WH_INT64:
    *ret = (csv_shape){.seen = CSV_SEEN_INT | CSV_SEEN_INEXACT, .whole = 19};
    break;
  case WH_FLOAT64:
    *ret =
        (csv_shape){.seen = CSV_SEEN_FRACTION, .whole = CSV_MANY_DIGITS, .scale = CSV_MANY_DIGITS};
    break;
  case WH_DECIMAL:
    if (type->precision != WH_DECIMAL_DIGITS_MAX) break;
    *ret = (csv_shape){.seen = CSV_SEEN_BEYOND | CSV_SEEN_INEXACT,
                       .whole = (uint8_t)(type->precision - type->scale),
                       .scale = type->scale};
    ret->seen |= type->scale ? CSV_SEEN_FRACTION : CSV_SEEN_INT;
    break;
  case WH_DATE:
    ret->seen = CSV_SEEN_DATE | CSV_SEEN_FAR;
    break;
  case WH_TIME:
    if (usual) ret->seen = CSV_SEEN_TIME | (fine ? CSV_SEEN_NANOS : 0);
    break;
  case WH_TIMESTAMP:
    if (!usual) break;
    ret->seen = type->zoned ? CSV_SEEN_ZONED : CSV_SEEN_STAMP;
    ret->seen |= fine ? CSV_SEEN_NANOS : CSV_SEEN_FAR;
    break;
  default:
    break;
  }
}

static wh_type number_type(const csv_shape *shape) {
  uint16_t seen = shape->seen;
  bool fraction = seen & CSV_SEEN_FRACTION;
  if ((seen & CSV_SEEN_LOOSE) && !fraction) return wh_type_of(WH_STRING);
  if (!fraction && !(seen & CSV_SEEN_BEYOND)) return wh_type_of(WH_INT64);
  if (fraction && !(seen & CSV_SEEN_INEXACT)) return wh_type_of(WH_FLOAT64);
  bool holds = shape->whole + shape->scale <= WH_DECIMAL_DIGITS_MAX;
  if (!holds || (seen & CSV_SEEN_NOT_FINITE)) return wh_type_of(WH_STRING);
  wh_type type = wh_type_of(WH_DECIMAL);
  type.precision = WH_DECIMAL_DIGITS_MAX;
  type.scale = shape->scale;
  return type;
}

static wh_type stamp_type(uint16_t seen) {
  if (!(seen & (CSV_SEEN_STAMP | CSV_SEEN_ZONED | CSV_SEEN_TIME))) return wh_type_of(WH_DATE);
  bool fine = seen & CSV_SEEN_NANOS;
  wh_type type = wh_type_of(seen & CSV_SEEN_TIME ? WH_TIME : WH_TIMESTAMP);
  if (fine && (seen & CSV_SEEN_FAR)) return wh_type_of(WH_STRING);
  if (fine) type.unit = WH_UNIT_NS;
  type.zoned = seen & CSV_SEEN_ZONED;
  return type;
}

wh_type csv_shape_type(const csv_shape *shape) {
  enum { NUMBER = CSV_SEEN_INT | CSV_SEEN_FRACTION | CSV_SEEN_LOOSE };
  uint16_t seen = shape->seen;
  if (seen & CSV_SEEN_FIXED) return shape->fixed;
  if (seen & CSV_SEEN_TEXT) return wh_type_of(WH_STRING);
  bool number = seen & NUMBER, yes = seen & CSV_SEEN_BOOL;
  bool stamp = seen & (CSV_SEEN_DATE | CSV_SEEN_STAMP), zoned = seen & CSV_SEEN_ZONED;
  bool time = seen & CSV_SEEN_TIME;
  int kinds = number + yes + stamp + zoned + time;
  if (kinds == 0) return wh_type_of(seen & CSV_SEEN_EMPTY ? WH_STRING : WH_NULL);
  if (kinds > 1) return wh_type_of(WH_STRING);
  if (yes) return wh_type_of(WH_BOOL);
  return number ? number_type(shape) : stamp_type(seen);
}
