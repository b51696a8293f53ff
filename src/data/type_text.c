// The written form of types.
#include "data/type.h"

static const struct {
  const char *word;
  wh_type type;
  bool input_only;
} words[] = {
    {"null", {.kind = WH_NULL}, false},
    {"bool", {.kind = WH_BOOL}, false},
    {"int8", {.kind = WH_INT8}, false},
    {"int16", {.kind = WH_INT16}, false},
    {"int32", {.kind = WH_INT32}, false},
    {"int64", {.kind = WH_INT64}, false},
    {"uint8", {.kind = WH_UINT8}, false},
    {"uint16", {.kind = WH_UINT16}, false},
    {"uint32", {.kind = WH_UINT32}, false},
    {"uint64", {.kind = WH_UINT64}, false},
    {"float32", {.kind = WH_FLOAT32}, false},
    {"float64", {.kind = WH_FLOAT64}, false},
    {"date", {.kind = WH_DATE}, false},
    {"string", {.kind = WH_STRING}, false},
    {"binary", {.kind = WH_BINARY}, false},
    // Those that go on in brackets; alone they stand for what is given here.
    {"time", {.kind = WH_TIME, .unit = WH_UNIT_US}, false},
    {"timestamp", {.kind = WH_TIMESTAMP, .unit = WH_UNIT_US, .zoned = true}, false},
    {"decimal", {.kind = WH_DECIMAL}, false},
    {"list", {.kind = WH_LIST}, false},
    {"struct", {.kind = WH_STRUCT}, false},
    {"text", {.kind = WH_STRING}, true},
    {"boolean", {.kind = WH_BOOL}, true},
    {"integer", {.kind = WH_INT64}, true},
    {"bigint", {.kind = WH_INT64}, true},
    {"double", {.kind = WH_FLOAT64}, true},
};
enum { WORD_COUNT = sizeof words / sizeof *words };

static const char *const unit_words[] = {
    [WH_UNIT_S] = "s", [WH_UNIT_MS] = "ms", [WH_UNIT_US] = "us", [WH_UNIT_NS] = "ns"};

static const char *kind_word(wh_kind kind) {
  for (size_t i = 0; i < WORD_COUNT; i++)
    if (words[i].type.kind == kind && !words[i].input_only) return words[i].word;
  return "?";
}

static bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word_char(char c) {
  return is_word_start(c) || (c >= '0' && c <= '9');
}

static bool write_name(wh_str name, wh_buf *out) {
  bool plain = name.len && is_word_start(name.data[0]);
  for (size_t i = 0; plain && i < name.len; i++)
    plain = is_word_char(name.data[i]);
  return plain ? wh_buf_add_str(out, name) : wh_buf_add_json(out, name);
}

static bool write_field_type(const wh_field *field, wh_buf *out) {
  return wh_type_write(&field->type, out) && (!field->nullable || wh_buf_add_char(out, '?'));
}

static bool write_struct(const wh_type *type, wh_buf *out) {
  bool ok = wh_buf_add_c(out, "struct<");
  for (uint32_t i = 0; ok && i < type->field_count; i++) {
    ok = (i == 0 || wh_buf_add_c(out, ", ")) && write_name(type->fields[i].name, out) &&
         wh_buf_add_c(out, ": ") && write_field_type(&type->fields[i], out);
  }
  return ok && wh_buf_add_char(out, '>');
}

bool wh_type_write(const wh_type *type, wh_buf *out) {
  switch (type->kind) {
  case WH_DECIMAL:
    return wh_buf_printf(out, "decimal(%d,%d)", type->precision, type->scale);
  case WH_TIME:
    return wh_buf_printf(out, "time[%s]", unit_words[type->unit]);
  case WH_TIMESTAMP:
    return wh_buf_printf(out, "timestamp[%s%s]", unit_words[type->unit], type->zoned ? ",UTC" : "");
  case WH_LIST:
    return wh_buf_add_c(out, "list<") && write_field_type(&type->fields[0], out) &&
           wh_buf_add_char(out, '>');
  case WH_STRUCT:
    return write_struct(type, out);
  default:
    return wh_buf_add_c(out, kind_word(type->kind));
  }
}

typedef struct parser {
  wh_str text;
  size_t at;
  int depth;
  wh_arena *arena;
  wh_error *err;
} parser;

static void skip_spaces(parser *p) {
  while (p->at < p->text.len && (p->text.data[p->at] == ' ' || p->text.data[p->at] == '\t'))
    p->at++;
}

// Takes the character, and spaces around it, if it is next.
static bool take(parser *p, char c) {
  skip_spaces(p);
  if (p->at >= p->text.len || p->text.data[p->at] != c) return false;
  p->at++;
  skip_spaces(p);
  return true;
}

