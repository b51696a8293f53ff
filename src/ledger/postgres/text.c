// Any bytes as text that PostgreSQL takes. Names of objects come from stores that know no encoding,
// and two names may not become one.
#include "ledger/postgres/postgres.h"

static const char digits[] = "0123456789abcdef";

static bool is_plain(wh_str text) {
  if (!text.len) return true;
  return !memchr(text.data, '\\', text.len) && !memchr(text.data, 0, text.len) &&
         wh_utf8_valid(text);
}

wh_str pg_text_escape(wh_str text, wh_arena *arena) {
  if (is_plain(text)) return text.data ? text : WH_STR("");
  char *out = wh_arena_alloc(arena, 4 * text.len);
  if (!out) return (wh_str){0};
  size_t n = 0, good = wh_utf8_valid_prefix(text);
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (i > good) good = i + wh_utf8_valid_prefix(wh_str_sub(text, i, text.len));
    bool is_bad = i >= good || c == 0;
    if (is_bad || c == '\\') out[n++] = '\\';
    if (is_bad) {
      out[n++] = 'x';
      out[n++] = digits[c >> 4];
      out[n++] = digits[c & 15];
    } else {
      out[n++] = (char)c;
    }
  }
  return wh_str_n(out, n);
}

static int value_of(char digit) {
  const char *at = digit ? strchr(digits, digit) : NULL;
  return at ? (int)(at - digits) : -1;
}

wh_str pg_text_unescape(wh_str text, wh_arena *arena) {
  if (!text.len || !memchr(text.data, '\\', text.len)) return text;
  char *out = wh_arena_alloc(arena, text.len);
  if (!out) return (wh_str){0};
  size_t n = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (c != '\\' || i + 1 == text.len) {
      out[n++] = c;
    } else if (text.data[i + 1] == 'x' && i + 3 < text.len && value_of(text.data[i + 2]) >= 0 &&
               value_of(text.data[i + 3]) >= 0) {
      out[n++] = (char)(value_of(text.data[i + 2]) << 4 | value_of(text.data[i + 3]));
      i += 3;
    } else {
      out[n++] = text.data[++i];
    }
  }
  return wh_str_n(out, n);
}
