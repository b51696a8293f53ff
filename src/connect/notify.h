// Topics and queues that are told of runs. What is sent is small, holds no row and no secret, and
// may be sent again: its id stays the same, and whoever receives it may leave out what it knows.
#pragma once

#include "connect/connection.h"

enum { WH_NOTICE_ID_MAX = 128, WH_NOTICE_BYTES_MAX = 256 * 1024 };

typedef struct wh_notice {
  wh_str id;               // letters, digits, '-', '_'; at most WH_NOTICE_ID_MAX
  wh_str group;            // of the same letters: notices of one stay in order, where order is kept
  wh_str body;             // JSON
  wh_str pipeline, status; // also as attributes beside the body, to be filtered by
} wh_notice;

typedef struct wh_notify_type {
  // Returns when the other side has it. WH_ERR_UNAVAILABLE, WH_ERR_BUSY: later, perhaps; anything
  // else is for a person to mend.
  wh_status (*send)(wh_connection *c, const wh_notice *notice, wh_error *err);
} wh_notify_type;
