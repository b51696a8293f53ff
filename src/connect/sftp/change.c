// What changes names: folders that are made, files that are renamed and removed. A line can break
// after the server did what it was asked and before it said so; each verb here can be repeated.
#include "connect/sftp/sftp.h"

// --- single questions ----------------------------------------------------------------------------

typedef struct change {
  wh_connection *c;
  const wh_sftp_message *message;
  wh_str what; // for messages
} change;

static wh_status do_change(wh_sftp_line *line, void *context, wh_error *err) {
  const change *w = context;
  wh_sftp_request r;
  wh_sftp_request_init(&r, w->c->mem);
  wh_status status = wh_sftp_ask(line, w->message, &r, err);
  if (status == WH_OK) status = wh_sftp_judge(&r, WH_SFTP_STATUS, w->what, err);
  wh_sftp_request_free(line, &r);
  return status;
}

wh_status wh_sftp_remove_path(wh_connection *c, wh_str path, wh_str what, wh_error *err) {
  wh_sftp_message m = {.type = WH_SFTP_REMOVE, .text_count = 1, .texts = {path}};
  change w = {c, &m, what};
  wh_status status = wh_sftp_do(c, do_change, &w, err);
  return status == WH_ERR_NOT_FOUND ? WH_OK : status;
}

typedef struct looking {
  wh_connection *c;
  wh_str key;
  bool folder;
  wh_sftp_attrs attrs;
} looking;

static wh_status do_look(wh_sftp_line *line, void *context, wh_error *err) {
  looking *w = context;
  wh_sftp_look look;
  wh_status status = wh_sftp_look_start(w->c, line, w->key, &look, err);
  if (status == WH_OK)
    status = w->folder ? wh_sftp_look_folder(&look, err) : wh_sftp_look_file(&look, &w->attrs, err);
  wh_sftp_look_end(&look);
  return status;
}

static wh_status look_file(wh_connection *c, wh_str key, wh_sftp_attrs *ret, wh_error *err) {
  looking w = {.c = c, .key = key};
  WH_TRY(wh_sftp_do(c, do_look, &w, err));
  *ret = w.attrs;
  return WH_OK;
}

// --- folders -------------------------------------------------------------------------------------

static wh_str folder_of(wh_str key) {
  size_t len = key.len;
  while (len && key.data[len - 1] != '/')
    len--;
  return wh_str_n(key.data, len ? len - 1 : 0);
}

// One that is there already makes the server say no; what counts is the look afterwards.
static wh_status make_folder(wh_connection *c, wh_str path, wh_error *err) {
  wh_sftp_message m = {.type = WH_SFTP_MKDIR, .text_count = 1, .texts = {path}, .number_count = 1};
  change w = {c, &m, path};
  wh_status status = wh_sftp_do(c, do_change, &w, err);
  bool matters = status == WH_ERR_UNAVAILABLE || status == WH_ERR_CANCELLED ||
                 status == WH_ERR_MEMORY || status == WH_ERR_NO_SPACE;
  return matters ? status : WH_OK;
}

// Every folder on the way to the end of `path`, from the top.
static wh_status make_path(wh_connection *c, wh_str path, wh_error *err) {
  for (size_t end = wh_str_find(path, 1, '/'); end < path.len;
       end = wh_str_find(path, end + 1, '/'))
    WH_TRY(make_folder(c, wh_str_sub(path, 0, end), err));
  return make_folder(c, path, err);
}

wh_status wh_sftp_make_folders(wh_connection *c, wh_str key, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  looking w = {.c = c, .key = folder_of(key), .folder = true};
  wh_str path;
  wh_error first = {0};
  WH_TRY(wh_sftp_folder_path(c, &arena, w.key, &path, err));
  if (w.key.len == 0) return make_path(c, path, err);
  wh_status status = wh_sftp_do(c, do_look, &w, &first);
  if (status == WH_ERR_NOT_FOUND) {
    WH_TRY(make_path(c, path, err));
    return wh_sftp_do(c, do_look, &w, err);
  }
  if (status != WH_OK && err) *err = first;
  return status;
}

// --- temporary files that were left --------------------------------------------------------------

