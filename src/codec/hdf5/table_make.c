#include "codec/hdf5/table.h"

typedef struct maker {
  h5_datasets *datasets;
  const h5_spec *spec;
  const h5_wish *wish;
  wh_arena *arena;
  wh_error *err;
  h5_table *table;
  wh_field *fields; // of the schema
  size_t cap;
} maker;

// --- datasets ------------------------------------------------------------------------------------

// Within one table each has its own: they are read at different rows.
static bool is_used_here(const h5_table *t, const h5_dataset *d) {
  bool used = t->parent == d;
  for (size_t i = 0; i < t->side_count; i++)
    used = used || t->sides[i].dataset == d;
  return used;
}

static wh_status get_dataset(maker *m, wh_str path, const h5_naming *naming, h5_dataset **ret) {
  h5_datasets *all = m->datasets;
  for (size_t i = 0; i < all->count; i++) {
    if (is_used_here(m->table, all->items[i])) continue;
    if (!wh_str_eq(all->items[i]->path, path) || !wh_str_eq(all->namings[i].name, naming->name) ||
        !wh_str_eq(all->namings[i].prefix, naming->prefix))
      continue;
    all->items[i]->users++;
    *ret = all->items[i];
    return WH_OK;
  }
  if (all->count == WH_HDF5_DATASETS_MAX)
    return wh_fail(m->err, WH_ERR_LIMIT, "tables are made of more than %d datasets",
                   WH_HDF5_DATASETS_MAX);
  h5_dataset *d = WH_NEW(all->arena, h5_dataset);
  if (!d) return wh_fail_memory(m->err);
  WH_TRY(h5_enter(m->err));
  wh_status status = h5_dataset_open(all->file, path, naming, all->arena, d, m->err);
  h5_leave();
  WH_TRY(status);
  d->users = 1;
  all->namings[all->count] = *naming;
  all->items[all->count++] = d;
  *ret = d;
  return WH_OK;
}

static void close_dataset(h5_dataset *d) {
  if (d->id <= 0) return;
  WH_IGNORE(h5_enter(NULL)); // it was entered before
  h5_dataset_close(d);
  h5_leave();
}

static void let_go(h5_dataset *d) {
  if (d && d->users && --d->users == 0) close_dataset(d);
}

void h5_table_done(h5_table *t) {
  let_go(t->parent);
  for (size_t i = 0; i < t->side_count; i++)
    let_go(t->sides[i].dataset);
  t->parent = NULL;
  t->side_count = 0;
}

void h5_datasets_close(h5_datasets *all) {
  for (size_t i = 0; i < all->count; i++)
    close_dataset(all->items[i]);
  all->count = 0;
}

// --- columns -------------------------------------------------------------------------------------

bool h5_is_wanted(const h5_wish *w, wh_str name) {
  if (!w->wanted) return true;
  for (size_t i = 0; i < w->wanted_count; i++)
    if (wh_str_eq(w->wanted[i], name)) return true;
  return false;
}

static wh_status grow(maker *m) {
  size_t count = m->table->schema.count, cap = m->cap ? 2 * m->cap : 32;
  if (count < m->cap) return WH_OK;
  wh_field *fields = WH_NEW_ARRAY(m->arena, cap, wh_field);
  h5_column *columns = WH_NEW_ARRAY(m->arena, cap, h5_column);
  if (!fields || !columns) return wh_fail_memory(m->err);
  if (count) {
    memcpy(fields, m->fields, count * sizeof *fields);
    memcpy(columns, m->table->columns, count * sizeof *columns);
  }
  m->table->schema.fields = m->fields = fields;
  m->table->columns = columns;
  m->cap = cap;
  return WH_OK;
}

