// What `wherry init --ci` writes: a workflow that checks, plans and deploys the project.
#pragma once

#include "base/os.h"

typedef struct wh_ci {
  const char *name; // of --ci; NULL ends
  const char *path; // in the project's folder, where the service looks for it
  const wh_str *content;
} wh_ci;

extern const wh_ci wh_ci_services[];

// WH_ERR_USAGE: there is none of that name; says which there are.
wh_status wh_ci_find(wh_str name, const wh_ci **ret, wh_error *err);
// WH_ERR_USAGE: the file is there already, and was not to be replaced.
wh_status wh_ci_write(wh_os *os, wh_arena *arena, const char *folder, const wh_ci *ci, bool replace,
                      wh_error *err);
