// Targets: what was asked for, against the table that is there.
#include "connect/dynamodb/sink.h"

// --- As it was asked for -------------------------------------------------------------------------

static wh_status check_mode(const wh_sink *sink, const wh_target *spec, wh_error *err) {
  const wh_connection *c = sink->connection;
  if (spec->mode == WH_WRITE_REPLACE)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: DynamoDB cannot replace a table at once: readers would see it half done. "
                   "Write with mode: upsert",
                   WH_STR_ARG(c->name));
  if (spec->side_table)
    return wh_fail(
        err, WH_ERR_REFUSED,
        "%.*s: an item's order cannot be kept apart from it, for DynamoDB checks both at "
        "once. Leave write: { order: side_table } out",
        WH_STR_ARG(c->name));
  if (spec->erases)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: DynamoDB cannot remember rows that were deleted, and what comes says "
                   "which are. To leave them as they are, say write: { deletes: ignore }",
                   WH_STR_ARG(c->name));
  if (wh_str_eq(spec->table, wh_dynamodb_options_of(c)->marks))
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: table %.*s keeps Wherry's marks",
                   WH_STR_ARG(c->name), WH_STR_ARG(spec->table));
  if (spec->mode == WH_WRITE_UPSERT && spec->key_count > 2)
    return wh_fail(err, WH_ERR_USAGE,
                   "%.*s: a key in DynamoDB has one column or two, that of %.*s would have %zu",
                   WH_STR_ARG(c->name), WH_STR_ARG(spec->table), spec->key_count);
  if (spec->mode == WH_WRITE_UPSERT && spec->schema->count > WH_DYNAMODB_COLUMNS_MAX)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: upsert into DynamoDB takes at most %d columns, %zu would come",
                   WH_STR_ARG(c->name), WH_DYNAMODB_COLUMNS_MAX, spec->schema->count);
  return WH_OK;
}

static bool is_listed(const wh_str_list *list, wh_str name) {
  for (size_t i = 0; i < list->count; i++)
    if (wh_str_eq(list->items[i], name)) return true;
  return false;
}

static bool can_be_ttl(const wh_type *type) {
  return wh_kind_is_int(type->kind) || type->kind == WH_DATE ||
         (type->kind == WH_TIMESTAMP && type->zoned);
}

static wh_status choose_how(wh_sink *sink, wh_dynamodb_target *t, size_t i, wh_field *stored,
                            wh_error *err) {
  const wh_dynamodb_options *o = wh_dynamodb_options_of(sink->connection);
  const wh_field *f = &t->schema.fields[i];
  t->hows[i].is_set = is_listed(&o->sets, f->name);
  t->hows[i].is_ttl = o->ttl.len && wh_str_eq(o->ttl, f->name);
  if (t->hows[i].is_set && !wh_dynamodb_can_be_set(&f->type))
    return wh_fail(err, WH_ERR_USAGE,
                   "%.*s: column '%.*s' is listed under sets, but %.*s is no list of texts, "
                   "numbers or binary values",
                   WH_STR_ARG(sink->connection->name), WH_STR_ARG(f->name),
                   WH_STR_ARG(wh_type_friendly(&f->type, &sink->arena)));
  if (t->hows[i].is_ttl && !can_be_ttl(&f->type))
    return wh_fail(err, WH_ERR_USAGE,
                   "%.*s: column '%.*s' is named by ttl, but %.*s is no instant, date or number of "
                   "seconds",
                   WH_STR_ARG(sink->connection->name), WH_STR_ARG(f->name),
                   WH_STR_ARG(wh_type_friendly(&f->type, &sink->arena)));
  *stored = *f;
  if (t->hows[i].is_ttl && !wh_kind_is_int(f->type.kind))
    stored->type = (wh_type){.kind = WH_TIMESTAMP, .unit = WH_UNIT_S, .zoned = true};
  return WH_OK;
}

static wh_status choose_hows(wh_sink *sink, wh_dynamodb_target *t, wh_error *err) {
  size_t count = t->schema.count;
  wh_field *stored = WH_NEW_ARRAY(&sink->arena, count, wh_field);
  t->hows = WH_NEW_ARRAY(&sink->arena, count, wh_dynamodb_how);
  if (!stored || !t->hows) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    WH_TRY(choose_how(sink, t, i, &stored[i], err));
  t->stored = (wh_schema){.count = count, .fields = stored};
  return WH_OK;
}

