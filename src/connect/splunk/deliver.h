// Requests on their way to the collector: several at once, each again until it is taken, and, where
// the connection asks for that (`ack`), kept until the indexers acknowledge it.
//
//   WH_TRY(wh_splunk_delivery_parcel(d, &parcel, err));    // waits until there is room
//   ... parcel->text, wh_splunk_parcel_add ...
//   WH_TRY(wh_splunk_delivery_send(d, parcel, err));       // on its way
//   WH_TRY(wh_splunk_delivery_settle(d, err));             // all were taken, or their events
//   refused WH_TRY(wh_splunk_delivery_finish(d, err));             // and acknowledged
//
// A request that is not acknowledged within `ack_timeout` is sent again, WH_SPLUNK_SENDS times in
// all: its events may then be there twice.
//
// One thread at a time. After a failure only stop and free may follow.
#pragma once

#include "connect/splunk/answer.h"
#include "net/retry.h"

typedef enum wh_splunk_state {
  WH_SPLUNK_FREE,
  WH_SPLUNK_FILLING, // by its owner
  WH_SPLUNK_WAITING, // to be sent, not before due_ns
  WH_SPLUNK_SENT,
  WH_SPLUNK_UNACKED,
} wh_splunk_state;

typedef struct wh_splunk_event {
  size_t end; // in the parcel's text
  size_t row; // its owner's number
} wh_splunk_event;

typedef struct wh_splunk_parcel {
  wh_splunk_state state;
  wh_buf text;             // the events, until they are taken
  wh_splunk_event *events; // where each ends
  size_t count, cap;
  wh_buf packed; // the text, compressed
  wh_str body;   // what is sent
  wh_http_exchange *exchange;
  wh_retry retry;
  int64_t due_ns;
  uint64_t ack;
  int sends; // that were taken but not acknowledged
} wh_splunk_parcel;

typedef struct wh_splunk_delivery {
  wh_connection *connection;
  wh_http *http;
  wh_str url;
  char channel[WH_SPLUNK_CHANNEL_CHARS + 1];
  // Told each event that the collector does not take, while `settle` or `parcel` run.
  wh_status (*refused)(void *context, size_t row, const wh_splunk_answer *answer, wh_error *err);
  void *context;
  wh_splunk_parcel parcels[WH_SPLUNK_PARCELS_MAX];
  size_t waiting, sent, unacked; // parcels
  size_t unacked_bytes;
  // Questions for acknowledgements.
  wh_buf question;
  wh_str asked;
  wh_http_exchange *asking;
  int64_t ask_due_ns, ask_pause_us;
} wh_splunk_delivery;

// `url`: of the endpoint. Makes a channel of its own.
wh_status wh_splunk_delivery_init(wh_splunk_delivery *d, wh_connection *c, wh_str url,
                                  wh_error *err);
void wh_splunk_delivery_stop(wh_splunk_delivery *d); // gives up what is on its way
void wh_splunk_delivery_free(wh_splunk_delivery *d); // zeroed is fine

wh_status wh_splunk_delivery_parcel(wh_splunk_delivery *d, wh_splunk_parcel **ret, wh_error *err);
// What was added to its text since the last is an event.
wh_status wh_splunk_parcel_add(const wh_splunk_delivery *d, wh_splunk_parcel *p, size_t row,
                               wh_error *err);
wh_status wh_splunk_delivery_send(wh_splunk_delivery *d, wh_splunk_parcel *p, wh_error *err);
wh_status wh_splunk_delivery_settle(wh_splunk_delivery *d, wh_error *err);
wh_status wh_splunk_delivery_finish(wh_splunk_delivery *d, wh_error *err);
