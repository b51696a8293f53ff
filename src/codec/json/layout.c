#include "codec/json/layout.h"

// --- Names ---------------------------------------------------------------------------------------

// As a part of a name: in quotes, if it could be taken for something else; a quote in there twice.
static bool add_part(wh_buf *out, wh_str key) {
  bool quoted = key.len && (key.data[0] == '"' || memchr(key.data, '.', key.len));
  if (!quoted) return wh_buf_add_str(out, key);
  bool ok = wh_buf_add_char(out, '"');
  for (size_t i = 0; ok && i < key.len; i++)
    ok = (key.data[i] != '"' || wh_buf_add_char(out, '"')) && wh_buf_add_char(out, key.data[i]);
  return ok && wh_buf_add_char(out, '"');
}

wh_str json_layout_name(const json_layout_options *options, wh_str prefix, wh_str key,
                        wh_arena *arena) {
  if (!options->flatten) return wh_arena_str(arena, key);
  WH_CLEAN_BUF wh_buf name;
  wh_buf_init(&name, arena->mem, 0);
  bool ok = (!prefix.data || (wh_buf_add_str(&name, prefix) && wh_buf_add_char(&name, '.'))) &&
            add_part(&name, key);
  return ok ? wh_arena_str(arena, wh_buf_str(&name)) : (wh_str){0};
}

bool json_layout_wants(const json_layout_options *options, wh_str prefix, wh_str key,
                       wh_arena *arena) {
  if (!options->wanted) return true;
  if (!prefix.data && options->explode.len && wh_str_eq(options->explode, key)) return true;
  wh_str name = json_layout_name(options, prefix, key, arena);
  if (!name.data) return true;
  for (size_t i = 0; i < options->wanted_count; i++) {
    wh_str w = options->wanted[i];
    if (wh_str_eq(w, name)) return true;
    if (options->flatten && w.len > name.len && w.data[name.len] == '.' &&
        wh_str_eq(wh_str_sub(w, 0, name.len), name))
      return true;
  }
  return false;
}

static bool is_wanted(const json_layout_options *options, wh_str column) {
  for (size_t i = 0; i < options->wanted_count; i++)
    if (wh_str_eq(options->wanted[i], column)) return true;
  return !options->wanted;
}

// --- From rows to columns ------------------------------------------------------------------------

typedef struct walk {
  const json_layout_options *options;
  wh_arena *arena;
  wh_field *fields; // columns so far
  json_source *sources;
  size_t count, cap;
  uint32_t path[WH_NESTING_MAX + 2]; // in `full`
  uint32_t depth;
  bool exploded, nullable; // of what is walked
} walk;

static wh_status add_column(walk *w, wh_str name, const wh_type *type, bool nullable,
                            wh_class privacy, wh_error *err) {
  if (w->count == WH_COLUMNS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "flatten makes more than %d columns", WH_COLUMNS_MAX);
  if (w->count == w->cap) {
    size_t cap = w->cap ? w->cap * 2 : 32;
    wh_field *fields = WH_NEW_ARRAY(w->arena, cap, wh_field);
    json_source *sources = WH_NEW_ARRAY(w->arena, cap, json_source);
    if (!fields || !sources) return wh_fail_memory(err);
    if (w->count) memcpy(fields, w->fields, w->count * sizeof *fields);
    if (w->count) memcpy(sources, w->sources, w->count * sizeof *sources);
    w->fields = fields;
    w->sources = sources;
    w->cap = cap;
  }
  uint32_t *path = WH_NEW_ARRAY(w->arena, w->depth, uint32_t);
  if (!path) return wh_fail_memory(err);
  memcpy(path, w->path, w->depth * sizeof *path);
  w->fields[w->count] =
      (wh_field){.name = name, .type = *type, .nullable = nullable, .privacy = privacy};
  w->sources[w->count++] = (json_source){w->depth, path, w->exploded};
  return WH_OK;
}

static wh_status walk_type(walk *w, wh_str name, const wh_field *field, const wh_type *type,
                           json_keep *keep, wh_error *err);

