#include "net/library_mem.h"

#include <curl/curl.h>
#include <pthread.h>

// --- libcurl -------------------------------------------------------------------------------------

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static size_t holders;
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

wh_status wh_curl_hold(wh_mem *mem, wh_error *err) {
  wh_status status = WH_OK;
  pthread_mutex_lock(&mutex);
  if (holders == 0) {
    curl_mem = mem;
    CURLcode code = curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_alloc, curl_release_block,
                                         curl_realloc, curl_strdup, curl_calloc);
    if (code == CURLE_OUT_OF_MEMORY)
      status = wh_fail_memory(err);
    else if (code != CURLE_OK)
      status = wh_fail(err, WH_ERR_IO, "libcurl cannot be used: %s", curl_easy_strerror(code));
  }
  if (status == WH_OK) holders++;
  pthread_mutex_unlock(&mutex);
  return status;
}

void wh_curl_release(void) {
  pthread_mutex_lock(&mutex);
  if (--holders == 0) curl_global_cleanup();
  pthread_mutex_unlock(&mutex);
}

// --- expat ---------------------------------------------------------------------------------------

static _Thread_local wh_mem *expat_mem;

static void *expat_alloc(size_t size) {
  return wh_mem_alloc_unsized(expat_mem, size);
}

static void *expat_realloc(void *block, size_t size) {
  return wh_mem_realloc_unsized(expat_mem, block, size);
}

static void expat_release_block(void *block) {
  wh_mem_free_unsized(expat_mem, block);
}

XML_Parser wh_expat_new(wh_mem *mem) {
  static const XML_Memory_Handling_Suite hooks = {expat_alloc, expat_realloc, expat_release_block};
  expat_mem = mem;
  return XML_ParserCreate_MM(NULL, &hooks, NULL);
}

void wh_expat_free(XML_Parser parser) {
  if (parser) XML_ParserFree(parser);
  expat_mem = NULL;
}
