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

// Takes the meaning out of escapes and, inside quotes, of doubled quotes.
static bool unescape(csv_decoder *d, csv_value *value) {
  const csv_dialect *dialect = d->dialect;
  wh_str s = value->text;
  bool quotes = value->quoted && dialect->doubled && memchr(s.data, dialect->quote, s.len);
  if (!quotes && !(dialect->escape && memchr(s.data, dialect->escape, s.len))) return true;
  char *out = wh_arena_alloc(&d->scratch, s.len);
  if (!out) return false;
  size_t n = 0;
  for (size_t i = 0; i < s.len; i++) {
    char c = s.data[i];
    bool pair = quotes && c == dialect->quote;
    if ((pair || (dialect->escape && c == dialect->escape)) && i + 1 < s.len) c = s.data[++i];
    out[n++] = c;
  }
  value->text = wh_str_n(out, n);
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