static wh_status walk_fields(walk *w, wh_str prefix, const wh_type *type, json_keep *keep,
                             wh_error *err) {
  keep->fields = WH_NEW_ARRAY(w->arena, type->field_count, json_keep);
  if (!keep->fields) return wh_fail_memory(err);
  bool nullable = w->nullable;
  for (uint32_t i = 0; i < type->field_count; i++) {
    const wh_field *field = &type->fields[i];
    wh_str name = json_layout_name(w->options, prefix, field->name, w->arena);
    if (!name.data) return wh_fail_memory(err);
    w->path[w->depth++] = i;
    w->nullable = nullable || field->nullable;
    WH_TRY(walk_type(w, name, field, &field->type, &keep->fields[i], err));
    w->depth--;
    keep->some = keep->some || keep->fields[i].some;
  }
  w->nullable = nullable;
  return WH_OK;
}

// What stands at w->path becomes a column, or its members do.
static wh_status walk_type(walk *w, wh_str name, const wh_field *field, const wh_type *type,
                           json_keep *keep, wh_error *err) {
  if (w->options->flatten && type->kind == WH_STRUCT && type->field_count)
    return walk_fields(w, name, type, keep, err);
  keep->some = is_wanted(w->options, name);
  return keep->some ? add_column(w, name, type, w->nullable, field->privacy, err) : WH_OK;
}

static wh_status walk_list(walk *w, wh_str name, const wh_field *field, json_keep *keep,
                           wh_error *err) {
  const wh_field *item = &field->type.fields[0];
  keep->fields = WH_NEW(w->arena, json_keep);
  if (!keep->fields) return wh_fail_memory(err);
  w->exploded = true;
  w->nullable = w->nullable || item->nullable;
  w->path[w->depth++] = 0;
  WH_TRY(walk_type(w, name, item, &item->type, keep->fields, err));
  w->depth--;
  w->exploded = false;
  keep->some = true;
  return WH_OK;
}

static wh_status walk_row(walk *w, const wh_schema *full, json_keep *keep, ptrdiff_t *ret_list,
                          wh_error *err) {
  for (size_t i = 0; i < full->count; i++) {
    const wh_field *field = &full->fields[i];
    wh_str name = json_layout_name(w->options, (wh_str){0}, field->name, w->arena);
    if (!name.data) return wh_fail_memory(err);
    w->path[0] = (uint32_t)i;
    w->depth = 1;
    w->nullable = field->nullable;
    bool list = w->options->explode.len && wh_str_eq(field->name, w->options->explode);
    if (list && field->type.kind != WH_NULL && field->type.kind != WH_LIST)
      return wh_fail(err, WH_ERR_DATA, "explode: '%.*s' is no list, but %.*s",
                     WH_STR_ARG(field->name), WH_STR_ARG(wh_type_friendly(&field->type, w->arena)));
    if (list && field->type.kind == WH_LIST) {
      *ret_list = (ptrdiff_t)i;
      WH_TRY(walk_list(w, name, field, &keep[i], err));
    } else {
      WH_TRY(walk_type(w, name, field, &field->type, &keep[i], err));
    }
  }
  return WH_OK;
}

static wh_status make_list_of(wh_type item, wh_arena *arena, wh_type *ret, wh_error *err) {
  wh_field *field = WH_NEW(arena, wh_field);
  if (!field) return wh_fail_memory(err);
  *field =
      (wh_field){.name = WH_STR("item"), .type = item, .nullable = true, .privacy = WH_INTERNAL};
  *ret = wh_type_of(WH_LIST);
  ret->fields = field;
  ret->field_count = 1;
  return WH_OK;
}

// What of the fields is kept, as their own.
static wh_status prune(const wh_field *fields, size_t count, const json_keep *keep, wh_arena *arena,
                       wh_field **ret, uint32_t *ret_count, wh_error *err) {
  wh_field *kept = WH_NEW_ARRAY(arena, count, wh_field);
  if (!kept) return wh_fail_memory(err);
  uint32_t n = 0;
  for (size_t i = 0; i < count; i++) {
    if (!keep[i].some) continue;
    kept[n] = fields[i];
    wh_type *type = &kept[n++].type;
    wh_field *inner;
    uint32_t inner_count;
    if (!keep[i].fields) continue;
    if (type->kind == WH_LIST && !keep[i].fields->some) {
      // Its items are only counted.
      WH_TRY(make_list_of(wh_type_of(WH_NULL), arena, type, err));
      continue;
    }
    WH_TRY(
        prune(type->fields, type->field_count, keep[i].fields, arena, &inner, &inner_count, err));
    type->fields = inner;
    type->field_count = inner_count;
  }
  *ret = kept;
  *ret_count = n;
  return WH_OK;
}

