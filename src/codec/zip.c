#include "codec/zip.h"

#include "codec/compression.h"
#include "codec/zip_private.h"

enum {
  END_BYTES = 22,
  LOCATOR_BYTES = 20,
  END64_BYTES = 56,
  ENTRY_BYTES = 46,
  COMMENT_MAX = 65535,
  DIRECTORY_WINDOW = END_BYTES + COMMENT_MAX, // so that one look finds the end
  DATA_WINDOW = 128 * 1024,
};
static const uint32_t END = 0x06054b50, LOCATOR = 0x07064b50, END64 = 0x06064b50,
                      ENTRY = 0x02014b50;

// --- bytes ---------------------------------------------------------------------------------------

wh_status zip_damaged(wh_error *err, const char *what) {
  return wh_fail(err, WH_ERR_DATA, "it is no ZIP archive, or a damaged one: %s", what);
}

wh_status zip_view(wh_zip *zip, zip_window *w, uint64_t at, const unsigned char **ret,
                   size_t *ret_len, wh_error *err) {
  uint64_t size = zip->in->size;
  if (at >= size) return zip_damaged(err, "it ends too early");
  if (at < w->at || at - w->at >= w->len) {
    size_t len = size - at < w->cap ? (size_t)(size - at) : w->cap;
    w->len = 0;
    WH_TRY(zip->in->read_at(zip->in, at, w->bytes, len, err));
    w->at = at;
    w->len = len;
  }
  *ret = w->bytes + (at - w->at);
  *ret_len = w->len - (size_t)(at - w->at);
  return WH_OK;
}

wh_status zip_get(wh_zip *zip, zip_window *w, uint64_t at, void *to, size_t len, wh_error *err) {
  unsigned char *out = to;
  while (len) {
    const unsigned char *from;
    size_t n;
    WH_TRY(zip_view(zip, w, at, &from, &n, err));
    if (n > len) n = len;
    memcpy(out, from, n);
    out += n;
    at += n;
    len -= n;
  }
  return WH_OK;
}

wh_status zip_find_wide(wh_zip *zip, zip_window *w, uint64_t at, uint64_t end, const bool *wanted,
                        uint64_t *ret, size_t count, wh_error *err) {
  enum { WIDE = 1, HEAD = 4 };
  unsigned char head[HEAD], value[8];
  while (end - at >= HEAD) {
    WH_TRY(zip_get(zip, w, at, head, HEAD, err));
    uint64_t len = zip_u16(head + 2);
    at += HEAD;
    if (len > end - at) break;
    if (zip_u16(head) != WIDE) {
      at += len;
      continue;
    }
    for (size_t i = 0; i < count; i++) {
      if (!wanted[i]) continue;
      if (len < sizeof value) return zip_damaged(err, "a ZIP64 field is missing");
      WH_TRY(zip_get(zip, w, at, value, sizeof value, err));
      ret[i] = zip_u64(value);
      at += sizeof value;
      len -= sizeof value;
    }
    return WH_OK;
  }
  for (size_t i = 0; i < count; i++)
    if (wanted[i]) return zip_damaged(err, "a ZIP64 field is missing");
  return WH_OK;
}

// --- the end record ------------------------------------------------------------------------------

typedef struct end_record {
  uint64_t at; // where the directory has to end
  uint64_t count, bytes, start;
} end_record;

static wh_status find_end(wh_zip *zip, uint64_t *ret, wh_error *err) {
  uint64_t size = zip->in->size;
  size_t len = size < DIRECTORY_WINDOW ? (size_t)size : DIRECTORY_WINDOW, n;
  const unsigned char *tail;
  if (len < END_BYTES) return zip_damaged(err, "it is too short");
  WH_TRY(zip_view(zip, &zip->directory, size - len, &tail, &n, err));
  for (size_t at = len - END_BYTES + 1; at-- > 0;) {
    if (zip_u32(tail + at) != END || zip_u16(tail + at + 20) != len - at - END_BYTES) continue;
    *ret = size - len + at;
    return WH_OK;
  }
  return zip_damaged(err, "it has no end record, which is the last that is written");
}

// What is too large for its field stands in the ZIP64 record; what is not, in both.
static wh_status read_end64(wh_zip *zip, uint64_t locator_at, end_record *end, wh_error *err) {
  unsigned char locator[LOCATOR_BYTES], b[END64_BYTES];
  enum { AFTER_SIZE = 12 };
  WH_TRY(zip_get(zip, &zip->directory, locator_at, locator, sizeof locator, err));
  if (zip_u32(locator) != LOCATOR) return WH_OK;
  uint64_t at = zip_u64(locator + 8);
  if (at > locator_at || locator_at - at < END64_BYTES)
    return zip_damaged(err, "its ZIP64 end record is elsewhere");
  WH_TRY(zip_get(zip, &zip->directory, at, b, sizeof b, err));
  if (zip_u32(b) != END64 || zip_u64(b + 4) != locator_at - at - AFTER_SIZE)
    return zip_damaged(err, "its ZIP64 end record is elsewhere");
  uint64_t count = zip_u64(b + 32), bytes = zip_u64(b + 40), start = zip_u64(b + 48);
  bool agrees = (end->count == UINT16_MAX || end->count == count) &&
                (end->bytes == UINT32_MAX || end->bytes == bytes) &&
                (end->start == UINT32_MAX || end->start == start);
  bool is_one = zip_u32(locator + 4) == 0 && zip_u32(locator + 16) <= 1 && zip_u32(b + 16) == 0 &&
                zip_u32(b + 20) == 0 && zip_u64(b + 24) == count;
  if (!agrees || !is_one) return zip_damaged(err, "its end records do not agree");
  *end = (end_record){at, count, bytes, start};
  return WH_OK;
}

