// Lines for a stream of CloudWatch Logs, sent in batches by a thread of their own
// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html).
// Who has something to say never waits for it, and never fails: what cannot be sent is kept while
// there is room, then the oldest go, and are counted.
#pragma once

#include "base/environment.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/str.h"

// Limits of the service, of one request.
enum {
  WH_AWS_LOGS_EVENTS_MAX = 10000,
  WH_AWS_LOGS_BYTES_MAX = 1 << 20,           // counted with
  WH_AWS_LOGS_EVENT_OVERHEAD = 26,           // bytes an event
  WH_AWS_LOGS_EVENT_BYTES_MAX = 256 * 1024,  // with that
  WH_AWS_LOGS_SPAN_MS = 24 * 60 * 60 * 1000, // from the first to the last
};
// Ours: what waits to be sent has at most what one request takes.
enum {
  WH_AWS_LOGS_AGE_MS = 1000, // nothing waits longer, while it can be sent
  WH_AWS_LOGS_LIBRARY_BYTES = 2 << 20,
};

typedef struct wh_aws_logs wh_aws_logs;

typedef struct wh_aws_logs_options {
  wh_os *os;
  wh_mem *mem;
  wh_environment environment;
  wh_str group, stream;             // created when they are missing
  wh_str region, endpoint, profile; // empty: as net/aws.h says
  // Told once when lines cannot be sent, and at the end how many were not. From any thread.
  void (*warn)(void *context, const char *text);
  void *context;
} wh_aws_logs_options;

// Copies the options. Reaches nobody: the thread begins with the first line.
wh_status wh_aws_logs_open(const wh_aws_logs_options *options, wh_aws_logs **ret, wh_error *err);
// From any thread. What is longer than an event may be is cut.
void wh_aws_logs_add(wh_aws_logs *logs, wh_str line);
// Sends what waits, as far as that goes within some seconds; NULL is fine. No add() may follow.
void wh_aws_logs_close(wh_aws_logs *logs);