static wh_status find_key(wh_sink *sink, wh_dynamodb_target *t, wh_error *err) {
  const wh_connection *c = sink->connection;
  for (size_t i = 0; t->spec.mode == WH_WRITE_UPSERT && i < t->spec.key_count; i++) {
    WH_TRY(wh_target_find(c, &t->spec, t->spec.key[i], "key", &t->key[i], err));
    const wh_field *f = &t->schema.fields[t->key[i]];
    if (!wh_dynamodb_key_kind(&f->type) || t->hows[t->key[i]].is_ttl)
      return wh_fail(err, WH_ERR_USAGE,
                     "%.*s: column '%.*s' cannot be a key: keys in DynamoDB are text, numbers or "
                     "binary",
                     WH_STR_ARG(c->name), WH_STR_ARG(f->name));
    t->key_count = i + 1;
  }
  t->version = t->compared = -1;
  if (!t->spec.newest_by.len) return WH_OK;
  size_t version;
  WH_TRY(wh_target_find(c, &t->spec, t->spec.newest_by, "version", &version, err));
  t->version = (ptrdiff_t)version;
  if (!wh_dynamodb_is_key(t, version)) t->compared = t->version;
  return WH_OK;
}

wh_status wh_dynamodb_target_make(wh_sink *sink, const wh_target *spec, wh_dynamodb_target *t,
                                  wh_error *err) {
  t->spec = *spec;
  WH_TRY(check_mode(sink, spec, err));
  WH_TRY(wh_schema_copy(spec->schema, &sink->arena, &t->schema, err));
  t->spec.schema = &t->schema;
  t->spec.table = wh_arena_str(&sink->arena, spec->table);
  if (!t->spec.table.data) return wh_fail_memory(err);
  WH_TRY(wh_target_check(sink->connection, &t->spec, NULL, NULL, err));
  WH_TRY(wh_dynamodb_check_name(sink->connection, t->spec.table, err));
  WH_TRY(choose_hows(sink, t, err));
  WH_TRY(find_key(sink, t, err));
  t->spec.key = NULL; // t->key says it
  t->spec.newest_by = (wh_str){0};
  return WH_OK;
}

// --- Against the table that is there -------------------------------------------------------------

static char kind_of(const wh_dynamodb_target *t, size_t column) {
  return t->hows[column].is_ttl ? 'N' : wh_dynamodb_key_kind(&t->schema.fields[column].type);
}

// Attributes of keys and indexes have a kind that items must keep to.
static void compare_kinds(const wh_sink *sink, const wh_dynamodb_target *t,
                          const wh_dynamodb_table *table, wh_buf *difference) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, sink->connection->mem);
  for (size_t i = 0; i < table->indexed_count; i++) {
    const wh_dynamodb_attribute *a = &table->indexed[i];
    ptrdiff_t at = wh_schema_find(&t->schema, a->name);
    if (at < 0 || kind_of(t, (size_t)at) == a->kind) continue;
    wh_difference_add(difference, "attribute '%.*s' is %s there: %.*s would come",
                      WH_STR_ARG(a->name), wh_dynamodb_kind_word(a->kind),
                      WH_STR_ARG(wh_type_friendly(&t->schema.fields[at].type, &arena)));
  }
}

static void take_key(wh_dynamodb_target *t, const wh_dynamodb_table *table, wh_buf *difference) {
  const wh_dynamodb_attribute *const parts[] = {&table->hash, &table->range};
  size_t asked[2] = {t->key[0], t->key[1]}, count = table->range.name.len ? 2 : 1, matched = 0;
  bool is_append = t->spec.mode == WH_WRITE_APPEND;
  bool all = true;
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_schema_find(&t->schema, parts[i]->name);
    all = all && at >= 0;
    for (size_t k = 0; k < t->key_count && !is_append; k++)
      matched += at >= 0 && asked[k] == (size_t)at;
    if (at < 0)
      wh_difference_add(difference, "its key '%.*s' is not among the columns",
                        WH_STR_ARG(parts[i]->name));
    else
      t->key[i] = (size_t)at;
  }
  if (all && !is_append && (matched != count || t->key_count != count))
    wh_difference_add(difference, "its key is %.*s%s%.*s: write: key has to be the same",
                      WH_STR_ARG(table->hash.name), count > 1 ? ", " : "",
                      WH_STR_ARG(table->range.name));
  if (all) t->key_count = count;
}

wh_status wh_dynamodb_target_bind(wh_sink *sink, wh_dynamodb_target *t, wh_buf *difference,
                                  wh_error *err) {
  wh_dynamodb_table table;
  WH_TRY(wh_dynamodb_describe(sink->connection, sink->client, t->spec.table, &sink->arena,
                              &t->exists, &table, err));
  if (t->exists) {
    t->is_active = table.is_active;
    take_key(t, &table, difference);
    compare_kinds(sink, t, &table, difference);
  } else if (t->spec.mode == WH_WRITE_APPEND) {
    wh_difference_add(difference, "it is not there, and append does not say what its key would be. "
                                  "Create it, or write with mode: upsert and a key");
  }
  return wh_buf_check(difference, err);
}

