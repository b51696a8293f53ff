#include "codec/hdf5/dataset.h"

#include "codec/hdf5/hdf5.h"

// --- the file ------------------------------------------------------------------------------------

// What is in another file was not asked for.
static herr_t refuse_link(const char *from_file, const char *from, const char *to_file,
                          const char *to, unsigned *flags, hid_t access, void *context) {
  (void)from_file, (void)from, (void)to_file, (void)to, (void)flags, (void)access, (void)context;
  return -1;
}

static void *alloc_text(size_t size, void *context) {
  h5_file *f = context;
  if (size > WH_HDF5_TEXTS_BYTES || f->texts->used > WH_HDF5_TEXTS_BYTES - size) {
    f->texts_full = true;
    return NULL;
  }
  return wh_arena_alloc(f->texts, size);
}

static void free_text(void *text, void *context) {
  (void)text, (void)context; // with all others of the stretch
}

static wh_status open_file(h5_file *f, wh_error *err) {
  WH_TRY(h5_bytes_open(&f->bytes, &f->id, err));
  f->link_access = h5.H5Pcreate(h5_link_access);
  f->transfer = h5.H5Pcreate(h5_transfer);
  if (f->link_access < 0 || f->transfer < 0 ||
      h5.H5Pset_elink_cb(f->link_access, refuse_link, NULL) < 0 ||
      h5.H5Pset_vlen_mem_manager(f->transfer, alloc_text, f, free_text, f) < 0)
    return h5_fail(err, "libhdf5 cannot be used");
  return WH_OK;
}

wh_status h5_file_open(h5_file *f, wh_mem *mem, wh_input *in, wh_error *err) {
  *f = (h5_file){.mem = mem};
  WH_TRY(h5_bytes_init(&f->bytes, mem, in, err));
  WH_TRY(h5_enter(err));
  wh_status status = open_file(f, err);
  h5_leave();
  return status;
}

void h5_file_close(h5_file *f) {
  if (f->id > 0 || f->link_access > 0 || f->transfer > 0) {
    WH_IGNORE(h5_enter(NULL)); // it was entered before
    if (f->link_access > 0) h5.H5Pclose(f->link_access);
    if (f->transfer > 0) h5.H5Pclose(f->transfer);
    if (f->id > 0) h5.H5Fclose(f->id);
    h5.H5Eclear2(H5E_DEFAULT);
    h5_leave();
  }
  h5_bytes_free(&f->bytes);
  *f = (h5_file){0};
}

wh_status h5_file_object(h5_file *f, wh_str path, hid_t *ret, wh_error *err) {
  char name[WH_HDF5_PATH_BYTES + 1];
  if (path.len >= sizeof name)
    return wh_fail(err, WH_ERR_USAGE, "a path has at most %d bytes", WH_HDF5_PATH_BYTES);
  memcpy(name, path.data, path.len);
  name[path.len] = 0;
  hid_t id = h5.H5Oopen(f->id, name, f->link_access);
  if (id < 0) return h5_bytes_blame(&f->bytes, h5_fail(err, "%s cannot be opened", name), err);
  *ret = id;
  return WH_OK;
}

// --- what it may be ------------------------------------------------------------------------------

static wh_status check_filters(const h5_dataset *d, hid_t creation, wh_error *err) {
  int count = h5.H5Pget_nfilters(creation);
  if (count < 0) return h5_fail(err, "%.*s: its filters cannot be read", WH_STR_ARG(d->path));
  for (int i = 0; i < count; i++) {
    char name[64] = "";
    unsigned flags, config;
    size_t values = 0;
    H5Z_filter_t id =
        h5.H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL, sizeof name, name, &config);
    name[sizeof name - 1] = 0;
    name[wh_utf8_valid_prefix(wh_str_of(name))] = 0;
    if (id < 0) return h5_fail(err, "%.*s: its filters cannot be read", WH_STR_ARG(d->path));
    if (h5.H5Zfilter_avail(id) > 0) continue;
    h5.H5Eclear2(H5E_DEFAULT);
    return wh_fail(err, WH_ERR_DATA,
                   "%.*s is stored with filter %d%s%s%s, which this libhdf5 has not. Install its "
                   "plugin, or repack the file with h5repack -f GZIP=1",
                   WH_STR_ARG(d->path), (int)id, name[0] ? " (" : "", name, name[0] ? ")" : "");
  }
  return WH_OK;
}