// From a path in `full` to one in `rows`.
static void renumber(const json_layout *l, json_source *source) {
  const json_keep *keep = l->keep;
  const json_keep *in = NULL;
  for (uint32_t d = 0; d < source->depth; d++) {
    const json_keep *level = d == 0 ? keep : in->fields;
    uint32_t index = 0;
    for (uint32_t i = 0; i < source->path[d]; i++)
      index += level[i].some;
    in = &level[source->path[d]];
    source->path[d] = index;
  }
}

wh_status json_layout_make(const json_layout_options *options, const wh_schema *full,
                           wh_arena *arena, json_layout *ret, wh_error *err) {
  *ret = (json_layout){.options = *options, .full = *full, .list = -1, .direct = true};
  bool reshaped = options->flatten || options->explode.len;
  if (!reshaped && !options->wanted) {
    ret->rows = ret->columns = *full;
    return WH_OK;
  }
  ret->keep = WH_NEW_ARRAY(arena, full->count, json_keep);
  if (!ret->keep) return wh_fail_memory(err);
  walk w = {.options = options, .arena = arena};
  ptrdiff_t list = -1;
  WH_TRY(walk_row(&w, full, ret->keep, &list, err));
  wh_field *rows;
  uint32_t count;
  WH_TRY(prune(full->fields, full->count, ret->keep, arena, &rows, &count, err));
  ret->rows = (wh_schema){count, rows};
  ret->columns = (wh_schema){w.count, w.fields};
  if (!reshaped) return WH_OK;
  ret->direct = false;
  ret->sources = w.sources;
  for (size_t i = 0; i < w.count; i++)
    renumber(ret, &ret->sources[i]);
  if (list >= 0) {
    ret->list = 0;
    for (ptrdiff_t i = 0; i < list; i++)
      ret->list += ret->keep[i].some;
  }
  return WH_OK;
}

wh_status json_layout_order(json_layout *layout, const wh_schema *columns, wh_arena *arena,
                            wh_error *err) {
  if (layout->direct) return WH_OK;
  size_t count = layout->columns.count, n = 0, at = 0;
  wh_field *fields = WH_NEW_ARRAY(arena, count, wh_field);
  json_source *sources = WH_NEW_ARRAY(arena, count, json_source);
  if (!fields || !sources) return wh_fail_memory(err);
  for (size_t i = 0; i < columns->count; i++) {
    // It is usually the one behind the last.
    for (size_t tries = 0; tries < count; tries++, at++) {
      at = at < count ? at : 0;
      if (!wh_str_eq(layout->columns.fields[at].name, columns->fields[i].name)) continue;
      fields[n] = layout->columns.fields[at];
      sources[n++] = layout->sources[at++];
      break;
    }
  }
  if (n < count) return WH_OK; // they are of another shape
  layout->columns.fields = fields;
  layout->sources = sources;
  return WH_OK;
}

// --- From columns to rows ------------------------------------------------------------------------

typedef struct node node;
struct node {
  wh_str name;
  const wh_field *leaf; // NULL: it has members
  node *first, *last, *next;
  uint32_t count;
};

static node *member(node *parent, wh_str name, wh_arena *arena) {
  for (node *n = parent->first; n; n = n->next)
    if (wh_str_eq(n->name, name)) return n;
  node *n = WH_NEW(arena, node);
  if (!n) return NULL;
  n->name = name;
  if (parent->last)
    parent->last->next = n;
  else
    parent->first = n;
  parent->last = n;
  parent->count++;
  return n;
}

