// Rows of any types through the JSON writer and back.
//
// The bytes are used up for choices: how (lines, nulls left out, blocks, parts), a schema, and rows
// of it. What must hold: what was written is read back with the schema, row for row, whether it is
// guessed at or read by the index, and whether it was written in blocks and is read in parts.
#include "codec-run.h"
#include "codec/json/fast.h"
#include "codec/json/json.h"
#include "data/number.h"
#include "data/rowhash.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS_MAX = 8, ROWS_MAX = 200, DEPTH_MAX = 3, TEXT_MAX = 70 };

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

typedef struct source {
  const uint8_t *at, *end;
} source;

static uint8_t take(source *s) {
  return s->at < s->end ? *s->at++ : 0;
}

static uint64_t take_wide(source *s) {
  uint64_t value = 0;
  for (unsigned bytes = take(s) % 9; bytes; bytes--)
    value = value << 8 | take(s);
  return value;
}

static wh_field *make_fields(source *s, wh_arena *arena, size_t count, int depth);

static wh_type make_type(source *s, wh_arena *arena, int depth) {
  wh_kind kind = (wh_kind)(take(s) % (depth < DEPTH_MAX ? WH_STRUCT + 1 : WH_LIST));
  wh_type type = wh_type_of(kind);
  if (kind == WH_DECIMAL) {
    type.precision = (uint8_t)(1 + take(s) % WH_DECIMAL_DIGITS_MAX);
    type.scale = (uint8_t)(take(s) % (type.precision + 1));
  }
  if (kind == WH_TIME || kind == WH_TIMESTAMP) type.unit = (wh_unit)(take(s) % 4);
  if (kind == WH_TIMESTAMP) type.zoned = take(s) & 1;
  if (kind == WH_LIST || kind == WH_STRUCT) {
    type.field_count = kind == WH_LIST ? 1 : take(s) % 4;
    type.fields = make_fields(s, arena, type.field_count, depth + 1);
  }
  return type;
}

static wh_field *make_fields(source *s, wh_arena *arena, size_t count, int depth) {
  static const char *const names[] = {
      "id", "a.b", "q\"", "\u00e9", "a longer name, with a comma: ", ""};
  wh_field *fields = WH_NEW_ARRAY(arena, count, wh_field);
  must(fields, "memory");
  for (size_t i = 0; i < count; i++) {
    fields[i].name = wh_arena_printf(arena, "%s%zu", names[take(s) % 6], i);
    fields[i].type = make_type(s, arena, depth);
    fields[i].nullable = fields[i].type.kind == WH_NULL || take(s) % 3;
  }
  return fields;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most) {
  uint64_t span = (uint64_t)most - (uint64_t)least + 1;
  if (value >= least && value <= most) return value;
  return span ? (int64_t)((uint64_t)least + (uint64_t)value % span) : value;
}

static wh_status add_integer(source *s, wh_column *c, wh_error *err) {
  __int128 least, most;
  int64_t value = (int64_t)take_wide(s);
  if (c->type.kind == WH_UINT64) return wh_column_add_u64(c, (uint64_t)value, err);
  if (wh_kind_is_int(c->type.kind)) {
    wh_int_range(c->type.kind, &least, &most);
    return wh_column_add_i64(c, clamp(value, (int64_t)least, (int64_t)most), err);
  }
  static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
  if (c->type.kind == WH_DATE) return wh_column_add_i64(c, (int32_t)value % 3000000, err);
  if (c->type.kind == WH_TIME)
    value = clamp(value, 0, 86400 * per_second[c->type.unit] - 1);
  else if (c->type.unit < WH_UNIT_US)
    value = clamp(value, -62000000000 * per_second[c->type.unit],
                  250000000000 * per_second[c->type.unit]);
  return wh_column_add_i64(c, value, err);
}

static wh_status add_float(source *s, wh_column *c, wh_error *err) {
  uint64_t bits = take_wide(s);
  double value = (double)(int64_t)bits / 100;
  if (take(s) & 1) memcpy(&value, &bits, sizeof value);
  if (value != value) value = __builtin_nan("");
  if (c->type.kind == WH_FLOAT32) value = (double)(float)value;
  return wh_column_add_f64(c, value, err);
}

static wh_status add_text(source *s, wh_column *c, wh_error *err) {
  static const char *const pieces[] = {"a",
                                       "\"",
                                       "\\",
                                       "\n",
                                       "\x01",
                                       "\u00e9",
                                       "\U0001F600",
                                       "}",
                                       ",",
                                       ":",
                                       "[",
                                       " ",
                                       "plain text of some length",
                                       "\x7F"};
  char text[TEXT_MAX + 32];
  size_t len = 0;
  for (unsigned n = take(s) % 12; n && len < TEXT_MAX; n--) {
    const char *piece = pieces[take(s) % (sizeof pieces / sizeof *pieces)];
    memcpy(text + len, piece, strlen(piece));
    len += strlen(piece);
  }
  return wh_column_add_text(c, wh_str_n(text, len), err);
}

