// The text of one field, whatever the dialect asks for.
#include "codec/csv/decode.h"

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static wh_str trim(wh_str s) {
  while (s.len && is_blank(s.data[0]))
    s = wh_str_sub(s, 1, s.len);
  while (s.len && is_blank(s.data[s.len - 1]))
    s.len--;
  return s;
}

static bool is_null(const csv_dialect *d, wh_str text) {
  if (text.len == 0) return true;
  for (uint32_t i = 0; i < d->null_count; i++)
    if (wh_str_eq(text, d->nulls[i])) return true;
  return false;
}

// Whether one of the eight bytes is the one that `pattern` repeats, and where: eight times its
// index plus seven ("Bit Twiddling Hacks", determine if a word has a zero byte; the lowest is
// exact).
static inline bool find_byte(uint64_t word, uint64_t pattern, unsigned *ret_bit) {
  uint64_t x = word ^ pattern;
  uint64_t zeros = (x - 0x0101010101010101u) & ~x & 0x8080808080808080u;
  *ret_bit = zeros ? (unsigned)__builtin_ctzll(zeros) : 0;
  return zeros != 0;
}

// Behind a quote the next byte stands for itself. `out` has room for eight bytes more than the
// text. Returns the length.
static size_t undouble(wh_str s, char quote, char *out) {
  const uint64_t pattern = (uint8_t)quote * UINT64_C(0x0101010101010101);
  const char *p = s.data, *end = p + s.len;
  char *o = out;
  while (end - p >= 8) {
    uint64_t word;
    unsigned bit;
    memcpy(&word, p, sizeof word);
    memcpy(o, &word, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    if (!find_byte(word, pattern, &bit)) {
      p += 8;
      o += 8;
      continue;
    }
    o += bit / 8;
    p += bit / 8;
    if (end - p > 1) p++;
    *o++ = *p++;
  }
  while (p < end) {
    p += *p == quote && end - p > 1;
    *o++ = *p++;
  }
  return (size_t)(o - out);
}

// Takes the meaning out of escapes and, inside quotes, of doubled quotes.
static size_t take_out(const csv_dialect *dialect, wh_str s, bool quotes, char *out) {
  size_t n = 0;
  for (size_t i = 0; i < s.len; i++) {
    char c = s.data[i];
    bool pair = quotes && c == dialect->quote;
    if ((pair || (dialect->escape && c == dialect->escape)) && i + 1 < s.len) c = s.data[++i];
    out[n++] = c;
  }
  return n;
}

static bool unescape(csv_decoder *d, csv_value *value) {
  const csv_dialect *dialect = d->dialect;
  wh_str s = value->text;
  bool quotes = value->quoted && dialect->doubled && memchr(s.data, dialect->quote, s.len);
  bool escapes = dialect->escape && memchr(s.data, dialect->escape, s.len);
  if (!quotes && !escapes) return true;
  char *out = wh_arena_alloc(&d->scratch, s.len + 8);
  if (!out) return false;
  size_t len = escapes ? take_out(dialect, s, quotes, out) : undouble(s, dialect->quote, out);
  value->text = wh_str_n(out, len);
  return true;
}

// ISO 8859-1 is the first 256 characters of Unicode.
static bool widen_latin1(csv_decoder *d, csv_value *value) {
  wh_str s = value->text;
  size_t high = 0;
  for (size_t i = 0; i < s.len; i++)
    high += (unsigned char)s.data[i] >> 7;
  if (high == 0) return true;
  char *out = wh_arena_alloc(&d->scratch, s.len + high);
  if (!out) return false;
  size_t n = 0;
  for (size_t i = 0; i < s.len; i++) {
    unsigned char c = (unsigned char)s.data[i];
    if (c >= 0x80) {
      out[n++] = (char)(0xC0 | c >> 6);
      c = 0x80 | (c & 0x3F);
    }
    out[n++] = (char)c;
  }
  value->text = wh_str_n(out, n);
  return true;
}

bool csv_field_get(csv_decoder *d, size_t start, size_t end, csv_value *ret) {
  const csv_dialect *dialect = d->dialect;
  csv_value value = {.text = wh_str_n(d->data + start, end - start)};
  if (dialect->trim) value.text = trim(value.text);
  wh_str s = value.text;
  if (s.len >= 2 && dialect->quote && s.data[0] == dialect->quote) {
    value.quoted = true;
    value.text = wh_str_sub(s, 1, s.len - 1);
  } else if (is_null(dialect, s)) {
    *ret = (csv_value){.null = true, .text = WH_STR("")};
    return true;
  }
  bool ok = unescape(d, &value) && (!d->high || widen_latin1(d, &value));
  *ret = value;
  return ok;
}
