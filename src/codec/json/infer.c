#include "codec/json/infer.h"

#include "codec/json/text.h"

enum {
  MEMBERS_FIRST = 16,
  INDEX_FROM = 32, // members, from which on they are found by hash
};

static uint32_t hash_name(wh_str name) {
  uint32_t h = 2166136261u; // FNV-1a
  for (size_t i = 0; i < name.len; i++)
    h = (h ^ (unsigned char)name.data[i]) * 16777619u;
  return h ^ h >> 15;
}

static json_member *find_member(const json_shape *shape, wh_str name) {
  if (!shape->slots) {
    for (uint32_t i = 0; i < shape->count; i++) {
      if (wh_str_eq(shape->members[i].name, name)) return &shape->members[i];
    }
    return NULL;
  }
  uint32_t mask = shape->slot_count - 1;
  for (uint32_t i = hash_name(name) & mask; shape->slots[i]; i = (i + 1) & mask) {
    json_member *member = &shape->members[shape->slots[i] - 1];
    if (wh_str_eq(member->name, name)) return member;
  }
  return NULL;
}

static void put_slot(json_shape *shape, uint32_t number) {
  uint32_t mask = shape->slot_count - 1;
  uint32_t i = hash_name(shape->members[number].name) & mask;
  while (shape->slots[i])
    i = (i + 1) & mask;
  shape->slots[i] = number + 1;
}

// Room for one more member.
static bool grow_members(json_shape *shape, wh_arena *arena) {
  if (shape->count < shape->cap) return true;
  uint32_t cap = shape->cap ? shape->cap * 2 : MEMBERS_FIRST;
  json_member *members = WH_NEW_ARRAY(arena, cap, json_member);
  uint32_t *slots = cap > INDEX_FROM ? WH_NEW_ARRAY(arena, cap * 2, uint32_t) : NULL;
  if (!members || (cap > INDEX_FROM && !slots)) return false;
  if (shape->count) memcpy(members, shape->members, shape->count * sizeof *members);
  shape->members = members;
  shape->cap = cap;
  shape->slots = slots;
  shape->slot_count = cap * 2;
  for (uint32_t i = 0; slots && i < shape->count; i++)
    put_slot(shape, i);
  return true;
}

// NULL without memory. `name` stays where it is.
static json_member *add_member(json_shape *shape, wh_str name, wh_arena *arena) {
  json_shape *child = WH_NEW(arena, json_shape);
  if (!child || !grow_members(shape, arena)) return NULL;
  shape->members[shape->count++] = (json_member){.name = name, .shape = child};
  if (shape->slots) put_slot(shape, shape->count - 1);
  return &shape->members[shape->count - 1];
}

static const char *seen_name(uint8_t seen) {
  switch (seen) {
  case JSON_SEEN_BOOL:
    return "true or false";
  case JSON_SEEN_NUMBER:
    return "a number";
  case JSON_SEEN_TEXT:
    return "text";
  case JSON_SEEN_OBJECT:
    return "an object";
  default:
    return "an array";
  }
}

static uint8_t max_digits(uint8_t a, uint8_t b) {
  return a > b ? a : b;
}

static void join_numbers(json_shape *into, const json_shape *from) {
  into->fraction |= from->fraction;
  into->beyond |= from->beyond;
  into->inexact |= from->inexact;
  into->whole = max_digits(into->whole, from->whole);
  into->scale = max_digits(into->scale, from->scale);
}

static bool number_has_type(const json_shape *shape) {
  if (shape->fraction && !shape->inexact) return true;
  return shape->whole + shape->scale <= WH_DECIMAL_DIGITS_MAX;
}

// --- One row -------------------------------------------------------------------------------------

typedef struct inference {
  json_feed *feed;
  const json_layout_options *options;
  wh_arena *arena;
  wh_error *err;
  int depth;
  uint64_t objects; // seen so far
} inference;

static bool no_memory(inference *in) {
  WH_IGNORE(wh_fail_memory(in->err));
  return json_fault_at(in->feed, JSON_FAILED, in->feed->pos, "memory");
}

// Notes the kind of a value that stands at `at`: all values of a shape are of one.
static bool see_kind(inference *in, json_shape *shape, uint8_t kind, size_t at) {
  if (shape->seen == kind) return true;
  if (shape->seen) {
    return json_fault_at(in->feed, JSON_MISFIT, at, "an array holds both %s and %s",
                         seen_name(shape->seen), seen_name(kind));
  }
  shape->seen = kind;
  shape->first = json_feed_place(in->feed, at);
  return true;
}

