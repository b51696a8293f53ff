#include "codec/hdf5/spec.h"

typedef struct spec_reader {
  wh_arena *arena;
  wh_error *err;
  h5_spec *spec;
  wh_str parent_start; // with {name} in it; empty: none
} spec_reader;

wh_str h5_path_name(wh_str path) {
  size_t at = path.len;
  while (at > 0 && path.data[at - 1] != '/')
    at--;
  return wh_str_sub(path, at, path.len);
}

static bool is_text(const wh_node *node) {
  return node && node->kind == WH_NODE_SCALAR && !wh_node_is_null(node) && node->text.len;
}

static wh_status take_text(const spec_reader *r, const wh_node *node, const char *what,
                           wh_str *ret) {
  if (!is_text(node))
    return wh_fail(r->err, WH_ERR_USAGE, "%s: expected a text, found %s", what,
                   node ? wh_node_kind_name(node) : "nothing");
  *ret = node->text;
  return WH_OK;
}

static wh_status take_path(const spec_reader *r, const wh_node *node, const char *what,
                           wh_str *ret) {
  wh_str path;
  WH_TRY(take_text(r, node, what, &path));
  if (path.data[0] != '/')
    return wh_fail(r->err, WH_ERR_USAGE, "%s: '%.*s' is no path in the object: it begins with /",
                   what, WH_STR_ARG(path));
  if (path.len > WH_HDF5_PATH_BYTES)
    return wh_fail(r->err, WH_ERR_USAGE, "%s: a path has at most %d bytes", what,
                   WH_HDF5_PATH_BYTES);
  *ret = path;
  return WH_OK;
}

static wh_status fail_word(const spec_reader *r, const char *what, wh_str word, const char *words) {
  return wh_fail(r->err, WH_ERR_USAGE, "%s has no word '%.*s'. It has %s", what, WH_STR_ARG(word),
                 words);
}

static wh_status read_side_map(const spec_reader *r, const wh_node *map, h5_side *ret) {
  static const char words[] = "path, name, prefix and start";
  for (size_t i = 0; i < map->count; i++) {
    wh_str word = map->entries[i].key->text;
    const wh_node *value = map->entries[i].value;
    if (wh_str_is(word, "path"))
      WH_TRY(take_path(r, value, "rows: path", &ret->path));
    else if (wh_str_is(word, "name"))
      WH_TRY(take_text(r, value, "rows: name", &ret->name));
    else if (wh_str_is(word, "prefix"))
      WH_TRY(take_text(r, value, "rows: prefix", &ret->prefix));
    else if (wh_str_is(word, "start"))
      WH_TRY(take_text(r, value, "rows: start", &ret->start));
    else
      return fail_word(r, "rows", word, words);
  }
  if (ret->path.len == 0) return wh_fail(r->err, WH_ERR_USAGE, "rows: a dataset needs its path");
  if (ret->name.len && ret->prefix.len)
    return wh_fail(r->err, WH_ERR_USAGE, "rows: %.*s has a name or a prefix, not both",
                   WH_STR_ARG(ret->path));
  return WH_OK;
}

static wh_status read_side(const spec_reader *r, const wh_node *node, h5_side *ret) {
  *ret = (h5_side){0};
  if (node->kind == WH_NODE_MAP) return read_side_map(r, node, ret);
  return take_path(r, node, "rows", &ret->path);
}

static wh_status read_rows(spec_reader *r, const wh_node *node) {
  if (!node || wh_node_is_null(node)) return WH_OK;
  bool is_list = node->kind == WH_NODE_LIST;
  size_t count = is_list ? node->count : 1;
  if (count == 0 || count > WH_HDF5_DATASETS_MAX)
    return wh_fail(r->err, WH_ERR_USAGE, "rows: expected 1 to %d datasets", WH_HDF5_DATASETS_MAX);
  r->spec->sides = WH_NEW_ARRAY(r->arena, count, h5_side);
  if (!r->spec->sides) return wh_fail_memory(r->err);
  for (size_t i = 0; i < count; i++)
    WH_TRY(read_side(r, is_list ? node->items[i] : node, &r->spec->sides[i]));
  r->spec->side_count = count;
  return WH_OK;
}

// [field, ...] or { column: field, ... }, or one field.
static wh_status read_keep(spec_reader *r, const wh_node *node) {
  size_t count = node->kind == WH_NODE_SCALAR ? 1 : node->count;
  r->spec->kept = WH_NEW_ARRAY(r->arena, count, h5_kept);
  if (!r->spec->kept) return wh_fail_memory(r->err);
  for (size_t i = 0; i < count; i++) {
    h5_kept *k = &r->spec->kept[i];
    const wh_node *field = node->kind == WH_NODE_LIST  ? node->items[i]
                           : node->kind == WH_NODE_MAP ? node->entries[i].value
                                                       : node;
    WH_TRY(take_text(r, field, "parent: keep", &k->field));
    k->column = node->kind == WH_NODE_MAP ? node->entries[i].key->text : k->field;
  }
  r->spec->kept_count = count;
  return WH_OK;
}

