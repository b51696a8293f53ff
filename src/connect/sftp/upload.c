// Writing a file under a temporary name. Many requests are under way; each keeps its bytes until
// the server has them, so that writing goes on where a line broke.
#include "connect/sftp/sftp.h"

#include "base/ulid.h"

// Bytes that are being gathered, or on their way.
typedef struct piece {
  wh_sftp_request request;
  uint64_t at;
  char *data;
  size_t len, cap;
} piece;

typedef struct sftp_upload {
  wh_upload base;
  wh_connection *c;
  wh_arena arena;
  wh_str path; // of the temporary file
  wh_str what; // it, for messages
  wh_str key;  // that it gets when it is sealed; empty: an attempt, which waits
  bool replace;
  bool is_there, sealed, failed;
  wh_sftp_line *line; // NULL: it is not open
  char handle[WH_SFTP_HANDLE_MAX];
  size_t handle_len;
  piece pieces[WH_SFTP_WRITES + 1]; // the last of them is being filled
  size_t oldest, count;             // on their way
  uint64_t safe;                    // bytes that the server has
  wh_sftp_attrs attrs;              // when it was finished
  wh_sftp_tries tries;
} sftp_upload;

static wh_str handle_of(const sftp_upload *u) {
  return wh_str_n(u->handle, u->handle_len);
}

// --- the file ------------------------------------------------------------------------------------

static void leave_line(sftp_upload *u, bool close) {
  if (!u->line) return;
  for (size_t i = 0; i <= WH_SFTP_WRITES; i++)
    wh_sftp_request_free(u->line, &u->pieces[i].request);
  wh_sftp_message m = {.type = WH_SFTP_CLOSE, .text_count = 1, .texts = {handle_of(u)}};
  if (close && u->handle_len) WH_IGNORE(wh_sftp_start(u->line, &m, NULL, NULL));
  wh_sftp_release(u->c, u->line);
  u->line = NULL;
  u->handle_len = 0;
}

static wh_status open_on_line(sftp_upload *u, uint32_t flags, wh_error *err) {
  wh_sftp_message m = {.type = WH_SFTP_OPEN,
                       .text_count = 1,
                       .texts = {u->path},
                       .number_count = 2,
                       .numbers = {flags, 0}};
  wh_sftp_request r;
  wh_sftp_request_init(&r, u->c->mem);
  wh_status status = wh_sftp_ask(u->line, &m, &r, err);
  if (status == WH_OK) status = wh_sftp_judge(&r, WH_SFTP_HANDLE, u->what, err);
  if (status == WH_OK) {
    wh_sftp_reader in = wh_sftp_reader_of(wh_buf_str(&r.answer));
    wh_str handle = wh_sftp_take_text(&in);
    if (in.bad || handle.len == 0 || handle.len > sizeof u->handle) {
      status = wh_fail(err, WH_ERR_DATA, "%.*s: the server's handle is none of SFTP",
                       WH_STR_ARG(u->what));
    } else {
      memcpy(u->handle, handle.data, handle.len);
      u->handle_len = handle.len;
    }
  }
  wh_sftp_request_free(u->line, &r);
  return status;
}

static wh_status open_file(sftp_upload *u, uint32_t flags, wh_error *err) {
  WH_TRY(wh_sftp_lease(u->c, &u->line, err));
  wh_status status = open_on_line(u, flags, err);
  if (status != WH_OK) leave_line(u, false);
  return status;
}

static wh_status fstat_file(sftp_upload *u, wh_sftp_request *r, wh_sftp_attrs *ret, wh_error *err) {
  WH_TRY(wh_sftp_wait(u->line, r, err));
  WH_TRY(wh_sftp_judge(r, WH_SFTP_ATTRS, u->what, err));
  wh_sftp_reader in = wh_sftp_reader_of(wh_buf_str(&r->answer));
  wh_sftp_take_attrs(&in, ret);
  return WH_OK;
}

static wh_status start_fstat(sftp_upload *u, wh_sftp_request *r, wh_error *err) {
  wh_sftp_message m = {.type = WH_SFTP_FSTAT, .text_count = 1, .texts = {handle_of(u)}};
  return wh_sftp_start(u->line, &m, r, err);
}

// --- pieces --------------------------------------------------------------------------------------

static piece *piece_at(sftp_upload *u, size_t i) {
  return &u->pieces[(u->oldest + i) % (WH_SFTP_WRITES + 1)];
}

