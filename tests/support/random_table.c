#include "random_table.h"

#include "data/number.h"
#include "data/temporal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum how { CONSTANT, FEW, MANY, SEQUENCE, RUNS, ENDS, HOWS } how;

struct random_shape {
  how how;
  uint32_t null_in; // one value of so many is NULL; 0: none; 1: all
  uint32_t few;     // distinct values
  uint32_t text_most;
  uint32_t items_most;
  uint64_t base, left, last; // of a sequence or a run
  random_shape *inner;       // of a list's items or a struct's fields
};

enum { FIELDS_MOST = 4, TEXT_SHORT = 12, TEXT_LONG = 300, CHOICE_BYTES = 4 };

static uint64_t next(random_table *t) {
  uint64_t x = t->state;
  if (t->choices_len >= CHOICE_BYTES) {
    uint32_t choice;
    memcpy(&choice, t->choices, CHOICE_BYTES);
    t->choices += CHOICE_BYTES;
    t->choices_len -= CHOICE_BYTES;
    t->state += choice;
    return (uint64_t)choice << 32 | (uint64_t)choice << 11;
  }
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  t->state = x;
  return x * 2685821657736338717ull;
}

uint64_t random_table_below(random_table *t, uint64_t n) {
  return n ? (next(t) >> 11) % n : 0;
}

static bool one_in(random_table *t, uint64_t n) {
  return random_table_below(t, n) == 0;
}

// --- Schemas -------------------------------------------------------------------------------------

static wh_type random_scalar(random_table *t) {
  wh_type type = wh_type_of((wh_kind)(WH_BOOL + random_table_below(t, WH_BINARY)));
  if (one_in(t, 4)) type.kind = WH_STRING;
  if (one_in(t, 30)) type.kind = WH_NULL;
  if (type.kind == WH_TIME || type.kind == WH_TIMESTAMP)
    type.unit = (wh_unit)random_table_below(t, 4);
  if (type.kind == WH_TIMESTAMP) type.zoned = one_in(t, 2);
  if (type.kind == WH_DECIMAL) {
    type.precision = (uint8_t)(1 + random_table_below(t, WH_DECIMAL_DIGITS_MAX));
    type.scale = (uint8_t)random_table_below(t, (uint64_t)type.precision + 1);
  }
  return type;
}

static void make_fields(random_table *t, size_t count, int depth, bool item, wh_field **ret,
                        random_shape **ret_shapes);

static wh_type random_type(random_table *t, int depth, random_shape *shape) {
  uint64_t pick = depth > 0 ? random_table_below(t, 6) : 5;
  wh_field *fields;
  if (pick > 1) return random_scalar(t);
  wh_type type = wh_type_of(pick ? WH_LIST : WH_STRUCT);
  type.field_count = pick ? 1 : (uint32_t)(1 + random_table_below(t, FIELDS_MOST));
  make_fields(t, type.field_count, depth - 1, pick, &fields, &shape->inner);
  type.fields = fields;
  return type;
}

static void make_fields(random_table *t, size_t count, int depth, bool item, wh_field **ret,
                        random_shape **ret_shapes) {
  static const uint32_t nulls[] = {0, 0, 2, 10, 1000, 1};
  wh_field *fields = WH_NEW_ARRAY(&t->arena, count, wh_field);
  random_shape *shapes = WH_NEW_ARRAY(&t->arena, count, random_shape);
  if (!fields || !shapes) abort();
  for (size_t i = 0; i < count; i++) {
    random_shape *s = &shapes[i];
    *s = (random_shape){.how = (how)random_table_below(t, HOWS),
                        .null_in = nulls[random_table_below(t, sizeof nulls / sizeof *nulls)],
                        .few = 2 + (uint32_t)random_table_below(t, 300),
                        .text_most = one_in(t, 4) ? TEXT_LONG : TEXT_SHORT,
                        .items_most = one_in(t, 4) ? 20 : 4,
                        .base = next(t)};
    wh_str name = one_in(t, 10) ? wh_arena_printf(&t->arena, "c %zu. \"é'", i)
                                : wh_arena_printf(&t->arena, "c%zu", i);
    fields[i] = (wh_field){.name = item ? WH_STR("item") : name,
                           .type = random_type(t, depth, s),
                           .nullable = s->null_in || one_in(t, 2),
                           .privacy = WH_INTERNAL};
    if (fields[i].type.kind == WH_NULL) fields[i].nullable = true;
  }
  *ret = fields;
  *ret_shapes = shapes;
}

static void make_table(random_table *t, wh_mem *mem, size_t columns_most, size_t rows_most,
                       int depth) {
  wh_arena_init(&t->arena, mem);
  wh_field *fields;
  t->schema.count = 1 + random_table_below(t, columns_most);
  make_fields(t, t->schema.count, depth, false, &fields, &t->shapes);
  t->schema.fields = fields;
  t->rows = one_in(t, 8) ? random_table_below(t, 4) : random_table_below(t, rows_most + 1);
}

