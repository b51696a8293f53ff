// How fast a table is asked. What it refuses as too much is asked again later, and with fewer
// requests at once: half as many after a refusal, one more for each round of answers.
//
// The client repeats a throttled request by itself first (net/retry.h); what comes here was refused
// each time.
#pragma once

#include "connect/dynamodb/api.h"

#define WH_DYNAMODB_PAUSE_NS_MIN INT64_C(50000000)
#define WH_DYNAMODB_PAUSE_NS_MAX INT64_C(5000000000)
// Nothing but refusals for so long ends a load.
#define WH_DYNAMODB_PATIENCE_NS INT64_C(120000000000)

typedef struct wh_dynamodb_pace {
  wh_os *os;
  size_t window, window_max; // requests at once
  size_t answers;            // since the window grew
  int64_t pause_ns;          // the last one; 0: nothing was refused since the last answer
  int64_t resume_ns;         // when the next request may go
  int64_t refused_ns;        // when the first refusal of those without an answer between came
} wh_dynamodb_pace;

void wh_dynamodb_pace_init(wh_dynamodb_pace *pace, wh_os *os, size_t window_max);
void wh_dynamodb_pace_answered(wh_dynamodb_pace *pace);
// False: it has been refusals alone for too long.
bool wh_dynamodb_pace_refused(wh_dynamodb_pace *pace);
// Nanoseconds until a request may go; 0: now.
int64_t wh_dynamodb_pace_left(const wh_dynamodb_pace *pace);
// Until then, or until the connection is asked to stop (WH_ERR_CANCELLED).
wh_status wh_dynamodb_pace_wait(wh_dynamodb_pace *pace, const wh_connection *c, wh_error *err);
