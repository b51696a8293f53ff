// map: codes become words. The codes are values of the column's type; the words are text.
#include "step/steps.h"
#include "step/value_set.h"

typedef struct map_word {
  wh_str text;
  bool is_null;
} map_word;

typedef struct map_column {
  size_t at; // of the schema
  wh_value_set set;
  const map_word *words; // by the set's index
  bool has_null;         // what NULL becomes; without it, it stays
  map_word null_word;
  bool has_else; // what a code without a word becomes; without it, the row is rejected
  map_word else_word;
} map_column;

typedef struct map_step {
  wh_frame frame;
  map_column **columns; // of each column of the schema; NULL: it passes
} map_step;

static wh_status map_row(map_step *self, const map_column *map, const wh_batch *in, size_t row,
                         wh_column *out, wh_rejects *rejects, wh_error *err) {
  const wh_column *from = &in->columns[map->at];
  map_word word = {.is_null = true};
  if (wh_column_is_null(from, row)) {
    if (map->has_null) word = map->null_word;
  } else {
    ptrdiff_t found = wh_value_set_find(&map->set, from, row);
    if (found >= 0) {
      word = map->words[found];
    } else if (map->has_else) {
      word = map->else_word;
    } else if (wh_frame_keeps(&self->frame, row)) {
      wh_buf *text = &self->frame.text;
      wh_buf_clear(text);
      wh_step_show_value(text, &in->schema->fields[map->at], from, row);
      wh_buf_add_c(text, " has no word in the map");
      WH_TRY(wh_buf_check(text, err));
      WH_TRY(wh_frame_reject(&self->frame, in, row, rejects, "map",
                             in->schema->fields[map->at].name, wh_buf_str(text), err));
    }
  }
  return word.is_null ? wh_column_add_null(out, err) : wh_column_add_text(out, word.text, err);
}

static wh_status map_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                          wh_error *err) {
  map_step *self = (map_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->frame.schema.count; i++) {
    if (!self->columns[i]) {
      wh_column_borrow(&out->columns[i], &in->columns[i]);
      continue;
    }
    for (size_t row = 0; row < in->rows; row++)
      WH_TRY(map_row(self, self->columns[i], in, row, &out->columns[i], rejects, err));
  }
  return wh_frame_end(&self->frame, out, err);
}

static wh_status read_word(const wh_node *node, wh_arena *arena, map_word *ret, wh_error *err) {
  if (wh_node_is_null(node)) {
    *ret = (map_word){.is_null = true};
    return WH_OK;
  }
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, "map", "a word", err));
  if (!wh_utf8_valid(node->text))
    return wh_node_fail(node, err, "map: the word is not valid UTF-8");
  *ret = (map_word){.text = wh_arena_str(arena, node->text)};
  return ret->text.data ? WH_OK : wh_fail_memory(err);
}

// `else` and `~` stand for themselves only without quotes.
static bool is_else(const wh_node *key) {
  return key->kind == WH_NODE_SCALAR && key->plain && wh_str_is(key->text, "else");
}

// The entries of one column's map: words by code, and the two special ones.
static wh_status read_entries(map_column *map, wh_arena *arena, const wh_field *field,
                              const wh_node *entries, wh_error *err) {
  const wh_node **codes = WH_NEW_ARRAY(arena, entries->count, const wh_node *);
  map_word *words = WH_NEW_ARRAY(arena, entries->count, map_word);
  if (!codes || !words) return wh_fail_memory(err);
  size_t count = 0;
  for (size_t i = 0; i < entries->count; i++) {
    const wh_node *key = entries->entries[i].key;
    map_word word;
    WH_TRY(read_word(entries->entries[i].value, arena, &word, err));
    if (is_else(key)) {
      map->has_else = true;
      map->else_word = word;
    } else if (wh_node_is_null(key)) {
      map->has_null = true;
      map->null_word = word;
    } else {
      codes[count] = key;
      words[count++] = word;
    }
  }
  map->words = words;
  return wh_value_set_build(&map->set, arena, field, codes, count, entries, "map", err);
}

// Whether the mapped column can hold NULL.
static bool gives_null(const map_column *map, bool nullable) {
  if (nullable && (!map->has_null || map->null_word.is_null)) return true;
  if (map->has_else && map->else_word.is_null) return true;
  for (size_t i = 0; i < map->set.count; i++) {
    if (map->words[i].is_null) return true;
  }
  return false;
}

static wh_status read_columns(map_step *self, const wh_node *options, wh_error *err) {
  wh_frame *frame = &self->frame;
  WH_TRY(wh_node_expect(options, WH_NODE_MAP, "map", "a map of columns", err));
  self->columns = WH_NEW_ARRAY(&frame->arena, frame->schema.count, map_column *);
  if (!self->columns) return wh_fail_memory(err);
  for (size_t i = 0; i < options->count; i++) {
    const wh_node *entries = options->entries[i].value;
    map_column *map = WH_NEW(&frame->arena, map_column);
    if (!map) return wh_fail_memory(err);
    WH_TRY(wh_column_by_node(&frame->schema, options->entries[i].key, "map", &map->at, err));
    WH_TRY(wh_node_expect(entries, WH_NODE_MAP, "map", "a map of codes to words", err));
    wh_field *field = &frame->fields[map->at];
    WH_TRY(read_entries(map, &frame->arena, field, entries, err));
    field->nullable = gives_null(map, field->nullable);
    field->type = wh_type_of(WH_STRING);
    self->columns[map->at] = map;
  }
  return WH_OK;
}

static wh_status map_bind(const wh_step_context *context, const wh_node *options,
                          const wh_schema *in, wh_step **ret, wh_error *err) {
  map_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = map_push;
  wh_status status = read_columns(self, options, err);
  if (status != WH_OK) {
    wh_frame_free(&self->frame);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_map = {
    .name = "map",
    .shape = "{ column: { code: word, ..., ~: word, else: word } }",
    .help = "turns codes into words (text); without else, a row with an unknown code is rejected",
    .example = "map: { status_code: { 1: Open, 2: Shipped, else: Unknown } }",
    .bind = map_bind,
};