static wh_status add_value(source *s, wh_column *c, bool nullable, wh_error *err);

static wh_status add_nested(source *s, wh_column *c, wh_error *err) {
  if (c->type.kind == WH_STRUCT) {
    for (uint32_t i = 0; i < c->type.field_count; i++)
      WH_TRY(add_value(s, &c->children[i], c->type.fields[i].nullable, err));
    return wh_column_add_struct(c, err);
  }
  WH_TRY(wh_column_grow(c, 1, 0, err));
  for (unsigned n = take(s) % 4; n; n--)
    WH_TRY(add_value(s, &c->children[0], c->type.fields[0].nullable, err));
  return wh_column_add_list(c, err);
}

static wh_status add_value(source *s, wh_column *c, bool nullable, wh_error *err) {
  if (c->type.kind == WH_NULL || (nullable && take(s) % 4 == 0)) return wh_column_add_null(c, err);
  switch (c->type.kind) {
  case WH_BOOL:
    return wh_column_add_bool(c, take(s) & 1, err);
  case WH_FLOAT32:
  case WH_FLOAT64:
    return add_float(s, c, err);
  case WH_DECIMAL: {
    __int128 value = (__int128)((unsigned __int128)take_wide(s) << 60) + (int64_t)take_wide(s);
    return wh_column_add_decimal(c, value % wh_pow10(c->type.precision), err);
  }
  case WH_STRING:
  case WH_BINARY:
    return add_text(s, c, err);
  case WH_LIST:
  case WH_STRUCT:
    return add_nested(s, c, err);
  default:
    return add_integer(s, c, err);
  }
}

static void check_read(codec_run *run, const wh_batch *batch, wh_str text) {
  wh_error err;
  wh_status status = codec_run_read(run, text, &err);
  if (status != WH_OK) fprintf(stderr, "%s\n", err.text);
  must(status == WH_OK, "what was written is read");
  if (run->reject_count) fprintf(stderr, "%.*s\n", WH_STR_ARG(wh_buf_str(&run->rejects)));
  must(run->reject_count == 0 && run->row_count == batch->rows, "every row is read");
  must(run->sum == wh_batch_hash_sum(batch), "the rows are the same");
}

static void round_trip(wh_mem *mem, const wh_batch *batch, uint8_t how) {
  wh_error err;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, mem, 0);
  codec_run run;
  codec_run_init(&run, mem, how & 1 ? &wh_codec_json : &wh_codec_ndjson);
  run.given = batch->schema;
  must(codec_run_write(mem, run.codec, batch, &text, &err) == WH_OK, "it is written");
  // What is read is written again: in blocks, without NULLs.
  wh_json_write_options options = {.nulls = how & 2 ? WH_JSON_NULLS_OMIT : WH_JSON_NULLS_KEEP};
  run.copy_codec = how & 4 ? &wh_codec_json : &wh_codec_ndjson;
  run.copy_options = &options;
  run.block_bytes = how & 8 ? 100 : 0;
  run.part_bytes = how & 16 ? 200 : 0;
  json_fast_off = how & 32;
  run.row_limit = how & 64 ? 4096 : 0;
  check_read(&run, batch, wh_buf_str(&text));
  wh_buf_clear(&text);
  must(wh_buf_add_str(&text, wh_buf_str(&run.copy)), "memory");
  run.codec = run.copy_codec;
  run.copy_codec = NULL;
  check_read(&run, batch, wh_buf_str(&text));
  json_fast_off = false;
  codec_run_free(&run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  source s = {data, data + size};
  wh_mem mem;
  wh_error err;
  wh_mem_init(&mem, 0);
  uint8_t how = take(&s);
  {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &mem);
    size_t count = take(&s) % (COLUMNS_MAX + 1);
    wh_schema schema = {count, make_fields(&s, &arena, count, 0)};
    wh_batch batch;
    must(wh_batch_init(&batch, &mem, &schema, &err) == WH_OK, "memory");
    for (int rows = 0; rows < ROWS_MAX && s.at < s.end; rows++) {
      take(&s); // so that rows without columns come to an end
      for (size_t i = 0; i < count; i++)
        must(add_value(&s, &batch.columns[i], schema.fields[i].nullable, &err) == WH_OK, "memory");
      wh_batch_row_end(&batch);
    }
    round_trip(&mem, &batch, how);
    wh_batch_free(&batch);
  }
  must(atomic_load(&mem.used) == 0, "all memory is given back");
  return 0;
}