typedef struct cleaning {
  wh_connection *c;
  wh_str folder;
} cleaning;

static bool is_abandoned(void *context, const wh_sftp_entry *entry) {
  const cleaning *w = context;
  int64_t since_us = wh_now_us(w->c->os) - wh_sftp_modified_us(&entry->attrs);
  return !entry->is_folder && wh_str_starts(entry->name, WH_TEMPORARY_PREFIX) &&
         entry->attrs.has_times && since_us > WH_SFTP_ABANDONED_US &&
         wh_key_check(entry->name, NULL) == WH_OK;
}

static wh_status remove_abandoned(cleaning *w, wh_str path, wh_arena *arena, wh_error *err) {
  wh_sftp_folder found = {.accept = is_abandoned, .context = w};
  wh_status status = wh_sftp_read_folder(w->c, path, &found, err);
  for (size_t i = 0; status == WH_OK && i < found.count; i++) {
    wh_str name = found.entries[i].name;
    wh_str file = wh_arena_printf(arena, "%.*s/%.*s", WH_STR_ARG(path), WH_STR_ARG(name));
    status = file.data ? wh_sftp_remove_path(w->c, file, name, err) : wh_fail_memory(err);
  }
  wh_sftp_folder_free(w->c, &found);
  return status;
}

wh_status wh_sftp_clean_folder(wh_connection *c, wh_str key, wh_error *err) {
  cleaning w = {c, folder_of(key)};
  if (!wh_sftp_is_first_put(c, w.folder)) return WH_OK;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_str path;
  WH_TRY(wh_sftp_folder_path(c, &arena, w.folder, &path, err));
  wh_status status = remove_abandoned(&w, path, &arena, err);
  // A folder may be written to and not be read, and what is left harms nobody.
  return status == WH_ERR_DENIED || status == WH_ERR_IO ? WH_OK : status;
}

// --- names ---------------------------------------------------------------------------------------

typedef struct renaming {
  wh_connection *c;
  wh_str from, to, key;
  bool replace, has_posix_rename;
  bool tried; // before, on a line that broke
} renaming;

static wh_status do_rename(wh_sftp_line *line, void *context, wh_error *err) {
  renaming *w = context;
  w->has_posix_rename = wh_sftp_server_of(line)->has_posix_rename;
  wh_sftp_message plain = {.type = WH_SFTP_RENAME, .text_count = 2, .texts = {w->from, w->to}};
  wh_sftp_message over = {.type = WH_SFTP_EXTENDED,
                          .text_count = 3,
                          .texts = {WH_STR_INIT("posix-rename@openssh.com"), w->from, w->to}};
  change ask = {w->c, w->replace && w->has_posix_rename ? &over : &plain, w->key};
  wh_status status = do_change(line, &ask, err);
  if (status == WH_ERR_UNAVAILABLE) w->tried = true;
  return status;
}

static bool has_folder(wh_connection *c, wh_str key) {
  looking w = {.c = c, .key = key, .folder = true};
  wh_error ignored = {0};
  return wh_sftp_do(c, do_look, &w, &ignored) == WH_OK;
}

// The server said no, or nobody heard what it said: what has the name now?
static wh_status judge_rename(renaming *w, const wh_sftp_attrs *attrs, wh_status status,
                              wh_error *err) {
  wh_sftp_attrs there;
  wh_error own = {0};
  wh_status look = look_file(w->c, w->key, &there, &own);
  bool same = look == WH_OK && there.size == attrs->size && there.modified == attrs->modified;
  if (w->tried && same && status == WH_ERR_NOT_FOUND) return WH_OK; // it was done the first time
  if (look == WH_ERR_REFUSED) {
    if (err) *err = own;
    return look;
  }
  bool is_folder = look == WH_ERR_NOT_FOUND && has_folder(w->c, w->key);
  if (look != WH_OK && !is_folder) return status;
  if (status == WH_ERR_NOT_FOUND) return status;
  if (w->replace && !is_folder && !w->has_posix_rename) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: the server cannot replace a file in one step (it lacks "
                   "posix-rename@openssh.com); remove the old one first",
                   WH_STR_ARG(w->key));
  }
  if (w->replace && !is_folder) return status;
  return wh_fail(err, WH_ERR_EXISTS, "%.*s: the name is taken by %s", WH_STR_ARG(w->key),
                 is_folder ? "a folder" : "another object");
}

