// Keys and the paths they stand for.
#include "connect/sftp/sftp.h"

// Where the server puts who logs in is where a path begins that has no '/' in front.
static wh_str root_of(const wh_connection *c) {
  wh_str root = wh_sftp_options_of(c)->path;
  while (root.len > 1 && root.data[root.len - 1] == '/')
    root.len--;
  return root;
}

wh_status wh_sftp_path(wh_connection *c, wh_arena *arena, wh_str key, wh_str *ret, wh_error *err) {
  WH_TRY(wh_key_check(key, err));
  WH_TRY(wh_key_check_parts(key, WH_SFTP_NAME_MAX, err));
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