static void shape_of_number(wh_str text, const json_number *number, json_shape *ret) {
  *ret = (json_shape){.seen = JSON_SEEN_NUMBER, .fraction = !number->integer};
  json_number_extent(text, &ret->whole, &ret->scale);
  int64_t whole;
  double value;
  // All of 64 bit but the least.
  if (json_number_fast_i64(number, &whole)) {
    ret->inexact = whole > JSON_F64_WHOLE_MAX || whole < -JSON_F64_WHOLE_MAX;
    return;
  }
  ret->beyond = number->integer && !wh_str_to_i64(text, &whole);
  ret->inexact = !(json_number_fast_f64(number, &value) || wh_str_to_f64(text, &value)) ||
                 !json_number_survives_f64(text, number, value);
}

static bool see_number(inference *in, wh_str text, const json_number *number, json_shape *shape) {
  size_t at = json_at(in->feed, text.data);
  json_shape one;
  shape_of_number(text, number, &one);
  if (!see_kind(in, shape, JSON_SEEN_NUMBER, at)) return false;
  join_numbers(shape, &one);
  if (number_has_type(shape)) return true;
  return json_fault_at(in->feed, JSON_MISFIT, at,
                       "the number has more digits than a type keeps (decimals keep %d)",
                       WH_DECIMAL_DIGITS_MAX);
}

static bool see_scalar(inference *in, const json_value *value, json_shape *shape) {
  wh_str s = value->text;
  json_number number;
  if (json_number_parse(s.data, s.data + s.len, &number)) {
    return see_number(in, s, &number, shape);
  }
  if (!json_check_value(in->feed, value)) return false;
  return s.data[0] == 'n' || see_kind(in, shape, JSON_SEEN_BOOL, json_at(in->feed, s.data));
}

static bool see_value(inference *in, json_shape *shape);

// The key's name: in the window, or unescaped in the arena.
static bool key_name(inference *in, const json_value *key, wh_str *ret) {
  *ret = key->text;
  if (key->plain) return true;
  char *name = wh_arena_alloc(in->arena, key->text.len + JSON_TEXT_SLACK);
  if (!name) return no_memory(in);
  ret->data = name;
  return json_text_unescape(in->feed, key, name, &ret->len);
}

static bool see_member(inference *in, json_shape *shape, const json_value *key, uint64_t object) {
  wh_str name;
  if (!key_name(in, key, &name)) return false;
  if (in->depth == 1 && in->options->wanted &&
      !json_layout_wants(in->options, (wh_str){0}, name, in->arena))
    return json_skip(in->feed, false);
  json_member *member = find_member(shape, name);
  if (!member) {
    if (shape->count == WH_COLUMNS_MAX) {
      return json_fault_at(in->feed, JSON_BAD, in->feed->pos, "there are more than %d keys",
                           WH_COLUMNS_MAX);
    }
    member = add_member(shape, name, in->arena);
    if (!member) return no_memory(in);
  } else if (member->object == object) {
    return json_fault_at(in->feed, JSON_BAD, json_at(in->feed, key->text.data) - 1,
                         "the key '%.*s' stands twice in one object", WH_STR_ARG(name));
  }
  member->object = object;
  return see_value(in, member->shape);
}

static bool see_object(inference *in, json_shape *shape) {
  uint64_t object = ++in->objects;
  for (bool first = true, done;; first = false) {
    json_value key;
    if (!json_take_key(in->feed, first, &key, &done)) return false;
    if (done) return true;
    if (!see_member(in, shape, &key, object)) return false;
  }
}

static bool see_array(inference *in, json_shape *shape) {
  for (bool first = true, done;; first = false) {
    if (!json_take_comma(in->feed, first, &done)) return false;
    if (done) return true;
    if (!shape->item && !(shape->item = WH_NEW(in->arena, json_shape))) return no_memory(in);
    if (!see_value(in, shape->item)) return false;
  }
}

static bool see_nested(inference *in, json_shape *shape, json_kind kind) {
  size_t at = in->feed->pos - 1;
  if (in->depth > WH_NESTING_MAX) {
    return json_fault_at(in->feed, JSON_BAD, at, "values are nested more than %d deep",
                         WH_NESTING_MAX);
  }
  bool object = kind == JSON_OBJECT;
  if (!see_kind(in, shape, object ? JSON_SEEN_OBJECT : JSON_SEEN_ARRAY, at)) return false;
  in->depth++;
  if (!(object ? see_object(in, shape) : see_array(in, shape))) return false;
  in->depth--;
  return true;
}

