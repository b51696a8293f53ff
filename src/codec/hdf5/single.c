// Values that stand alone, and what there is in a file.
#include "codec/hdf5/dataset.h"
#include "codec/hdf5/hdf5.h"

// --- attributes ----------------------------------------------------------------------------------

static wh_status check_one(hid_t space, wh_str what, bool *ret_null, wh_error *err) {
  int rank;
  hsize_t dims[H5S_MAX_RANK];
  WH_TRY(h5_space_dims(space, what, &rank, dims, ret_null, err));
  for (int i = 0; i < rank; i++) {
    if (dims[i] == 1) continue;
    return wh_fail(err, WH_ERR_DATA, "%.*s is no single value: it has %llu", WH_STR_ARG(what),
                   (unsigned long long)dims[i]);
  }
  return WH_OK;
}

// Those of an attribute are libhdf5's own: it cannot be told where to put them.
static wh_status take_texts(const h5_single *s, wh_arena *arena, wh_error *err) {
  bool ok = true;
  for (size_t i = 0; i < s->fields.count; i++) {
    const h5_field *f = &s->fields.items[i];
    char *text;
    if (f->form != H5_FORM_TEXT_POINTER) continue;
    memcpy(&text, s->record + f->offset, sizeof text);
    char *copy = text ? wh_arena_cstr(arena, wh_str_of(text)) : NULL;
    ok = ok && (copy || !text);
    memcpy(s->record + f->offset, &copy, sizeof copy);
    h5.H5free_memory(text);
  }
  return ok ? WH_OK : wh_fail_memory(err);
}

static wh_status read_attribute(hid_t attribute, hid_t type, hid_t space, const h5_naming *naming,
                                wh_str what, wh_arena *arena, h5_single *ret, wh_error *err) {
  WH_TRY(check_one(space, what, &ret->is_null, err));
  WH_TRY(h5_fields_make(type, 1, naming, what, arena, &ret->fields, err));
  ret->record = wh_arena_alloc(arena, ret->fields.record);
  if (!ret->record) return wh_fail_memory(err);
  if (ret->is_null) return WH_OK;
  if (h5.H5Aread(attribute, type, ret->record) < 0)
    return h5_fail(err, "%.*s cannot be read", WH_STR_ARG(what));
  return take_texts(ret, arena, err);
}

static wh_status open_attribute(hid_t object, wh_str attribute, const h5_naming *naming,
                                wh_str what, wh_arena *arena, h5_single *ret, wh_error *err) {
  char *name = wh_arena_cstr(arena, attribute);
  if (!name) return wh_fail_memory(err);
  hid_t id = h5.H5Aopen(object, name, H5P_DEFAULT);
  if (id < 0) return h5_fail(err, "there is no attribute %.*s", WH_STR_ARG(what));
  hid_t type = h5.H5Aget_type(id), space = h5.H5Aget_space(id);
  wh_status status = type < 0 || space < 0
                         ? h5_fail(err, "%.*s cannot be read", WH_STR_ARG(what))
                         : read_attribute(id, type, space, naming, what, arena, ret, err);
  if (type > 0) h5.H5Tclose(type);
  if (space > 0) h5.H5Sclose(space);
  h5.H5Aclose(id);
  return status;
}

// --- either --------------------------------------------------------------------------------------

// The texts behind its record move to the arena with it.
static wh_status keep_record(const uint8_t *record, wh_arena *arena, h5_single *ret,
                             wh_error *err) {
  ret->record = wh_arena_alloc(arena, ret->fields.record);
  if (!ret->record) return wh_fail_memory(err);
  memcpy(ret->record, record, ret->fields.record);
  for (size_t i = 0; i < ret->fields.count; i++) {
    const h5_field *f = &ret->fields.items[i];
    const char *text;
    if (f->form != H5_FORM_TEXT_POINTER) continue;
    memcpy(&text, record + f->offset, sizeof text);
    text = wh_arena_cstr(arena, wh_str_of(text ? text : ""));
    if (!text) return wh_fail_memory(err);
    memcpy(ret->record + f->offset, &text, sizeof text);
  }
  return WH_OK;
}

static wh_status read_dataset(h5_dataset *d, wh_arena *arena, h5_single *ret, wh_error *err) {
  const uint8_t *record;
  uint64_t n;
  ret->fields = d->fields;
  if (d->rows != 1)
    return wh_fail(err, WH_ERR_DATA, "%.*s is no single value: it has %llu rows",
                   WH_STR_ARG(d->path), (unsigned long long)d->rows);
  WH_TRY(h5_dataset_rows(d, 0, &record, &n, err));
  return keep_record(record, arena, ret, err);
}