static wh_status read_end(wh_zip *zip, wh_error *err) {
  unsigned char b[END_BYTES];
  end_record end;
  WH_TRY(find_end(zip, &end.at, err));
  WH_TRY(zip_get(zip, &zip->directory, end.at, b, sizeof b, err));
  end.count = zip_u16(b + 10);
  end.bytes = zip_u32(b + 12);
  end.start = zip_u32(b + 16);
  if (zip_u16(b + 4) || zip_u16(b + 6) || zip_u16(b + 8) != end.count)
    return wh_fail(err, WH_ERR_DATA, "it is a part of a ZIP archive that was split");
  if (end.at >= LOCATOR_BYTES) WH_TRY(read_end64(zip, end.at - LOCATOR_BYTES, &end, err));
  if (end.start > end.at || end.at - end.start != end.bytes)
    return zip_damaged(err, "its directory does not end where it should");
  if (end.count > WH_ZIP_MEMBERS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "it has %llu members, and at most %d are read",
                   (unsigned long long)end.count, WH_ZIP_MEMBERS_MAX);
  zip->count = (size_t)end.count;
  zip->start = end.start;
  zip->end = end.at;
  return WH_OK;
}

// --- the directory -------------------------------------------------------------------------------

// Names have no character set that could be relied on, unless they are UTF-8.
static void show_name(wh_zip *zip, size_t len, wh_zip_member *ret) {
  memcpy(zip->shown, zip->name, len);
  size_t valid = 0;
  while ((valid += wh_utf8_valid_prefix(wh_str_n(zip->shown + valid, len - valid))) < len)
    zip->shown[valid] = '_';
  ret->name = wh_str_n(zip->shown, len);
  ret->is_folder = len && zip->shown[len - 1] == '/';
}

static wh_status check_entry(const wh_zip *zip, const wh_zip_member *m, size_t name_len,
                             wh_error *err) {
  uint64_t least = ZIP_LOCAL_BYTES + name_len;
  if (m->offset > zip->start || zip->start - m->offset < least ||
      zip->start - m->offset - least < m->packed)
    return zip_damaged(err, "a member is not where its directory says");
  if (m->method == ZIP_STORED && !(m->flags & ZIP_ENCRYPTED) && m->size != m->packed)
    return zip_damaged(err, "a member that is stored has two sizes");
  return WH_OK;
}

wh_status wh_zip_next(wh_zip *zip, wh_zip_member *ret, wh_error *err) {
  unsigned char b[ENTRY_BYTES];
  if (zip->at == zip->end) return WH_ERR_END;
  if (zip->end - zip->at < ENTRY_BYTES) return zip_damaged(err, "its directory is cut short");
  WH_TRY(zip_get(zip, &zip->directory, zip->at, b, sizeof b, err));
  size_t name_len = zip_u16(b + 28);
  uint64_t extra_at = zip->at + ENTRY_BYTES + name_len, next = extra_at + zip_u16(b + 30);
  if (zip_u32(b) != ENTRY || next + zip_u16(b + 32) > zip->end)
    return zip_damaged(err, "its directory is cut short");
  if (name_len == 0 || name_len > WH_ZIP_NAME_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "a member's name has %zu bytes, and 1 to %d are read",
                   name_len, WH_ZIP_NAME_MAX);
  WH_TRY(zip_get(zip, &zip->directory, zip->at + ENTRY_BYTES, zip->name, name_len, err));
  wh_zip_member m = {.flags = zip_u16(b + 8), .method = zip_u16(b + 10), .crc = zip_u32(b + 16)};
  uint64_t values[] = {zip_u32(b + 24), zip_u32(b + 20), zip_u32(b + 42)};
  bool wide[sizeof values / sizeof *values];
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    wide[i] = values[i] == UINT32_MAX;
  WH_TRY(zip_find_wide(zip, &zip->directory, extra_at, next, wide, values,
                       sizeof values / sizeof *values, err));
  m.size = values[0];
  m.packed = values[1];
  m.offset = values[2];
  if (zip_u16(b + 34) != 0 && zip_u16(b + 34) != UINT16_MAX)
    return zip_damaged(err, "a member is on another disk");
  WH_TRY(check_entry(zip, &m, name_len, err));
  zip->name_len = name_len;
  show_name(zip, name_len, &m);
  zip->at = next + zip_u16(b + 32);
  *ret = m;
  return WH_OK;
}

