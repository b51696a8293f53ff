// numeric: 16-bit words in network order: how many digits, the first one's weight, the sign, the
// number of decimal places to show, and the digits of base 10000 without zeros at either end. The
// value is the sum of digit[i] * 10000^(weight - i).
#include "connect/postgres/decode.h"
#include "data/number.h"

enum {
  HEAD_BYTES = 8,
  SIGN_NEGATIVE = 0x4000,
  SIGN_NAN = 0xC000,
  SIGN_INFINITY = 0xD000,
  SIGN_MINUS_INFINITY = 0xF000,
  GROUP_DIGITS = 4,
  WEIGHT_SHOWN = 12, // groups before the point that a message shows
};

typedef struct numeric {
  int count, weight, sign, places;
  const char *digits;
} numeric;

static bool parse(const char *data, size_t len, numeric *ret) {
  if (len < HEAD_BYTES) return false;
  *ret = (numeric){.count = wh_pg_u16(data),
                   .weight = (int16_t)wh_pg_u16(data + 2),
                   .sign = wh_pg_u16(data + 4),
                   .places = wh_pg_u16(data + 6),
                   .digits = data + HEAD_BYTES};
  return len == HEAD_BYTES + 2 * (size_t)ret->count;
}

static int digit_at(const numeric *n, int i) {
  return i >= 0 && i < n->count ? wh_pg_u16(n->digits + 2 * i) : 0;
}

static const char *special(const numeric *n) {
  return n->sign == SIGN_NAN              ? "NaN"
         : n->sign == SIGN_INFINITY       ? "Infinity"
         : n->sign == SIGN_MINUS_INFINITY ? "-Infinity"
                                          : NULL;
}

void wh_pg_numeric_text(const char *data, size_t len, char out[WH_PG_NUMERIC_TEXT]) {
  numeric n;
  if (!parse(data, len, &n)) n = (numeric){.sign = SIGN_NAN};
  if (special(&n)) {
    snprintf(out, WH_PG_NUMERIC_TEXT, "%s", special(&n));
    return;
  }
  char text[256];
  size_t at = 0;
  bool cut = n.weight > WEIGHT_SHOWN;
  if (n.sign == SIGN_NEGATIVE) text[at++] = '-';
  int last = cut ? WEIGHT_SHOWN : n.weight;
  for (int i = 0; i <= last; i++)
    at += (size_t)snprintf(text + at, sizeof text - at, i ? "%04d" : "%d", digit_at(&n, i));
  if (n.weight < 0) text[at++] = '0';
  int places = n.places < 60 ? n.places : 60;
  if (places && !cut) text[at++] = '.';
  for (int i = 0; i < places && !cut; i++) {
    static const int powers[] = {1000, 100, 10, 1};
    int group = digit_at(&n, n.weight + 1 + i / GROUP_DIGITS);
    text[at++] = (char)('0' + group / powers[i % GROUP_DIGITS] % 10);
  }
  text[at] = 0;
  cut |= at >= WH_PG_NUMERIC_TEXT - 4;
  snprintf(out, WH_PG_NUMERIC_TEXT, "%.*s%s", WH_PG_NUMERIC_TEXT - 4, text, cut ? "..." : "");
}

// The digits as one integer, less `drop` zeros at the end of the last group; false: too many.
static bool join_digits(const numeric *n, int drop, unsigned __int128 *ret) {
  static const int powers[] = {1, 10, 100, 1000, 10000};
  unsigned __int128 value = 0;
  for (int i = 0; i < n->count; i++) {
    bool is_last = i + 1 == n->count;
    int digits = is_last ? GROUP_DIGITS - drop : GROUP_DIGITS;
    int group = is_last ? digit_at(n, i) / powers[drop] : digit_at(n, i);
    if (__builtin_mul_overflow(value, (unsigned __int128)powers[digits], &value) ||
        __builtin_add_overflow(value, (unsigned __int128)group, &value))
      return false;
  }
  *ret = value;
  return true;
}

// value * 10^-scale = digits * 10000^(weight - count + 1). The last group may end in zeros, which
// are no decimal places.
static wh_fit to_unscaled(const numeric *n, int precision, int scale, __int128 *ret) {
  *ret = 0;
  if (n->count == 0) return WH_FIT_OK;
  int exponent = GROUP_DIGITS * (n->weight - n->count + 1) + scale;
  int last = digit_at(n, n->count - 1), zeros = 0;
  while (zeros < GROUP_DIGITS - 1 && last % 10 == 0)
    last /= 10, zeros++;
  if (exponent + zeros < 0) return WH_FIT_PLACES;
  unsigned __int128 value;
  if (exponent > WH_DECIMAL_DIGITS_MAX || !join_digits(n, exponent < 0 ? -exponent : 0, &value))
    return WH_FIT_RANGE;
  if (exponent > 0 && __builtin_mul_overflow(value, (unsigned __int128)wh_pow10(exponent), &value))
    return WH_FIT_RANGE;
  if (value >= (unsigned __int128)wh_pow10(precision)) return WH_FIT_RANGE;
  *ret = n->sign == SIGN_NEGATIVE ? -(__int128)value : (__int128)value;
  return WH_FIT_OK;
}

static wh_status does_not_fit(const wh_pg_decoder *d, const char *data, size_t len, wh_fit fit,
                              const numeric *n, wh_misfit *m) {
  char text[WH_PG_NUMERIC_TEXT];
  wh_pg_numeric_text(data, len, text);
  const wh_type *t = &d->type;
  m->rule = "type";
  if (t->kind != WH_DECIMAL)
    snprintf(m->reason, sizeof m->reason, "'%s' is not a whole number in range", text);
  else if (special(n))
    snprintf(m->reason, sizeof m->reason, "'%s' is not a decimal number", text);
  else if (fit == WH_FIT_PLACES)
    snprintf(m->reason, sizeof m->reason, "'%s' has %d decimal places, decimal(%d,%d) keeps %d",
             text, n->places, t->precision, t->scale, t->scale);
  else
    snprintf(m->reason, sizeof m->reason,
             "'%s' has more than %d digits before the point, the most for decimal(%d,%d)", text,
             t->precision - t->scale, t->precision, t->scale);
  return WH_ERR_TYPE;
}

wh_status wh_pg_decode_numeric(const wh_pg_decoder *d, const char *data, size_t len,
                               wh_column *column, wh_misfit *m, wh_error *err) {
  numeric n;
  if (!parse(data, len, &n))
    return wh_fail(err, WH_ERR_DATA, "column %.*s: a value of %zu bytes is no numeric",
                   WH_STR_ARG(d->name), len);
  bool is_decimal = d->type.kind == WH_DECIMAL;
  __int128 value;
  wh_fit fit = special(&n)  ? WH_FIT_RANGE
               : is_decimal ? to_unscaled(&n, d->type.precision, d->type.scale, &value)
                            : to_unscaled(&n, WH_DECIMAL_DIGITS_MAX, 0, &value);
  if (fit == WH_FIT_OK && is_decimal) return wh_column_add_decimal(column, value, err);
  if (fit != WH_FIT_OK || !wh_int_fits(d->type.kind, value))
    return does_not_fit(d, data, len, fit, &n, m);
  if (d->type.kind == WH_UINT64) return wh_column_add_u64(column, (uint64_t)value, err);
  return wh_column_add_i64(column, (int64_t)value, err);
}
