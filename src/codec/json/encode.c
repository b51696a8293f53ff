#include "codec/json/encode.h"

#include "codec/json/encode_text.h"
#include "data/base64.h"
#include "data/number.h"
#include "data/put.h"
#include "data/temporal.h"

#include <math.h>

enum {
  BUFFER_BYTES = 256 * 1024, // at first; with an output all there is
  VALUE_MAX = 64,          // of any value that is not text or binary, and what is stored behind it
  PIECE_BYTES = 16 * 1024, // of text, escaped at a time
  KEY_SHORT = 32,
  ESCAPE_MAX = 6, // bytes that one byte becomes at most
};
static_assert(VALUE_MAX >= (int)WH_FORMAT_DECIMAL_MAX &&
              VALUE_MAX >= (int)WH_PUT_TIMESTAMP_ROOM + 2);

// Makes room: at most BUFFER_BYTES are asked for.
static bool more(json_encoder *e, size_t bytes) {
  if (e->out) {
    e->status = wh_output_write(e->out, e->text.data, e->used, e->err);
    e->used = 0;
    return e->status == WH_OK;
  }
  e->text.len = e->used;
  if (!wh_buf_reserve(&e->text, bytes > BUFFER_BYTES ? bytes : BUFFER_BYTES)) {
    e->status = wh_fail_memory(e->err);
    return false;
  }
  e->cap = e->text.cap - 1; // a NUL goes behind it
  return true;
}

static inline bool room(json_encoder *e, size_t bytes) {
  return __builtin_expect(e->cap - e->used >= bytes, 1) || more(e, bytes);
}

static inline char *end_of(json_encoder *e) {
  return e->text.data + e->used;
}

static inline void put_char(json_encoder *e, char c) {
  e->text.data[e->used++] = c;
}

static bool put_bytes(json_encoder *e, wh_str s) {
  while (s.len) {
    if (e->used == e->cap && !more(e, 1)) return false;
    size_t n = e->cap - e->used < s.len ? e->cap - e->used : s.len;
    memcpy(end_of(e), s.data, n);
    e->used += n;
    s = wh_str_sub(s, n, s.len);
  }
  return true;
}

// --- Text ----------------------------------------------------------------------------------------