void wh_zip_rewind(wh_zip *zip) {
  zip->at = zip->start;
}

static int by_name(const void *a, const void *b) {
  const zip_range *x = a, *y = b;
  return (x->name > y->name) - (x->name < y->name);
}

static int by_start(const void *a, const void *b) {
  const zip_range *x = a, *y = b;
  return (x->start > y->start) - (x->start < y->start);
}

// No byte is of two members, and no name.
static wh_status check_apart(wh_zip *zip, wh_error *err) {
  zip_range *r = zip->ranges;
  if (zip->count) qsort(r, zip->count, sizeof *r, by_name);
  for (size_t i = 1; i < zip->count; i++)
    if (r[i - 1].name == r[i].name)
      return wh_fail(err, WH_ERR_DATA, "two members of the archive have one name");
  if (zip->count) qsort(r, zip->count, sizeof *r, by_start);
  for (size_t i = 1; i < zip->count; i++)
    if (r[i - 1].end > r[i].start)
      return wh_fail(err, WH_ERR_DATA,
                     "two members of the archive share bytes, which is taken for an attack");
  return WH_OK;
}

static wh_status check_expansion(const wh_zip *zip, uint64_t bytes, wh_error *err) {
  if (bytes <= WH_EXPANSION_FREE_BYTES || bytes / WH_EXPANSION_MAX <= zip->in->size) return WH_OK;
  return wh_fail(err, WH_ERR_LIMIT,
                 "what is in the archive is more than %d times as large, which is taken for an "
                 "attack. If it is meant so, open it first",
                 WH_EXPANSION_MAX);
}

static wh_status read_directory(wh_zip *zip, wh_error *err) {
  uint64_t bytes = 0;
  wh_zip_member m;
  wh_status status;
  size_t count = 0;
  wh_zip_rewind(zip);
  while ((status = wh_zip_next(zip, &m, err)) == WH_OK) {
    if (count == zip->count) return zip_damaged(err, "it has more members than it says");
    uint64_t end = m.offset + ZIP_LOCAL_BYTES + zip->name_len + m.packed;
    zip->ranges[count++] = (zip_range){m.offset, end, zip_hash(zip->name, zip->name_len)};
    bytes = bytes > UINT64_MAX - m.size ? UINT64_MAX : bytes + m.size;
  }
  if (status != WH_ERR_END) return status;
  if (count < zip->count) return zip_damaged(err, "it has fewer members than it says");
  WH_TRY(check_apart(zip, err));
  WH_TRY(check_expansion(zip, bytes, err));
  wh_zip_rewind(zip);
  return WH_OK;
}

uint64_t zip_limit_of(const wh_zip *zip, uint64_t start) {
  size_t low = 0, high = zip->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (zip->ranges[middle].start <= start)
      low = middle + 1;
    else
      high = middle;
  }
  return low < zip->count ? zip->ranges[low].start : zip->start;
}

// --- beginning and end ---------------------------------------------------------------------------

static wh_status make_window(wh_zip *zip, zip_window *w, size_t cap, wh_error *err) {
  w->bytes = wh_mem_alloc(zip->mem, cap);
  w->cap = cap;
  return w->bytes ? WH_OK : wh_fail_memory(err);
}

static wh_status open_zip(wh_zip *zip, wh_error *err) {
  if (!zip->in->read_at || zip->in->size == WH_SIZE_UNKNOWN)
    return wh_fail(err, WH_ERR_USAGE, "a ZIP archive is read from its end, and this cannot be");
  WH_TRY(make_window(zip, &zip->directory, DIRECTORY_WINDOW, err));
  WH_TRY(make_window(zip, &zip->data, DATA_WINDOW, err));
  WH_TRY(read_end(zip, err));
  zip->ranges = wh_mem_alloc(zip->mem, (zip->count + 1) * sizeof *zip->ranges);
  return zip->ranges ? read_directory(zip, err) : wh_fail_memory(err);
}

wh_status wh_zip_open(wh_mem *mem, wh_input *in, wh_zip **ret, wh_error *err) {
  wh_zip *zip = wh_mem_alloc_zero(mem, sizeof *zip);
  if (!zip) return wh_fail_memory(err);
  zip->mem = mem;
  zip->in = in;
  wh_status status = open_zip(zip, err);
  if (status == WH_OK)
    *ret = zip;
  else
    wh_zip_close(zip);
  return status;
}

static void free_window(wh_zip *zip, zip_window *w) {
  if (w->bytes) wh_mem_free(zip->mem, w->bytes, w->cap);
}

void wh_zip_close(wh_zip *zip) {
  if (!zip) return;
  free_window(zip, &zip->directory);
  free_window(zip, &zip->data);
  if (zip->ranges) wh_mem_free(zip->mem, zip->ranges, (zip->count + 1) * sizeof *zip->ranges);
  wh_mem_free(zip->mem, zip, sizeof *zip);
}
