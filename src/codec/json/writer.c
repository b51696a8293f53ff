#include "codec/json/writer.h"

#include "base/buf.h"
#include "data/base64.h"
#include "data/format.h"
#include "data/number.h"
#include "data/temporal.h"

#include <math.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
  BUFFER_BYTES = 256 * 1024,
  VALUE_MAX = 64,          // of any value that is not text or binary
  PIECE_BYTES = 16 * 1024, // of text, escaped at a time
  KEY_SHORT = 32,
  ESCAPE_MAX = 6, // bytes that one byte becomes at most
};

// What stands before each value: the bracket or comma, the key, the colon.
typedef struct json_key {
  wh_str text;             // readable for KEY_SHORT bytes
  struct json_key *fields; // struct: of its fields. list: one, the item, without text
} json_key;

typedef struct json_writer {
  wh_writer base;
  wh_mem *mem;
  wh_output *out;
  bool lines;
  bool begun;
  const wh_schema *schema;
  json_key *keys;
  wh_arena arena;
  wh_buf scratch; // for what is formatted by the data layer
  wh_format_day day;
  char *buffer;
  size_t used;
  wh_error *err; // of the call in hand
  wh_status status;
} json_writer;

static bool flush(json_writer *w) {
  w->status = wh_output_write(w->out, w->buffer, w->used, w->err);
  w->used = 0;
  return w->status == WH_OK;
}

static inline bool room(json_writer *w, size_t bytes) {
  return __builtin_expect(BUFFER_BYTES - w->used >= bytes, 1) || flush(w);
}

static inline void put_char(json_writer *w, char c) {
  w->buffer[w->used++] = c;
}

static bool put_bytes(json_writer *w, wh_str s) {
  while (s.len) {
    if (w->used == BUFFER_BYTES && !flush(w)) return false;
    size_t n = BUFFER_BYTES - w->used < s.len ? BUFFER_BYTES - w->used : s.len;
    memcpy(w->buffer + w->used, s.data, n);
    w->used += n;
    s = wh_str_sub(s, n, s.len);
  }
  return true;
}

// --- Text ----------------------------------------------------------------------------------------

// Bytes before the first one that must be escaped (RFC 8259 section 7).
static size_t plain_prefix(const char *p, size_t len) {
  size_t i = 0;
#ifdef __SSE2__
  for (; len - i >= 16; i += 16) {
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1F)), x);
    __m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
    int hit = _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, slash)));
    if (hit) return i + (size_t)__builtin_ctz((unsigned)hit);
  }
#endif
  for (; len - i >= 8; i += 8) {
    uint64_t x;
    memcpy(&x, p + i, 8);
    // Top bits of bytes below 0x20, or equal to a quote or backslash; a borrow may add some.
    uint64_t quote = x ^ 0x2222222222222222ull, slash = x ^ 0x5C5C5C5C5C5C5C5Cull;
    uint64_t hit = ((x - 0x2020202020202020ull) & ~x) | ((quote - 0x0101010101010101ull) & ~quote) |
                   ((slash - 0x0101010101010101ull) & ~slash);
    if (hit & 0x8080808080808080ull) break;
  }
  for (; i < len; i++) {
    unsigned char c = (unsigned char)p[i];
    if (c < 0x20 || c == '"' || c == '\\') break;
  }
  return i;
}

