#include "serve/limit.h"

enum { SECRET_BYTES = 32, CELLS = WH_LIMIT_ROWS * WH_LIMIT_CELLS };

_Static_assert(WH_LIMIT_ROWS * sizeof(uint64_t) == WH_SHA256_BYTES, "a row takes 8 bytes of hash");

wh_status wh_limiter_init(wh_limiter *limiter, wh_os *os, wh_mem *mem, int64_t window_ns,
                          wh_error *err) {
  uint8_t secret[SECRET_BYTES];
  WH_TRY(os->type->random(os, secret, sizeof secret, err));
  int64_t *cells = wh_mem_alloc_zero(mem, CELLS * sizeof *cells);
  if (!cells) return wh_fail_memory(err);
  *limiter = (wh_limiter){.mem = mem, .window_ns = window_ns, .cells = cells};
  pthread_mutex_init(&limiter->mutex, NULL);
  wh_hmac_key_init(&limiter->hash, wh_str_n((char *)secret, sizeof secret));
  wh_wipe(secret, sizeof secret);
  for (size_t i = 0; i < CELLS; i++)
    cells[i] = INT64_MIN;
  return WH_OK;
}

void wh_limiter_free(wh_limiter *limiter) {
  if (!limiter || !limiter->cells) return;
  pthread_mutex_destroy(&limiter->mutex);
  wh_mem_free(limiter->mem, limiter->cells, CELLS * sizeof *limiter->cells);
  wh_hmac_key_clear(&limiter->hash);
  limiter->cells = NULL;
}

static void find_cells(const wh_limiter *limiter, wh_str subject, size_t ret[WH_LIMIT_ROWS]) {
  uint8_t digest[WH_SHA256_BYTES];
  wh_hmac(&limiter->hash, subject, digest);
  for (size_t i = 0; i < WH_LIMIT_ROWS; i++) {
    uint64_t number;
    memcpy(&number, digest + i * sizeof number, sizeof number);
    ret[i] = i * WH_LIMIT_CELLS + number % WH_LIMIT_CELLS;
  }
}

bool wh_limiter_take(wh_limiter *limiter, wh_str subject, int64_t tries, int64_t now_ns,
                     wh_limit_ticket *ticket, int64_t *ret_wait_ns) {
  wh_limit_ticket t;
  find_cells(limiter, subject, t.cells);
  pthread_mutex_lock(&limiter->mutex);
  int64_t full_at = INT64_MAX;
  for (size_t i = 0; i < WH_LIMIT_ROWS; i++) {
    t.before[i] = limiter->cells[t.cells[i]];
    if (t.before[i] < full_at) full_at = t.before[i];
  }
  if (full_at < now_ns) full_at = now_ns;
  t.after = full_at + limiter->window_ns / tries;
  int64_t wait_ns = t.after - now_ns - limiter->window_ns;
  for (size_t i = 0; wait_ns <= 0 && i < WH_LIMIT_ROWS; i++)
    if (t.before[i] < t.after) limiter->cells[t.cells[i]] = t.after;
  pthread_mutex_unlock(&limiter->mutex);
  if (wait_ns > 0) {
    *ret_wait_ns = wait_ns;
    return false;
  }
  if (ticket) *ticket = t;
  return true;
}

void wh_limiter_give_back(wh_limiter *limiter, const wh_limit_ticket *ticket) {
  pthread_mutex_lock(&limiter->mutex);
  for (size_t i = 0; i < WH_LIMIT_ROWS; i++) {
    int64_t *cell = &limiter->cells[ticket->cells[i]];
    if (*cell == ticket->after) *cell = ticket->before[i];
  }
  pthread_mutex_unlock(&limiter->mutex);
}