static wh_status send_piece(sftp_upload *u, piece *p, wh_error *err) {
  wh_sftp_message m = {.type = WH_SFTP_WRITE,
                       .text_count = 1,
                       .texts = {handle_of(u)},
                       .has_offset = true,
                       .offset = p->at,
                       .has_data = true,
                       .data = wh_str_n(p->data, p->len)};
  wh_sftp_request_init(&p->request, u->c->mem);
  return wh_sftp_start(u->line, &m, &p->request, err);
}

static wh_status finish_oldest(sftp_upload *u, wh_error *err) {
  piece *p = piece_at(u, 0);
  WH_TRY(wh_sftp_wait(u->line, &p->request, err));
  WH_TRY(wh_sftp_judge(&p->request, WH_SFTP_STATUS, u->what, err));
  wh_sftp_request_free(u->line, &p->request);
  wh_mem_free(u->c->mem, p->data, p->cap);
  u->safe = p->at + p->len;
  *p = (piece){0};
  u->oldest = (u->oldest + 1) % (WH_SFTP_WRITES + 1);
  u->count--;
  u->tries.made = 0;
  return WH_OK;
}

// On another line, with what the server may not have; what it has was written before the answer.
static wh_status go_on(sftp_upload *u, wh_error *err) {
  if (u->line) return WH_OK;
  WH_TRY(open_file(u, WH_SFTP_FLAG_WRITE, err));
  wh_sftp_request r;
  wh_sftp_request_init(&r, u->c->mem);
  wh_sftp_attrs attrs = {0};
  wh_status status = start_fstat(u, &r, err);
  if (status == WH_OK) status = fstat_file(u, &r, &attrs, err);
  wh_sftp_request_free(u->line, &r);
  if (status == WH_OK && attrs.size < u->safe)
    status = wh_fail(err, WH_ERR_CHANGED, "%.*s: somebody else wrote to it", WH_STR_ARG(u->what));
  for (size_t i = 0; status == WH_OK && i < u->count; i++)
    status = send_piece(u, piece_at(u, i), err);
  return status;
}

typedef wh_status (*step)(sftp_upload *u, wh_error *err);

// Does it, and again on another line where it broke.
static wh_status persist(sftp_upload *u, step work, wh_error *err) {
  wh_error own = {0}, *e = err ? err : &own;
  wh_status status;
  do {
    status = go_on(u, e);
    if (status == WH_OK) status = work(u, e);
    if (status != WH_OK) leave_line(u, true);
  } while (wh_sftp_again(u->c, &u->tries, status, e));
  u->failed = u->failed || status != WH_OK;
  return status;
}

static size_t most_under_way(size_t bytes) {
  size_t most = WH_SFTP_WRITE_AHEAD_BYTES / bytes;
  return most < 1 ? 1 : most > WH_SFTP_WRITES ? WH_SFTP_WRITES : most;
}

static wh_status make_room(sftp_upload *u, wh_error *err) {
  size_t most = most_under_way(wh_sftp_server_of(u->line)->write_bytes);
  while (u->count >= most)
    WH_TRY(finish_oldest(u, err));
  return WH_OK;
}

static wh_status send_last(sftp_upload *u, wh_error *err) {
  return send_piece(u, piece_at(u, u->count - 1), err);
}

// Sends what was filled. It counts as under way first, so that a line that breaks sends it again.
static wh_status send_filled(sftp_upload *u, wh_error *err) {
  u->count++;
  bool is_open = u->line != NULL; // else going on sends it, too
  wh_error own = {0}, *e = err ? err : &own;
  wh_status status = is_open ? send_last(u, e) : WH_OK;
  if (status == WH_ERR_UNAVAILABLE && e->retry) {
    leave_line(u, true);
    status = WH_OK; // the next step goes on
  }
  u->failed = u->failed || status != WH_OK;
  return status;
}

// --- the stream ----------------------------------------------------------------------------------

// Small objects need no large piece.
static wh_status grow(sftp_upload *u, piece *p, size_t want, size_t most, wh_error *err) {
  enum { FIRST = 4096 };
  size_t cap = p->cap ? p->cap : FIRST;
  while (cap < want && cap < most)
    cap *= 2;
  if (cap > most) cap = most;
  if (cap <= p->cap) return WH_OK;
  char *moved = wh_mem_realloc(u->c->mem, p->data, p->cap, cap);
  if (!moved) return wh_fail_memory(err);
  p->data = moved;
  p->cap = cap;
  return WH_OK;
}

