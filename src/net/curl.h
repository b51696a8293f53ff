// libcurl, loaded when the first exchange of the process starts: it brings thirty libraries along,
// and a program that asks nobody over HTTP pays for them neither with memory nor with time.
#pragma once

#include "base/error.h"
#include "base/mem.h"

#define CURL_DISABLE_TYPECHECK // it would make the names below macros
#include <curl/curl.h>

#define WH_CURL_FUNCTIONS(X)                                                                       \
  X(curl_global_init_mem)                                                                          \
  X(curl_global_cleanup)                                                                           \
  X(curl_easy_init)                                                                                \
  X(curl_easy_cleanup)                                                                             \
  X(curl_easy_setopt)                                                                              \
  X(curl_easy_getinfo) X(curl_easy_strerror) X(curl_multi_init) X(curl_multi_cleanup)              \
      X(curl_multi_setopt) X(curl_multi_add_handle) X(curl_multi_remove_handle)                    \
          X(curl_multi_perform) X(curl_multi_poll) X(curl_multi_info_read) X(curl_multi_strerror)

typedef struct wh_curl_api {
#define WH_CURL_MEMBER(function) __typeof__(&function) function;
  WH_CURL_FUNCTIONS(WH_CURL_MEMBER)
#undef WH_CURL_MEMBER
} wh_curl_api;

// Filled by the first wh_curl_hold.
extern wh_curl_api wh_curl;

// libcurl is made ready when the first holder comes, and shut down when the last goes, so that
// nothing is left in the accountant. All holders at one time have the same accountant.
// WH_ERR_NOT_FOUND where libcurl is not installed. Threads: any.
wh_status wh_curl_hold(wh_mem *mem, wh_error *err);
void wh_curl_release(void);
