// Sorted keys as bytes: each as the number of bytes it shares with the one before it (2 bytes,
// little-endian), the number of its others (2), and these.
#pragma once

#include "base/buf.h"

enum { WH_KEY_LIST_KEY_MAX = 65535 };

typedef struct wh_key_list {
  wh_buf bytes;
  wh_buf last;
  uint64_t count;
  uint64_t checksum; // sum of the keys' hashes (XXH3, 64 bits), so that lists can be put together
} wh_key_list;

void wh_key_list_init(wh_key_list *list, wh_mem *mem);
void wh_key_list_clear(wh_key_list *list);
void wh_key_list_free(wh_key_list *list);
// Higher than the last one. False without memory.
bool wh_key_list_add(wh_key_list *list, wh_str key);
wh_str wh_key_list_first(const wh_key_list *list); // of one that is not empty

typedef struct wh_key_cursor {
  wh_str rest;
  wh_buf key;
} wh_key_cursor;

// WH_ERR_END; WH_ERR_DATA: these are no keys. The key is valid until the next call.
wh_status wh_key_cursor_next(wh_key_cursor *cursor, wh_str *ret, wh_error *err);
