#include "codec/csv/table.h"

// --- Names ---------------------------------------------------------------------------------------

// A hash table of names, each with a number. Never full.
typedef struct names {
  wh_str *keys;
  uint32_t *numbers;
  uint32_t mask;
} names;

static bool names_init(names *n, wh_arena *arena, uint32_t count) {
  uint32_t cap = 16;
  while (cap < 4 * (uint64_t)count)
    cap *= 2;
  *n = (names){.keys = WH_NEW_ARRAY(arena, cap, wh_str),
               .numbers = WH_NEW_ARRAY(arena, cap, uint32_t),
               .mask = cap - 1};
  return n->keys && n->numbers;
}

static uint32_t slot_of(const names *n, wh_str name) {
  uint64_t hash = 0xCBF29CE484222325ull;
  for (size_t i = 0; i < name.len; i++)
    hash = (hash ^ (unsigned char)name.data[i]) * 0x100000001B3ull;
  uint32_t slot = (uint32_t)(hash ^ hash >> 32) & n->mask;
  while (n->keys[slot].data && !wh_str_eq(n->keys[slot], name))
    slot = (slot + 1) & n->mask;
  return slot;
}

static bool names_have(const names *n, wh_str name) {
  return n->keys[slot_of(n, name)].data;
}

static void names_put(names *n, wh_str name, uint32_t number) {
  uint32_t slot = slot_of(n, name);
  n->keys[slot] = name;
  n->numbers[slot] = number;
}

static bool names_find(const names *n, wh_str name, uint32_t *ret) {
  uint32_t slot = slot_of(n, name);
  if (!n->keys[slot].data) return false;
  *ret = n->numbers[slot];
  return true;
}

// The first of name_2, name_3 ... that is free. `*from` is where to start: of many equal names each
// looks on where the last one stopped.
static wh_str free_name(const names *taken, wh_str name, uint32_t *from, wh_arena *arena) {
  for (uint32_t k = *from;; k++) {
    wh_str candidate = wh_arena_printf(arena, "%.*s_%u", WH_STR_ARG(name), k);
    if (!candidate.data || !names_have(taken, candidate)) {
      *from = k + 1;
      return candidate;
    }
  }
}

static wh_status make_unique(csv_table *t, wh_arena *arena, wh_error *err) {
  names all, next; // all names; for those that stood before, the suffix to try next
  if (!names_init(&all, arena, 2 * t->fields) || !names_init(&next, arena, t->fields)) {
    return wh_fail_memory(err);
  }
  for (uint32_t i = 0; i < t->fields; i++)
    names_put(&all, t->names[i], i);
  for (uint32_t i = 0; i < t->fields; i++) {
    uint32_t suffix;
    wh_str name = t->names[i];
    if (!names_find(&next, name, &suffix)) {
      names_put(&next, name, 2);
      continue;
    }
    t->names[i] = free_name(&all, name, &suffix, arena);
    if (!t->names[i].data) return wh_fail_memory(err);
    names_put(&next, name, suffix);
    names_put(&all, t->names[i], i);
  }
  return WH_OK;
}

