#include "serve/request_json.h"

#include "step/chars.h"

typedef struct reader {
  wh_str text;
  size_t at;
  char *out; // where strings are decoded to; all together are no longer than the text
} reader;

static wh_status broken(const reader *r, const char *what, wh_error *err) {
  wh_place place = {.line = 1, .column = r->at + 1, .byte = r->at};
  return wh_fail_at(err, WH_ERR_DATA, place, "not a JSON object of texts: %s at byte %zu", what,
                    r->at);
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(reader *r) {
  while (r->at < r->text.len && is_space(r->text.data[r->at]))
    r->at++;
}

// Whether the next thing is `c`, which is then behind us.
static bool take(reader *r, char c) {
  skip_space(r);
  if (r->at == r->text.len || r->text.data[r->at] != c) return false;
  r->at++;
  return true;
}

static bool hex4(const reader *r, size_t at, uint32_t *ret) {
  uint32_t value = 0;
  if (at + 4 > r->text.len) return false;
  for (size_t i = at; i < at + 4; i++) {
    char c = r->text.data[i];
    uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;
    if (digit == 16) return false;
    value = value << 4 | digit;
  }
  *ret = value;
  return true;
}

// Behind "\u". A character beyond U+FFFF comes as two halves.
static bool read_unicode(reader *r, char *out, size_t *len) {
  uint32_t c, low;
  if (!hex4(r, r->at, &c)) return false;
  r->at += 4;
  if (c >= 0xD800 && c < 0xDC00) {
    bool paired = r->at + 2 <= r->text.len && memcmp(r->text.data + r->at, "\\u", 2) == 0 &&
                  hex4(r, r->at + 2, &low) && low >= 0xDC00 && low < 0xE000;
    if (!paired) return false;
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    r->at += 6;
  } else if (c >= 0xDC00 && c < 0xE000) {
    return false;
  }
  *len += wh_char_encode(c, out + *len);
  return true;
}

static bool read_escape(reader *r, char *out, size_t *len) {
  static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
  if (r->at == r->text.len) return false;
  char c = r->text.data[r->at++];
  if (c == 'u') return read_unicode(r, out, len);
  const char *found = c ? strchr(names, c) : NULL;
  if (!found) return false;
  out[(*len)++] = means[found - names];
  return true;
}

// Behind the opening quote. No escape becomes longer than it was written.
static wh_status read_string(reader *r, wh_str *ret, wh_error *err) {
  char *out = r->out;
  size_t len = 0;
  while (r->at < r->text.len) {
    char c = r->text.data[r->at++];
    if (c == '"') {
      *ret = wh_str_n(out, len);
      r->out += len;
      return WH_OK;
    }
    if ((unsigned char)c < 0x20) return broken(r, "a control character", err);
    if (c != '\\') {
      out[len++] = c;
    } else if (!read_escape(r, out, &len)) {
      return broken(r, "a wrong escape", err);
    }
  }
  return broken(r, "an open string", err);
}

// A string, or an integer, whose digits are the text.
static wh_status read_value(reader *r, wh_str *ret, wh_error *err) {
  if (take(r, '"')) return read_string(r, ret, err);
  size_t from = r->at;
  if (r->at < r->text.len && r->text.data[r->at] == '-') r->at++;
  size_t digits = r->at;
  while (r->at < r->text.len && r->text.data[r->at] >= '0' && r->text.data[r->at] <= '9')
    r->at++;
  bool is_integer = r->at > digits && (r->text.data[digits] != '0' || r->at == digits + 1);
  if (!is_integer) return broken(r, "neither a text nor a whole number", err);
  *ret = wh_str_sub(r->text, from, r->at);
  return WH_OK;
}

static wh_status read_pair(reader *r, wh_request_field *fields, size_t count, wh_error *err) {
  wh_str name, value;
  if (!take(r, '"')) return broken(r, "a name is missing", err);
  WH_TRY(read_string(r, &name, err));
  if (!take(r, ':')) return broken(r, "':' is missing", err);
  WH_TRY(read_value(r, &value, err));
  return wh_request_set(fields, count, name, value, err);
}

wh_status wh_request_parse_json(wh_str body, wh_arena *arena, wh_request_field *fields,
                                size_t count, wh_error *err) {
  reader r = {.text = body, .out = wh_arena_alloc(arena, body.len + 1)};
  if (!r.out) return wh_fail_memory(err);
  if (!wh_utf8_valid(body)) return wh_fail(err, WH_ERR_DATA, "not UTF-8");
  if (!take(&r, '{')) return broken(&r, "'{' is missing", err);
  if (!take(&r, '}')) {
    size_t n = 0;
    do {
      if (n++ == WH_REQUEST_FIELDS_MAX) return wh_fail(err, WH_ERR_DATA, "too many fields");
      WH_TRY(read_pair(&r, fields, count, err));
    } while (take(&r, ','));
    if (!take(&r, '}')) return broken(&r, "'}' is missing", err);
  }
  skip_space(&r);
  return r.at == body.len ? WH_OK : broken(&r, "more behind its end", err);
}
