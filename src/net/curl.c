#include "net/curl.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>

wh_curl_api wh_curl;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static size_t holders;
static bool loaded;
static wh_mem *curl_mem; // changes only while nothing of libcurl is there

static void *curl_alloc(size_t size) {
  return wh_mem_alloc_unsized(curl_mem, size);
}

static void curl_release_block(void *block) {
  wh_mem_free_unsized(curl_mem, block);
}

static void *curl_realloc(void *block, size_t size) {
  return wh_mem_realloc_unsized(curl_mem, block, size);
}

static char *curl_strdup(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = curl_alloc(size);
  return copy ? memcpy(copy, text, size) : NULL;
}

static void *curl_calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  void *block = curl_alloc(bytes);
  return block ? memset(block, 0, bytes) : NULL;
}

// It stays for the process: what it brought along does not expect to be unloaded.
static bool load(void) {
  static const char *const names[] = {
#define NAME(function) #function,
      WH_CURL_FUNCTIONS(NAME)
#undef NAME
  };
  void *library = dlopen("libcurl.so.4", RTLD_NOW);
  void **members = (void **)&wh_curl; // each is a pointer to a function, in the order of the names
  static_assert(sizeof wh_curl == sizeof names, "there is a name for each function");
  bool ok = library != NULL;
  for (size_t i = 0; ok && i < sizeof names / sizeof names[0]; i++)
    ok = (members[i] = dlsym(library, names[i])) != NULL;
  return ok;
}

static wh_status begin(wh_mem *mem, wh_error *err) {
  if (!loaded && !(loaded = load())) {
    return wh_fail(err, WH_ERR_NOT_FOUND,
                   "libcurl (libcurl.so.4) is not installed. Debian has it as libcurl4");
  }
  curl_mem = mem;
  CURLcode code = wh_curl.curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_alloc, curl_release_block,
                                               curl_realloc, curl_strdup, curl_calloc);
  if (code == CURLE_OK) return WH_OK;
  if (code == CURLE_OUT_OF_MEMORY) return wh_fail_memory(err);
  return wh_fail(err, WH_ERR_IO, "libcurl cannot be used: %s", wh_curl.curl_easy_strerror(code));
}

wh_status wh_curl_hold(wh_mem *mem, wh_error *err) {
  pthread_mutex_lock(&mutex);
  wh_status status = holders ? WH_OK : begin(mem, err);
  if (status == WH_OK) holders++;
  pthread_mutex_unlock(&mutex);
  return status;
}

void wh_curl_release(void) {
  pthread_mutex_lock(&mutex);
  if (--holders == 0) wh_curl.curl_global_cleanup();
  pthread_mutex_unlock(&mutex);
}
