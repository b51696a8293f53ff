// Reading a file: one version of it, or nothing. Many requests are under way; behind each one that
// reads goes a question what the file looks like, so that what was read is known to be good before
// anybody acts on it. Where the line breaks, the file is opened again on another one and read on
// from there, if it is still the same.
#include "connect/sftp/sftp.h"

// A file that is open at the server, on a line.
typedef struct opened {
  wh_sftp_line *line; // NULL: it is not
  char handle[WH_SFTP_HANDLE_MAX];
  size_t handle_len;
} opened;

// A piece of the file on its way.
typedef struct range {
  wh_sftp_request read, stat;
  uint64_t at;
  size_t len;
  char *data;
} range;

typedef struct sftp_input {
  wh_input base;
  wh_connection *c;
  wh_arena arena;
  wh_str key, path;
  wh_sftp_attrs attrs; // of what was opened
  // Reading on: one thread.
  opened file;
  range ranges[WH_SFTP_READS];
  size_t oldest, count;
  uint64_t at, ahead; // what was handed out, what was asked for
  wh_sftp_tries tries;
  bool is_checked; // an empty one was still empty
  // Reading anywhere: threads side by side, who share what one of them has opened.
  pthread_rwlock_t lock;
  opened shared;
} sftp_input;

static wh_str handle_of(const opened *file) {
  return wh_str_n(file->handle, file->handle_len);
}

// --- the file ------------------------------------------------------------------------------------

static wh_status changed(wh_str key, wh_error *err) {
  return wh_fail(err, WH_ERR_CHANGED, "%.*s: is no longer the version that was asked for",
                 WH_STR_ARG(key));
}

static wh_status changed_under_way(const sftp_input *in, wh_error *err) {
  wh_status status =
      wh_fail(err, WH_ERR_CHANGED, "%.*s: changed while it was read", WH_STR_ARG(in->key));
  if (err) err->retry = true;
  return status;
}

static bool is_same(const wh_sftp_attrs *a, const wh_sftp_attrs *b) {
  return a->size == b->size && a->modified == b->modified;
}

static void close_file(wh_connection *c, opened *file) {
  if (!file->line) return;
  wh_sftp_message m = {.type = WH_SFTP_CLOSE, .text_count = 1, .texts = {handle_of(file)}};
  if (file->handle_len) WH_IGNORE(wh_sftp_start(file->line, &m, NULL, NULL));
  wh_sftp_release(c, file->line);
  *file = (opened){0};
}

static wh_status take_handle(const wh_sftp_request *r, wh_str key, opened *file, wh_error *err) {
  WH_TRY(wh_sftp_judge(r, WH_SFTP_HANDLE, key, err));
  wh_sftp_reader in = wh_sftp_reader_of(wh_buf_str(&r->answer));
  wh_str handle = wh_sftp_take_text(&in);
  if (in.bad || handle.len == 0 || handle.len > sizeof file->handle) {
    return wh_fail(err, WH_ERR_DATA, "%.*s: the server's handle is none of SFTP", WH_STR_ARG(key));
  }
  memcpy(file->handle, handle.data, handle.len);
  file->handle_len = handle.len;
  return WH_OK;
}

// Opens it while it is looked at: two answers for one wait.
static wh_status open_on(const sftp_input *in, opened *file, wh_sftp_attrs *ret, wh_error *err) {
  wh_sftp_message m = {.type = WH_SFTP_OPEN,
                       .text_count = 1,
                       .texts = {in->path},
                       .number_count = 2,
                       .numbers = {WH_SFTP_FLAG_READ, 0}};
  wh_sftp_look look;
  wh_sftp_request r;
  wh_sftp_request_init(&r, in->c->mem);
  wh_status status = wh_sftp_look_start(in->c, file->line, in->key, &look, err);
  if (status == WH_OK) status = wh_sftp_start(file->line, &m, &r, err);
  if (status == WH_OK) status = wh_sftp_look_file(&look, ret, err);
  bool was_sent = r.id != 0;
  wh_status opening = was_sent ? wh_sftp_wait(file->line, &r, status == WH_OK ? err : NULL) : WH_OK;
  if (was_sent && opening == WH_OK)
    opening = take_handle(&r, in->key, file, status == WH_OK ? err : NULL);
  wh_sftp_look_end(&look);
  wh_sftp_request_free(file->line, &r);
  return status == WH_OK ? opening : status;
}

