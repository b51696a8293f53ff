#include "connect/duckdb/api.h"

#include <dlfcn.h>
#include <pthread.h>

wh_duckdb_api wh_duckdb;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

static const char *const names[] = {
#define NAME(type, function, parameters) #function,
    WH_DUCKDB_FUNCTIONS(NAME)
#undef NAME
};

// It stays for the process, like the threads it may have started.
static const char *load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return "is not to be had";
  void **members =
      (void **)&wh_duckdb; // each is a pointer to a function, in the order of the names
  static_assert(sizeof wh_duckdb == sizeof names, "there is a name for each function");
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (!(members[i] = dlsym(library, names[i]))) return "is of another version than 1.5";
  return NULL;
}

wh_status wh_duckdb_load(const wh_connection *c, wh_error *err) {
  const char *path = wh_environment_get(&c->environment, "WHERRY_DUCKDB");
  if (!path || !*path) path = "libduckdb.so";
  pthread_mutex_lock(&mutex);
  const char *why = loaded ? NULL : load(path);
  loaded = !why;
  pthread_mutex_unlock(&mutex);
  if (!why) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND,
                 "%.*s: a model needs DuckDB, and %s %s. Put its library there with "
                 "scripts/install-duckdb, and name it in WHERRY_DUCKDB",
                 WH_STR_ARG(c->name), path, why);
}
