#include "serve/request.h"

#include "serve/request_json.h"

// --- headers -------------------------------------------------------------------------------------

// The next item of a list parted by `sep`, trimmed; false at the end.
static bool next_item(wh_str *rest, char sep, wh_str *ret) {
  if (!wh_str_split(rest, sep, ret)) return false;
  *ret = wh_str_trim(*ret);
  return true;
}

static bool is_utf8_charset(wh_str parameter) {
  size_t equals = wh_str_find(parameter, 0, '=');
  if (!wh_str_eq_nocase(wh_str_sub(parameter, 0, equals), WH_STR("charset"))) return true;
  wh_str value = wh_str_sub(parameter, equals + 1, parameter.len);
  if (value.len >= 2 && value.data[0] == '"') value = wh_str_sub(value, 1, value.len - 1);
  return wh_str_eq_nocase(value, WH_STR("utf-8"));
}

wh_body_kind wh_body_kind_of(wh_str content_type) {
  wh_str rest = content_type, item;
  if (!next_item(&rest, ';', &item)) return WH_BODY_OTHER;
  wh_body_kind kind = WH_BODY_OTHER;
  if (wh_str_eq_nocase(item, WH_STR("application/x-www-form-urlencoded"))) kind = WH_BODY_FORM;
  if (wh_str_eq_nocase(item, WH_STR("application/json"))) kind = WH_BODY_JSON;
  while (next_item(&rest, ';', &item))
    if (!is_utf8_charset(item)) return WH_BODY_OTHER;
  return kind;
}

bool wh_accepts_json(wh_str accept) {
  bool json = false;
  wh_str rest = accept, item;
  while (next_item(&rest, ',', &item)) {
    wh_str type = wh_str_trim(wh_str_sub(item, 0, wh_str_find(item, 0, ';')));
    if (wh_str_eq_nocase(type, WH_STR("text/html"))) return false;
    if (wh_str_eq_nocase(type, WH_STR("application/json"))) json = true;
  }
  return json;
}

// --- forms ---------------------------------------------------------------------------------------

// application/x-www-form-urlencoded (URL Standard, section 5), except that a '%' without two
// digits behind it is an error here.
static wh_status decode(wh_str text, wh_arena *arena, wh_str *ret, wh_error *err) {
  char *out = wh_arena_alloc(arena, text.len + 1);
  if (!out) return wh_fail_memory(err);
  size_t len = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (c == '+') {
      c = ' ';
    } else if (c == '%') {
      int high = i + 2 < text.len ? wh_hex_digit(text.data[i + 1]) : -1;
      int low = i + 2 < text.len ? wh_hex_digit(text.data[i + 2]) : -1;
      if (high < 0 || low < 0) return wh_fail(err, WH_ERR_DATA, "a %% without two digits");
      c = (char)(high << 4 | low);
      i += 2;
    }
    out[len++] = c;
  }
  *ret = wh_str_n(out, len);
  return WH_OK;
}

static wh_status parse_form(wh_str body, wh_arena *arena, wh_request_field *fields, size_t count,
                            wh_error *err) {
  wh_str pair;
  for (size_t n = 0; wh_str_split(&body, '&', &pair); n++) {
    if (n == WH_REQUEST_FIELDS_MAX) return wh_fail(err, WH_ERR_DATA, "too many fields");
    size_t equals = wh_str_find(pair, 0, '=');
    wh_str name, value;
    WH_TRY(decode(wh_str_sub(pair, 0, equals), arena, &name, err));
    WH_TRY(decode(wh_str_sub(pair, equals + 1, pair.len), arena, &value, err));
    WH_TRY(wh_request_set(fields, count, name, value, err));
  }
  return WH_OK;
}

// --- both ----------------------------------------------------------------------------------------

// White space may be in what people paste; other control characters have no business there.
static bool has_control(wh_str value) {
  for (size_t i = 0; i < value.len; i++) {
    unsigned char c = (unsigned char)value.data[i];
    if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7F) return true;
  }
  return false;
}

wh_status wh_request_set(wh_request_field *fields, size_t count, wh_str name, wh_str value,
                         wh_error *err) {
  for (size_t i = 0; i < count; i++) {
    wh_request_field *f = &fields[i];
    if (!wh_str_eq(f->name, name)) continue;
    if (f->given) return wh_fail(err, WH_ERR_DATA, "%.*s is given twice", WH_STR_ARG(name));
    if (!wh_utf8_valid(value)) {
      return wh_fail(err, WH_ERR_DATA, "%.*s is not UTF-8", WH_STR_ARG(name));
    }
    if (has_control(value)) {
      return wh_fail(err, WH_ERR_DATA, "%.*s has control characters", WH_STR_ARG(name));
    }
    f->value = value;
    f->given = true;
  }
  return WH_OK;
}

wh_status wh_request_parse(wh_body_kind kind, wh_str body, wh_arena *arena,
                           wh_request_field *fields, size_t count, wh_error *err) {
  for (size_t i = 0; i < count; i++) {
    fields[i].value = (wh_str){"", 0};
    fields[i].given = false;
  }
  if (body.len > WH_REQUEST_BODY_MAX) return wh_fail(err, WH_ERR_DATA, "too long");
  if (kind == WH_BODY_OTHER) return wh_fail(err, WH_ERR_DATA, "neither a form nor JSON");
  WH_TRY(kind == WH_BODY_FORM ? parse_form(body, arena, fields, count, err)
                              : wh_request_parse_json(body, arena, fields, count, err));
  for (size_t i = 0; i < count; i++) {
    if (fields[i].given) continue;
    return wh_fail(err, WH_ERR_DATA, "%.*s is missing", WH_STR_ARG(fields[i].name));
  }
  return WH_OK;
}