void random_table_init(random_table *t, wh_mem *mem, uint64_t seed, size_t columns_most,
                       size_t rows_most, int depth) {
  *t = (random_table){.state = seed * 0x9E3779B97F4A7C15ull | 1};
  for (int i = 0; i < 8; i++)
    next(t);
  make_table(t, mem, columns_most, rows_most, depth);
}

void random_table_init_from(random_table *t, wh_mem *mem, const uint8_t *choices, size_t len,
                            size_t columns_most, size_t rows_most, int depth) {
  *t = (random_table){.state = 1, .choices = choices, .choices_len = len};
  make_table(t, mem, columns_most, rows_most, depth);
}

void random_table_free(random_table *t) {
  wh_arena_free(&t->arena);
}

// --- Values --------------------------------------------------------------------------------------

// A word that tells the value: most kinds take the bits they need of it.
static uint64_t random_word(random_table *t, random_shape *s) {
  switch (s->how) {
  case CONSTANT:
    return s->base;
  case FEW:
    return (s->base + random_table_below(t, s->few)) * 0x9E3779B97F4A7C15ull;
  case SEQUENCE:
    s->last += random_table_below(t, 3);
    return (s->base >> 20) + s->last;
  case RUNS:
    if (s->left == 0) {
      s->left = 1 + random_table_below(t, 200);
      s->last = next(t);
    }
    s->left--;
    return s->last;
  case ENDS:
    return one_in(t, 2) ? UINT64_MAX - random_table_below(t, 3) : random_table_below(t, 3);
  default:
    return next(t);
  }
}

static wh_status add_text(random_table *t, random_shape *s, wh_column *c, wh_error *err) {
  static const char *const letters[] = {
      "a", "b", "-", "é", "€", "😀", "\x7f", "\"", " ", "zz", "\xf4\x8f\xbf\xbf"};
  uint64_t word = random_word(t, s);
  char text[TEXT_LONG * 4 + 1];
  size_t len = 0;
  size_t count = s->how == ENDS && (word & 1) ? 0 : word % (s->text_most + 1);
  bool common = (s->base & 3) == 0; // all begin with the same
  for (size_t i = 0; i < count; i++) {
    word = common && i < 70 ? s->base : word * 6364136223846793005ull + 1442695040888963407ull;
    if (c->type.kind == WH_BINARY) {
      text[len++] = (char)(s->how == ENDS ? 0xFF : word >> 56);
    } else {
      const char *letter = letters[(word >> 40) % (s->how == MANY ? 11 : 4)];
      if (s->how == ENDS) letter = letters[10];
      memcpy(text + len, letter, strlen(letter));
      len += strlen(letter);
    }
  }
  return wh_column_add_text(c, wh_str_n(text, len), err);
}

static wh_status add_float(random_table *t, random_shape *s, wh_column *c, wh_error *err) {
  static const double ends[] = {0.0,       -0.0,     NAN,         INFINITY, -INFINITY,
                                5e-324,    1e308,    -1e308,      1.5,      3.4e38,
                                -1.17e-38, 1.4e-45f, 16777217.0f, -2.25,    0.1f};
  uint64_t word = random_word(t, s);
  double value;
  if (s->how == ENDS || (s->base & 7) == 1)
    value = ends[(word >> 3) % (sizeof ends / sizeof *ends)];
  else if (s->base & 1)
    value = (double)(int64_t)(word >> 44) / 100;
  else if (c->type.kind == WH_FLOAT32)
    value = (double)(int32_t)word / 64;
  else
    memcpy(&value, &word, sizeof value);
  if (c->type.kind == WH_FLOAT32) value = (float)value;
  return wh_column_add_f64(c, value, err);
}

static wh_status add_decimal(random_table *t, random_shape *s, wh_column *c, wh_error *err) {
  __int128 most = wh_pow10(c->type.precision);
  unsigned __int128 word = random_word(t, s);
  __int128 value;
  if (s->how == ENDS) {
    value = word & 1 ? most - 1 : 0;
  } else {
    word = word * 0x9E3779B97F4A7C15ull * 0xC2B2AE3D27D4EB4Full ^ word << 61;
    value = (__int128)(word >> 1) % most;
    if (s->base & 2) value %= 100000;
  }
  return wh_column_add_decimal(c, s->base >> 9 & word & 1 ? -value : value, err);
}

static wh_status add_number(random_table *t, random_shape *s, wh_column *c, wh_error *err) {
  wh_kind kind = c->type.kind;
  uint64_t word = random_word(t, s);
  if (s->how == MANY && (s->base & 4)) word &= 0xFFF;
  if (kind >= WH_UINT8 && kind <= WH_UINT64)
    return wh_column_add_u64(c, word & (UINT64_MAX >> (64 - 8 * wh_kind_width(kind))), err);
  int64_t per_second = wh_unit_per_second(c->type.unit);
  if (kind == WH_TIME)
    return wh_column_add_i64(c, (int64_t)(word % (86400 * (uint64_t)per_second)), err);
  if (kind == WH_DATE) return wh_column_add_i64(c, (int64_t)(word % 4000000) - 1000000, err);
  if (kind == WH_TIMESTAMP) {
    uint64_t range = 18000000000ull * (uint64_t)per_second; // about 1685 to 2255
    return wh_column_add_i64(c, (int64_t)(word % range - range / 2), err);
  }
  int unused = 64 - 8 * (int)wh_kind_width(kind);
  return wh_column_add_i64(c, (int64_t)(word << unused) >> unused, err);
}

