#include "codec/json/decode.h"

#include "codec/json/text.h"

static bool decode_value(json_decoder *d, json_slot *slot, wh_column *column);

// Most texts are short: 32 bytes are copied whether they are needed or not, which beats asking how
// many are. Both sides have the room: the window its padding, the column what was checked.
static bool add_plain(json_decoder *d, wh_column *c, wh_str text) {
  enum { SHORT = 32 };
  if (__builtin_expect(text.len <= SHORT && c->length < c->rows_cap, 1)) {
    size_t used = (size_t)c->offsets[c->length];
    if (c->bytes_cap >= SHORT && used <= c->bytes_cap - SHORT) {
      memcpy(c->bytes + used, text.data, SHORT);
      c->offsets[c->length + 1] = (int32_t)(used + text.len);
      wh_column_added_(c);
      return true;
    }
  }
  return wh_column_add_text(c, text, d->err) == WH_OK || json_append_failed(d);
}

bool json_add_escaped(json_decoder *d, wh_column *c, const json_value *value) {
  // Room for what is written beyond the end, too.
  if (wh_column_grow(c, 1, value->text.len + JSON_TEXT_SLACK, d->err) != WH_OK) {
    return json_append_failed(d);
  }
  size_t used = (size_t)c->offsets[c->length], len;
  if (!json_text_unescape(d->feed, value, (char *)c->bytes + used, &len)) return false;
  c->offsets[c->length + 1] = (int32_t)(used + len);
  wh_column_added_(c);
  return true;
}

static bool decode_int(json_decoder *d, json_slot *slot, wh_column *column, wh_str token) {
  json_number number;
  int64_t whole;
  if (!json_number_parse(token.data, token.data + token.len, &number) ||
      !json_number_fast_i64(&number, &whole)) {
    return json_convert_scalar(d, slot, column, token);
  }
  if (!json_note_int(&d->notes, slot, whole)) return json_no_memory(d);
  return wh_column_add_i64(column, whole, d->err) == WH_OK || json_append_failed(d);
}

static bool decode_float(json_decoder *d, json_slot *slot, wh_column *column, wh_str token) {
  json_number number;
  double value;
  if (!json_number_parse(token.data, token.data + token.len, &number) ||
      !json_number_fast_f64(&number, &value) ||
      (slot->shape && !json_number_survives_f64(token, &number, value))) {
    return json_convert_scalar(d, slot, column, token);
  }
  if (!json_note_float(&d->notes, slot, &number)) return json_no_memory(d);
  return wh_column_add_f64(column, value, d->err) == WH_OK || json_append_failed(d);
}

static bool decode_bool(json_decoder *d, json_slot *slot, wh_column *column, wh_str token) {
  bool yes = token.len == 4 && memcmp(token.data, "true", 4) == 0;
  bool no = token.len == 5 && memcmp(token.data, "false", 5) == 0;
  if (!yes && !no) return json_convert_scalar(d, slot, column, token);
  return wh_column_add_bool(column, yes, d->err) == WH_OK || json_append_failed(d);
}

static bool decode_scalar(json_decoder *d, json_slot *slot, wh_column *column, wh_str token) {
  switch (slot->type.kind) {
  case WH_INT64:
    return decode_int(d, slot, column, token);
  case WH_FLOAT64:
    return decode_float(d, slot, column, token);
  case WH_BOOL:
    return decode_bool(d, slot, column, token);
  default:
    return json_convert_scalar(d, slot, column, token);
  }
}

// --- Objects -------------------------------------------------------------------------------------

// The slot of a key: usually the one that follows the last key's.
static inline json_slot *guess_slot(const json_plan *plan, const json_value *key, uint32_t at) {
  if (at < plan->count && key->plain &&
      json_name_eq(plan->order[at]->name, key->text.data, key->text.len)) {
    return plan->order[at];
  }
  return NULL;
}

// The key's name: in the window, or unescaped in the scratch.
static bool key_name(json_decoder *d, const json_value *key, wh_str *ret) {
  *ret = key->text;
  if (key->plain) return true;
  char *out = wh_arena_alloc(&d->scratch, key->text.len + JSON_TEXT_SLACK);
  if (!out) return json_no_memory(d);
  ret->data = out;
  return json_text_unescape(d->feed, key, out, &ret->len);
}

// *ret is NULL for a key that no column has.
static bool find_slot(json_decoder *d, const json_plan *plan, const json_value *key,
                      json_slot **ret) {
  wh_str name;
  if (!key_name(d, key, &name)) return false;
  *ret = json_plan_find(plan, name);
  return true;
}

static bool unknown_key(json_decoder *d, json_plan *plan, const json_value *key) {
  if (plan->by_column && d->options->wanted) {
    wh_str name;
    if (!key_name(d, key, &name)) return false;
    if (!json_layout_wants(d->options, plan->prefix, name, &d->scratch)) {
      json_plan_pass_over(plan, name, d->arena);
      return json_skip(d->feed, false);
    }
  }
  if (d->unknown == JSON_UNKNOWN_IGNORE) return json_skip(d->feed, true);
  size_t at = json_at(d->feed, key->text.data) - 1;
  json_fault_at(d->feed, JSON_MISFIT, at, "there is no column for the key '%.*s'",
                WH_STR_ARG(key->text));
  d->feed->fault.rule = "unknown";
  // The window may move before the fault is told.
  d->feed->fault.column = wh_arena_str(&d->scratch, key->text);
  return false;
}