// The next part of a name, up to a point that does not stand in quotes; as the key that it is.
// NULL .data without memory.
static wh_str next_part(wh_str *rest, wh_arena *arena) {
  char *key = wh_arena_alloc(arena, rest->len + 1);
  if (!key) return (wh_str){0};
  size_t at = 0, n = 0;
  if (rest->len && rest->data[0] == '"') {
    for (at = 1; at < rest->len; at++) {
      if (rest->data[at] == '"' && (++at == rest->len || rest->data[at] != '"')) break;
      key[n++] = rest->data[at];
    }
  }
  for (; at < rest->len && rest->data[at] != '.'; at++)
    key[n++] = rest->data[at];
  *rest = at < rest->len ? wh_str_sub(*rest, at + 1, rest->len) : (wh_str){0};
  return wh_str_n(key, n);
}

static wh_status insert(const json_layout_options *options, node *root, const wh_field *column,
                        wh_arena *arena, wh_error *err) {
  wh_str rest = wh_str_n(column->name.data ? column->name.data : "", column->name.len);
  node *at = root;
  do {
    wh_str part = options->flatten ? next_part(&rest, arena) : rest;
    if (!options->flatten) rest = (wh_str){0};
    node *next = part.data ? member(at, part, arena) : NULL;
    if (!next) return wh_fail_memory(err);
    if (next->leaf || (!rest.data && next->first))
      return wh_fail(err, WH_ERR_USAGE,
                     "with flatten, '%.*s' cannot be a column beside its members",
                     WH_STR_ARG(part));
    at = next;
  } while (rest.data);
  at->leaf = column;
  return WH_OK;
}

static wh_status field_of(const node *n, wh_arena *arena, wh_field *ret, wh_error *err) {
  if (n->leaf) {
    *ret = *n->leaf;
    ret->name = n->name;
    return WH_OK;
  }
  wh_field *fields = WH_NEW_ARRAY(arena, n->count, wh_field);
  if (!fields) return wh_fail_memory(err);
  *ret = (wh_field){.name = n->name, .type = wh_type_of(WH_STRUCT), .nullable = true};
  ret->privacy = WH_INTERNAL;
  ret->type.fields = fields;
  ret->type.field_count = n->count;
  uint32_t i = 0;
  for (const node *m = n->first; m; m = m->next, i++) {
    WH_TRY(field_of(m, arena, &fields[i], err));
    ret->nullable = ret->nullable && fields[i].nullable;
  }
  return WH_OK;
}

// Its items are what the column says.
static wh_status make_list(wh_field *field, wh_arena *arena, wh_error *err) {
  wh_field *item = WH_NEW(arena, wh_field);
  if (!item) return wh_fail_memory(err);
  *item = *field;
  item->name = WH_STR("item");
  field->type = wh_type_of(WH_LIST);
  field->type.fields = item;
  field->type.field_count = 1;
  return WH_OK;
}

wh_status json_layout_unfold(const json_layout_options *options, const wh_schema *columns,
                             bool may_widen, wh_arena *arena, wh_schema *ret, wh_error *err) {
  *ret = *columns;
  if (!options->flatten && !options->explode.len) return WH_OK;
  node root = {0};
  for (size_t i = 0; i < columns->count; i++)
    WH_TRY(insert(options, &root, &columns->fields[i], arena, err));
  wh_field *fields = WH_NEW_ARRAY(arena, root.count + 1, wh_field);
  if (!fields) return wh_fail_memory(err);
  uint32_t i = 0;
  bool found = !options->explode.len;
  for (const node *n = root.first; n; n = n->next, i++) {
    WH_TRY(field_of(n, arena, &fields[i], err));
    if (found || !wh_str_eq(n->name, options->explode)) continue;
    found = true;
    WH_TRY(make_list(&fields[i], arena, err));
  }
  // Perhaps none of its columns is wanted; but its items are still rows. Where all are wanted it
  // was not seen yet, and is found like any other key.
  if (!found && (options->wanted || !may_widen)) {
    fields[i] = (wh_field){.name = options->explode, .nullable = true, .privacy = WH_INTERNAL};
    WH_TRY(make_list_of(wh_type_of(WH_NULL), arena, &fields[i++].type, err));
  }
  *ret = (wh_schema){i, fields};
  return WH_OK;
}