static void put_escape(json_writer *w, unsigned char c) {
  static const char hex[] = "0123456789abcdef";
  static const char letters[0x20] = {
      ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
  put_char(w, '\\');
  if (c >= 0x20 || letters[c]) {
    put_char(w, c >= 0x20 ? (char)c : letters[c]);
    return;
  }
  memcpy(w->buffer + w->used, "u00", 3);
  w->used += 3;
  put_char(w, hex[c >> 4]);
  put_char(w, hex[c & 15]);
}

// At most 32 bytes with overlapping copies of fixed sizes.
static inline void copy_short(char *to, const char *from, size_t n) {
  if (n >= 16) {
    memcpy(to, from, 16);
    memcpy(to + n - 16, from + n - 16, 16);
  } else if (n >= 8) {
    memcpy(to, from, 8);
    memcpy(to + n - 8, from + n - 8, 8);
  } else {
    for (size_t i = 0; i < n; i++)
      to[i] = from[i];
  }
}

static bool put_text(json_writer *w, wh_str s) {
  enum { SHORT = 32 };
  if (!room(w, SHORT + 2)) return false;
  if (s.len <= SHORT && plain_prefix(s.data, s.len) == s.len) {
    char *out = w->buffer + w->used;
    out[0] = '"';
    copy_short(out + 1, s.data, s.len);
    out[s.len + 1] = '"';
    w->used += s.len + 2;
    return true;
  }
  put_char(w, '"');
  while (s.len) {
    size_t piece = s.len < PIECE_BYTES ? s.len : PIECE_BYTES;
    if (!room(w, piece * ESCAPE_MAX)) return false;
    for (size_t at = 0; at < piece; at++) {
      size_t n = plain_prefix(s.data + at, piece - at);
      memcpy(w->buffer + w->used, s.data + at, n);
      w->used += n;
      at += n;
      if (at < piece) put_escape(w, (unsigned char)s.data[at]);
    }
    s = wh_str_sub(s, piece, s.len);
  }
  if (!room(w, 1)) return false;
  put_char(w, '"');
  return true;
}

// --- Values --------------------------------------------------------------------------------------

static bool no_memory(json_writer *w) {
  w->status = wh_fail_memory(w->err);
  return false;
}

// A string without anything to escape, made by the data layer in `scratch`.
static bool put_scratch(json_writer *w, bool made) {
  if (!made) return no_memory(w);
  bool ok = put_bytes(w, WH_STR("\"")) && put_bytes(w, wh_buf_str(&w->scratch)) &&
            put_bytes(w, WH_STR("\""));
  wh_buf_clear(&w->scratch);
  return ok;
}

// Only for seconds and milliseconds are there int64 values beyond the years that can be read back.
static bool too_far(json_writer *w, const wh_column *c, int64_t value) {
  const int64_t most_days = 365ll * 999999000;
  int64_t days = value / (86400 * wh_unit_per_second(c->type.unit));
  if (days <= most_days && days >= -most_days) return false;
  w->status = wh_fail(w->err, WH_ERR_TYPE,
                      "the timestamp %lld (in units since 1970) is too far from now to be written",
                      (long long)value);
  return true;
}

static bool put_temporal(json_writer *w, const wh_column *c, size_t row) {
  int64_t value = wh_column_i64(c, row);
  int64_t per_second = wh_unit_per_second(c->type.unit);
  char *out = w->buffer + w->used + 1;
  size_t n;
  switch (c->type.kind) {
  case WH_DATE:
    n = wh_format_date(&w->day, value, out);
    if (n == 0) return put_scratch(w, wh_iso_write_date(value, &w->scratch));
    break;
  case WH_TIME:
    n = wh_format_time(value, per_second, out);
    if (n == 0) return put_scratch(w, wh_iso_write_time(value, c->type.unit, &w->scratch));
    break;
  default:
    n = wh_format_timestamp(&w->day, value, per_second, c->type.zoned, out);
    if (n == 0) {
      if (too_far(w, c, value)) return false;
      return put_scratch(w,
                         wh_iso_write_timestamp(value, c->type.unit, c->type.zoned, &w->scratch));
    }
  }
  out[-1] = '"';
  out[n] = '"';
  w->used += n + 2;
  return true;
}

static void put_float(json_writer *w, const wh_column *c, size_t row) {
  double value = wh_column_f64(c, row);
  char *out = w->buffer + w->used;
  if (!isfinite(value)) {
    const char *name = isnan(value) ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"";
    size_t n = strlen(name);
    memcpy(out, name, n);
    w->used += n;
  } else if (c->type.kind == WH_FLOAT32) {
    w->used += wh_format_f32((float)value, out);
  } else {
    w->used += wh_format_f64(value, out);
  }
}

static bool put_value(json_writer *w, const json_key *key, const wh_column *c, size_t row);

static bool put_list(json_writer *w, const json_key *key, const wh_column *c, size_t row) {
  put_char(w, '[');
  for (int32_t i = c->offsets[row]; i < c->offsets[row + 1]; i++) {
    if (i > c->offsets[row]) {
      if (!room(w, 1)) return false;
      put_char(w, ',');
    }
    if (!put_value(w, key->fields, &c->children[0], (size_t)i)) return false;
  }
  if (!room(w, 1)) return false;
  put_char(w, ']');
  return true;
}

// A key: most are short, and copying 32 bytes is quicker than asking how many it takes.
static inline bool put_key(json_writer *w, wh_str text) {
  if (text.len > KEY_SHORT) return put_bytes(w, text);
  if (!room(w, KEY_SHORT)) return false;
  memcpy(w->buffer + w->used, text.data, KEY_SHORT);
  w->used += text.len;
  return true;
}

static bool put_members(json_writer *w, const json_key *keys, const wh_column *columns,
                        size_t count, size_t row) {
  for (size_t i = 0; i < count; i++) {
    if (!put_key(w, keys[i].text) || !put_value(w, &keys[i], &columns[i], row)) return false;
  }
  if (!room(w, 2)) return false;
  if (count == 0) put_char(w, '{');
  put_char(w, '}');
  return true;
}

static bool put_value(json_writer *w, const json_key *key, const wh_column *c, size_t row) {
  if (!room(w, VALUE_MAX)) return false;
  char *out = w->buffer + w->used;
  if (wh_column_is_null(c, row)) {
    memcpy(out, "null", 4);
    w->used += 4;
    return true;
  }
  switch (c->type.kind) {
  case WH_BOOL:
    memcpy(out, wh_column_bool(c, row) ? "true " : "false", 5);
    w->used += wh_column_bool(c, row) ? 4 : 5;
    return true;
  case WH_UINT64:
    w->used += wh_format_u64(wh_column_u64(c, row), out);
    return true;
  case WH_FLOAT32:
  case WH_FLOAT64:
    put_float(w, c, row);
    return true;
  case WH_DECIMAL:
    w->used += wh_format_decimal(wh_column_decimal(c, row), c->type.scale, out);
    return true;
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return put_temporal(w, c, row);
  case WH_STRING:
    return put_text(w, wh_column_text(c, row));
  case WH_BINARY:
    return put_scratch(w, wh_base64_write(wh_column_text(c, row), &w->scratch));
  case WH_LIST:
    return put_list(w, key, c, row);
  case WH_STRUCT:
    return put_members(w, key->fields, c->children, c->child_count, row);
  default:
    w->used += wh_format_i64(wh_column_i64(c, row), out);
    return true;
  }
}

// --- The whole -----------------------------------------------------------------------------------

static wh_status writer_write(wh_writer *writer, const wh_batch *batch, wh_error *err) {
  json_writer *w = (json_writer *)writer;
  w->err = err;
  for (size_t row = 0; row < batch->rows; row++) {
    const char *before = w->lines ? "" : w->begun ? ",\n" : "[\n";
    w->begun = true;
    if (!put_bytes(w, wh_str_of(before)) ||
        !put_members(w, w->keys, batch->columns, w->schema->count, row) ||
        (w->lines && !put_bytes(w, WH_STR("\n")))) {
      return w->status;
    }
  }
  return WH_OK;
}

static wh_status writer_finish(wh_writer *writer, wh_error *err) {
  json_writer *w = (json_writer *)writer;
  w->err = err;
  const char *end = w->lines ? "" : w->begun ? "\n]\n" : "[]\n";
  if (!put_bytes(w, wh_str_of(end))) return w->status;
  if (w->used && !flush(w)) return w->status;
  return WH_OK;
}

static void writer_close(wh_writer *writer) {
  json_writer *w = (json_writer *)writer;
  wh_arena_free(&w->arena);
  wh_buf_free(&w->scratch);
  wh_mem_free(w->mem, w->buffer, BUFFER_BYTES);
  wh_mem_free(w->mem, w, sizeof *w);
}

static wh_status make_keys(json_writer *w, const wh_field *fields, size_t count, bool item,
                           json_key **ret, wh_error *err) {
  json_key *keys = WH_NEW_ARRAY(&w->arena, count, json_key);
  if (!keys) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    const wh_type *type = &fields[i].type;
    if (!item) {
      wh_buf_clear(&w->scratch);
      bool ok = wh_buf_add_char(&w->scratch, i ? ',' : '{') &&
                wh_buf_add_json(&w->scratch, fields[i].name) && wh_buf_add_char(&w->scratch, ':');
      char *text = ok ? wh_arena_alloc(&w->arena, w->scratch.len + KEY_SHORT) : NULL;
      if (!text) return wh_fail_memory(err);
      memcpy(text, w->scratch.data, w->scratch.len);
      keys[i].text = wh_str_n(text, w->scratch.len);
    }
    if (type->field_count) {
      WH_TRY(make_keys(w, type->fields, type->field_count, type->kind == WH_LIST, &keys[i].fields,
                       err));
    }
  }
  wh_buf_clear(&w->scratch);
  *ret = keys;
  return WH_OK;
}