static wh_status write_bytes(sftp_upload *u, const char *data, size_t len, wh_error *err) {
  if (u->sealed) return wh_fail(err, WH_ERR_BUG, "written to after it was sealed");
  if (u->failed) return wh_fail(err, WH_ERR_BUG, "written to after it failed");
  while (len) {
    if (!u->line) WH_TRY(persist(u, make_room, err));
    size_t most = wh_sftp_server_of(u->line)->write_bytes;
    piece *p = piece_at(u, u->count);
    WH_TRY(grow(u, p, p->len + len, most, err));
    if (p->len == 0) p->at = u->base.output.written;
    size_t room = p->cap - p->len, n = len < room ? len : room;
    memcpy(p->data + p->len, data, n);
    p->len += n;
    data += n;
    len -= n;
    u->base.output.written += n;
    if (p->len < most) continue;
    WH_TRY(send_filled(u, err));
    WH_TRY(persist(u, make_room, err));
  }
  return WH_OK;
}

static wh_status upload_write(wh_output *out, const void *data, size_t len, wh_error *err) {
  sftp_upload *u = (sftp_upload *)out;
  return wh_store_say(u->c, write_bytes(u, data, len, err), err);
}

// --- sealing -------------------------------------------------------------------------------------

typedef struct farewell {
  wh_sftp_request sync, stat, close;
} farewell;

// All answers have to come, and the file to be as long as what was written.
static wh_status hear_farewell(sftp_upload *u, farewell *f, bool syncs, wh_sftp_attrs *ret,
                               wh_error *err) {
  while (u->count)
    WH_TRY(finish_oldest(u, err));
  if (syncs) {
    WH_TRY(wh_sftp_wait(u->line, &f->sync, err));
    WH_TRY(wh_sftp_judge(&f->sync, WH_SFTP_STATUS, u->what, err));
  }
  WH_TRY(fstat_file(u, &f->stat, ret, err));
  WH_TRY(wh_sftp_wait(u->line, &f->close, err));
  WH_TRY(wh_sftp_judge(&f->close, WH_SFTP_STATUS, u->what, err));
  u->handle_len = 0;
  if (ret->size == u->base.output.written) return WH_OK;
  return wh_fail(err, WH_ERR_IO, "%.*s: the server has %llu bytes of %llu", WH_STR_ARG(u->what),
                 (unsigned long long)ret->size, (unsigned long long)u->base.output.written);
}

static wh_status say_farewell(sftp_upload *u, farewell *f, bool syncs, wh_error *err) {
  wh_sftp_message sync = {.type = WH_SFTP_EXTENDED,
                          .text_count = 2,
                          .texts = {WH_STR_INIT("fsync@openssh.com"), handle_of(u)}};
  wh_sftp_message close = {.type = WH_SFTP_CLOSE, .text_count = 1, .texts = {handle_of(u)}};
  if (syncs) WH_TRY(wh_sftp_start(u->line, &sync, &f->sync, err));
  WH_TRY(start_fstat(u, &f->stat, err));
  return wh_sftp_start(u->line, &close, &f->close, err);
}

static wh_status finish_file(sftp_upload *u, wh_error *err) {
  bool syncs = wh_sftp_server_of(u->line)->has_fsync;
  farewell f;
  wh_sftp_request_init(&f.sync, u->c->mem);
  wh_sftp_request_init(&f.stat, u->c->mem);
  wh_sftp_request_init(&f.close, u->c->mem);
  wh_status status = say_farewell(u, &f, syncs, err);
  if (status == WH_OK) status = hear_farewell(u, &f, syncs, &u->attrs, err);
  wh_sftp_request_free(u->line, &f.sync);
  wh_sftp_request_free(u->line, &f.stat);
  wh_sftp_request_free(u->line, &f.close);
  return status;
}

static wh_status seal_file(sftp_upload *u, wh_error *err) {
  WH_TRY(persist(u, finish_file, err));
  leave_line(u, false);
  if (!u->key.len) return WH_OK;
  return wh_sftp_rename(u->c, u->path, u->key, &u->attrs, u->replace, err);
}

static wh_status upload_seal(wh_upload *base, wh_error *err) {
  sftp_upload *u = (sftp_upload *)base;
  if (u->sealed) return WH_OK;
  if (u->failed) return wh_store_say(u->c, wh_fail(err, WH_ERR_BUG, "sealed after it failed"), err);
  wh_status status = WH_OK;
  if (piece_at(u, u->count)->len) status = send_filled(u, err);
  if (status == WH_OK) status = seal_file(u, err);
  u->sealed = status == WH_OK;
  u->failed = !u->sealed;
  return wh_store_say(u->c, status, err);
}

