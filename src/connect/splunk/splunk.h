// The splunk connector: events for Splunk's HTTP Event Collector, or for a server that speaks like
// it, as a sink of rows.
//
//   splunk:
//     type: splunk
//     url: https://splunk.internal:8088
//     token: ${secret:splunk}
//
// `to: splunk:event` sends each row as a JSON object to /services/collector/event, `to: splunk:raw`
// as a line of text to /services/collector/raw, which the sourcetype's rules then cut and date.
// ("Set up and use HTTP Event Collector", "Format events for HTTP Event Collector", "About HTTP
// Event Collector Indexer Acknowledgment" and "Troubleshoot HTTP Event Collector" in Splunk's
// manual "Getting Data In".)
//
// Columns. With `event`, columns of these names are no part of the event but say what it is:
//   _time                              timestamp or date: when it happened; seconds since 1970 with
//                                      all digits of its unit. NULL: when it arrives
//   _host _source _sourcetype _index   text; NULL or empty: what the connection says
// and those that `fields` names are indexed beside it. All others are members of the event, as the
// codec ndjson writes them. With `raw`, a column _raw is the line as it is; without one the line is
// the row as JSON.
//
// Exactness: at least once. An event that may have been sent twice has the same _wherry_id both
// times: a hash of the pipeline, of the row and, where it came from an object, of the object's
// version and the row's place in it. Rows straight from a database that are equal in all columns
// have the same.
//
// A request counts as delivered when the indexers acknowledge it (`ack`), without that when the
// collector has taken it. There is no place for marks: the ledger keeps how far a load is
// (connect/sink.h).
//
// What becomes of answers: answer.h. How requests go out: deliver.h.
#pragma once

#include "connect/connect.h"
#include "net/http.h"

extern const wh_connector wh_connector_splunk;
extern const wh_sink_type wh_splunk_sink;

typedef struct wh_splunk_options {
  wh_str url, token;
  wh_str index, source, sourcetype, host; // empty: the token's own
  wh_str_list fields;
  bool ack, gzip;
  int64_t ack_timeout_us;
  int64_t batch_bytes;
  int64_t connections;
  int tls; // wh_tls
  wh_str tls_ca;
} wh_splunk_options;

enum {
  // Of a request's events, before they are compressed. Splunk Cloud takes 1 MB, Splunk Enterprise
  // what max_content_length in limits.conf says (800 MB).
  WH_SPLUNK_BATCH_BYTES_MIN = 4 << 10,
  WH_SPLUNK_BATCH_BYTES_MAX = 16 << 20,
  WH_SPLUNK_CONNECTIONS_MAX = 16,
  WH_SPLUNK_PARCELS_MAX = 128, // requests that are made, sent, or wait to be acknowledged
  WH_SPLUNK_UNACKED_BYTES_MAX = 8 << 20,
  WH_SPLUNK_ATTEMPTS = 8, // to bring one to the collector, with the pauses of net/retry.h
  WH_SPLUNK_SENDS = 3,    // of one that is taken but not acknowledged in time
  WH_SPLUNK_POLL_US_MIN = 100 * 1000, // between questions for acknowledgements
  WH_SPLUNK_POLL_US_MAX = 5 * 1000000,
  WH_SPLUNK_ANSWER_BYTES_MAX = 64 << 10,
  WH_SPLUNK_CHANNEL_CHARS = 36, // a GUID
  // What libraries take past the accountant: TLS of the connections.
  WH_SPLUNK_LIBRARY_BYTES = 4 << 20,
};

// connection->own: what every request has.
typedef struct wh_splunk_place {
  wh_arena arena;
  wh_str event_url, raw_url, ack_url, health_url;
  wh_str authorization; // the value of its field
} wh_splunk_place;

static inline const wh_splunk_options *wh_splunk_options_of(const wh_connection *c) {
  return c->options;
}
static inline const wh_splunk_place *wh_splunk_place_of(const wh_connection *c) {
  return c->own;
}

// splunk.c: what wh_http_new wants for it.
wh_status wh_splunk_http(const wh_connection *c, wh_http **ret, wh_error *err);
// A request as all are, with `headers` to point to.
enum { WH_SPLUNK_HEADERS = 4 };
wh_http_request wh_splunk_request(const wh_connection *c, const char *method, wh_str url,
                                  wh_str channel, bool gzip,
                                  wh_http_header headers[WH_SPLUNK_HEADERS], const wh_str *body);