static wh_status open_writer(const wh_codec_context *context, wh_output *out,
                             const wh_schema *schema, bool lines, wh_writer **ret, wh_error *err) {
  json_writer *w = wh_mem_alloc_zero(context->mem, sizeof *w);
  if (!w) return wh_fail_memory(err);
  w->base = (wh_writer){.write = writer_write, .finish = writer_finish, .close = writer_close};
  w->mem = context->mem;
  w->out = out;
  w->lines = lines;
  w->schema = schema;
  wh_arena_init(&w->arena, w->mem);
  wh_buf_init(&w->scratch, w->mem, 0);
  w->buffer = wh_mem_alloc(w->mem, BUFFER_BYTES);
  wh_status status = w->buffer ? make_keys(w, schema->fields, schema->count, false, &w->keys, err)
                               : wh_fail_memory(err);
  if (status != WH_OK) {
    writer_close(&w->base);
    return status;
  }
  *ret = &w->base;
  return WH_OK;
}

wh_status json_open_writer(const wh_codec_context *context, wh_output *out, const void *options,
                           const wh_schema *schema, wh_writer **ret, wh_error *err) {
  (void)options;
  return open_writer(context, out, schema, false, ret, err);
}

wh_status json_open_lines_writer(const wh_codec_context *context, wh_output *out,
                                 const void *options, const wh_schema *schema, wh_writer **ret,
                                 wh_error *err) {
  (void)options;
  return open_writer(context, out, schema, true, ret, err);
}