static void upload_close(wh_upload *base) {
  if (!base) return;
  sftp_upload *u = (sftp_upload *)base;
  wh_connection *c = u->c;
  leave_line(u, true);
  for (size_t i = 0; i <= WH_SFTP_WRITES; i++)
    wh_mem_free(c->mem, u->pieces[i].data, u->pieces[i].cap);
  // Where this fails, the next put into the folder finds it, or attempts() does.
  if (!u->sealed && u->is_there) WH_IGNORE(wh_sftp_remove_path(c, u->path, u->what, NULL));
  wh_arena_free(&u->arena);
  wh_mem_free(c->mem, u, sizeof *u);
}

// --- beginning -----------------------------------------------------------------------------------

static sftp_upload *new_upload(wh_connection *c) {
  sftp_upload *u = wh_mem_alloc_zero(c->mem, sizeof *u);
  if (!u) return NULL;
  u->base = (wh_upload){{0, upload_write}, upload_seal, upload_close, NULL, 0};
  u->c = c;
  wh_arena_init(&u->arena, c->mem);
  return u;
}

static wh_status attempt_is_there(sftp_upload *u, wh_status status, wh_error *err) {
  wh_object object;
  if (status != WH_ERR_IO && status != WH_ERR_EXISTS) return status;
  wh_str key = wh_arena_printf(&u->arena, WH_SFTP_ATTEMPTS "%.*s", WH_STR_ARG(u->what));
  if (!key.data) return wh_fail_memory(err);
  if (wh_sftp_stat(u->c, key, &u->arena, &object, NULL) != WH_OK) return status;
  return wh_fail(err, WH_ERR_EXISTS, "%.*s: this attempt was begun already", WH_STR_ARG(u->what));
}

// Makes the file, which must be new; where a line broke meanwhile it may be there, and is ours.
static wh_status make_file(sftp_upload *u, wh_error *err) {
  enum { MAKE = WH_SFTP_FLAG_WRITE | WH_SFTP_FLAG_CREATE };
  wh_error own = {0}, *e = err ? err : &own;
  wh_status status;
  bool again = false;
  do {
    status = open_file(u, again ? MAKE | WH_SFTP_FLAG_TRUNCATE : MAKE | WH_SFTP_FLAG_EXCLUSIVE, e);
    again = true;
  } while (wh_sftp_again(u->c, &u->tries, status, e));
  u->is_there = status == WH_OK;
  return status;
}

static wh_status begin_attempt(sftp_upload *u, wh_str attempt, wh_error *err) {
  WH_TRY(wh_sftp_attempt_path(u->c, &u->arena, attempt, &u->path, err));
  u->what = wh_arena_str(&u->arena, attempt);
  if (!u->what.data) return wh_fail_memory(err);
  WH_TRY(wh_sftp_make_folders(u->c, WH_STR(WH_SFTP_ATTEMPTS "x"), err));
  wh_status status = make_file(u, err);
  return status == WH_OK ? WH_OK : attempt_is_there(u, status, err);
}

wh_status wh_sftp_create(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err) {
  sftp_upload *u = new_upload(c);
  if (!u) return wh_store_say(c, wh_fail_memory(err), err);
  wh_status status = begin_attempt(u, attempt, err);
  if (status != WH_OK)
    upload_close(&u->base);
  else
    *ret = &u->base;
  return wh_store_say(c, status, err);
}

static wh_status begin_put(sftp_upload *u, wh_str key, wh_error *err) {
  char ulid[WH_ULID_CHARS + 1];
  WH_TRY(wh_sftp_writable_path(u->c, &u->arena, key, &u->path, err));
  u->key = u->what = wh_arena_str(&u->arena, key);
  if (!u->key.data) return wh_fail_memory(err);
  WH_TRY(wh_ulid_new(u->c->os, ulid, err));
  size_t folder = u->path.len;
  while (folder && u->path.data[folder - 1] != '/')
    folder--;
  u->path =
      wh_arena_printf(&u->arena, "%.*s" WH_TEMPORARY_PREFIX "%s", (int)folder, u->path.data, ulid);
  if (!u->path.data) return wh_fail_memory(err);
  WH_TRY(wh_sftp_make_folders(u->c, key, err));
  WH_TRY(wh_sftp_clean_folder(u->c, key, err));
  return make_file(u, err);
}

wh_status wh_sftp_put(wh_connection *c, wh_str key, const wh_put_options *options, wh_upload **ret,
                      wh_error *err) {
  sftp_upload *u = new_upload(c);
  if (!u) return wh_store_say(c, wh_fail_memory(err), err);
  u->replace = options->replace;
  wh_status status = begin_put(u, key, err);
  if (status != WH_OK)
    upload_close(&u->base);
  else
    *ret = &u->base;
  return wh_store_say(c, status, err);
}