static wh_status check_chunks(h5_dataset *d, hid_t creation, wh_error *err) {
  hsize_t chunk[H5S_MAX_RANK];
  int rank = h5.H5Pget_chunk(creation, H5S_MAX_RANK, chunk);
  uint64_t bytes = h5.H5Tget_size(d->type);
  if (rank < 1) return h5_fail(err, "%.*s: its chunks cannot be read", WH_STR_ARG(d->path));
  for (int i = 0; i < rank; i++) {
    if (__builtin_mul_overflow(bytes, chunk[i], &bytes)) bytes = UINT64_MAX;
  }
  if (bytes > WH_HDF5_CHUNK_BYTES)
    return wh_fail(err, WH_ERR_LIMIT,
                   "%.*s has chunks of %llu MiB, and at most %d are read. Repack the file with "
                   "smaller ones (h5repack -l CHUNK=...)",
                   WH_STR_ARG(d->path), (unsigned long long)(bytes >> 20),
                   WH_HDF5_CHUNK_BYTES >> 20);
  d->chunk_rows = chunk[0] ? chunk[0] : 1;
  return check_filters(d, creation, err);
}

static wh_status check_storage(h5_dataset *d, hid_t creation, wh_error *err) {
  H5D_layout_t layout = h5.H5Pget_layout(creation);
  d->chunk_rows = 1;
  if (layout == H5D_VIRTUAL || h5.H5Pget_external_count(creation) != 0)
    return wh_fail(err, WH_ERR_DATA, "%.*s keeps its values in other files, which are not read",
                   WH_STR_ARG(d->path));
  if (layout == H5D_CHUNKED) return check_chunks(d, creation, err);
  if (layout == H5D_COMPACT || layout == H5D_CONTIGUOUS) return WH_OK;
  return h5_fail(err, "%.*s: its layout cannot be read", WH_STR_ARG(d->path));
}

// A header that claims more than its file could ever hold is not believed.
static wh_status check_claim(const h5_dataset *d, wh_error *err) {
  uint64_t bytes, most;
  // libhdf5 takes time and memory for each text that is only claimed.
  int times = d->fields.pointers ? WH_HDF5_TEXT_EXPANSION_MAX : WH_HDF5_EXPANSION_MAX;
  if (__builtin_mul_overflow(d->rows, (uint64_t)d->fields.record, &bytes)) bytes = UINT64_MAX;
  if (__builtin_mul_overflow(d->file->bytes.size, (uint64_t)times, &most)) most = UINT64_MAX;
  if (bytes <= most) return WH_OK;
  return wh_fail(err, WH_ERR_DATA,
                 "%.*s claims %llu rows of %zu bytes, which is over %d times the file's size",
                 WH_STR_ARG(d->path), (unsigned long long)d->rows, d->fields.record, times);
}

wh_status h5_space_dims(hid_t space, wh_str what, int *ret_rank, hsize_t *dims, bool *ret_null,
                        wh_error *err) {
  H5S_class_t class = h5.H5Sget_simple_extent_type(space);
  *ret_null = class == H5S_NULL;
  *ret_rank = 0;
  if (class == H5S_NULL || class == H5S_SCALAR) return WH_OK;
  int rank = h5.H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > H5S_MAX_RANK || h5.H5Sget_simple_extent_dims(space, dims, NULL) < 0)
    return h5_fail(err, "%.*s: its dimensions cannot be read", WH_STR_ARG(what));
  *ret_rank = rank;
  return WH_OK;
}

// --- opening -------------------------------------------------------------------------------------

static wh_status measure(h5_dataset *d, const h5_naming *naming, wh_arena *arena, wh_error *err) {
  bool null;
  hid_t space = h5.H5Dget_space(d->id);
  if (space < 0) return h5_fail(err, "%.*s: it has no dimensions", WH_STR_ARG(d->path));
  wh_status status = h5_space_dims(space, d->path, &d->rank, d->dims, &null, err);
  h5.H5Sclose(space);
  WH_TRY(status);
  d->rows = null ? 0 : d->rank ? d->dims[0] : 1;
  uint64_t width = 1;
  for (int i = 1; i < d->rank; i++) {
    if (__builtin_mul_overflow(width, d->dims[i], &width)) width = UINT64_MAX;
  }
  WH_TRY(h5_fields_make(d->type, width, naming, d->path, arena, &d->fields, err));
  if (d->fields.record == 0) d->rows = 0; // a dimension of nothing
  return check_claim(d, err);
}

static wh_status open_dataset(h5_dataset *d, const h5_naming *naming, wh_arena *arena,
                              wh_error *err) {
  WH_TRY(h5_file_object(d->file, d->path, &d->id, err));
  if (h5.H5Iget_type(d->id) != H5I_DATASET)
    return wh_fail(err, WH_ERR_DATA, "%.*s is no dataset, but a group or a type",
                   WH_STR_ARG(d->path));
  hid_t creation = h5.H5Dget_create_plist(d->id);
  d->type = h5.H5Dget_type(d->id);
  wh_status status = creation < 0 || d->type < 0
                         ? h5_fail(err, "%.*s cannot be opened", WH_STR_ARG(d->path))
                         : check_storage(d, creation, err);
  if (creation >= 0) h5.H5Pclose(creation);
  WH_TRY(status);
  return measure(d, naming, arena, err);
}

