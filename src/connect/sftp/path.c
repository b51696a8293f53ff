// Keys and the paths they stand for.
#include "connect/sftp/sftp.h"

wh_status wh_sftp_say(const wh_connection *c, wh_status status, wh_error *err) {
  if (status == WH_OK || status == WH_ERR_END || !err) return status;
  wh_str text = wh_str_of(err->text);
  bool said = wh_str_eq(wh_str_sub(text, 0, c->name.len), c->name) &&
              wh_str_starts(wh_str_sub(text, c->name.len, text.len), ": ");
  if (said) return status; // one verb may call another
  wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  if (status == WH_ERR_NO_SPACE) wh_error_append(err, "; it goes on when there is room");
  return status;
}

static wh_status check_parts(wh_str key, wh_error *err) {
  wh_str rest = key, part;
  while (wh_str_split(&rest, '/', &part)) {
    if (part.len <= WH_SFTP_NAME_MAX) continue;
    return wh_fail(err, WH_ERR_LIMIT,
                   "%.*s: a part of the key has %zu bytes, and a file's name can have %d",
                   WH_STR_ARG(key), part.len, (int)WH_SFTP_NAME_MAX);
  }
  return WH_OK;
}

// Where the server puts who logs in is where a path begins that has no '/' in front.
static wh_str root_of(const wh_connection *c) {
  wh_str root = wh_sftp_options_of(c)->path;
  while (root.len > 1 && root.data[root.len - 1] == '/')
    root.len--;
  return root;
}

wh_status wh_sftp_path(wh_connection *c, wh_arena *arena, wh_str key, wh_str *ret, wh_error *err) {
  WH_TRY(wh_key_check(key, err));
  WH_TRY(check_parts(key, err));
  return wh_sftp_folder_path(c, arena, key, ret, err);
}

wh_status wh_sftp_writable_path(wh_connection *c, wh_arena *arena, wh_str key, wh_str *ret,
                                wh_error *err) {
  if (wh_str_starts(key, WH_SFTP_ATTEMPTS)) {
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: the store keeps this for itself", WH_STR_ARG(key));
  }
  return wh_sftp_path(c, arena, key, ret, err);
}

wh_status wh_sftp_folder_path(wh_connection *c, wh_arena *arena, wh_str folder, wh_str *ret,
                              wh_error *err) {
  wh_str root = root_of(c);
  bool needs_slash = root.len && folder.len && root.data[root.len - 1] != '/';
  wh_str path = root.len + folder.len == 0
                    ? WH_STR(".")
                    : wh_arena_printf(arena, "%.*s%s%.*s", WH_STR_ARG(root), needs_slash ? "/" : "",
                                      WH_STR_ARG(folder));
  if (!path.data) return wh_fail_memory(err);
  *ret = path;
  return WH_OK;
}

bool wh_sftp_is_name(wh_str name) {
  if (name.len > WH_SFTP_NAME_MAX || wh_str_starts(name, WH_TEMPORARY_PREFIX)) return false;
  return !memchr(name.data, '/', name.len) && wh_key_check(name, NULL) == WH_OK;
}

wh_status wh_sftp_version(wh_arena *arena, const wh_sftp_attrs *attrs, wh_str *ret, wh_error *err) {
  wh_str version =
      wh_arena_printf(arena, "%llu-%u", (unsigned long long)attrs->size, (unsigned)attrs->modified);
  if (!version.data) return wh_fail_memory(err);
  *ret = version;
  return WH_OK;
}

wh_status wh_sftp_object(wh_arena *arena, wh_str key, const wh_sftp_attrs *attrs, wh_object *ret,
                         wh_error *err) {
  wh_object object = {.key = wh_arena_str(arena, key),
                      .size = attrs->size,
                      .modified_us = wh_sftp_modified_us(attrs),
                      .is_latest = true};
  if (!object.key.data) return wh_fail_memory(err);
  WH_TRY(wh_sftp_version(arena, attrs, &object.version, err));
  *ret = object;
  return WH_OK;
}
