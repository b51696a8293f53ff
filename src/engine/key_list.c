#include "engine/key_list.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { HEAD = 4 };

void wh_key_list_init(wh_key_list *list, wh_mem *mem) {
  *list = (wh_key_list){0};
  wh_buf_init(&list->bytes, mem, 0);
  wh_buf_init(&list->last, mem, 0);
}

void wh_key_list_clear(wh_key_list *list) {
  wh_buf_clear(&list->bytes);
  wh_buf_clear(&list->last);
  list->count = list->checksum = 0;
}

void wh_key_list_free(wh_key_list *list) {
  wh_buf_free(&list->bytes);
  wh_buf_free(&list->last);
}

bool wh_key_list_add(wh_key_list *list, wh_str key) {
  wh_str last = wh_buf_str(&list->last);
  size_t shared = 0;
  while (shared < last.len && shared < key.len && last.data[shared] == key.data[shared])
    shared++;
  size_t rest = key.len - shared;
  const uint8_t head[HEAD] = {(uint8_t)shared, (uint8_t)(shared >> 8), (uint8_t)rest,
                              (uint8_t)(rest >> 8)};
  wh_buf_add(&list->bytes, head, sizeof head);
  wh_buf_add(&list->bytes, key.data + shared, rest);
  wh_buf_clear(&list->last);
  wh_buf_add_str(&list->last, key);
  list->count++;
  list->checksum += XXH3_64bits(key.data, key.len);
  return !list->bytes.failed && !list->last.failed;
}

wh_str wh_key_list_first(const wh_key_list *list) {
  const uint8_t *head = (const uint8_t *)list->bytes.data; // it shares nothing
  return wh_str_n(list->bytes.data + HEAD, (size_t)head[2] | (size_t)head[3] << 8);
}

wh_status wh_key_cursor_next(wh_key_cursor *c, wh_str *ret, wh_error *err) {
  if (c->rest.len == 0) return WH_ERR_END;
  const uint8_t *head = (const uint8_t *)c->rest.data;
  size_t shared = c->rest.len < HEAD ? 0 : (size_t)head[0] | (size_t)head[1] << 8;
  size_t rest = c->rest.len < HEAD ? 0 : (size_t)head[2] | (size_t)head[3] << 8;
  if (c->rest.len < HEAD + rest || shared > c->key.len)
    return wh_fail(err, WH_ERR_DATA, "the keys that the ledger keeps are damaged");
  c->key.len = shared;
  wh_buf_add(&c->key, c->rest.data + HEAD, rest);
  WH_TRY(wh_buf_check(&c->key, err));
  c->rest = wh_str_sub(c->rest, HEAD + rest, c->rest.len);
  *ret = wh_buf_str(&c->key);
  return WH_OK;
}
