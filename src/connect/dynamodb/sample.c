// What a table's items look like: the columns that Wherry wrote are known, the others are what a
// sample shows.
#include "connect/dynamodb/source.h"

#include <stdlib.h>

enum { KINDS = 10, ATTRIBUTES_MAX = 4096 };

// An attribute of the sample.
typedef struct seen {
  wh_str name;
  size_t kinds[KINDS]; // items that have it, by kind
  wh_type type;        // of those of the kind that most have
} seen;

typedef struct sampling {
  wh_connection *connection;
  wh_aws_client *client;
  wh_arena *arena;
  wh_dynamodb_relation *relation;
  wh_buf all; // of seen
} sampling;

static size_t kind_index(const char *kind) {
  static const char *const kinds[KINDS] = {"NULL", "S", "N",  "B",  "BOOL",
                                           "L",    "M", "SS", "NS", "BS"};
  for (size_t i = 0; kind && i < KINDS; i++)
    if (strcmp(kinds[i], kind) == 0) return i;
  return 0;
}

static seen *all_of(const sampling *s, size_t *ret_count) {
  *ret_count = s->all.len / sizeof(seen);
  return (seen *)(void *)s->all.data;
}

static wh_status find(sampling *s, wh_str name, seen **ret, wh_error *err) {
  size_t count;
  seen *all = all_of(s, &count);
  for (size_t i = 0; i < count; i++) {
    *ret = &all[i];
    if (wh_str_eq(all[i].name, name)) return WH_OK;
  }
  if (count == ATTRIBUTES_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "%.*s: items of %.*s have more than %d attributes",
                   WH_STR_ARG(s->connection->name), WH_STR_ARG(s->relation->name), ATTRIBUTES_MAX);
  seen one = {.name = wh_arena_str(s->arena, name), .type = wh_type_of(WH_NULL)};
  if (!one.name.data) return wh_fail_memory(err);
  wh_buf_add(&s->all, &one, sizeof one);
  WH_TRY(wh_buf_check(&s->all, err));
  *ret = all_of(s, &count) + count;
  *ret -= 1;
  return WH_OK;
}

static size_t most_common(const seen *a) {
  size_t best = 0;
  for (size_t i = 1; i < KINDS; i++)
    if (a->kinds[i] > (best ? a->kinds[best] : 0)) best = i;
  return best;
}

typedef wh_status visit_attribute(sampling *s, seen *a, const json_t *attribute, wh_error *err);

static wh_status count_kind(sampling *s, seen *a, const json_t *attribute, wh_error *err) {
  const json_t *value;
  (void)s, (void)err;
  a->kinds[kind_index(wh_dynamodb_kind(attribute, &value))]++;
  return WH_OK;
}

static wh_status widen(sampling *s, seen *a, const json_t *attribute, wh_error *err) {
  const json_t *value;
  wh_type type, wide;
  if (kind_index(wh_dynamodb_kind(attribute, &value)) != most_common(a)) return WH_OK;
  WH_TRY(wh_dynamodb_type_of(attribute, s->arena, &type, err));
  if (wh_type_widen(&a->type, &type, s->arena, &wide)) a->type = wide;
  return WH_OK;
}

static wh_status each_attribute(sampling *s, const json_t *items, visit_attribute *visit,
                                wh_error *err) {
  size_t i;
  json_t *item;
  json_array_foreach(items, i, item) {
    for (void *at = json_object_iter(item); at; at = json_object_iter_next(item, at)) {
      wh_str name = wh_str_n(json_object_iter_key(at), json_object_iter_key_len(at));
      seen *a;
      WH_TRY(find(s, name, &a, err));
      WH_TRY(visit(s, a, json_object_iter_value(at), err));
    }
  }
  return WH_OK;
}

// --- Reading it ----------------------------------------------------------------------------------

static wh_status read_sample(sampling *s, json_t *items, wh_error *err) {
  wh_connection *c = s->connection;
  wh_dynamodb_asking asking = {
      .table = s->relation->name, .segments = 1, .limit = WH_DYNAMODB_PAGE_ITEMS};
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_BUF wh_buf after;
  wh_buf_init(&body, c->mem, 0);
  wh_buf_init(&after, c->mem, 0);
  do {
    WH_CLEAN_JSON json_t *answer = NULL;
    WH_TRY(wh_dynamodb_ask(&asking, wh_buf_str(&after), &body, err));
    WH_TRY(wh_dynamodb_call(c, s->client, WH_DYNAMODB_ACTION("Scan"), &body, NULL, &answer, err));
    if (json_array_extend(items, json_object_get(answer, "Items")) != 0)
      return wh_fail(err, WH_ERR_IO, "%.*s: the server's answer has no items", WH_STR_ARG(c->name));
    WH_TRY(wh_dynamodb_after(answer, &after, err));
  } while (after.len && json_array_size(items) < WH_DYNAMODB_SAMPLE_ITEMS);
  return WH_OK;
}

// --- Columns -------------------------------------------------------------------------------------

static int compare_fields(const void *a, const void *b) {
  return wh_str_cmp(((const wh_field *)a)->name, ((const wh_field *)b)->name);
}

