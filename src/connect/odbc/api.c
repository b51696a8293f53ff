#include "connect/odbc/api.h"

#include <dlfcn.h>
#include <pthread.h>

wh_odbc_api wh_odbc;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool loaded;

// It stays for the process: drivers do not expect to be unloaded.
static void load(void) {
  static const char *const names[] = {
#define NAME(function) #function,
      WH_ODBC_FUNCTIONS(NAME)
#undef NAME
  };
  void *library = dlopen("libodbc.so.2", RTLD_NOW);
  void **members = (void **)&wh_odbc; // each is a pointer to a function, in the order of the names
  static_assert(sizeof wh_odbc == sizeof names, "there is a name for each function");
  loaded = library != NULL;
  for (size_t i = 0; loaded && i < sizeof names / sizeof names[0]; i++)
    loaded = (members[i] = dlsym(library, names[i])) != NULL;
}

wh_status wh_odbc_load(const wh_connection *c, wh_error *err) {
  pthread_once(&once, load);
  if (loaded) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND,
                 "%.*s: unixODBC (libodbc.so.2) is not installed. Debian has it as libodbc2",
                 WH_STR_ARG(c->name));
}
