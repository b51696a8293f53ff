// What is on the server: questions about single names, and what came of a question.
#include "connect/sftp/sftp.h"

enum { SAID_MAX = 100 }; // bytes of a server's own words in an error

// --- answers -------------------------------------------------------------------------------------

// Letters of ASCII alone: the words are somebody else's.
static void add_words(wh_error *err, wh_str said) {
  char text[SAID_MAX + 4] = ": ";
  size_t len = 2;
  for (size_t i = 0; i < said.len && len < SAID_MAX; i++)
    if (said.data[i] >= ' ' && said.data[i] <= '~') text[len++] = said.data[i];
  text[len] = 0;
  if (err && len > 2) wh_error_append(err, text);
}

static wh_status judge_status(wh_sftp_reader *in, wh_str what, wh_error *err) {
  uint32_t code = wh_sftp_take_u32(in);
  wh_str said = wh_sftp_take_text(in); // some send none
  wh_status status;
  switch (code) {
  case WH_SFTP_EOF:
    return wh_fail(err, WH_ERR_END, "%.*s: ends here", WH_STR_ARG(what));
  case WH_SFTP_NO_SUCH_FILE:
  case WH_SFTP_NO_SUCH_PATH:
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: no such file on the server", WH_STR_ARG(what));
  case WH_SFTP_PERMISSION_DENIED:
  case WH_SFTP_WRITE_PROTECT:
    return wh_fail(err, WH_ERR_DENIED, "%.*s: the server does not permit it", WH_STR_ARG(what));
  case WH_SFTP_ALREADY_EXISTS:
    return wh_fail(err, WH_ERR_EXISTS, "%.*s: is there already", WH_STR_ARG(what));
  case WH_SFTP_NO_SPACE:
  case WH_SFTP_QUOTA_EXCEEDED:
    return wh_fail(err, WH_ERR_NO_SPACE, "%.*s: the server has no more room", WH_STR_ARG(what));
  case WH_SFTP_UNSUPPORTED:
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: the server cannot do this", WH_STR_ARG(what));
  default:
    status = wh_fail(err, WH_ERR_IO, "%.*s: the server says no (code %u)", WH_STR_ARG(what),
                     (unsigned)code);
    add_words(err, said);
    return status;
  }
}

wh_status wh_sftp_judge(const wh_sftp_request *r, uint8_t wanted, wh_str what, wh_error *err) {
  wh_sftp_reader in = wh_sftp_reader_of(wh_buf_str(&r->answer));
  if (r->type == WH_SFTP_STATUS && r->answer.len >= 4) {
    bool is_ok = memcmp(r->answer.data, "\0\0\0\0", 4) == 0;
    if (!is_ok) return judge_status(&in, what, err);
  }
  if (r->type == wanted) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%.*s: the server's answer is none of SFTP (type %u)",
                 WH_STR_ARG(what), (unsigned)r->type);
}

static wh_status take_answer_attrs(const wh_sftp_request *r, wh_str what, wh_sftp_attrs *ret,
                                   wh_error *err) {
  WH_TRY(wh_sftp_judge(r, WH_SFTP_ATTRS, what, err));
  wh_sftp_reader in = wh_sftp_reader_of(wh_buf_str(&r->answer));
  wh_sftp_take_attrs(&in, ret);
  if (!in.bad) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%.*s: the server's attributes are none of SFTP",
                 WH_STR_ARG(what));
}

// --- looking -------------------------------------------------------------------------------------

static size_t count_parts(wh_str key) {
  size_t count = 1;
  for (size_t i = 0; i < key.len; i++)
    count += key.data[i] == '/';
  return count;
}

wh_status wh_sftp_look_start(wh_connection *c, wh_sftp_line *line, wh_str key, wh_sftp_look *ret,
                             wh_error *err) {
  *ret = (wh_sftp_look){.line = line, .key = key};
  wh_arena_init(&ret->arena, c->mem);
  size_t count = count_parts(key), end = 0;
  ret->parts = WH_NEW_ARRAY(&ret->arena, count, wh_sftp_request);
  if (!ret->parts) return wh_fail_memory(err);
  for (; ret->count < count; ret->count++)
    wh_sftp_request_init(&ret->parts[ret->count], c->mem);
  for (size_t i = 0; i < count; i++) {
    end = wh_str_find(key, i ? end + 1 : 0, '/');
    wh_sftp_message m = {.type = WH_SFTP_LSTAT, .text_count = 1};
    WH_TRY(wh_sftp_folder_path(c, &ret->arena, wh_str_sub(key, 0, end), &m.texts[0], err));
    WH_TRY(wh_sftp_start(line, &m, &ret->parts[i], err));
  }
  return WH_OK;
}