static wh_status single_dataset(h5_file *f, wh_str path, const h5_naming *naming, wh_arena *arena,
                                h5_single *ret, wh_error *err) {
  h5_dataset d;
  WH_TRY(h5_enter(err));
  wh_status status = h5_dataset_open(f, path, naming, arena, &d, err);
  h5_leave();
  WH_TRY(status);
  status = read_dataset(&d, arena, ret, err);
  WH_IGNORE(h5_enter(NULL));
  h5_dataset_close(&d);
  h5_leave();
  return status;
}

wh_status h5_single_read(h5_file *f, wh_str path, wh_str attribute, wh_str name, wh_arena *arena,
                         h5_single *ret, wh_error *err) {
  h5_naming naming = {.name = name};
  h5_single single = {0};
  hid_t object;
  if (attribute.len == 0) {
    WH_TRY(single_dataset(f, path, &naming, arena, &single, err));
    *ret = single;
    return WH_OK;
  }
  wh_str what = wh_arena_printf(arena, "%.*s@%.*s", WH_STR_ARG(path), WH_STR_ARG(attribute));
  if (!what.data) return wh_fail_memory(err);
  WH_TRY(h5_enter(err));
  wh_status status = h5_file_object(f, path, &object, err);
  if (status == WH_OK) {
    status = open_attribute(object, attribute, &naming, what, arena, &single, err);
    h5.H5Oclose(object);
  }
  h5_leave();
  WH_TRY(h5_bytes_blame(&f->bytes, status, err));
  *ret = single;
  return WH_OK;
}

// --- what there is -------------------------------------------------------------------------------

// A group may be linked from inside itself; and libhdf5 loses memory over each damaged object that
// it cannot open.
enum { LISTED_OBJECTS_MAX = 1000, LISTED_BROKEN_MAX = 16 };

typedef struct listing {
  h5_file *file;
  wh_arena *arena;
  wh_error *err;
  size_t most, looked_at, broken;
  wh_str *paths;
  size_t count;
} listing;

static wh_status list_group(listing *l, hid_t group, wh_str path, int depth);

static wh_status list_object(listing *l, wh_str path, int depth) {
  hid_t id = h5.H5Oopen(l->file->id, path.data, l->file->link_access);
  if (id < 0) { // a link that leads nowhere, or out of the file
    l->broken++;
    return WH_OK;
  }
  H5I_type_t type = h5.H5Iget_type(id);
  wh_status status = WH_OK;
  if (type == H5I_DATASET && l->count < l->most) l->paths[l->count++] = path;
  if (type == H5I_GROUP && depth < WH_HDF5_NESTING_MAX) status = list_group(l, id, path, depth + 1);
  h5.H5Oclose(id);
  return status;
}

static wh_status list_group(listing *l, hid_t group, wh_str path, int depth) {
  H5G_info_t info;
  if (h5.H5Gget_info(group, &info) < 0) return h5_fail(l->err, "a group cannot be read");
  for (hsize_t i = 0; i < info.nlinks && l->count < l->most; i++) {
    char name[WH_HDF5_PATH_BYTES];
    ssize_t n = h5.H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                                      l->file->link_access);
    if (n < 0) return h5_fail(l->err, "a group cannot be read");
    if ((size_t)n >= sizeof name || l->looked_at++ >= LISTED_OBJECTS_MAX ||
        l->broken >= LISTED_BROKEN_MAX)
      return wh_fail(l->err, WH_ERR_LIMIT,
                     "the file has too many objects, or damaged ones, to find its datasets. Say "
                     "which are the rows (format: { rows: PATH })");
    wh_str inner = wh_arena_printf(l->arena, "%.*s/%s", WH_STR_ARG(path), name);
    if (!inner.data) return wh_fail_memory(l->err);
    if (inner.len <= WH_HDF5_PATH_BYTES && wh_utf8_valid(inner))
      WH_TRY(list_object(l, inner, depth));
  }
  return WH_OK;
}

wh_status h5_file_list(h5_file *f, size_t most, wh_arena *arena, wh_str *ret, size_t *ret_count,
                       wh_error *err) {
  listing l = {.file = f, .arena = arena, .err = err, .most = most, .paths = ret};
  WH_TRY(h5_enter(err));
  hid_t root = h5.H5Oopen(f->id, "/", f->link_access);
  wh_status status = root < 0 ? h5_fail(err, "the root group cannot be read")
                              : list_group(&l, root, (wh_str){0}, 0);
  if (root >= 0) h5.H5Oclose(root);
  h5.H5Eclear2(H5E_DEFAULT);
  h5_leave();
  WH_TRY(h5_bytes_blame(&f->bytes, status, err));
  *ret_count = l.count;
  return WH_OK;
}