static wh_status name_field(csv_decoder *d, size_t start, size_t end, uint32_t index,
                            wh_arena *arena, wh_str *ret, wh_error *err) {
  csv_value field;
  if (!csv_field_get(d, start, end, &field)) return wh_fail_memory(err);
  if (!wh_utf8_valid(field.text)) {
    return wh_fail(err, WH_ERR_DATA,
                   "the name of column %u is not valid UTF-8; if the file is in another encoding, "
                   "give it: encoding: latin-1",
                   index + 1);
  }
  bool none = field.null || field.text.len == 0;
  *ret = none ? wh_arena_printf(arena, "column_%u", index + 1) : wh_arena_str(arena, field.text);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

wh_status csv_table_name(csv_table *table, csv_decoder *d, size_t start, size_t end,
                         const uint32_t *ends, wh_arena *arena, wh_error *err) {
  table->names = WH_NEW_ARRAY(arena, table->fields, wh_str);
  if (!table->names) return wh_fail_memory(err);
  for (uint32_t i = 0; i < table->fields; i++) {
    if (ends) {
      size_t from = i ? ends[i - 1] + d->dialect->delimiter_len : start;
      WH_TRY(name_field(d, from, i + 1 < table->fields ? ends[i] : end, i, arena, &table->names[i],
                        err));
    } else {
      table->names[i] = wh_arena_printf(arena, "column_%u", i + 1);
      if (!table->names[i].data) return wh_fail_memory(err);
    }
  }
  wh_arena_reset(&d->scratch);
  return make_unique(table, arena, err);
}

// --- Columns -------------------------------------------------------------------------------------

static bool is_wanted(const names *wanted, const wh_codec_context *context, wh_str name) {
  return !context->wanted || names_have(wanted, name);
}

static wh_status check_type(const wh_field *field, wh_error *err) {
  if (field->type.kind != WH_LIST && field->type.kind != WH_STRUCT) return WH_OK;
  return wh_fail(err, WH_ERR_TYPE, "the column '%.*s' is a %s, which CSV has no form for",
                 WH_STR_ARG(field->name), field->type.kind == WH_LIST ? "list" : "struct");
}

// A column of the schema; *source is where the file has it.
static wh_status add_given(csv_table *t, const wh_field *field, const uint32_t *source, bool widens,
                           wh_error *err) {
  WH_TRY(check_type(field, err));
  csv_column c = {.name = field->name,
                  .type = field->type,
                  .nullable = field->nullable,
                  .privacy = field->privacy,
                  .source = source ? *source : CSV_NO_SOURCE};
  if (!source && !field->nullable) {
    return wh_fail(err, WH_ERR_DATA, "the file has no column '%.*s', which must have a value",
                   WH_STR_ARG(field->name));
  }
  csv_shape_of_type(&c.type, &c.shape);
  c.inferred = widens && !(c.shape.seen & CSV_SEEN_FIXED);
  t->columns[t->count++] = c;
  return WH_OK;
}

static void add_found(csv_table *t, uint32_t source) {
  t->columns[t->count++] = (csv_column){.name = t->names[source],
                                        .nullable = true,
                                        .privacy = WH_INTERNAL,
                                        .inferred = true,
                                        .source = source};
}

// Without a header the columns are those of the schema, one after the other, unless that was
// inferred from a file without one too.
static bool by_position(const csv_table *t, const csv_dialect *dialect, const wh_schema *given,
                        const names *found) {
  uint32_t at;
  if (dialect->header || given->count != t->fields) return false;
  for (size_t i = 0; i < given->count; i++)
    if (!names_find(found, given->fields[i].name, &at)) return true;
  return false;
}

static wh_status match_given(csv_table *t, const csv_dialect *dialect,
                             const wh_codec_context *context, const wh_schema *given,
                             const names *found, const names *wanted, bool *matched,
                             wh_error *err) {
  bool position = by_position(t, dialect, given, found);
  for (size_t i = 0; i < given->count; i++) {
    uint32_t source = (uint32_t)i;
    bool there = position || names_find(found, given->fields[i].name, &source);
    if (there) matched[source] = true;
    if (!is_wanted(wanted, context, given->fields[i].name)) continue;
    WH_TRY(add_given(t, &given->fields[i], there ? &source : NULL, context->schema_may_widen, err));
  }
  return WH_OK;
}

static wh_status fail_unknown(const csv_table *t, uint32_t field, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA,
                 "the file has a column '%.*s' (the %u. of %u) that is not among "
                 "those it was to have",
                 WH_STR_ARG(t->names[field]), field + 1, t->fields);
}

wh_status csv_table_match(csv_table *table, const csv_dialect *dialect,
                          const wh_codec_context *context, const wh_schema *given, wh_arena *arena,
                          wh_error *err) {
  names found, wanted;
  size_t most = table->fields + (given ? given->count : 0);
  bool *matched = WH_NEW_ARRAY(arena, table->fields, bool);
  table->columns = WH_NEW_ARRAY(arena, most, csv_column);
  if (!matched || !table->columns || !names_init(&found, arena, table->fields) ||
      !names_init(&wanted, arena, (uint32_t)context->wanted_count)) {
    return wh_fail_memory(err);
  }
  for (uint32_t i = 0; i < table->fields; i++)
    names_put(&found, table->names[i], i);
  for (size_t i = 0; i < context->wanted_count; i++)
    names_put(&wanted, context->wanted[i], (uint32_t)i);
  if (given) WH_TRY(match_given(table, dialect, context, given, &found, &wanted, matched, err));
  table->known = table->count;
  for (uint32_t i = 0; i < table->fields; i++) {
    if (matched[i] || !is_wanted(&wanted, context, table->names[i])) continue;
    if (given && !context->schema_may_widen) return fail_unknown(table, i, err);
    add_found(table, i);
  }
  if (!given) table->known = table->count;
  return WH_OK;
}

wh_status csv_table_schema(const csv_table *table, uint32_t count, wh_arena *arena, wh_schema *ret,
                           wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (uint32_t i = 0; i < count; i++) {
    const csv_column *c = &table->columns[i];
    fields[i] = (wh_field){.name = c->name,
                           .type = c->inferred ? csv_shape_type(&c->shape) : c->type,
                           .nullable = c->nullable,
                           .privacy = c->privacy};
    if (!c->inferred) WH_TRY(wh_type_copy(&c->type, arena, &fields[i].type, err));
  }
  *ret = (wh_schema){.count = count, .fields = fields};
  return WH_OK;
}