wh_status h5_dataset_open(h5_file *f, wh_str path, const h5_naming *naming, wh_arena *arena,
                          h5_dataset *ret, wh_error *err) {
  *ret = (h5_dataset){.file = f, .path = path};
  wh_arena_init(&ret->texts, f->mem);
  wh_status status = open_dataset(ret, naming, arena, err);
  if (status != WH_OK) h5_dataset_close(ret);
  return h5_bytes_blame(&f->bytes, status, err);
}

void h5_dataset_close(h5_dataset *d) {
  if (d->type > 0) h5.H5Tclose(d->type);
  if (d->id > 0) h5.H5Oclose(d->id);
  if (d->stretch) wh_mem_free(d->file->mem, d->stretch, d->stretch_bytes);
  wh_arena_free(&d->texts);
  d->id = d->type = 0;
  d->stretch = NULL;
  d->from = d->to = 0;
}

// --- reading -------------------------------------------------------------------------------------

// So many rows are read at once: whole chunks, if those of a row are not too wide.
static uint64_t stretch_rows(const h5_dataset *d) {
  uint64_t each = d->fields.record, most = WH_HDF5_CHUNK_BYTES / each;
  if (d->fields.pointers) each *= 8; // the texts behind them
  uint64_t rows = WH_HDF5_STRETCH_BYTES / each / d->chunk_rows * d->chunk_rows;
  if (rows == 0) rows = d->chunk_rows;
  return rows < most ? rows : most;
}

static wh_status read_rows(h5_dataset *d, uint64_t from, uint64_t n, wh_error *err) {
  hsize_t start[H5S_MAX_RANK] = {from}, count[H5S_MAX_RANK];
  hid_t in_file = H5S_ALL, in_memory = H5S_ALL;
  bool ok = true;
  if (n < d->rows) {
    memcpy(count, d->dims, sizeof count);
    count[0] = n;
    in_file = h5.H5Dget_space(d->id);
    in_memory = h5.H5Screate_simple(d->rank, count, NULL);
    ok = in_file >= 0 && in_memory >= 0 &&
         h5.H5Sselect_hyperslab(in_file, H5S_SELECT_SET, start, NULL, count, NULL) >= 0;
  }
  ok = ok && h5.H5Dread(d->id, d->type, in_memory, in_file, d->file->transfer, d->stretch) >= 0;
  wh_status status =
      ok ? WH_OK
         : h5_fail(err, "%.*s: rows %llu to %llu cannot be read", WH_STR_ARG(d->path),
                   (unsigned long long)from + 1, (unsigned long long)(from + n));
  if (in_file > 0) h5.H5Sclose(in_file);
  if (in_memory > 0) h5.H5Sclose(in_memory);
  return h5_bytes_blame(&d->file->bytes, status, err);
}

static wh_status make_room(h5_dataset *d, uint64_t bytes, wh_error *err) {
  if (d->stretch && bytes <= d->stretch_bytes) return WH_OK;
  wh_mem_free(d->file->mem, d->stretch, d->stretch_bytes);
  d->stretch = wh_mem_alloc(d->file->mem, bytes);
  d->stretch_bytes = d->stretch ? bytes : 0;
  return d->stretch ? WH_OK : wh_fail_memory(err);
}

// Where the texts of so many rows are too much, fewer are read.
static wh_status read_fitting(h5_dataset *d, uint64_t from, uint64_t *n, wh_error *err) {
  h5_file *f = d->file;
  for (;; *n = (*n + 1) / 2) {
    if (d->fields.pointers) memset(d->stretch, 0, *n * d->fields.record);
    wh_arena_reset(&d->texts);
    f->texts = &d->texts;
    f->texts_full = false;
    wh_status status = read_rows(d, from, *n, err);
    if (status == WH_OK || !f->texts_full) return status;
    if (*n == 1)
      return wh_fail(err, WH_ERR_LIMIT, "%.*s: row %llu has more than %d MiB of text",
                     WH_STR_ARG(d->path), (unsigned long long)from + 1, WH_HDF5_TEXTS_BYTES >> 20);
  }
}

static wh_status read_stretch(h5_dataset *d, uint64_t from, wh_error *err) {
  uint64_t n = stretch_rows(d);
  if (n >= d->chunk_rows && !d->fields.pointers) from -= from % d->chunk_rows;
  if (n > d->rows - from) n = d->rows - from;
  d->from = d->to = 0;
  WH_TRY(make_room(d, n * d->fields.record, err));
  WH_TRY(h5_enter(err));
  wh_status status = read_fitting(d, from, &n, err);
  h5_leave();
  WH_TRY(status);
  d->from = from;
  d->to = from + n;
  return WH_OK;
}

wh_status h5_dataset_rows(h5_dataset *d, uint64_t from, const uint8_t **ret, uint64_t *ret_n,
                          wh_error *err) {
  if (from < d->from || from >= d->to) WH_TRY(read_stretch(d, from, err));
  *ret = d->stretch + (from - d->from) * d->fields.record;
  *ret_n = d->to - from;
  return WH_OK;
}