static wh_status expected(parser *p, const char *what) {
  enum { SHOWN_MAX = 100 };
  wh_str shown = wh_str_sub(p->text, 0, wh_utf8_cut(p->text, SHOWN_MAX));
  return wh_fail(p->err, WH_ERR_TYPE, "type '%.*s': expected %s at character %zu",
                 WH_STR_ARG(shown), what, p->at + 1);
}

static wh_str take_word(parser *p) {
  size_t from = p->at;
  if (p->at < p->text.len && is_word_start(p->text.data[p->at])) {
    while (p->at < p->text.len && is_word_char(p->text.data[p->at]))
      p->at++;
  }
  return wh_str_sub(p->text, from, p->at);
}

static bool take_number(parser *p, uint64_t *ret) {
  size_t from = p->at;
  while (p->at < p->text.len && p->text.data[p->at] >= '0' && p->text.data[p->at] <= '9')
    p->at++;
  return wh_str_to_u64(wh_str_sub(p->text, from, p->at), ret);
}

// One escape of a quoted name (those that wh_buf_add_json writes); p->at is behind the backslash.
static bool take_escape(parser *p, char *ret) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (p->at >= p->text.len) return false;
  char c = p->text.data[p->at++];
  if (c != 'u') {
    const char *hit = c ? strchr(from, c) : NULL;
    if (hit) *ret = to[hit - from];
    return hit != NULL;
  }
  if (p->text.len - p->at < 4) return false;
  unsigned value = 0;
  for (int i = 0; i < 4; i++) {
    int digit = wh_hex_digit(p->text.data[p->at++]);
    if (digit < 0) return false;
    value = value * 16 + (unsigned)digit;
  }
  *ret = (char)value;
  return value < 0x80; // the writer escapes nothing above
}

static wh_status take_quoted(parser *p, wh_str *ret) {
  char *name = wh_arena_alloc(p->arena, p->text.len - p->at + 1);
  if (!name) return wh_fail_memory(p->err);
  size_t len = 0;
  for (p->at++; p->at < p->text.len;) {
    char c = p->text.data[p->at++];
    if (c == '"') {
      *ret = wh_str_n(name, len);
      return WH_OK;
    }
    if (c == '\\' && !take_escape(p, &c)) return expected(p, "an escape that JSON knows");
    name[len++] = c;
  }
  return expected(p, "the closing '\"' of a name");
}

static wh_status parse_type(parser *p, wh_type *ret);

static wh_status parse_decimal(parser *p, wh_type *ret) {
  uint64_t precision = 0, scale = 0;
  if (!take(p, '(')) return expected(p, "its digits, as in decimal(12,2),");
  if (!take_number(p, &precision)) return expected(p, "the number of digits");
  if (take(p, ',') && !take_number(p, &scale)) return expected(p, "the number of decimal places");
  if (!take(p, ')')) return expected(p, "')'");
  if (precision < 1 || precision > WH_DECIMAL_DIGITS_MAX || scale > precision) {
    return wh_fail(p->err, WH_ERR_TYPE,
                   "type '%.*s': a decimal has 1 to %d digits, and no more of them behind the "
                   "point than it has",
                   WH_STR_ARG(p->text), WH_DECIMAL_DIGITS_MAX);
  }
  ret->precision = (uint8_t)precision;
  ret->scale = (uint8_t)scale;
  return WH_OK;
}

static wh_status parse_unit(parser *p, wh_type *ret) {
  if (!take(p, '[')) return WH_OK; // as the word alone says
  size_t from = p->at;
  wh_str word = take_word(p);
  size_t unit = 0;
  while (unit < 4 && !wh_str_is(word, unit_words[unit]))
    unit++;
  if (unit == 4) {
    p->at = from;
    return expected(p, "s, ms, us or ns");
  }
  ret->unit = (wh_unit)unit;
  ret->zoned = false;
  if (ret->kind == WH_TIMESTAMP && take(p, ',')) {
    from = p->at;
    if (!wh_str_is(take_word(p), "UTC")) {
      p->at = from;
      return expected(p, "UTC");
    }
    ret->zoned = true;
  }
  return take(p, ']') ? WH_OK : expected(p, "']'");
}

static wh_status parse_field_type(parser *p, wh_field *field) {
  field->privacy = WH_INTERNAL;
  WH_TRY(parse_type(p, &field->type));
  field->nullable = take(p, '?');
  return WH_OK;
}

