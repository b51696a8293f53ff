// What the collector answers, and what that means for the request ("Troubleshoot HTTP Event
// Collector": codes 0 to 27, each under its HTTP status). An answer counts as the collector's only
// if it is its JSON: a proxy's page with 200 has delivered nothing.
#pragma once

#include "connect/splunk/splunk.h"

// The codes that are looked at by themselves; for the others the HTTP status says enough.
enum {
  WH_SPLUNK_BAD_REQUEST = 400, // their HTTP status
  WH_SPLUNK_NO_DATA = 5,
  WH_SPLUNK_INVALID_FORMAT = 6,
  WH_SPLUNK_INCORRECT_INDEX = 7,
  WH_SPLUNK_NO_CHANNEL = 10,
  WH_SPLUNK_NO_EVENT = 12,
  WH_SPLUNK_BLANK_EVENT = 13,
  WH_SPLUNK_ACK_DISABLED = 14,
  WH_SPLUNK_BAD_FIELDS = 15,
  WH_SPLUNK_HEALTHY = 17,
};

typedef enum wh_splunk_verdict {
  WH_SPLUNK_TAKEN,
  WH_SPLUNK_LATER,     // it is busy, full, or going down: the same again
  WH_SPLUNK_BAD_EVENT, // one of the events cannot be taken: the others without it
  WH_SPLUNK_TOO_LARGE,
  WH_SPLUNK_REFUSED, // for a person to mend
} wh_splunk_verdict;

typedef struct wh_splunk_answer {
  wh_splunk_verdict verdict;
  int code;     // -1: none
  bool has_ack; // TAKEN
  uint64_t ack;
  bool has_number; // BAD_EVENT: which one, from 0; else it does not say
  uint64_t number;
  char text[160]; // in the server's words, printable; may be empty
} wh_splunk_answer;

// Of an answer to events. `what`: HTTP status and body.
void wh_splunk_answer_read(int status, wh_str body, wh_splunk_answer *ret);
// What is wrong with one that was refused, and what to do: WH_ERR_DENIED (the token), WH_ERR_USAGE
// (the configuration), WH_ERR_IO (it is no collector).
wh_status wh_splunk_answer_fail(const wh_connection *c, int status, const wh_splunk_answer *answer,
                                wh_error *err);

// Of an answer to a question for acknowledgements: visits those that are true.
typedef void (*wh_splunk_acked)(void *context, uint64_t ack);
wh_status wh_splunk_acks_read(wh_str body, wh_splunk_acked acked, void *context, wh_error *err);