// --- Showing -------------------------------------------------------------------------------------

static void show(const wh_sink *sink, const wh_dynamodb_target *t, wh_buf *text) {
  const wh_dynamodb_options *o = wh_dynamodb_options_of(sink->connection);
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, sink->connection->mem, 0);
  wh_buf_printf(&line, "%s \"%.*s\" (", t->exists ? "table" : "CreateTable",
                WH_STR_ARG(t->spec.table));
  for (size_t i = 0; i < t->key_count; i++)
    wh_buf_printf(&line, "%s%s %.*s %c", i ? ", " : "", i ? "sort key" : "key",
                  WH_STR_ARG(t->schema.fields[t->key[i]].name), kind_of(t, t->key[i]));
  wh_buf_add_char(&line, ')');
  if (!t->exists && o->read_capacity)
    wh_buf_printf(&line, ", %lld reads and %lld writes a second", (long long)o->read_capacity,
                  (long long)o->write_capacity);
  else if (!t->exists)
    wh_buf_add_c(&line, ", on demand");
  if (!t->exists && o->ttl.len && wh_schema_find(&t->schema, o->ttl) >= 0)
    wh_buf_printf(&line, ", items expire at %.*s", WH_STR_ARG(o->ttl));
  wh_target_show(text, wh_buf_str(&line));
}

wh_status wh_dynamodb_sink_inspect(wh_sink *sink, wh_buf *ret_text, bool *ret_exists,
                                   bool *ret_fits, wh_error *err) {
  bool all_exist = true, all_fit = true;
  for (size_t i = 0; i < sink->count; i++) {
    wh_dynamodb_target *t = &sink->targets[i];
    WH_CLEAN_BUF wh_buf difference;
    wh_buf_init(&difference, sink->connection->mem, 0);
    WH_TRY(wh_dynamodb_target_bind(sink, t, &difference, err));
    if (difference.len)
      wh_target_show_difference(ret_text, t->spec.table, wh_buf_str(&difference));
    else
      show(sink, t, ret_text);
    all_exist = all_exist && t->exists;
    all_fit = all_fit && difference.len == 0;
  }
  WH_TRY(wh_buf_check(ret_text, err));
  *ret_exists = all_exist;
  *ret_fits = all_fit;
  return WH_OK;
}

// --- Preparing -----------------------------------------------------------------------------------

static wh_status create(wh_sink *sink, const wh_dynamodb_target *t, wh_error *err) {
  wh_str ttl = wh_dynamodb_options_of(sink->connection)->ttl;
  wh_dynamodb_attribute key[2];
  for (size_t i = 0; i < t->key_count; i++) {
    key[i].name = t->schema.fields[t->key[i]].name;
    key[i].kind = kind_of(t, t->key[i]);
  }
  if (wh_schema_find(&t->schema, ttl) < 0) ttl = (wh_str){0};
  return wh_dynamodb_create(sink->connection, sink->client, t->spec.table, &key[0],
                            t->key_count > 1 ? &key[1] : NULL, ttl, err);
}

wh_status wh_dynamodb_sink_prepare(wh_sink *sink, wh_error *err) {
  wh_connection *c = sink->connection;
  for (size_t i = 0; i < sink->count; i++) {
    wh_dynamodb_target *t = &sink->targets[i];
    WH_CLEAN_BUF wh_buf difference;
    wh_buf_init(&difference, c->mem, 0);
    WH_TRY(wh_dynamodb_target_bind(sink, t, &difference, err));
    if (difference.len)
      return wh_target_refuse(c, t->spec.table, wh_buf_str(&difference), (wh_str){0}, err);
  }
  WH_TRY(wh_dynamodb_make_marks(c, sink->client, err));
  for (size_t i = 0; i < sink->count; i++) {
    wh_dynamodb_target *t = &sink->targets[i];
    // The columns first: a table that is there without them would be taken for somebody else's.
    WH_TRY(wh_dynamodb_note_columns(c, sink->client, t->spec.table, &t->stored, !t->exists, err));
    if (!t->exists)
      WH_TRY(create(sink, t, err));
    else if (!t->is_active)
      WH_TRY(wh_dynamodb_await(c, sink->client, t->spec.table, err));
  }
  sink->is_ready = true;
  return WH_OK;
}