static wh_status read_parent(spec_reader *r, const wh_node *node) {
  if (!node || wh_node_is_null(node)) return WH_OK;
  if (node->kind != WH_NODE_MAP)
    return wh_fail(r->err, WH_ERR_USAGE, "parent: expected a map, found %s",
                   wh_node_kind_name(node));
  for (size_t i = 0; i < node->count; i++) {
    wh_str word = node->entries[i].key->text;
    const wh_node *value = node->entries[i].value;
    if (wh_str_is(word, "path"))
      WH_TRY(take_path(r, value, "parent: path", &r->spec->parent));
    else if (wh_str_is(word, "start"))
      WH_TRY(take_text(r, value, "parent: start", &r->parent_start));
    else if (wh_str_is(word, "keep"))
      WH_TRY(read_keep(r, value));
    else
      return fail_word(r, "parent", word, "path, start and keep");
  }
  if (r->spec->parent.len) return WH_OK;
  return wh_fail(r->err, WH_ERR_USAGE, "parent: it needs the path of its dataset");
}

static wh_status read_repeat(spec_reader *r, const wh_node *node) {
  if (!node || wh_node_is_null(node)) return WH_OK;
  if (node->kind != WH_NODE_MAP)
    return wh_fail(r->err, WH_ERR_USAGE, "repeat: expected a map of columns, found %s",
                   wh_node_kind_name(node));
  r->spec->repeated = WH_NEW_ARRAY(r->arena, node->count, h5_repeated);
  if (!r->spec->repeated) return wh_fail_memory(r->err);
  for (size_t i = 0; i < node->count; i++) {
    h5_repeated *c = &r->spec->repeated[i];
    c->column = node->entries[i].key->text;
    WH_TRY(take_path(r, node->entries[i].value, "repeat", &c->path));
    size_t at = c->path.len;
    while (at > 0 && c->path.data[at - 1] != '@')
      at--;
    if (at == 0) continue;
    c->attribute = wh_str_sub(c->path, at, c->path.len);
    c->path = wh_str_sub(c->path, 0, at - 1);
    if (c->attribute.len == 0)
      return wh_fail(r->err, WH_ERR_USAGE, "repeat: %.*s: no attribute stands behind the @",
                     WH_STR_ARG(c->column));
  }
  r->spec->repeated_count = node->count;
  return WH_OK;
}

// What the parent says of all, for one: {name} is that of the dataset.
static wh_status make_start(const spec_reader *r, h5_side *side) {
  static const char mark[] = "{name}";
  wh_str t = r->parent_start;
  for (size_t at = 0; at + sizeof mark - 1 <= t.len; at++) {
    if (memcmp(t.data + at, mark, sizeof mark - 1) != 0) continue;
    wh_str rest = wh_str_sub(t, at + sizeof mark - 1, t.len), name = h5_path_name(side->path);
    side->start = wh_arena_printf(r->arena, "%.*s%.*s%.*s", (int)at, t.data, WH_STR_ARG(name),
                                  WH_STR_ARG(rest));
    return side->start.data ? WH_OK : wh_fail_memory(r->err);
  }
  side->start = t;
  return WH_OK;
}

static wh_status match_starts(const spec_reader *r) {
  bool has_parent = r->spec->parent.len > 0;
  if (has_parent && r->spec->side_count == 0)
    return wh_fail(r->err, WH_ERR_USAGE, "parent: there are no rows that it could own");
  for (size_t i = 0; i < r->spec->side_count; i++) {
    h5_side *side = &r->spec->sides[i];
    if (side->start.len == 0 && r->parent_start.len) WH_TRY(make_start(r, side));
    if (has_parent == (side->start.len > 0)) continue;
    return wh_fail(r->err, WH_ERR_USAGE,
                   has_parent ? "rows: %.*s: which field of the parent says where a slice starts? "
                                "Give start, there or under parent"
                              : "rows: %.*s: start is a field of a parent, and there is none",
                   WH_STR_ARG(side->path));
  }
  return WH_OK;
}

wh_status h5_spec_make(const wh_hdf5_table *o, wh_arena *arena, h5_spec *ret, wh_error *err) {
  h5_spec spec = {.index = o->index, .file = o->file, .index_from = o->index_from};
  spec_reader r = {.arena = arena, .err = err, .spec = &spec};
  WH_TRY(read_rows(&r, o->rows));
  WH_TRY(read_parent(&r, o->parent));
  WH_TRY(read_repeat(&r, o->repeat));
  WH_TRY(match_starts(&r));
  *ret = spec;
  return WH_OK;
}

static wh_status check(const void *options, bool may_be_all, wh_error *err) {
  wh_mem mem;
  WH_CLEAN_ARENA wh_arena arena;
  wh_mem_init(&mem, 0);
  wh_arena_init(&arena, &mem);
  h5_spec spec;
  WH_TRY(h5_spec_make(options, &arena, &spec, err));
  if (may_be_all || spec.side_count || spec.repeated_count) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "give the datasets of its rows: rows: PATH");
}

wh_status h5_spec_check_read(const void *options, wh_error *err) {
  return check(options, true, err);
}

wh_status h5_spec_check_table(const void *options, wh_error *err) {
  return check(options, false, err);
}