static wh_status open_file(const sftp_input *in, opened *file, wh_sftp_attrs *ret, wh_error *err) {
  WH_TRY(wh_sftp_lease(in->c, &file->line, err));
  wh_status status = open_on(in, file, ret, err);
  if (status != WH_OK) close_file(in->c, file);
  return status;
}

// Again, and it has to be the same.
static wh_status reopen(const sftp_input *in, opened *file, wh_error *err) {
  wh_sftp_attrs now;
  wh_status status = open_file(in, file, &now, err);
  if (status == WH_ERR_NOT_FOUND) {
    status =
        wh_fail(err, WH_ERR_CHANGED, "%.*s: was taken away while it was read", WH_STR_ARG(in->key));
    if (err) err->retry = true;
  }
  if (status != WH_OK || is_same(&now, &in->attrs)) return status;
  close_file(in->c, file);
  return changed_under_way(in, err);
}

// --- pieces --------------------------------------------------------------------------------------

static wh_status ask_piece(const opened *file, range *p, wh_error *err) {
  wh_sftp_message read = {.type = WH_SFTP_READ,
                          .text_count = 1,
                          .texts = {handle_of(file)},
                          .has_offset = true,
                          .offset = p->at,
                          .number_count = 1,
                          .numbers = {(uint32_t)p->len}};
  wh_sftp_message stat = {.type = WH_SFTP_FSTAT, .text_count = 1, .texts = {handle_of(file)}};
  p->read.data = p->data;
  p->read.cap = p->len;
  WH_TRY(wh_sftp_start(file->line, &read, &p->read, err));
  return wh_sftp_start(file->line, &stat, &p->stat, err);
}

// The rest of a piece that the server gave less of.
static wh_status ask_rest(const sftp_input *in, const opened *file, const range *p, size_t got,
                          wh_error *err) {
  wh_sftp_request r;
  wh_sftp_request_init(&r, in->c->mem);
  wh_status status = WH_OK;
  while (status == WH_OK && got < p->len) {
    wh_sftp_message m = {.type = WH_SFTP_READ,
                         .text_count = 1,
                         .texts = {handle_of(file)},
                         .has_offset = true,
                         .offset = p->at + got,
                         .number_count = 1,
                         .numbers = {(uint32_t)(p->len - got)}};
    r.data = p->data + got;
    r.cap = p->len - got;
    status = wh_sftp_ask(file->line, &m, &r, err);
    if (status == WH_OK) status = wh_sftp_judge(&r, WH_SFTP_DATA, in->key, err);
    if (status == WH_OK && r.got == 0) status = WH_ERR_END;
    got += r.got;
  }
  wh_sftp_request_free(file->line, &r);
  return status == WH_ERR_END ? changed_under_way(in, err) : status;
}

static wh_status check_same(const sftp_input *in, const wh_sftp_request *r, wh_error *err) {
  wh_sftp_attrs now;
  WH_TRY(wh_sftp_judge(r, WH_SFTP_ATTRS, in->key, err));
  wh_sftp_reader reader = wh_sftp_reader_of(wh_buf_str(&r->answer));
  wh_sftp_take_attrs(&reader, &now);
  return is_same(&now, &in->attrs) ? WH_OK : changed_under_way(in, err);
}

static wh_status finish_piece(const sftp_input *in, const opened *file, range *p, wh_error *err) {
  WH_TRY(wh_sftp_wait(file->line, &p->read, err));
  wh_status status = wh_sftp_judge(&p->read, WH_SFTP_DATA, in->key, err);
  if (status == WH_ERR_END) return changed_under_way(in, err); // it became shorter
  WH_TRY(status);
  if (p->read.got < p->len) WH_TRY(ask_rest(in, file, p, p->read.got, err));
  WH_TRY(wh_sftp_wait(file->line, &p->stat, err));
  return check_same(in, &p->stat, err);
}

static void init_piece(range *p, wh_connection *c, uint64_t at, size_t len, char *data) {
  *p = (range){.at = at, .len = len, .data = data};
  wh_sftp_request_init(&p->read, c->mem);
  wh_sftp_request_init(&p->stat, c->mem);
}