static wh_status parse_list(parser *p, wh_type *ret) {
  if (!take(p, '<')) return expected(p, "'<' and the type of the items");
  wh_field *item = WH_NEW(p->arena, wh_field);
  if (!item) return wh_fail_memory(p->err);
  item->name = WH_STR("item");
  WH_TRY(parse_field_type(p, item));
  if (!take(p, '>')) return expected(p, "'>'");
  ret->field_count = 1;
  ret->fields = item;
  return WH_OK;
}

static wh_status parse_field(parser *p, wh_field *field) {
  skip_spaces(p);
  if (p->at < p->text.len && p->text.data[p->at] == '"') {
    WH_TRY(take_quoted(p, &field->name));
  } else {
    field->name = wh_arena_str(p->arena, take_word(p));
    if (!field->name.data) return wh_fail_memory(p->err);
    if (field->name.len == 0) return expected(p, "a name");
  }
  if (!take(p, ':')) return expected(p, "':'");
  return parse_field_type(p, field);
}

static wh_status parse_struct(parser *p, wh_type *ret) {
  if (!take(p, '<')) return expected(p, "'<' and fields");
  wh_field *fields = NULL;
  uint32_t count = 0, cap = 0;
  while (!take(p, '>')) {
    if (count && !take(p, ',')) return expected(p, "',' or '>'");
    if (count == WH_COLUMNS_MAX) return expected(p, "fewer fields");
    if (count == cap) {
      cap = cap ? cap * 2 : 8;
      wh_field *more = WH_NEW_ARRAY(p->arena, cap, wh_field);
      if (!more) return wh_fail_memory(p->err);
      if (count) memcpy(more, fields, count * sizeof *fields);
      fields = more;
    }
    WH_TRY(parse_field(p, &fields[count]));
    count++;
  }
  ret->field_count = count;
  ret->fields = fields;
  return WH_OK;
}

static wh_status unknown_word(parser *p, wh_str word) {
  wh_str known[WORD_COUNT];
  for (size_t i = 0; i < WORD_COUNT; i++)
    known[i] = wh_str_of(words[i].word);
  wh_str nearest = wh_str_nearest(word, known, WORD_COUNT);
  if (word.len == 0) return expected(p, "the name of a type");
  if (nearest.len) {
    return wh_fail(p->err, WH_ERR_TYPE, "'%.*s' is not a type. Did you mean '%.*s'?",
                   WH_STR_ARG(word), WH_STR_ARG(nearest));
  }
  return wh_fail(p->err, WH_ERR_TYPE,
                 "'%.*s' is not a type. Types are bool, int8 to int64, uint8 to uint64, float32, "
                 "float64, decimal(12,2), date, time, timestamp, string, binary, list<...>, "
                 "struct<...>",
                 WH_STR_ARG(word));
}

static wh_status parse_type(parser *p, wh_type *ret) {
  if (++p->depth > WH_NESTING_MAX) {
    return wh_fail(p->err, WH_ERR_TYPE, "a type nests at most %d levels deep", WH_NESTING_MAX);
  }
  skip_spaces(p);
  wh_str word = take_word(p);
  size_t i = 0;
  while (i < WORD_COUNT && !wh_str_is(word, words[i].word))
    i++;
  if (i == WORD_COUNT) return unknown_word(p, word);
  *ret = words[i].type;
  wh_status status = WH_OK;
  if (ret->kind == WH_DECIMAL)
    status = parse_decimal(p, ret);
  else if (ret->kind == WH_TIME || ret->kind == WH_TIMESTAMP)
    status = parse_unit(p, ret);
  else if (ret->kind == WH_LIST)
    status = parse_list(p, ret);
  else if (ret->kind == WH_STRUCT)
    status = parse_struct(p, ret);
  p->depth--;
  return status;
}

wh_status wh_type_parse(wh_str text, wh_arena *arena, wh_type *ret, wh_error *err) {
  parser p = {.text = text, .arena = arena, .err = err};
  wh_type type;
  WH_TRY(parse_type(&p, &type));
  skip_spaces(&p);
  if (p.at < text.len) return expected(&p, "nothing more");
  *ret = type;
  return WH_OK;
}

wh_str wh_type_friendly(const wh_type *type, wh_arena *arena) {
  switch (type->kind) {
  case WH_STRING:
    return WH_STR("text");
  case WH_TIME:
    return WH_STR("time");
  case WH_TIMESTAMP:
    return type->zoned ? WH_STR("timestamp") : WH_STR("timestamp without zone");
  case WH_DECIMAL:
    return wh_arena_printf(arena, "decimal(%d,%d)", type->precision, type->scale);
  case WH_LIST: {
    wh_str item = wh_type_friendly(&type->fields[0].type, arena);
    return item.data ? wh_arena_printf(arena, "list of %.*s", WH_STR_ARG(item)) : item;
  }
  default:
    return wh_str_of(kind_word(type->kind));
  }
}
