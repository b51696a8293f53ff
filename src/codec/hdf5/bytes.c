#include "codec/hdf5/bytes.h"

#include "codec/hdf5/hdf5.h"

#include <stdlib.h>

// --- pieces of the object ------------------------------------------------------------------------

static wh_status read_whole(h5_bytes *b, wh_error *err) {
  b->whole = wh_mem_alloc(b->mem, b->size ? b->size : 1);
  if (!b->whole) return wh_fail_memory(err);
  if (b->in->read_at && b->size) WH_TRY(b->in->read_at(b->in, 0, b->whole, b->size, err));
  for (size_t at = 0; !b->in->read_at && at < b->size;) {
    size_t len;
    WH_TRY(wh_input_read(b->in, b->whole + at, b->size - at, &len, err));
    if (len == 0) return wh_fail(err, WH_ERR_DATA, "the file is shorter than it was");
    at += len;
  }
  b->fetched = b->size;
  return WH_OK;
}

wh_status h5_bytes_init(h5_bytes *b, wh_mem *mem, wh_input *in, wh_error *err) {
  *b = (h5_bytes){.mem = mem, .in = in, .size = in->size};
  if (in->size == WH_SIZE_UNKNOWN)
    return wh_fail(err, WH_ERR_USAGE, "HDF5 cannot be read from a stream of unknown size");
  if (in->size <= WH_HDF5_WHOLE_BYTES) return read_whole(b, err);
  if (!in->read_at)
    return wh_fail(err, WH_ERR_USAGE, "HDF5 of more than %d MiB cannot be read from a stream",
                   WH_HDF5_WHOLE_BYTES >> 20);
  b->blocks = wh_mem_alloc_zero(mem, WH_HDF5_BLOCKS * sizeof *b->blocks);
  return b->blocks ? WH_OK : wh_fail_memory(err);
}

void h5_bytes_free(h5_bytes *b) {
  if (b->whole) wh_mem_free(b->mem, b->whole, b->size ? b->size : 1);
  for (size_t i = 0; b->blocks && i < WH_HDF5_BLOCKS; i++)
    wh_mem_free(b->mem, b->blocks[i].data, WH_HDF5_BLOCK_BYTES);
  if (b->blocks) wh_mem_free(b->mem, b->blocks, WH_HDF5_BLOCKS * sizeof *b->blocks);
  *b = (h5_bytes){0};
}

// The block with the index: one that is there, or else the one that was not used for longest.
static wh_status get_block(h5_bytes *b, uint64_t index, const uint8_t **ret, wh_error *err) {
  h5_block *oldest = &b->blocks[0];
  b->reads++;
  for (h5_block *k = b->blocks; k < b->blocks + WH_HDF5_BLOCKS; k++) {
    if (k->used && k->index == index) {
      k->used = b->reads;
      *ret = k->data;
      return WH_OK;
    }
    if (k->used < oldest->used) oldest = k;
  }
  if (!oldest->data) oldest->data = wh_mem_alloc(b->mem, WH_HDF5_BLOCK_BYTES);
  if (!oldest->data) return wh_fail_memory(err);
  uint64_t from = index * WH_HDF5_BLOCK_BYTES, left = b->size - from;
  size_t len = left < WH_HDF5_BLOCK_BYTES ? left : WH_HDF5_BLOCK_BYTES;
  oldest->used = 0;
  WH_TRY(b->in->read_at(b->in, from, oldest->data, len, err));
  b->fetched += len;
  *oldest = (h5_block){.index = index, .used = b->reads, .data = oldest->data};
  *ret = oldest->data;
  return WH_OK;
}

// The caller has checked that they are inside.
static wh_status read_piece(h5_bytes *b, uint64_t at, uint8_t *out, size_t len, wh_error *err) {
  if (b->whole) {
    memcpy(out, b->whole + at, len);
    return WH_OK;
  }
  if (len >= WH_HDF5_BLOCK_BYTES) {
    b->fetched += len;
    return b->in->read_at(b->in, at, out, len, err);
  }
  while (len) {
    const uint8_t *block;
    size_t inside = at % WH_HDF5_BLOCK_BYTES;
    size_t n = WH_HDF5_BLOCK_BYTES - inside < len ? WH_HDF5_BLOCK_BYTES - inside : len;
    WH_TRY(get_block(b, at / WH_HDF5_BLOCK_BYTES, &block, err));
    memcpy(out, block + inside, n);
    at += n;
    out += n;
    len -= n;
  }
  return WH_OK;
}

// --- as a driver of libhdf5's virtual file layer -------------------------------------------------

typedef struct h5_driver_file {
  H5FD_t base; // libhdf5's part
  h5_bytes *bytes;
  haddr_t eoa;
} h5_driver_file;

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t fapl, haddr_t most) {
  (void)name, (void)flags, (void)most;
  h5_bytes *const *bytes = h5.H5Pget_driver_info(fapl);
  h5_driver_file *f = bytes ? calloc(1, sizeof *f) : NULL;
  if (f) f->bytes = *bytes;
  return f ? &f->base : NULL;
}

static herr_t driver_close(H5FD_t *file) {
  free(file);
  return 0;
}

// No two are the same file: otherwise libhdf5 would share what it knows of one with the other.
static int driver_compare(const H5FD_t *a, const H5FD_t *b) {
  return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

static herr_t driver_query(const H5FD_t *file, unsigned long *flags) {
  (void)file;
  if (flags) *flags = 0;
  return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *file, H5FD_mem_t type) {
  (void)type;
  return ((const h5_driver_file *)file)->eoa;
}

static herr_t driver_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address) {
  (void)type;
  ((h5_driver_file *)file)->eoa = address;
  return 0;
}