static bool see_value(inference *in, json_shape *shape) {
  json_value value;
  if (!json_take_value(in->feed, &value)) return false;
  switch (value.kind) {
  case JSON_TEXT:
    return json_check_value(in->feed, &value) &&
           see_kind(in, shape, JSON_SEEN_TEXT, json_at(in->feed, value.text.data) - 1);
  case JSON_SCALAR:
    return see_scalar(in, &value, shape);
  default:
    return see_nested(in, shape, value.kind);
  }
}

bool json_infer_row(json_feed *feed, const json_layout_options *options, wh_arena *arena,
                    json_shape **ret, wh_error *err) {
  inference in = {.feed = feed, .options = options, .arena = arena, .err = err};
  json_shape *shape = WH_NEW(arena, json_shape);
  if (!shape) return no_memory(&in);
  size_t at = feed->pos;
  if (!see_value(&in, shape)) return false;
  if (shape->seen != JSON_SEEN_OBJECT) {
    return json_fault_at(feed, JSON_BAD, at, "a row must be an object");
  }
  *ret = shape;
  return true;
}

// --- Together ------------------------------------------------------------------------------------

bool json_shape_fits(const json_shape *into, const json_shape *from, json_conflict *conflict) {
  if (!into->seen || !from->seen || into->seen == JSON_SEEN_FIXED) return true;
  *conflict = (json_conflict){.a = into->first, .b = from->first};
  if (into->seen != from->seen) {
    conflict->what_a = seen_name(into->seen);
    conflict->what_b = seen_name(from->seen);
    return false;
  }
  if (into->seen == JSON_SEEN_NUMBER) {
    json_shape both = *into;
    join_numbers(&both, from);
    conflict->what_a = "a number";
    conflict->what_b = "one with more digits than one type keeps with it";
    return number_has_type(&both);
  }
  for (uint32_t i = 0; i < from->count; i++) {
    const json_member *member = find_member(into, from->members[i].name);
    if (!member || json_shape_fits(member->shape, from->members[i].shape, conflict)) continue;
    conflict->column = from->members[i].name;
    return false;
  }
  return !into->item || !from->item || json_shape_fits(into->item, from->item, conflict);
}

static wh_status merge_members(json_shape *into, const json_shape *from, wh_arena *arena,
                               wh_error *err) {
  for (uint32_t i = 0; i < from->count; i++) {
    json_member *member = find_member(into, from->members[i].name);
    if (!member) {
      if (into->count == WH_COLUMNS_MAX) {
        return wh_fail_at(err, WH_ERR_LIMIT, from->first,
                          "with row %llu the objects have more than %d different keys",
                          (unsigned long long)from->first.row, WH_COLUMNS_MAX);
      }
      wh_str name = wh_arena_str(arena, from->members[i].name);
      if (!name.data || !(member = add_member(into, name, arena))) return wh_fail_memory(err);
    }
    WH_TRY(json_shape_merge(member->shape, from->members[i].shape, arena, err));
  }
  return WH_OK;
}

wh_status json_shape_merge(json_shape *into, const json_shape *from, wh_arena *arena,
                           wh_error *err) {
  if (!from->seen || into->seen == JSON_SEEN_FIXED) return WH_OK;
  if (!into->seen) into->first = from->first;
  into->seen = from->seen;
  into->fixed = from->fixed;
  join_numbers(into, from);
  WH_TRY(merge_members(into, from, arena, err));
  if (!from->item) return WH_OK;
  if (!into->item && !(into->item = WH_NEW(arena, json_shape))) return wh_fail_memory(err);
  return json_shape_merge(into->item, from->item, arena, err);
}

// --- Types ---------------------------------------------------------------------------------------

static wh_type number_type(const json_shape *shape) {
  if (!shape->fraction && !shape->beyond) return wh_type_of(WH_INT64);
  if (shape->fraction && !shape->inexact) return wh_type_of(WH_FLOAT64);
  wh_type type = wh_type_of(WH_DECIMAL);
  type.precision = WH_DECIMAL_DIGITS_MAX;
  type.scale = shape->scale;
  return type;
}

static wh_status shape_type(const json_shape *shape, wh_arena *arena, wh_type *ret, wh_error *err);

