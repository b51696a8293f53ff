#include "net/retry.h"

#include "net/http.h"

// Takes `cost` from the quota; false when there is not enough.
static bool pay(wh_retry_quota *quota, int cost) {
  if (!quota) return true;
  int spent = atomic_load(&quota->spent);
  do {
    if (spent > WH_RETRY_QUOTA - cost) return false;
  } while (!atomic_compare_exchange_weak(&quota->spent, &spent, spent + cost));
  return true;
}

static void refill(wh_retry_quota *quota, int amount) {
  if (!quota) return;
  int spent = atomic_load(&quota->spent);
  while (
      !atomic_compare_exchange_weak(&quota->spent, &spent, spent > amount ? spent - amount : 0)) {
  }
}

// Anywhere from nothing to the whole, so that those who failed together do not come back together.
static int64_t random_below(wh_os *os, int64_t limit) {
  uint64_t bits;
  if (os->type->random(os, &bits, sizeof bits, NULL) != WH_OK) return limit; // the careful end
  return (int64_t)((double)(bits >> 11) * 0x1p-53 * (double)limit);
}

bool wh_retry_again(wh_retry *retry, wh_retry_reason reason, int64_t after_us,
                    int64_t *ret_wait_us) {
  int most = retry->attempts_max ? retry->attempts_max : WH_RETRY_ATTEMPTS;
  retry->attempts++;
  if (reason == WH_RETRY_NEVER || retry->attempts >= most || after_us > WH_RETRY_AFTER_US_MAX)
    return false;
  int cost = reason == WH_RETRY_TIMEOUT ? WH_RETRY_COST_TIMEOUT : WH_RETRY_COST;
  if (!pay(retry->quota, cost)) return false;
  retry->paid = cost;
  int64_t limit = WH_RETRY_WAIT_US_MAX;
  if (retry->attempts <= 5) { // above, doubling would pass the longest wait
    int64_t doubled = (int64_t)WH_RETRY_FIRST_US << (retry->attempts - 1);
    if (doubled < limit) limit = doubled;
  }
  int64_t wait = random_below(retry->os, limit);
  *ret_wait_us = wait > after_us ? wait : after_us;
  return true;
}

void wh_retry_succeeded(wh_retry *retry) {
  refill(retry->quota, retry->paid ? retry->paid : WH_RETRY_REFILL);
  retry->paid = 0;
}

int64_t wh_retry_after_us(wh_str header, int64_t now_us) {
  uint64_t seconds;
  int64_t at;
  if (wh_str_to_u64(header, &seconds))
    return seconds > 1000000 ? INT64_MAX : (int64_t)seconds * 1000000;
  if (wh_http_date(header, &at) && at > now_us) return at - now_us;
  return 0;
}
