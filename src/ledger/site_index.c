#include "ledger/site_index.h"

#include "base/ulid.h"
#include "data/temporal.h"
#include "ledger/members.h"

#include <inttypes.h>

// --- keys ----------------------------------------------------------------------------------------

wh_str wh_site_key(wh_str prefix, uint64_t version, wh_arena *arena) {
  return wh_arena_printf(arena, WH_SITE_INDEXES "%.*s%0*" PRIu64 ".json", WH_STR_ARG(prefix),
                         WH_SITE_VERSION_DIGITS, version);
}

uint64_t wh_site_key_version(wh_str prefix, wh_str key) {
  const size_t own = strlen(WH_SITE_INDEXES), folder = own + prefix.len;
  uint64_t version;
  bool fits = key.len == folder + WH_SITE_VERSION_DIGITS + strlen(".json") &&
              wh_str_starts(key, WH_SITE_INDEXES) &&
              wh_str_eq(wh_str_sub(key, own, folder), prefix) && wh_str_ends(key, ".json") &&
              wh_str_to_u64(wh_str_sub(key, folder, folder + WH_SITE_VERSION_DIGITS), &version);
  return fits ? version : 0;
}

const wh_site_file *wh_site_find(const wh_site_index *index, wh_str path) {
  size_t low = 0, high = index->file_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = wh_str_cmp(index->files[middle].path, path);
    if (order == 0) return &index->files[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

// --- writing -------------------------------------------------------------------------------------

static void add_file(wh_buf *out, const wh_site_file *file) {
  wh_buf_add_c(out, "{\"path\":");
  wh_buf_add_json(out, file->path);
  wh_buf_add_c(out, ",\"type\":");
  wh_buf_add_json(out, file->type);
  wh_buf_printf(out, ",\"bytes\":%" PRIu64 ",\"sha256\":", file->bytes);
  wh_buf_add_json(out, file->sha256);
  wh_buf_add_char(out, '}');
}

bool wh_site_write(const wh_site_index *index, wh_buf *out) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < index->file_count; i++)
    bytes += index->files[i].bytes;
  wh_buf_printf(out, "{\"site\":%d,\"version\":%" PRIu64 ",\"of\":%" PRIu64 ",\"folder\":",
                WH_SITE_VERSION, index->version, index->of);
  wh_buf_add_json(out, index->folder);
  wh_buf_add_c(out, ",\"created\":\"");
  (void)wh_iso_write_timestamp(index->created_us, WH_UNIT_US, true, out);
  wh_buf_printf(out, "\",\"bytes\":%" PRIu64 ",\"files\":[", bytes);
  for (size_t i = 0; i < index->file_count; i++) {
    wh_buf_add_c(out, i ? ",\n" : "\n");
    add_file(out, &index->files[i]);
  }
  wh_buf_add_c(out, "]}\n");
  return !out->failed;
}

// --- parsing -------------------------------------------------------------------------------------

static wh_status read_file(const wh_members *m, wh_site_file *file) {
  WH_TRY(wh_member_text(m, "path", &file->path));
  if (wh_key_check(file->path, NULL) != WH_OK) return wh_member_fail(m, "path", "no key");
  WH_TRY(wh_member_text(m, "type", &file->type));
  WH_TRY(wh_member_count(m, "bytes", INT64_MAX, &file->bytes));
  return wh_member_sha256(m, "sha256", &file->sha256);
}

static wh_status read_files(const wh_members *m, wh_site_index *index) {
  const json_t *list = json_object_get(m->root, "files");
  size_t count = json_array_size(list);
  if (!json_is_array(list)) return wh_member_fail(m, "files", "not a list");
  if (count > WH_SITE_FILES_MAX)
    return wh_fail(m->err, WH_ERR_LIMIT, "the site has more than %d files", (int)WH_SITE_FILES_MAX);
  wh_site_file *files = WH_NEW_ARRAY(m->arena, count ? count : 1, wh_site_file);
  if (!files) return wh_fail_memory(m->err);
  uint64_t bytes = 0;
  for (size_t i = 0; i < count; i++) {
    wh_members file = {json_array_get(list, i), m->arena, "the site's file", m->err};
    WH_TRY(read_file(&file, &files[i]));
    if (i && wh_str_cmp(files[i - 1].path, files[i].path) >= 0)
      return wh_member_fail(m, "files", "not in the order of their paths");
    bytes += files[i].bytes;
  }
  index->files = files;
  index->file_count = count;
  return bytes == index->bytes ? WH_OK : wh_member_fail(m, "files", "not what its bytes add up to");
}

static wh_status read_folder(const wh_members *m, wh_site_index *index) {
  int64_t time_ms;
  WH_TRY(wh_member_text(m, "folder", &index->folder));
  return wh_ulid_time_ms(index->folder, &time_ms) ? WH_OK : wh_member_fail(m, "folder", "no ULID");
}

static wh_status read_index(const wh_members *m, wh_site_index *index) {
  WH_TRY(wh_member_form(m, "site", WH_SITE_VERSION));
  WH_TRY(wh_member_count(m, "version", INT64_MAX, &index->version));
  WH_TRY(wh_member_count(m, "of", INT64_MAX, &index->of));
  WH_TRY(read_folder(m, index));
  WH_TRY(wh_member_instant(m, "created", &index->created_us));
  WH_TRY(wh_member_count(m, "bytes", INT64_MAX, &index->bytes));
  return read_files(m, index);
}

wh_status wh_site_parse(wh_str json, wh_arena *arena, wh_site_index *ret, wh_error *err) {
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(json, WH_SITE_INDEX_BYTES_MAX, "the site's index", &root, err));
  if (!json_is_object(root)) return wh_fail(err, WH_ERR_DATA, "the site's index is not an object");
  wh_members members = {root, arena, "the site's index", err};
  wh_site_index index = {0};
  WH_TRY(read_index(&members, &index));
  *ret = index;
  return WH_OK;
}