wh_status wh_sftp_rename(wh_connection *c, wh_str from, wh_str key, const wh_sftp_attrs *attrs,
                         bool replace, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  renaming w = {.c = c, .from = from, .key = key, .replace = replace};
  WH_TRY(wh_sftp_writable_path(c, &arena, key, &w.to, err));
  wh_status status = wh_sftp_do(c, do_rename, &w, err);
  bool answered = status == WH_ERR_NOT_FOUND || status == WH_ERR_IO || status == WH_ERR_EXISTS;
  return answered ? judge_rename(&w, attrs, status, err) : status;
}

// --- the verbs -----------------------------------------------------------------------------------

wh_status wh_sftp_attempt_path(wh_connection *c, wh_arena *arena, wh_str attempt, wh_str *ret,
                               wh_error *err) {
  WH_TRY(wh_attempt_check(attempt, err));
  wh_str key = wh_arena_printf(arena, WH_SFTP_ATTEMPTS "%.*s", WH_STR_ARG(attempt));
  if (!key.data) return wh_fail_memory(err);
  return wh_sftp_path(c, arena, key, ret, err);
}

static wh_status publish(wh_connection *c, wh_arena *arena, wh_str attempt, wh_str key,
                         bool replace, wh_sftp_attrs *ret, wh_error *err) {
  wh_str from, to;
  WH_TRY(wh_sftp_writable_path(c, arena, key, &to, err));
  WH_TRY(wh_sftp_attempt_path(c, arena, attempt, &from, err));
  wh_str attempt_key = wh_arena_printf(arena, WH_SFTP_ATTEMPTS "%.*s", WH_STR_ARG(attempt));
  if (!attempt_key.data) return wh_fail_memory(err);
  wh_status status = look_file(c, attempt_key, ret, err);
  if (status == WH_ERR_NOT_FOUND) {
    return wh_fail(err, status, "there is no attempt '%.*s' to publish as %.*s",
                   WH_STR_ARG(attempt), WH_STR_ARG(key));
  }
  WH_TRY(status);
  WH_TRY(wh_sftp_make_folders(c, key, err));
  return wh_sftp_rename(c, from, key, ret, replace, err);
}

wh_status wh_sftp_publish(wh_connection *c, wh_str attempt, wh_str key, bool replace,
                          wh_arena *arena, wh_object *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, c->mem);
  wh_sftp_attrs attrs;
  wh_status status = publish(c, &scratch, attempt, key, replace, &attrs, err);
  if (status == WH_OK) status = wh_sftp_object(arena, key, &attrs, ret, err);
  return wh_store_say(c, status, err);
}

wh_status wh_sftp_discard(wh_connection *c, wh_str attempt, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_str path;
  wh_status status = wh_sftp_attempt_path(c, &arena, attempt, &path, err);
  if (status == WH_OK) status = wh_sftp_remove_path(c, path, attempt, err);
  return wh_store_say(c, status, err);
}

static bool is_attempt(void *context, const wh_sftp_entry *entry) {
  (void)context;
  return !entry->is_folder && wh_attempt_check(entry->name, NULL) == WH_OK;
}

static wh_status visit_attempts(wh_connection *c, const wh_sftp_folder *folder,
                                wh_object_visit visit, void *context, bool *visitor_failed,
                                wh_error *err) {
  for (size_t i = 0; i < folder->count; i++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, c->mem);
    wh_object object;
    const wh_sftp_entry *entry = &folder->entries[i];
    WH_TRY(wh_sftp_object(&arena, entry->name, &entry->attrs, &object, err));
    wh_status status = visit(context, &object, err);
    *visitor_failed = status != WH_OK;
    WH_TRY(status);
  }
  return WH_OK;
}