static wh_status make_fields(const json_shape *shape, wh_arena *arena, wh_field **ret,
                             wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(arena, shape->count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (uint32_t i = 0; i < shape->count; i++) {
    fields[i] = (wh_field){.name = wh_arena_str(arena, shape->members[i].name),
                           .nullable = true,
                           .privacy = WH_INTERNAL};
    if (!fields[i].name.data) return wh_fail_memory(err);
    WH_TRY(shape_type(shape->members[i].shape, arena, &fields[i].type, err));
  }
  *ret = fields;
  return WH_OK;
}

static wh_status nested_type(const json_shape *shape, wh_arena *arena, wh_type *ret,
                             wh_error *err) {
  wh_field *fields;
  if (shape->seen == JSON_SEEN_OBJECT) {
    WH_TRY(make_fields(shape, arena, &fields, err));
    *ret = wh_type_of(WH_STRUCT);
    ret->field_count = shape->count;
  } else {
    if (!(fields = WH_NEW(arena, wh_field))) return wh_fail_memory(err);
    *fields = (wh_field){.name = WH_STR("item"), .nullable = true, .privacy = WH_INTERNAL};
    if (shape->item) WH_TRY(shape_type(shape->item, arena, &fields->type, err));
    *ret = wh_type_of(WH_LIST);
    ret->field_count = 1;
  }
  ret->fields = fields;
  return WH_OK;
}

static wh_status shape_type(const json_shape *shape, wh_arena *arena, wh_type *ret, wh_error *err) {
  switch (shape->seen) {
  case 0:
    *ret = wh_type_of(WH_NULL);
    return WH_OK;
  case JSON_SEEN_BOOL:
    *ret = wh_type_of(WH_BOOL);
    return WH_OK;
  case JSON_SEEN_NUMBER:
    *ret = number_type(shape);
    return WH_OK;
  case JSON_SEEN_TEXT:
    *ret = wh_type_of(WH_STRING);
    return WH_OK;
  case JSON_SEEN_FIXED:
    *ret = shape->fixed;
    return WH_OK;
  default:
    return nested_type(shape, arena, ret, err);
  }
}

wh_status json_shape_schema(const json_shape *row, wh_arena *arena, wh_schema *ret, wh_error *err) {
  wh_field *fields;
  WH_TRY(make_fields(row, arena, &fields, err));
  *ret = (wh_schema){.count = row->count, .fields = fields};
  return WH_OK;
}

static wh_status shape_of_type(const wh_type *type, wh_arena *arena, json_shape *shape,
                               wh_error *err);

static wh_status shape_of_fields(const wh_field *fields, size_t count, wh_arena *arena,
                                 json_shape *shape, wh_error *err) {
  shape->seen = JSON_SEEN_OBJECT;
  for (size_t i = 0; i < count; i++) {
    json_member *member = add_member(shape, fields[i].name, arena);
    if (!member) return wh_fail_memory(err);
    WH_TRY(shape_of_type(&fields[i].type, arena, member->shape, err));
  }
  return WH_OK;
}

// What is known of values that were seen earlier is only what their type says.
static wh_status shape_of_type(const wh_type *type, wh_arena *arena, json_shape *shape,
                               wh_error *err) {
  switch (type->kind) {
  case WH_NULL:
    return WH_OK;
  case WH_BOOL:
    shape->seen = JSON_SEEN_BOOL;
    return WH_OK;
  case WH_STRING:
    shape->seen = JSON_SEEN_TEXT;
    return WH_OK;
  case WH_INT64:
    *shape = (json_shape){.seen = JSON_SEEN_NUMBER, .inexact = true, .whole = 19};
    return WH_OK;
  case WH_FLOAT64:
    *shape = (json_shape){.seen = JSON_SEEN_NUMBER, .fraction = true, .whole = JSON_MANY_DIGITS};
    return WH_OK;
  case WH_STRUCT:
    return shape_of_fields(type->fields, type->field_count, arena, shape, err);
  case WH_LIST:
    shape->seen = JSON_SEEN_ARRAY;
    if (!(shape->item = WH_NEW(arena, json_shape))) return wh_fail_memory(err);
    return shape_of_type(&type->fields[0].type, arena, shape->item, err);
  case WH_DECIMAL:
    if (type->precision == WH_DECIMAL_DIGITS_MAX) {
      *shape = (json_shape){.seen = JSON_SEEN_NUMBER,
                            .fraction = type->scale > 0,
                            .beyond = true,
                            .inexact = true,
                            .whole = (uint8_t)(type->precision - type->scale),
                            .scale = type->scale};
      return WH_OK;
    }
    [[fallthrough]];
  default:
    *shape = (json_shape){.seen = JSON_SEEN_FIXED, .fixed = *type};
    return WH_OK;
  }
}

wh_status json_shape_of_schema(const wh_schema *schema, wh_arena *arena, json_shape **ret,
                               wh_error *err) {
  json_shape *shape = WH_NEW(arena, json_shape);
  if (!shape) return wh_fail_memory(err);
  WH_TRY(shape_of_fields(schema->fields, schema->count, arena, shape, err));
  *ret = shape;
  return WH_OK;
}