// One that is not wanted is left out.
static wh_status add_column(maker *m, wh_str name, wh_kind kind, const h5_column *column) {
  h5_table *t = m->table;
  if (!h5_is_wanted(m->wish, name)) return WH_OK;
  if (column->field && column->field->refused)
    return wh_fail(m->err, WH_ERR_TYPE, "column %.*s cannot be read: %s. Leave it out of columns",
                   WH_STR_ARG(name), column->field->refused);
  if (wh_schema_find(&t->schema, name) >= 0)
    return wh_fail(m->err, WH_ERR_DATA,
                   "two columns are named %.*s. Give one of their datasets a prefix or a name",
                   WH_STR_ARG(name));
  if (t->schema.count == WH_COLUMNS_MAX)
    return wh_fail(m->err, WH_ERR_LIMIT, "a table has more than %d columns", WH_COLUMNS_MAX);
  WH_TRY(grow(m));
  bool nullable = column->origin == H5_OF_SINGLE && t->singles[column->at].is_null;
  m->fields[t->schema.count] = (wh_field){
      .name = name, .type = wh_type_of(kind), .nullable = nullable, .privacy = WH_INTERNAL};
  t->columns[t->schema.count++] = *column;
  t->row_bytes += wh_kind_width(kind) + (wh_kind_is_text(kind) && column->field
                                             ? column->field->size + sizeof(int32_t)
                                             : sizeof(int32_t));
  return WH_OK;
}

// The object's name without folder and extension.
static wh_status add_file(maker *m) {
  wh_str name = h5_path_name(m->wish->key);
  size_t dot = name.len;
  if (m->spec->file.len == 0) return WH_OK;
  if (name.len == 0) return wh_fail(m->err, WH_ERR_USAGE, "file: what is read here has no name");
  while (dot > 1 && name.data[dot - 1] != '.')
    dot--;
  m->table->file = wh_arena_str(m->arena, dot > 1 ? wh_str_sub(name, 0, dot - 1) : name);
  if (!m->table->file.data) return wh_fail_memory(m->err);
  return add_column(m, m->spec->file, WH_STRING, &(h5_column){.origin = H5_OF_FILE});
}

static wh_status add_parent(maker *m) {
  h5_naming naming = {.name = h5_path_name(m->spec->parent)};
  if (m->spec->parent.len == 0) return WH_OK;
  WH_TRY(get_dataset(m, m->spec->parent, &naming, &m->table->parent));
  const h5_fields *fields = &m->table->parent->fields;
  for (size_t i = 0; i < m->spec->kept_count; i++) {
    const h5_kept *k = &m->spec->kept[i];
    ptrdiff_t at = h5_fields_find(fields, k->field);
    if (at < 0)
      return wh_fail(m->err, WH_ERR_DATA, "%.*s has no field %.*s", WH_STR_ARG(m->spec->parent),
                     WH_STR_ARG(k->field));
    const h5_field *f = &fields->items[at];
    WH_TRY(
        add_column(m, k->column, f->type.kind, &(h5_column){.origin = H5_OF_PARENT, .field = f}));
  }
  return WH_OK;
}

static wh_status read_single(maker *m, const h5_repeated *r, h5_single *ret) {
  WH_TRY(
      h5_single_read(m->datasets->file, r->path, r->attribute, r->column, m->arena, ret, m->err));
  if (ret->fields.count != 1)
    return wh_fail(m->err, WH_ERR_DATA, "repeat: %.*s has %zu values, not one", WH_STR_ARG(r->path),
                   ret->fields.count);
  const h5_field *f = ret->fields.items;
  if (ret->is_null || f->refused || h5_field_good(f, ret->record, 0, 1) == 1) return WH_OK;
  wh_str value, why = h5_field_fault(f, ret->record, m->arena, &value);
  return wh_fail(m->err, WH_ERR_DATA, "repeat: %.*s: %.*s", WH_STR_ARG(r->column), WH_STR_ARG(why));
}