wh_status wh_sftp_attempts(wh_connection *c, wh_object_visit visit, void *context, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  bool visitor_failed = false;
  wh_sftp_folder folder = {.accept = is_attempt};
  wh_str key = wh_str_sub(WH_STR(WH_SFTP_ATTEMPTS), 0, sizeof WH_SFTP_ATTEMPTS - 2), path;
  wh_status status = wh_sftp_folder_path(c, &arena, key, &path, err);
  if (status == WH_OK) status = wh_sftp_read_folder(c, path, &folder, err);
  if (status == WH_OK) status = visit_attempts(c, &folder, visit, context, &visitor_failed, err);
  wh_sftp_folder_free(c, &folder);
  return visitor_failed ? status : wh_store_say(c, status, err);
}

// What has the key, if it is `version`; empty: any. No link is on the way to it.
static wh_status find_version(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                              wh_sftp_attrs *ret, wh_error *err) {
  wh_object object;
  WH_TRY(look_file(c, key, ret, err));
  WH_TRY(wh_sftp_object(arena, key, ret, &object, err));
  bool same = !version.len || wh_str_eq(object.version, version);
  return same ? WH_OK : wh_store_other_version(key, err);
}

// A file that was put in the place of the version before it was moved goes back where it was.
static wh_status move_version(wh_connection *c, wh_str key, wh_str version, wh_str to,
                              wh_arena *arena, wh_error *err) {
  wh_sftp_attrs attrs;
  wh_str path, moved;
  WH_TRY(find_version(c, key, version, arena, &attrs, err));
  WH_TRY(wh_sftp_writable_path(c, arena, key, &path, err));
  WH_TRY(wh_sftp_writable_path(c, arena, to, &moved, err));
  WH_TRY(wh_sftp_make_folders(c, to, err));
  WH_TRY(wh_sftp_rename(c, path, to, &attrs, false, err));
  wh_status status = find_version(c, to, version, arena, &attrs, err);
  if (status != WH_ERR_CHANGED) return status;
  WH_TRY(wh_sftp_rename(c, moved, key, &attrs, false, err));
  return wh_store_other_version(key, err);
}

static wh_status remove_version(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                                wh_error *err) {
  wh_sftp_attrs attrs;
  wh_str path;
  WH_TRY(wh_sftp_writable_path(c, arena, key, &path, err));
  WH_TRY(find_version(c, key, version, arena, &attrs, err));
  return wh_sftp_remove_path(c, path, key, err);
}

wh_status wh_sftp_remove(wh_connection *c, wh_str key, wh_error *err) {
  return wh_sftp_withdraw(c, key, (wh_str){0}, (wh_str){0}, err);
}

wh_status wh_sftp_withdraw(wh_connection *c, wh_str key, wh_str version, wh_str to, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_status status = to.len ? move_version(c, key, version, to, &arena, err)
                            : remove_version(c, key, version, &arena, err);
  return status == WH_ERR_NOT_FOUND ? WH_OK : wh_store_say(c, status, err);
}

wh_status wh_sftp_versions(wh_connection *c, wh_str key, wh_object_visit visit, void *context,
                           wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_object object;
  WH_TRY(wh_sftp_stat(c, key, &arena, &object, err));
  return visit(context, &object, err);
}

// The server keeps no earlier ones.
wh_status wh_sftp_purge(wh_connection *c, wh_str key, int64_t before_us, uint64_t *ret_count,
                        wh_error *err) {
  (void)c, (void)before_us, (void)ret_count;
  return wh_key_check(key, err);
}

// The server keeps no earlier ones; the present one is there already.
wh_status wh_sftp_restore(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                          wh_object *ret, wh_error *err) {
  wh_object object;
  WH_TRY(wh_sftp_stat(c, key, arena, &object, err));
  if (!wh_str_eq(version, object.version)) {
    wh_status status =
        wh_fail(err, WH_ERR_NOT_FOUND,
                "%.*s: has no earlier version '%.*s': an SFTP server keeps none. See "
                "what it has: wherry versions %.*s:%.*s",
                WH_STR_ARG(key), WH_STR_ARG(version), WH_STR_ARG(c->name), WH_STR_ARG(key));
    return wh_store_say(c, status, err);
  }
  *ret = object;
  return WH_OK;
}