static void free_piece(wh_sftp_line *line, range *p) {
  wh_sftp_request_free(line, &p->read);
  wh_sftp_request_free(line, &p->stat);
}

// --- reading on ----------------------------------------------------------------------------------

static void drop_oldest(sftp_input *in) {
  range *p = &in->ranges[in->oldest];
  free_piece(in->file.line, p);
  wh_mem_free(in->c->mem, p->data, p->len);
  *p = (range){0};
  in->oldest = (in->oldest + 1) % WH_SFTP_READS;
  in->count--;
}

static void drop_all(sftp_input *in) {
  while (in->count)
    drop_oldest(in);
  in->ahead = in->at;
  close_file(in->c, &in->file);
}

static wh_status start_piece(sftp_input *in, wh_error *err) {
  range *p = &in->ranges[(in->oldest + in->count) % WH_SFTP_READS];
  uint64_t left = in->base.size - in->ahead;
  size_t most = wh_sftp_server_of(in->file.line)->read_bytes;
  size_t len = left < most ? (size_t)left : most;
  char *data = wh_mem_alloc(in->c->mem, len);
  if (!data) return wh_fail_memory(err);
  init_piece(p, in->c, in->ahead, len, data);
  in->count++;
  in->ahead += len;
  return ask_piece(&in->file, p, err);
}

// Without memory for more, what is on its way is enough.
static wh_status read_ahead(sftp_input *in, wh_error *err) {
  while (in->count < WH_SFTP_READS && in->ahead < in->base.size &&
         (in->count == 0 || in->ahead - in->at < WH_SFTP_READ_AHEAD_BYTES)) {
    uint64_t before = in->ahead;
    wh_status status = start_piece(in, err);
    if (status == WH_ERR_MEMORY && in->count && in->ahead == before) return WH_OK;
    WH_TRY(status);
  }
  return WH_OK;
}

static wh_status read_empty(sftp_input *in, wh_error *err) {
  if (in->base.size || in->is_checked) return WH_OK;
  wh_sftp_message m = {.type = WH_SFTP_FSTAT, .text_count = 1, .texts = {handle_of(&in->file)}};
  wh_sftp_request r;
  wh_sftp_request_init(&r, in->c->mem);
  wh_status status = wh_sftp_ask(in->file.line, &m, &r, err);
  if (status == WH_OK) status = check_same(in, &r, err);
  wh_sftp_request_free(in->file.line, &r);
  in->is_checked = status == WH_OK;
  return status;
}

static wh_status read_some(sftp_input *in, char *data, size_t cap, size_t *ret_len, wh_error *err) {
  if (!in->file.line) WH_TRY(reopen(in, &in->file, err));
  *ret_len = 0;
  if (in->at >= in->base.size) return read_empty(in, err);
  WH_TRY(read_ahead(in, err));
  range *p = &in->ranges[in->oldest];
  if (p->stat.id) { // still to be waited for
    WH_TRY(finish_piece(in, &in->file, p, err));
    free_piece(in->file.line, p);
  }
  size_t from = (size_t)(in->at - p->at), n = p->len - from;
  if (n > cap) n = cap;
  memcpy(data, p->data + from, n);
  in->at += n;
  in->tries.made = 0;
  if (from + n == p->len) drop_oldest(in);
  *ret_len = n;
  return WH_OK;
}

static wh_status input_read(wh_input *base, void *data, size_t cap, size_t *ret_len,
                            wh_error *err) {
  sftp_input *in = (sftp_input *)base;
  wh_error own = {0}, *e = err ? err : &own;
  size_t got = 0;
  wh_status status;
  if (cap == 0) {
    *ret_len = 0;
    return WH_OK;
  }
  do {
    status = read_some(in, data, cap, &got, e);
    if (status != WH_OK) drop_all(in);
  } while (wh_sftp_again(in->c, &in->tries, status, e));
  if (status != WH_OK) return wh_store_say(in->c, status, err);
  *ret_len = got;
  return WH_OK;
}

// --- reading anywhere ----------------------------------------------------------------------------

enum { AT_ONCE = 16 }; // pieces of one request