static wh_status add_singles(maker *m) {
  size_t count = m->spec->repeated_count;
  m->table->singles = WH_NEW_ARRAY(m->arena, count, h5_single);
  if (!m->table->singles) return wh_fail_memory(m->err);
  for (size_t i = 0; i < count; i++) {
    const h5_repeated *r = &m->spec->repeated[i];
    h5_single *single = &m->table->singles[i];
    if (!h5_is_wanted(m->wish, r->column)) continue;
    WH_TRY(read_single(m, r, single));
    const h5_field *f = single->fields.items;
    WH_TRY(add_column(m, r->column, f->type.kind,
                      &(h5_column){.origin = H5_OF_SINGLE, .at = i, .field = f}));
  }
  return WH_OK;
}

static wh_status find_start(maker *m, const h5_side *spec, h5_table_side *side) {
  if (spec->start.len == 0) return WH_OK;
  const h5_fields *fields = &m->table->parent->fields;
  ptrdiff_t at = h5_fields_find(fields, spec->start);
  if (at < 0)
    return wh_fail(m->err, WH_ERR_DATA, "%.*s has no field %.*s", WH_STR_ARG(m->spec->parent),
                   WH_STR_ARG(spec->start));
  side->start = &fields->items[at];
  if (side->start->form == H5_FORM_INT && !side->start->refused) return WH_OK;
  return wh_fail(m->err, WH_ERR_DATA, "%.*s: field %.*s holds no integers, and so no starts",
                 WH_STR_ARG(m->spec->parent), WH_STR_ARG(spec->start));
}

static wh_status add_side(maker *m, size_t i) {
  const h5_side *spec = &m->spec->sides[i];
  h5_table_side *side = &m->table->sides[i];
  h5_naming naming = {.name = spec->name.len ? spec->name : h5_path_name(spec->path),
                      .prefix = spec->prefix};
  WH_TRY(get_dataset(m, spec->path, &naming, &side->dataset));
  m->table->side_count = i + 1;
  WH_TRY(find_start(m, spec, side));
  const h5_fields *fields = &side->dataset->fields;
  for (size_t k = 0; k < fields->count; k++) {
    const h5_field *f = &fields->items[k];
    WH_TRY(add_column(m, f->name, f->type.kind,
                      &(h5_column){.origin = H5_OF_SIDE, .at = i, .field = f}));
  }
  return WH_OK;
}

// Without a parent, all are as long as each other.
static wh_status check_lengths(const maker *m) {
  for (size_t i = 1; !m->table->parent && i < m->spec->side_count; i++) {
    const h5_dataset *a = m->table->sides[0].dataset, *b = m->table->sides[i].dataset;
    if (a->rows == b->rows) continue;
    return wh_fail(m->err, WH_ERR_DATA,
                   "%.*s has %llu rows and %.*s %llu, so they cannot stand side by side",
                   WH_STR_ARG(a->path), (unsigned long long)a->rows, WH_STR_ARG(b->path),
                   (unsigned long long)b->rows);
  }
  return WH_OK;
}

static wh_status make(maker *m) {
  const h5_spec *spec = m->spec;
  h5_table *t = m->table;
  t->sides = WH_NEW_ARRAY(m->arena, spec->side_count, h5_table_side);
  if (!t->sides) return wh_fail_memory(m->err);
  WH_TRY(add_file(m));
  WH_TRY(add_parent(m));
  WH_TRY(add_singles(m));
  if (spec->index.len)
    WH_TRY(add_column(m, spec->index, WH_INT64, &(h5_column){.origin = H5_OF_INDEX}));
  for (size_t i = 0; i < spec->side_count; i++)
    WH_TRY(add_side(m, i));
  return check_lengths(m);
}

wh_status h5_table_make(h5_datasets *datasets, const h5_spec *spec, const h5_wish *wish,
                        wh_arena *arena, h5_table *ret, wh_error *err) {
  *ret = (h5_table){.name = wish->name, .index_from = spec->index_from};
  maker m = {datasets, spec, wish, arena, err, ret, NULL, 0};
  wh_status status = make(&m);
  if (status != WH_OK && wish->name.len)
    wh_error_prefix(err, "table %.*s: ", WH_STR_ARG(wish->name));
  return status;
}
