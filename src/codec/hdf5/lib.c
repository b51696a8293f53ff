#include "codec/hdf5/lib.h"

#include "base/str.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

h5_api h5;
hid_t h5_file_access, h5_transfer, h5_link_access;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

static bool load_functions(void *library) {
  static const char *const names[] = {
#define NAME(function) #function,
      H5_FUNCTIONS(NAME)
#undef NAME
  };
  void **members = (void **)&h5; // each is a pointer to a function, in the order of the names
  static_assert(sizeof h5 == sizeof names, "there is a name for each function");
  bool ok = true;
  for (size_t i = 0; ok && i < sizeof names / sizeof names[0]; i++)
    ok = (members[i] = dlsym(library, names[i])) != NULL;
  return ok;
}

// A program that links the library, as some tests do, may have a copy of its variable, which
// counts.
static bool load_class(void *library, const char *name, hid_t *ret) {
  const hid_t *variable = dlsym(RTLD_DEFAULT, name);
  if (!variable) variable = dlsym(library, name);
  if (variable) *ret = *variable;
  return variable && *ret > 0;
}

// It stays for the process. Its structures are those of the headers this was built with, as long as
// the first two numbers of the version are the same.
static wh_status load(wh_error *err) {
  void *library = dlopen(WHERRY_HDF5, RTLD_NOW);
  if (!library || !load_functions(library)) {
    return wh_fail(err, WH_ERR_NOT_FOUND,
                   "libhdf5 (%s) is not installed. Debian has it as libhdf5-103-1", WHERRY_HDF5);
  }
  unsigned major, minor, release;
  h5.H5dont_atexit(); // refused where the process has used the library before: then it is as it is
  if (h5.H5open() < 0 || h5.H5get_libversion(&major, &minor, &release) < 0)
    return wh_fail(err, WH_ERR_IO, "libhdf5 (%s) cannot be used", WHERRY_HDF5);
  if (major != H5_VERS_MAJOR || minor != H5_VERS_MINOR) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "libhdf5 is %u.%u, and this Wherry was built for %d.%d",
                   major, minor, H5_VERS_MAJOR, H5_VERS_MINOR);
  }
  if (!load_class(library, "H5P_CLS_FILE_ACCESS_ID_g", &h5_file_access) ||
      !load_class(library, "H5P_CLS_DATASET_XFER_ID_g", &h5_transfer) ||
      !load_class(library, "H5P_CLS_LINK_ACCESS_ID_g", &h5_link_access))
    return wh_fail(err, WH_ERR_IO, "libhdf5 (%s) cannot be used", WHERRY_HDF5);
  h5.H5Eset_auto2(H5E_DEFAULT, NULL, NULL); // it would write to standard error
  return WH_OK;
}

wh_status h5_enter(wh_error *err) {
  pthread_mutex_lock(&mutex);
  wh_status status = loaded ? WH_OK : load(err);
  loaded = status == WH_OK;
  if (status != WH_OK) pthread_mutex_unlock(&mutex);
  return status;
}

void h5_leave(void) {
  pthread_mutex_unlock(&mutex);
}

// Innermost first; it alone is kept.
static herr_t keep_first(unsigned n, const H5E_error2_t *error, void *context) {
  if (n == 0 && error->desc) {
    char *text = context;
    snprintf(text, WH_ERROR_TEXT_MAX / 2, "%s", error->desc);
  }
  return 0;
}

wh_status h5_fail(wh_error *err, const char *fmt, ...) {
  char own[WH_ERROR_TEXT_MAX / 2], cause[WH_ERROR_TEXT_MAX / 2] = "";
  va_list args;
  va_start(args, fmt);
  vsnprintf(own, sizeof own, fmt, args);
  va_end(args);
  h5.H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, cause);
  h5.H5Eclear2(H5E_DEFAULT);
  // What the object's names put into the text may be anything.
  size_t valid = wh_utf8_valid_prefix(wh_str_of(cause));
  cause[valid] = 0;
  return wh_fail(err, WH_ERR_DATA, "%s%s%s%s", own, cause[0] ? " (" : "", cause,
                 cause[0] ? ")" : "");
}