static wh_status read_pieces(const sftp_input *in, const opened *file, uint64_t at, char *data,
                             size_t len, wh_error *err) {
  range pieces[AT_ONCE];
  size_t most = wh_sftp_server_of(file->line)->read_bytes, count = 0;
  wh_status status = WH_OK;
  for (; status == WH_OK && len && count < AT_ONCE; count++) {
    size_t n = len < most ? len : most;
    init_piece(&pieces[count], in->c, at, n, data);
    status = ask_piece(file, &pieces[count], err);
    at += n;
    data += n;
    len -= n;
  }
  for (size_t i = 0; i < count && status == WH_OK; i++)
    status = finish_piece(in, file, &pieces[i], err);
  for (size_t i = 0; i < count; i++)
    free_piece(file->line, &pieces[i]);
  return status == WH_OK && len ? read_pieces(in, file, at, data, len, err) : status;
}

// With the lock for reading afterwards, where the file is open.
static wh_status open_shared(sftp_input *in, wh_error *err) {
  for (;;) {
    pthread_rwlock_rdlock(&in->lock);
    if (in->shared.line && !wh_sftp_line_is_broken(in->shared.line)) return WH_OK;
    pthread_rwlock_unlock(&in->lock);
    pthread_rwlock_wrlock(&in->lock);
    bool broken = in->shared.line && wh_sftp_line_is_broken(in->shared.line);
    if (broken) close_file(in->c, &in->shared);
    wh_status status = in->shared.line ? WH_OK : reopen(in, &in->shared, err);
    pthread_rwlock_unlock(&in->lock);
    WH_TRY(status);
  }
}

static wh_status input_read_at(wh_input *base, uint64_t offset, void *data, size_t len,
                               wh_error *err) {
  sftp_input *in = (sftp_input *)base;
  wh_error own = {0}, *e = err ? err : &own;
  wh_sftp_tries tries = {0};
  if (offset > base->size || len > base->size - offset) {
    return wh_store_say(in->c,
                        wh_fail(err, WH_ERR_END, "%.*s: ends at byte %llu", WH_STR_ARG(in->key),
                                (unsigned long long)base->size),
                        err);
  }
  wh_status status;
  do {
    status = open_shared(in, e);
    if (status != WH_OK) continue;
    status = read_pieces(in, &in->shared, offset, data, len, e);
    pthread_rwlock_unlock(&in->lock);
  } while (wh_sftp_again(in->c, &tries, status, e));
  return wh_store_say(in->c, status, err);
}

// --- opening -------------------------------------------------------------------------------------

static void input_close(wh_input *base) {
  sftp_input *in = (sftp_input *)base;
  wh_mem *mem = in->c->mem;
  drop_all(in);
  close_file(in->c, &in->shared);
  pthread_rwlock_destroy(&in->lock);
  wh_arena_free(&in->arena);
  wh_mem_free(mem, in, sizeof *in);
}

static wh_status open_version(sftp_input *in, wh_str version, wh_error *err) {
  wh_error own = {0}, *e = err ? err : &own;
  wh_status status;
  do
    status = open_file(in, &in->file, &in->attrs, e);
  while (wh_sftp_again(in->c, &in->tries, status, e));
  WH_TRY(status);
  wh_str found;
  WH_TRY(wh_sftp_version(&in->arena, &in->attrs, &found, err));
  if (version.len && !wh_str_eq(version, found)) return changed(in->key, err);
  in->base.size = in->attrs.size;
  return WH_OK;
}

wh_status wh_sftp_open(wh_connection *c, wh_str key, wh_str version, wh_input **ret,
                       wh_error *err) {
  sftp_input *in = wh_mem_alloc_zero(c->mem, sizeof *in);
  if (!in) return wh_store_say(c, wh_fail_memory(err), err);
  in->base = (wh_input){0, input_read, input_read_at, input_close};
  in->c = c;
  wh_arena_init(&in->arena, c->mem);
  pthread_rwlock_init(&in->lock, NULL);
  in->key = wh_arena_str(&in->arena, key);
  wh_status status =
      in->key.data ? wh_sftp_path(c, &in->arena, in->key, &in->path, err) : wh_fail_memory(err);
  if (status == WH_OK) status = open_version(in, version, err);
  if (status != WH_OK)
    input_close(&in->base);
  else
    *ret = &in->base;
  return wh_store_say(c, status, err);
}