// What had no value in the sample becomes text. Members come in any order; columns of them do not.
static wh_status settle(const wh_type *type, wh_arena *arena, wh_type *ret, wh_error *err) {
  *ret = *type;
  if (type->kind == WH_NULL) *ret = wh_type_of(WH_STRING);
  if (type->kind != WH_LIST && type->kind != WH_STRUCT) return WH_OK;
  wh_field *fields = WH_NEW_ARRAY(arena, type->field_count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < type->field_count; i++) {
    fields[i] = type->fields[i];
    WH_TRY(settle(&type->fields[i].type, arena, &fields[i].type, err));
  }
  if (type->field_count) qsort(fields, type->field_count, sizeof *fields, compare_fields);
  ret->fields = fields;
  return WH_OK;
}

static int compare_seen(const void *a, const void *b) {
  return wh_str_cmp(((const seen *)a)->name, ((const seen *)b)->name);
}

static bool is_shown(const wh_dynamodb_relation *r, wh_str name) {
  return !wh_str_eq(name, WH_STR(WH_ORDER_COLUMN)) && wh_schema_find(&r->schema, name) < 0;
}

static bool is_key(const wh_dynamodb_relation *r, wh_str name) {
  return wh_str_eq(r->table.hash.name, name) ||
         (r->table.range.name.len && wh_str_eq(r->table.range.name, name));
}

static wh_type key_type(char kind) {
  return wh_type_of(kind == 'N' ? WH_INT64 : kind == 'B' ? WH_BINARY : WH_STRING);
}

// Puts the key's columns first: where items are there, the sample has them.
static wh_status add_keys(sampling *s, wh_field *fields, size_t *count, wh_error *err) {
  wh_dynamodb_relation *r = s->relation;
  const wh_dynamodb_attribute *const parts[] = {&r->table.hash, &r->table.range};
  for (size_t i = 0; i < 2; i++) {
    size_t all_count;
    seen *all = all_of(s, &all_count);
    wh_field f = {.name = parts[i]->name, .privacy = WH_INTERNAL};
    if (!f.name.len || !is_shown(r, f.name)) continue;
    f.type = key_type(parts[i]->kind);
    for (size_t k = 0; k < all_count; k++)
      if (wh_str_eq(all[k].name, f.name)) WH_TRY(settle(&all[k].type, s->arena, &f.type, err));
    fields[(*count)++] = f;
  }
  return WH_OK;
}

static wh_status make_schema(sampling *s, wh_error *err) {
  wh_dynamodb_relation *r = s->relation;
  size_t all_count, count = 0;
  seen *all = all_of(s, &all_count);
  size_t room = all_count + r->schema.count + 2;
  wh_field *fields = WH_NEW_ARRAY(s->arena, room, wh_field);
  bool *guessed = WH_NEW_ARRAY(s->arena, room, bool);
  if (!fields || !guessed) return wh_fail_memory(err);
  if (all_count) qsort(all, all_count, sizeof *all, compare_seen);
  for (size_t i = 0; i < r->schema.count; i++) {
    fields[count] = r->schema.fields[i];
    fields[count].nullable = !is_key(r, fields[count].name);
    count++;
  }
  WH_TRY(add_keys(s, fields, &count, err));
  for (size_t i = 0; i < all_count; i++) {
    if (!is_shown(r, all[i].name) || is_key(r, all[i].name)) continue;
    fields[count] = (wh_field){.name = all[i].name, .nullable = true, .privacy = WH_INTERNAL};
    guessed[count] = all[i].type.kind == WH_NULL;
    WH_TRY(settle(&all[i].type, s->arena, &fields[count].type, err));
    count++;
  }
  r->schema = (wh_schema){.count = count, .fields = fields};
  r->guessed = guessed;
  return WH_OK;
}

static wh_status sample(sampling *s, wh_error *err) {
  WH_CLEAN_JSON json_t *items = json_array();
  if (!items) return wh_fail_memory(err);
  WH_TRY(read_sample(s, items, err));
  WH_TRY(each_attribute(s, items, count_kind, err));
  WH_TRY(each_attribute(s, items, widen, err));
  return make_schema(s, err);
}

wh_status wh_dynamodb_relate(wh_connection *c, wh_aws_client *client, wh_str table, wh_arena *arena,
                             wh_dynamodb_relation *ret, wh_error *err) {
  *ret = (wh_dynamodb_relation){.name = table};
  WH_TRY(wh_dynamodb_find(c, client, table, arena, &ret->table, err));
  WH_TRY(wh_dynamodb_known_columns(c, client, table, arena, &ret->schema, err));
  sampling s = {.connection = c, .client = client, .arena = arena, .relation = ret};
  wh_buf_init(&s.all, c->mem, 0);
  wh_status status = sample(&s, err);
  wh_buf_free(&s.all);
  return status;
}

wh_status wh_dynamodb_no_column(const wh_connection *c, const wh_dynamodb_relation *r, wh_str name,
                                wh_error *err) {
  enum { NAMES_MAX = 256 };
  wh_str names[NAMES_MAX];
  size_t count = 0;
  for (size_t i = 0; i < r->schema.count && count < NAMES_MAX; i++)
    names[count++] = r->schema.fields[i].name;
  wh_str near = wh_str_nearest(name, names, count);
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: %.*s has no column '%.*s'%s%.*s%s",
                 WH_STR_ARG(c->name), WH_STR_ARG(r->name), WH_STR_ARG(name),
                 near.len ? ". Did you mean '" : "", WH_STR_ARG(near), near.len ? "'?" : "");
}