static wh_status add_value(random_table *t, random_shape *s, const wh_field *field, wh_column *c,
                           wh_error *err) {
  wh_kind kind = field->type.kind;
  if (kind == WH_NULL || (s->null_in && one_in(t, s->null_in))) return wh_column_add_null(c, err);
  switch (kind) {
  case WH_BOOL:
    return wh_column_add_bool(c, random_word(t, s) >> 17 & 1, err);
  case WH_DECIMAL:
    return add_decimal(t, s, c, err);
  case WH_FLOAT32:
  case WH_FLOAT64:
    return add_float(t, s, c, err);
  case WH_STRING:
  case WH_BINARY:
    return add_text(t, s, c, err);
  case WH_LIST:
    for (uint64_t n = random_table_below(t, s->items_most); n; n--)
      WH_TRY(add_value(t, s->inner, field->type.fields, &c->children[0], err));
    return wh_column_add_list(c, err);
  case WH_STRUCT:
    for (uint32_t i = 0; i < field->type.field_count; i++)
      WH_TRY(add_value(t, &s->inner[i], &field->type.fields[i], &c->children[i], err));
    return wh_column_add_struct(c, err);
  default:
    return add_number(t, s, c, err);
  }
}

wh_status random_table_fill(random_table *t, wh_batch *batch, size_t rows, wh_error *err) {
  for (; rows; rows--) {
    for (size_t i = 0; i < t->schema.count; i++)
      WH_TRY(add_value(t, &t->shapes[i], &t->schema.fields[i], &batch->columns[i], err));
    wh_batch_row_end(batch);
  }
  return WH_OK;
}

// --- The canonical text --------------------------------------------------------------------------

static bool write_wide(__int128 value, wh_buf *out) {
  return wh_decimal_write(value, 0, out);
}

static bool write_float(const wh_column *c, size_t row, wh_buf *out) {
  double value = wh_column_f64(c, row);
  if (isnan(value)) return wh_buf_add_c(out, "\"nan\"");
  if (c->type.kind == WH_FLOAT32) {
    float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return wh_buf_printf(out, "\"%08x\"", bits);
  }
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return wh_buf_printf(out, "\"%016llx\"", (unsigned long long)bits);
}

static bool write_cell(const wh_column *c, size_t row, wh_buf *out) {
  if (wh_column_is_null(c, row)) return wh_buf_add_c(out, "null");
  int64_t nanos = 1000000000 / wh_unit_per_second(c->type.unit);
  switch (c->type.kind) {
  case WH_BOOL:
    return wh_buf_add_c(out, wh_column_bool(c, row) ? "true" : "false");
  case WH_UINT64:
    return wh_buf_add_u64(out, wh_column_u64(c, row));
  case WH_FLOAT32:
  case WH_FLOAT64:
    return write_float(c, row, out);
  case WH_DECIMAL:
    return write_wide(wh_column_decimal(c, row), out);
  case WH_TIME:
  case WH_TIMESTAMP:
    return write_wide((__int128)wh_column_i64(c, row) * nanos, out);
  case WH_STRING:
    return wh_buf_add_json(out, wh_column_text(c, row));
  case WH_BINARY: {
    wh_str text = wh_column_text(c, row);
    return wh_buf_add_char(out, '"') && wh_buf_add_hex(out, text.data, text.len) &&
           wh_buf_add_char(out, '"');
  }
  case WH_LIST:
  case WH_STRUCT: {
    bool list = c->type.kind == WH_LIST;
    size_t from = list ? (size_t)c->offsets[row] : 0;
    size_t end = list ? (size_t)c->offsets[row + 1] : c->child_count;
    bool ok = wh_buf_add_char(out, '[');
    for (size_t i = from; ok && i < end; i++) {
      ok = (i == from || wh_buf_add_char(out, ',')) &&
           write_cell(&c->children[list ? 0 : i], list ? i : row, out);
    }
    return ok && wh_buf_add_char(out, ']');
  }
  default:
    return wh_buf_add_i64(out, wh_column_i64(c, row));
  }
}

bool random_table_write_row(const wh_batch *batch, size_t row, wh_buf *out) {
  bool ok = wh_buf_add_char(out, '[');
  for (size_t i = 0; ok && i < batch->schema->count; i++)
    ok = (i == 0 || wh_buf_add_char(out, ',')) && write_cell(&batch->columns[i], row, out);
  return ok && wh_buf_add_c(out, "]\n");
}
