#include "connect/dynamodb/pace.h"

enum { WINDOW_FIRST = 16, SLEEP_NS_MAX = 100000000 };

void wh_dynamodb_pace_init(wh_dynamodb_pace *pace, wh_os *os, size_t window_max) {
  size_t first = window_max < WINDOW_FIRST ? window_max : WINDOW_FIRST;
  *pace = (wh_dynamodb_pace){.os = os, .window = first, .window_max = window_max};
}

void wh_dynamodb_pace_answered(wh_dynamodb_pace *pace) {
  pace->pause_ns = 0;
  if (++pace->answers < pace->window) return;
  pace->answers = 0;
  if (pace->window < pace->window_max) pace->window++;
}

// The requests of one window are refused together: they count as one refusal.
bool wh_dynamodb_pace_refused(wh_dynamodb_pace *pace) {
  int64_t now = pace->os->type->monotonic_ns(pace->os);
  if (pace->pause_ns == 0) pace->refused_ns = now;
  if (now - pace->refused_ns > WH_DYNAMODB_PATIENCE_NS) return false;
  if (now < pace->resume_ns) return true;
  pace->answers = 0;
  pace->window = (pace->window + 1) / 2;
  pace->pause_ns = pace->pause_ns ? pace->pause_ns * 2 : WH_DYNAMODB_PAUSE_NS_MIN;
  if (pace->pause_ns > WH_DYNAMODB_PAUSE_NS_MAX) pace->pause_ns = WH_DYNAMODB_PAUSE_NS_MAX;
  // A part of it by chance, so that those who were refused together do not come back together.
  uint64_t chance = (uint64_t)now * 0x9E3779B97F4A7C15u >> 40;
  pace->resume_ns = now + pace->pause_ns / 2 + (int64_t)(chance % (uint64_t)(pace->pause_ns / 2));
  return true;
}

int64_t wh_dynamodb_pace_left(const wh_dynamodb_pace *pace) {
  if (pace->resume_ns == 0) return 0;
  int64_t left = pace->resume_ns - pace->os->type->monotonic_ns(pace->os);
  return left > 0 ? left : 0;
}

wh_status wh_dynamodb_pace_wait(wh_dynamodb_pace *pace, const wh_connection *c, wh_error *err) {
  for (int64_t left; (left = wh_dynamodb_pace_left(pace)) > 0;) {
    if (c->cancel && atomic_load(c->cancel))
      return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
    (void)pace->os->type->sleep_ns(pace->os, left < SLEEP_NS_MAX ? left : SLEEP_NS_MAX);
  }
  return WH_OK;
}