static bool add_missing(json_decoder *d, json_plan *plan, wh_column *columns, uint64_t object) {
  for (uint32_t i = 0; i < plan->count; i++) {
    json_slot *slot = &plan->slots[i];
    if (slot->object == object || slot->column < 0) continue;
    if (slot->nullable) {
      if (wh_column_add_null(&columns[slot->column], d->err) != WH_OK) return json_append_failed(d);
      continue;
    }
    json_fault_at(d->feed, JSON_MISFIT, d->feed->pos - 1, "'%.*s' is missing",
                  WH_STR_ARG(slot->name));
    d->feed->fault.rule = "missing";
    d->feed->fault.column = slot->name;
    return false;
  }
  return true;
}

static bool stands_twice(json_decoder *d, const json_slot *slot, const json_value *key) {
  json_fault_at(d->feed, JSON_BAD, json_at(d->feed, key->text.data) - 1,
                "the key '%.*s' stands twice in one object", WH_STR_ARG(slot->name));
  d->feed->fault.column = slot->name;
  return false;
}

static bool decode_members(json_decoder *d, json_plan *plan, wh_column *columns, bool row) {
  json_feed *feed = d->feed;
  uint64_t object = ++d->objects;
  uint32_t next = 0, seen = 0, found = 0;
  bool as_expected = true;
  for (bool first = true, done;; first = false) {
    json_value key;
    if (!json_take_key(feed, first, &key, &done)) return false;
    if (done) break;
    json_slot *slot = guess_slot(plan, &key, next);
    if (!slot && !find_slot(d, plan, &key, &slot)) return false;
    if (!slot) {
      if (!unknown_key(d, plan, &key)) return false;
      continue;
    }
    if (slot->object == object) return stands_twice(d, slot, &key);
    slot->object = object;
    as_expected = as_expected && slot->rank >= next;
    next = slot->rank + 1;
    plan->seen[seen++] = (uint32_t)(slot - plan->slots);
    if (slot->column < 0) {
      if (!json_skip(feed, false)) return false;
      continue;
    }
    found++;
    if (decode_value(d, slot, &columns[slot->column])) continue;
    if (row) feed->fault.column = slot->name;
    return false;
  }
  if (!as_expected) json_plan_learn(plan, seen);
  return found == plan->wanted || add_missing(d, plan, columns, object);
}

static bool decode_struct(json_decoder *d, json_slot *slot, wh_column *column) {
  if (!decode_members(d, slot->fields, column->children, false)) return false;
  return wh_column_add_struct(column, d->err) == WH_OK || json_append_failed(d);
}

// Of a list whose items are only counted.
static bool pass_item(json_decoder *d, wh_column *column) {
  if (!json_skip(d->feed, false)) return false;
  return wh_column_add_null(column, d->err) == WH_OK || json_append_failed(d);
}

static bool decode_list(json_decoder *d, json_slot *slot, wh_column *column) {
  // Its offsets must be there before items are counted.
  if (column->length >= column->rows_cap && wh_column_grow(column, 1, 0, d->err) != WH_OK) {
    return json_append_failed(d);
  }
  bool any = false;
  for (bool first = true, done;; first = false) {
    if (!json_take_comma(d->feed, first, &done)) return false;
    if (done) break;
    json_slot *item = slot->fields->slots;
    if (item->column < 0 ? !pass_item(d, column->children)
                         : !decode_value(d, item, column->children))
      return false;
    any = true;
  }
  if (slot->needs_item && !any) return json_item_missing(d, slot, d->feed->pos - 1);
  return wh_column_add_list(column, d->err) == WH_OK || json_append_failed(d);
}

static bool decode_value(json_decoder *d, json_slot *slot, wh_column *column) {
  json_value value;
  if (!json_take_value(d->feed, &value)) return false;
  switch (value.kind) {
  case JSON_TEXT:
    if (slot->type.kind != WH_STRING) return json_convert_text(d, slot, column, &value);
    return value.plain ? add_plain(d, column, value.text) : json_add_escaped(d, column, &value);
  case JSON_SCALAR:
    return decode_scalar(d, slot, column, value.text);
  case JSON_OBJECT:
    if (slot->type.kind == WH_STRUCT) return decode_struct(d, slot, column);
    return json_misfit(d, slot, d->feed->pos - 1, "an object");
  default:
    if (slot->type.kind == WH_LIST) return decode_list(d, slot, column);
    return json_misfit(d, slot, d->feed->pos - 1, "an array");
  }
}

bool json_decode_row(json_decoder *decoder, wh_batch *batch) {
  json_value value;
  size_t at = decoder->feed->pos;
  if (!json_take_value(decoder->feed, &value)) return false;
  if (value.kind != JSON_OBJECT) {
    if (!json_check_value(decoder->feed, &value)) return false;
    return json_fault_at(decoder->feed, JSON_BAD, at, "a row must be an object, found %s",
                         value.kind == JSON_ARRAY  ? "an array"
                         : value.kind == JSON_TEXT ? "text"
                                                   : "a single value");
  }
  return decode_members(decoder, decoder->plan, batch->columns, true);
}

void json_decode_undo(json_decoder *decoder, wh_batch *batch) {
  json_notes_undo(&decoder->notes);
  wh_batch_row_undo(batch);
}
