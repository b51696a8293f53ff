#include "step/spool.h"

#include <assert.h>

enum { NAME_RANDOM_BYTES = 8, LENGTH_BYTES = 4, LIMIT_MIN = 4096 };

struct wh_spool {
  wh_os *os;
  wh_mem *mem;
  wh_arena arena;
  char *scratch;
  size_t limit;
  wh_buf buf; // writing: what is not in the file yet; reading: a window of it
  size_t at;  // reading: of the window
  bool reading;
  char *path;
  wh_file *file;           // NULL: everything is in `buf`
  uint64_t written, taken; // bytes of the file, and those that went to the window
};

wh_status wh_spool_open(wh_os *os, wh_mem *mem, wh_str scratch, size_t limit_bytes, wh_spool **ret,
                        wh_error *err) {
  wh_spool *spool = wh_mem_alloc_zero(mem, sizeof *spool);
  if (!spool) return wh_fail_memory(err);
  spool->os = os;
  spool->mem = mem;
  // Half: a buffer that doubles may be that much too large.
  spool->limit = limit_bytes / 2 > LIMIT_MIN ? limit_bytes / 2 : LIMIT_MIN;
  wh_arena_init(&spool->arena, mem);
  wh_buf_init(&spool->buf, mem, 0);
  spool->scratch = wh_arena_cstr(&spool->arena, scratch);
  if (!spool->scratch) {
    wh_spool_close(spool);
    return wh_fail_memory(err);
  }
  *ret = spool;
  return WH_OK;
}

void wh_spool_close(wh_spool *spool) {
  if (!spool) return;
  wh_file_close(spool->file);
  if (spool->path) WH_IGNORE(spool->os->type->remove(spool->os, spool->path, NULL));
  wh_buf_free(&spool->buf);
  wh_arena_free(&spool->arena);
  wh_mem_free(spool->mem, spool, sizeof *spool);
}

static wh_status create_file(wh_spool *s, wh_error *err) {
  uint64_t number;
  static_assert(sizeof number == NAME_RANDOM_BYTES, "");
  WH_TRY(s->os->type->random(s->os, &number, sizeof number, err));
  char name[sizeof "rows-" + 2 * NAME_RANDOM_BYTES];
  snprintf(name, sizeof name, "rows-%016llx", (unsigned long long)number);
  WH_TRY(wh_os_make_path(s->os, s->scratch, err));
  char *path = wh_path_join(&s->arena, s->scratch, name);
  if (!path) return wh_fail_memory(err);
  WH_TRY(wh_os_open(s->os, path,
                    WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_EXCLUSIVE |
                        WH_OPEN_PRIVATE,
                    &s->file, err));
  s->path = path;
  return WH_OK;
}

static wh_status write_out(wh_spool *s, wh_error *err) {
  if (!s->file) WH_TRY(create_file(s, err));
  WH_TRY(s->file->type->write_at(s->file, s->written, s->buf.data, s->buf.len, err));
  s->written += s->buf.len;
  wh_buf_clear(&s->buf);
  return WH_OK;
}

wh_status wh_spool_add(wh_spool *spool, wh_str record, wh_error *err) {
  assert(!spool->reading);
  if (record.len > WH_SPOOL_RECORD_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "a row of %zu bytes; at most %d can be held back", record.len,
                   WH_SPOOL_RECORD_MAX);
  }
  if (spool->buf.len && spool->buf.len + LENGTH_BYTES + record.len > spool->limit)
    WH_TRY(write_out(spool, err));
  uint32_t len = (uint32_t)record.len;
  wh_buf_add(&spool->buf, &len, sizeof len);
  wh_buf_add_str(&spool->buf, record);
  return wh_buf_check(&spool->buf, err);
}

// Makes the window hold at least `need` bytes from `at` on, or all there are.
static wh_status fill_window(wh_spool *s, size_t need, wh_error *err) {
  size_t have = s->buf.len - s->at;
  if (have >= need || s->taken == s->written) return WH_OK;
  if (have) memmove(s->buf.data, s->buf.data + s->at, have);
  s->buf.len = have;
  s->at = 0;
  uint64_t left = s->written - s->taken;
  size_t want = need > s->limit ? need - have : s->limit - have;
  if (want > left) want = (size_t)left;
  if (!wh_buf_reserve(&s->buf, want)) return wh_buf_check(&s->buf, err);
  WH_TRY(s->file->type->read_at(s->file, s->taken, s->buf.data + have, want, err));
  s->buf.len = have + want;
  s->taken += want;
  return WH_OK;
}

wh_status wh_spool_next(wh_spool *spool, wh_str *ret, wh_error *err) {
  if (!spool->reading) {
    // What is still in memory follows the file; without a file, the buffer is the window.
    if (spool->file && spool->buf.len) WH_TRY(write_out(spool, err));
    spool->reading = true;
  }
  WH_TRY(fill_window(spool, LENGTH_BYTES, err));
  if (spool->at == spool->buf.len) return WH_ERR_END;
  uint32_t len;
  memcpy(&len, spool->buf.data + spool->at, sizeof len);
  WH_TRY(fill_window(spool, LENGTH_BYTES + (size_t)len, err));
  *ret = wh_str_n(spool->buf.data + spool->at + LENGTH_BYTES, len);
  spool->at += LENGTH_BYTES + len;
  return WH_OK;
}