static wh_status fail_link(wh_str key, wh_error *err) {
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s: is a symbolic link, and those are not followed inside a store",
                 WH_STR_ARG(key));
}

// The key up to the part with that number.
static wh_str upto(wh_str key, size_t part) {
  size_t end = wh_str_find(key, 0, '/');
  while (part--)
    end = wh_str_find(key, end + 1, '/');
  return wh_str_sub(key, 0, end);
}

static wh_status check_folder(wh_sftp_look *look, size_t part, wh_error *err) {
  wh_str folder = upto(look->key, part);
  wh_sftp_attrs attrs;
  WH_TRY(wh_sftp_wait(look->line, &look->parts[part], err));
  // Where a folder is missing, so is what was looked for.
  WH_TRY(take_answer_attrs(&look->parts[part], look->key, &attrs, err));
  switch (wh_sftp_kind_of(&attrs)) {
  case WH_SFTP_KIND_FOLDER:
    return WH_OK;
  case WH_SFTP_KIND_LINK:
    return fail_link(folder, err);
  default:
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: is not a folder", WH_STR_ARG(folder));
  }
}

wh_status wh_sftp_look_folder(wh_sftp_look *look, wh_error *err) {
  for (size_t i = 0; i < look->count; i++)
    WH_TRY(check_folder(look, i, err));
  return WH_OK;
}

wh_status wh_sftp_look_file(wh_sftp_look *look, wh_sftp_attrs *ret, wh_error *err) {
  size_t last = look->count - 1;
  for (size_t i = 0; i < last; i++)
    WH_TRY(check_folder(look, i, err));
  wh_sftp_attrs attrs;
  WH_TRY(wh_sftp_wait(look->line, &look->parts[last], err));
  WH_TRY(take_answer_attrs(&look->parts[last], look->key, &attrs, err));
  switch (wh_sftp_kind_of(&attrs)) {
  case WH_SFTP_KIND_FILE:
    break;
  case WH_SFTP_KIND_FOLDER:
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: is a folder", WH_STR_ARG(look->key));
  case WH_SFTP_KIND_LINK:
    return fail_link(look->key, err);
  default:
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: is no file", WH_STR_ARG(look->key));
  }
  if (!attrs.has_size) {
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: the server does not tell its size",
                   WH_STR_ARG(look->key));
  }
  *ret = attrs;
  return WH_OK;
}

void wh_sftp_look_end(wh_sftp_look *look) {
  for (size_t i = 0; i < look->count; i++)
    wh_sftp_request_free(look->line, &look->parts[i]);
  wh_arena_free(&look->arena);
  *look = (wh_sftp_look){0};
}

wh_status wh_sftp_look_at(wh_connection *c, wh_sftp_line *line, wh_str key, wh_sftp_attrs *ret,
                          wh_error *err) {
  wh_sftp_look look;
  wh_status status = wh_sftp_look_start(c, line, key, &look, err);
  if (status == WH_OK) status = wh_sftp_look_file(&look, ret, err);
  wh_sftp_look_end(&look);
  return status;
}

// --- the verbs -----------------------------------------------------------------------------------

typedef struct stat_work {
  wh_connection *c;
  wh_str key;
  wh_sftp_attrs attrs;
} stat_work;

static wh_status do_stat(wh_sftp_line *line, void *context, wh_error *err) {
  stat_work *w = context;
  return wh_sftp_look_at(w->c, line, w->key, &w->attrs, err);
}

wh_status wh_sftp_stat(wh_connection *c, wh_str key, wh_arena *arena, wh_object *ret,
                       wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, c->mem);
  stat_work w = {.c = c, .key = key};
  wh_str path;
  wh_status status = wh_sftp_path(c, &scratch, key, &path, err);
  if (status == WH_OK) status = wh_sftp_do(c, do_stat, &w, err);
  if (status == WH_OK) status = wh_sftp_object(arena, key, &w.attrs, ret, err);
  if (status == WH_OK) ret->settled_us = wh_sftp_settles(c, ret);
  return wh_store_say(c, status, err);
}

wh_status wh_sftp_attributes(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                             wh_attributes *ret, wh_error *err) {
  wh_object object;
  WH_TRY(wh_sftp_stat(c, key, arena, &object, err));
  if (version.len && !wh_str_eq(version, object.version)) {
    return wh_store_say(
        c, wh_fail(err, WH_ERR_CHANGED, "%.*s: is another version now", WH_STR_ARG(key)), err);
  }
  *ret = (wh_attributes){.modified_us = object.modified_us};
  return WH_OK;
}
