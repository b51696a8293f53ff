// The names in a folder, all at once: several questions are under way, since each brings only some
// dozens of names.
#include "connect/sftp/sftp.h"

static int compare(const void *x, const void *y) {
  const wh_sftp_entry *a = x, *b = y;
  return wh_key_name_cmp(a->name, a->is_folder, b->name, b->is_folder);
}

void wh_sftp_folder_free(wh_connection *c, wh_sftp_folder *f) {
  wh_mem_free(c->mem, f->entries, f->cap * sizeof *f->entries);
  wh_arena_free(&f->arena);
  f->entries = NULL;
  f->count = f->cap = 0;
}

static wh_status keep(wh_connection *c, wh_sftp_folder *f, wh_sftp_entry entry, wh_error *err) {
  enum { FIRST = 64 };
  if (f->count == f->cap) {
    size_t cap = f->cap ? 2 * f->cap : FIRST, size = sizeof *f->entries;
    wh_sftp_entry *moved = wh_mem_realloc(c->mem, f->entries, f->cap * size, cap * size);
    if (!moved) return wh_fail_memory(err);
    f->entries = moved;
    f->cap = cap;
  }
  entry.name = wh_arena_str(&f->arena, entry.name);
  if (!entry.name.data) return wh_fail_memory(err);
  f->entries[f->count++] = entry;
  return WH_OK;
}

static wh_status take_names(wh_connection *c, wh_sftp_folder *f, const wh_sftp_request *r,
                            wh_str path, wh_error *err) {
  wh_sftp_reader in = wh_sftp_reader_of(wh_buf_str(&r->answer));
  uint32_t count = wh_sftp_take_u32(&in);
  for (uint32_t i = 0; i < count && !in.bad; i++) {
    wh_sftp_name name;
    wh_sftp_take_name(&in, &name);
    if (in.bad) break;
    wh_sftp_entry entry = {name.name, name.attrs, name.kind == WH_SFTP_KIND_FOLDER};
    bool is_file = name.kind == WH_SFTP_KIND_FILE && name.attrs.has_size;
    if (!entry.is_folder && !is_file) continue; // a link, a device
    if (f->accept && !f->accept(f->context, &entry)) continue;
    WH_TRY(keep(c, f, entry, err));
  }
  if (!in.bad) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%.*s: the server's names are none of SFTP", WH_STR_ARG(path));
}

typedef struct reading {
  wh_connection *c;
  wh_str path;
  wh_sftp_folder *folder;
} reading;

static wh_status read_names(wh_sftp_line *line, const reading *w, wh_str handle,
                            wh_sftp_request asked[WH_SFTP_READDIRS], wh_error *err) {
  wh_sftp_message m = {.type = WH_SFTP_READDIR, .text_count = 1, .texts = {handle}};
  for (size_t i = 0; i < WH_SFTP_READDIRS; i++)
    WH_TRY(wh_sftp_start(line, &m, &asked[i], err));
  for (size_t at = 0;; at = (at + 1) % WH_SFTP_READDIRS) {
    WH_TRY(wh_sftp_wait(line, &asked[at], err));
    WH_TRY(wh_sftp_judge(&asked[at], WH_SFTP_NAME, w->path, err));
    WH_TRY(take_names(w->c, w->folder, &asked[at], w->path, err));
    WH_TRY(wh_sftp_start(line, &m, &asked[at], err));
  }
}

static wh_status do_read(wh_sftp_line *line, void *context, wh_error *err) {
  const reading *w = context;
  wh_sftp_folder_free(w->c, w->folder); // of a line that broke
  wh_sftp_request open, asked[WH_SFTP_READDIRS];
  wh_sftp_request_init(&open, w->c->mem);
  for (size_t i = 0; i < WH_SFTP_READDIRS; i++)
    wh_sftp_request_init(&asked[i], w->c->mem);
  wh_sftp_message m = {.type = WH_SFTP_OPENDIR, .text_count = 1, .texts = {w->path}};
  wh_status status = wh_sftp_ask(line, &m, &open, err);
  if (status == WH_OK) status = wh_sftp_judge(&open, WH_SFTP_HANDLE, w->path, err);
  if (status == WH_OK) {
    wh_sftp_reader in = wh_sftp_reader_of(wh_buf_str(&open.answer));
    wh_str handle = wh_sftp_take_text(&in);
    status = read_names(line, w, handle, asked, err);
    wh_sftp_message bye = {.type = WH_SFTP_CLOSE, .text_count = 1, .texts = {handle}};
    WH_IGNORE(wh_sftp_start(line, &bye, NULL, NULL));
    if (status == WH_ERR_END) status = WH_OK;
  }
  for (size_t i = 0; i < WH_SFTP_READDIRS; i++)
    wh_sftp_request_free(line, &asked[i]);
  wh_sftp_request_free(line, &open);
  return status;
}

wh_status wh_sftp_read_folder(wh_connection *c, wh_str path, wh_sftp_folder *ret, wh_error *err) {
  wh_arena_init(&ret->arena, c->mem);
  reading w = {.c = c, .path = path, .folder = ret};
  wh_status status = wh_sftp_do(c, do_read, &w, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK; // gone, or never there
  if (status == WH_OK && ret->count) qsort(ret->entries, ret->count, sizeof *ret->entries, compare);
  return status;
}
