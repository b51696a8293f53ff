#include "cli/init_ci.h"

#include "template-files.h"

const wh_ci wh_ci_services[] = {
    {"github", ".github/workflows/wherry.yml", &wh_ci_github},
    {0},
};

wh_status wh_ci_find(wh_str name, const wh_ci **ret, wh_error *err) {
  for (const wh_ci *ci = wh_ci_services; ci->name; ci++) {
    if (!wh_str_is(name, ci->name)) continue;
    *ret = ci;
    return WH_OK;
  }
  return wh_fail(err, WH_ERR_USAGE, "--ci has no '%.*s'. There is: github", WH_STR_ARG(name));
}

wh_status wh_ci_write(wh_os *os, wh_arena *arena, const char *folder, const wh_ci *ci, bool replace,
                      wh_error *err) {
  char *path = wh_path_join(arena, folder, ci->path);
  char *parent = path ? wh_path_folder(arena, path) : NULL;
  if (!parent) return wh_fail_memory(err);
  bool exists;
  WH_TRY(wh_os_exists(os, path, &exists, err));
  if (exists && !replace)
    return wh_fail(err, WH_ERR_USAGE, "%s is there already. To replace it: --force", path);
  WH_TRY(wh_os_make_path(os, parent, err));
  return wh_os_write_file(os, path, *ci->content, false, err);
}
