#include "base/ulid.h"

#include <pthread.h>

typedef unsigned __int128 u128;

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void encode(u128 value, char out[WH_ULID_CHARS + 1]) {
  for (int i = WH_ULID_CHARS - 1; i >= 0; i--) {
    out[i] = alphabet[(unsigned)value & 31];
    value >>= 5;
  }
  out[WH_ULID_CHARS] = 0;
}

wh_status wh_ulid_new(wh_os *os, char out[WH_ULID_CHARS + 1], wh_error *err) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static u128 last;
  enum { TIME_SHIFT = 80, NS_PER_MS = 1000000 };
  unsigned char random[10];
  WH_TRY(os->type->random(os, random, sizeof random, err));
  u128 value = (u128)(os->type->now_ns(os) / NS_PER_MS) & (((u128)1 << 48) - 1);
  for (size_t i = 0; i < sizeof random; i++)
    value = value << 8 | random[i];
  pthread_mutex_lock(&mutex);
  if (value >> TIME_SHIFT == last >> TIME_SHIFT) value = last + 1;
  last = value;
  pthread_mutex_unlock(&mutex);
  encode(value, out);
  return WH_OK;
}

bool wh_ulid_time_ms(wh_str text, int64_t *ret_ms) {
  if (text.len != WH_ULID_CHARS) return false;
  u128 value = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
    const char *at = c ? strchr(alphabet, c) : NULL;
    if (!at || (i == 0 && c > '7')) return false; // 130 bits have to fit 128
    value = value << 5 | (u128)(at - alphabet);
  }
  *ret_ms = (int64_t)(value >> 80);
  return true;
}