static haddr_t driver_get_eof(const H5FD_t *file, H5FD_mem_t type) {
  (void)type;
  return ((const h5_driver_file *)file)->bytes->size;
}

// The objects of a global heap collection (HDF5 File Format Specification 3.0, III.E), where texts
// of variable length are: libhdf5 1.10 does not end where one has no size.
static wh_status check_heap(h5_bytes *b, uint64_t at, wh_error *err) {
  enum { SIZE_AT = 8, HEADER = 16 }; // of the collection, and of an object, with lengths of 8 bytes
  uint8_t header[HEADER];
  uint64_t size;
  WH_TRY(read_piece(b, at, header, HEADER, err));
  memcpy(&size, header + SIZE_AT, sizeof size);
  if (size < HEADER || size > b->size - at)
    return wh_fail(err, WH_ERR_DATA, "the heap at byte %llu, where texts are, is cut",
                   (unsigned long long)at);
  for (uint64_t pos = HEADER; size - pos >= HEADER;) {
    uint16_t index;
    uint64_t bytes, need;
    WH_TRY(read_piece(b, at + pos, header, HEADER, err));
    memcpy(&index, header, sizeof index);
    memcpy(&bytes, header + SIZE_AT, sizeof bytes);
    // What is free, index 0, counts its header.
    need = index ? HEADER + (bytes + 7) / 8 * 8 : bytes;
    if (bytes > size || need < HEADER || need > size - pos)
      return wh_fail(err, WH_ERR_DATA, "the heap at byte %llu, where texts are, is damaged",
                     (unsigned long long)at);
    pos += need;
  }
  return WH_OK;
}

// libhdf5 reads heaps as if they were raw data. Values that happen to begin as a heap does are only
// looked at: an error it is when they go on as a damaged one.
static wh_status read_checked(h5_bytes *b, H5FD_mem_t type, uint64_t at, uint8_t *out, size_t len,
                              wh_error *err) {
  static const uint8_t heap[] = {'G', 'C', 'O', 'L', 1, 0, 0, 0};
  WH_TRY(read_piece(b, at, out, len, err));
  bool is_heap = (type == H5FD_MEM_DRAW || type == H5FD_MEM_GHEAP) && len >= 2 * sizeof heap &&
                 memcmp(out, heap, sizeof heap) == 0;
  return is_heap ? check_heap(b, at, err) : WH_OK;
}

static herr_t driver_read(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t len,
                          void *out) {
  (void)transfer;
  h5_bytes *b = ((h5_driver_file *)file)->bytes;
  if (at > b->size || len > b->size - at) return -1;
  wh_error err = {0};
  wh_status status = read_checked(b, type, at, out, len, &err);
  if (status == WH_OK) return 0;
  if (b->status == WH_OK) {
    b->status = status;
    b->err = err;
  }
  return -1;
}

static herr_t driver_write(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t len,
                           const void *data) {
  (void)file, (void)type, (void)transfer, (void)at, (void)len, (void)data;
  return -1;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600, // of those that anyone may take
#endif
    .name = "wherry",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(h5_bytes *),
    .open = driver_open,
    .close = driver_close,
    .cmp = driver_compare,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .read = driver_read,
    .write = driver_write,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

// --- the file ------------------------------------------------------------------------------------

enum { READ_ONLY = 0 }; // H5F_ACC_RDONLY calls into the library where it stands

// Everything open in it is closed with it. A chunk is always read whole by the caller, so that
// libhdf5 need not keep any.
static bool set_up(hid_t access, hid_t driver_id, h5_bytes *b) {
  H5AC_cache_config_t cache = {.version = H5AC__CURR_CACHE_CONFIG_VERSION};
  if (h5.H5Pset_driver(access, driver_id, &b) < 0 || h5.H5Pget_mdc_config(access, &cache) < 0)
    return false;
  cache.set_initial_size = true;
  cache.initial_size = cache.max_size = WH_HDF5_METADATA_BYTES;
  cache.min_size = WH_HDF5_METADATA_BYTES / 2;
  return h5.H5Pset_mdc_config(access, &cache) >= 0 && h5.H5Pset_cache(access, 0, 1, 0, 1) >= 0 &&
         h5.H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0;
}

wh_status h5_bytes_open(h5_bytes *b, hid_t *ret_file, wh_error *err) {
  static hid_t driver_id; // under the lock of lib.h
  if (driver_id <= 0) driver_id = h5.H5FDregister(&driver);
  hid_t access = h5.H5Pcreate(h5_file_access);
  hid_t file = access >= 0 && driver_id > 0 && set_up(access, driver_id, b)
                   ? h5.H5Fopen("object", READ_ONLY, access)
                   : -1;
  wh_status status = WH_OK;
  if (file < 0) status = h5_bytes_blame(b, h5_fail(err, "not an HDF5 file that can be read"), err);
  if (access >= 0) h5.H5Pclose(access);
  if (status == WH_OK) *ret_file = file;
  return status;
}

wh_status h5_bytes_blame(const h5_bytes *b, wh_status status, wh_error *err) {
  if (status == WH_OK || b->status == WH_OK) return status;
  if (err) *err = b->err;
  return b->status;
}