static void put_escape(json_encoder *e, unsigned char c) {
  static const char hex[] = "0123456789abcdef";
  static const char letters[0x20] = {
      ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
  put_char(e, '\\');
  if (c >= 0x20 || letters[c]) {
    put_char(e, c >= 0x20 ? (char)c : letters[c]);
    return;
  }
  memcpy(end_of(e), "u00", 3);
  e->used += 3;
  put_char(e, hex[c >> 4]);
  put_char(e, hex[c & 15]);
}

static bool must_escape(char c) {
  return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

// Text of a piece, of which something must be escaped.
static void put_escaped(json_encoder *e, wh_str s) {
  for (size_t at = 0; at < s.len;) {
    size_t from = at;
    while (s.len - at >= 8 && json_copy8(end_of(e) + (at - from), s.data + at) == 0)
      at += 8;
    for (; at < s.len && !must_escape(s.data[at]); at++)
      end_of(e)[at - from] = s.data[at];
    e->used += at - from;
    if (at < s.len) put_escape(e, (unsigned char)s.data[at++]);
  }
}

static bool put_long_text(json_encoder *e, wh_str s) {
  while (s.len) {
    size_t piece = s.len < PIECE_BYTES ? s.len : PIECE_BYTES;
    if (!room(e, piece * ESCAPE_MAX + 8)) return false;
    if (json_copy_text(end_of(e), s.data, piece))
      put_escaped(e, wh_str_n(s.data, piece));
    else
      e->used += piece;
    s = wh_str_sub(s, piece, s.len);
  }
  return true;
}

static inline bool put_text(json_encoder *e, wh_str s) {
  if (!room(e, VALUE_MAX)) return false;
  char *out = end_of(e);
  *out = '"';
  if (__builtin_expect(s.len <= VALUE_MAX - 2, 1) && !json_copy_text(out + 1, s.data, s.len)) {
    out[s.len + 1] = '"';
    e->used += s.len + 2;
    return true;
  }
  e->used++;
  if (!put_long_text(e, s) || !room(e, 1)) return false;
  put_char(e, '"');
  return true;
}

// --- Values --------------------------------------------------------------------------------------

// A string without anything to escape, made by the data layer in `scratch`.
static bool put_scratch(json_encoder *e, bool made) {
  if (!made) {
    e->status = wh_fail_memory(e->err);
    return false;
  }
  bool ok = put_bytes(e, WH_STR("\"")) && put_bytes(e, wh_buf_str(&e->scratch)) &&
            put_bytes(e, WH_STR("\""));
  wh_buf_clear(&e->scratch);
  return ok;
}

// Only for seconds and milliseconds are there int64 values beyond the years that can be read back.
static bool too_far(json_encoder *e, const wh_column *c, int64_t value) {
  const int64_t most_days = 365ll * 999999000;
  int64_t days = value / (86400 * wh_unit_per_second(c->type.unit));
  if (days <= most_days && days >= -most_days) return false;
  e->status = wh_fail(e->err, WH_ERR_TYPE,
                      "the timestamp %lld (in units since 1970) is too far from now to be written",
                      (long long)value);
  return true;
}

// One that is not in the years of four digits.
static bool put_far_temporal(json_encoder *e, const wh_column *c, int64_t value) {
  wh_buf *out = &e->scratch;
  if (c->type.kind == WH_DATE) return put_scratch(e, wh_iso_write_date(value, out));
  if (c->type.kind == WH_TIME) return put_scratch(e, wh_iso_write_time(value, c->type.unit, out));
  if (too_far(e, c, value)) return false;
  return put_scratch(e, wh_iso_write_timestamp(value, c->type.unit, c->type.zoned, out));
}

// Where its text ends; NULL: it is not in the years (or of a time: the day) that put.h writes.
static char *put_near_temporal(const wh_column *c, int64_t value, char *out) {
  switch (c->type.kind) {
  case WH_DATE:
    return value < WH_PUT_FIRST_DAY || value > WH_PUT_LAST_DAY ? NULL
                                                               : wh_put_date(out, (int32_t)value);
  case WH_TIME:
    return value < 0 || value >= 86400 * wh_unit_per_second(c->type.unit)
               ? NULL
               : wh_put_time(out, value, c->type.unit);
  default:
    return wh_put_timestamp(out, value, c->type.unit, c->type.zoned);
  }
}

static bool put_temporal(json_encoder *e, const wh_column *c, size_t row) {
  char *out = end_of(e);
  const void *values = c->values;
  int64_t value =
      c->type.kind == WH_DATE ? ((const int32_t *)values)[row] : ((const int64_t *)values)[row];
  char *end = put_near_temporal(c, value, out + 1);
  if (__builtin_expect(!end, 0)) return put_far_temporal(e, c, value);
  out[0] = '"';
  *end++ = '"';
  e->used += (size_t)(end - out);
  return true;
}

static void put_float(json_encoder *e, double value, bool narrow) {
  char *out = end_of(e);
  if (__builtin_expect(!isfinite(value), 0)) {
    const char *name = isnan(value) ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"";
    size_t n = strlen(name);
    memcpy(out, name, n);
    e->used += n;
  } else {
    e->used += narrow ? wh_format_f32((float)value, out) : wh_format_f64(value, out);
  }
}

static void put_bool(json_encoder *e, bool value) {
  memcpy(end_of(e), value ? "true " : "false", 5);
  e->used += value ? 4 : 5;
}

static bool put_value(json_encoder *e, const json_key *key, const wh_column *c, size_t row);

static bool put_list(json_encoder *e, const json_key *key, const wh_column *c, size_t row) {
  put_char(e, '[');
  for (int32_t i = c->offsets[row]; i < c->offsets[row + 1]; i++) {
    if (i > c->offsets[row]) {
      if (!room(e, 1)) return false;
      put_char(e, ',');
    }
    if (!put_value(e, key->fields, &c->children[0], (size_t)i)) return false;
  }
  if (!room(e, 1)) return false;
  put_char(e, ']');
  return true;
}

// A key: most are short, and copying 32 bytes is quicker than asking how many it takes.
static inline bool put_key(json_encoder *e, wh_str text) {
  if (__builtin_expect(text.len > KEY_SHORT, 0)) return put_bytes(e, text);
  if (!room(e, KEY_SHORT)) return false;
  memcpy(end_of(e), text.data, KEY_SHORT);
  e->used += text.len;
  return true;
}

// Without those that are NULL: their keys bring a bracket or comma that must fit what is left.
static bool put_members_there(json_encoder *e, const json_key *keys, const wh_column *columns,
                              size_t count, size_t row) {
  bool first = true;
  for (size_t i = 0; i < count; i++) {
    if (wh_column_is_null(&columns[i], row)) continue;
    if (!room(e, 1)) return false;
    put_char(e, first ? '{' : ',');
    if (!put_bytes(e, wh_str_sub(keys[i].text, 1, keys[i].text.len)) ||
        !put_value(e, &keys[i], &columns[i], row))
      return false;
    first = false;
  }
  if (!room(e, 2)) return false;
  if (first) put_char(e, '{');
  put_char(e, '}');
  return true;
}

static bool put_members(json_encoder *e, const json_key *keys, const wh_column *columns,
                        size_t count, size_t row) {
  if (e->omit_nulls) return put_members_there(e, keys, columns, count, row);
  for (size_t i = 0; i < count; i++) {
    if (!put_key(e, keys[i].text) || !put_value(e, &keys[i], &columns[i], row)) return false;
  }
  if (!room(e, 2)) return false;
  if (count == 0) put_char(e, '{');
  put_char(e, '}');
  return true;
}

static bool put_value(json_encoder *e, const json_key *key, const wh_column *c, size_t row) {
  if (!room(e, VALUE_MAX)) return false;
  if (wh_column_is_null(c, row)) {
    memcpy(end_of(e), "null", 4);
    e->used += 4;
    return true;
  }
  switch (c->type.kind) {
  case WH_STRING:
    return put_text(e, wh_column_text(c, row));
  case WH_INT64:
    e->used += wh_format_i64(((const int64_t *)(const void *)c->values)[row], end_of(e));
    return true;
  case WH_FLOAT64:
    put_float(e, ((const double *)(const void *)c->values)[row], false);
    return true;
  case WH_FLOAT32:
    put_float(e, wh_column_f64(c, row), true);
    return true;
  case WH_BOOL:
    put_bool(e, wh_column_bool(c, row));
    return true;
  case WH_UINT64:
    e->used += wh_format_u64(wh_column_u64(c, row), end_of(e));
    return true;
  case WH_DECIMAL:
    e->used += wh_format_decimal(wh_column_decimal(c, row), c->type.scale, end_of(e));
    return true;
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return put_temporal(e, c, row);
  case WH_BINARY:
    return put_scratch(e, wh_base64_write(wh_column_text(c, row), &e->scratch));
  case WH_LIST:
    return put_list(e, key, c, row);
  case WH_STRUCT:
    return put_members(e, key->fields, c->children, c->child_count, row);
  default:
    e->used += wh_format_i64(wh_column_i64(c, row), end_of(e));
    return true;
  }
}

// --- The whole -----------------------------------------------------------------------------------

wh_status json_encode_rows(json_encoder *e, const wh_batch *batch, bool first, wh_error *err) {
  e->err = err;
  for (size_t row = 0; row < batch->rows; row++) {
    if (!e->lines && (row || !first) && !put_bytes(e, WH_STR(",\n"))) return e->status;
    if (!put_members(e, e->keys, batch->columns, e->schema->count, row)) return e->status;
    if (e->lines && !put_bytes(e, WH_STR("\n"))) return e->status;
  }
  return WH_OK;
}

wh_status json_encode_bytes(json_encoder *e, wh_str bytes, wh_error *err) {
  e->err = err;
  return put_bytes(e, bytes) ? WH_OK : e->status;
}

wh_status json_encode_end(json_encoder *e, wh_error *err) {
  e->err = err;
  if (e->out) return e->used == 0 || more(e, 0) ? WH_OK : e->status;
  e->text.len = e->used;
  if (e->text.data) e->text.data[e->used] = 0;
  return WH_OK;
}

static wh_status make_keys(json_encoder *e, const wh_field *fields, size_t count, bool item,
                           json_key **ret, wh_error *err) {
  json_key *keys = WH_NEW_ARRAY(&e->arena, count, json_key);
  if (!keys) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    const wh_type *type = &fields[i].type;
    if (!item) {
      wh_buf_clear(&e->scratch);
      bool ok = wh_buf_add_char(&e->scratch, i ? ',' : '{') &&
                wh_buf_add_json(&e->scratch, fields[i].name) && wh_buf_add_char(&e->scratch, ':');
      char *text = ok ? wh_arena_alloc(&e->arena, e->scratch.len + KEY_SHORT) : NULL;
      if (!text) return wh_fail_memory(err);
      memcpy(text, e->scratch.data, e->scratch.len);
      keys[i].text = wh_str_n(text, e->scratch.len); // readable for KEY_SHORT bytes
    }
    if (type->field_count) {
      WH_TRY(make_keys(e, type->fields, type->field_count, type->kind == WH_LIST, &keys[i].fields,
                       err));
    }
  }
  wh_buf_clear(&e->scratch);
  *ret = keys;
  return WH_OK;
}

wh_status json_encoder_open(const wh_codec_context *context, const void *options, bool lines,
                            const wh_schema *schema, wh_output *out, json_encoder *ret,
                            wh_error *err) {
  const wh_json_write_options *o = options;
  *ret = (json_encoder){.mem = context->mem,
                        .out = out,
                        .lines = lines,
                        .omit_nulls = o && o->nulls == WH_JSON_NULLS_OMIT,
                        .schema = schema};
  wh_arena_init(&ret->arena, ret->mem);
  wh_buf_init(&ret->scratch, ret->mem, 0);
  wh_buf_init(&ret->text, ret->mem, 0);
  wh_status status = make_keys(ret, schema->fields, schema->count, false, &ret->keys, err);
  if (status == WH_OK && out) {
    if (wh_buf_reserve(&ret->text, BUFFER_BYTES))
      ret->cap = ret->text.cap - 1;
    else
      status = wh_fail_memory(err);
  }
  if (status != WH_OK) json_encoder_close(ret);
  return status;
}

void json_encoder_close(json_encoder *e) {
  if (!e || !e->mem) return;
  wh_arena_free(&e->arena);
  wh_buf_free(&e->scratch);
  wh_buf_free(&e->text);
  *e = (json_encoder){0};
}
