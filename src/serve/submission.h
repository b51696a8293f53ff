// A request that sends events to an endpoint, whoever carries it: a connection of the server's
// (ingest.c), or API Gateway (lambda/). Who sends, what it is, and whether all of it is taken.
// Touches no connection, and stores nothing.
//
//   wh_submission_init(&s, mem, ingest, auth);
//   if (!wh_submission_sender(&s, &request, &problem)) ... refuse ...
//   if (!wh_submission_type(&s, type, encoding, &problem)) ...
//   if (!wh_submission_read(&s, body, key, line_max, &problem)) ...
//   ... s.intake has the events ...
//   wh_submission_free(&s);
#pragma once

#include "config/config.h"
#include "connect/ingest/intake.h"
#include "serve/auth.h"
#include "serve/problem.h"

enum {
  WH_INGEST_KEY_MAX = 255,       // characters of an Idempotency-Key
  WH_INGEST_RETRY_SECONDS = 1,   // Retry-After where it passes by itself
  WH_INGEST_BEHIND_SECONDS = 10, // and where the disk is full, or somebody is behind
};

#define WH_INGEST_PATH "/ingest/"

typedef struct wh_submission {
  wh_mem *mem;
  const wh_ingest *ingest;
  const wh_auth *auth; // NULL: everybody may send
  wh_auth_check sender;
  wh_intake_kind kind;
  wh_intake intake;
  // What came with a key before is known by its hash. A signature is its own key, whatever else is
  // said beside it: a request that was recorded and is sent again changes nothing. Else the key is
  // the sender's own.
  bool has_key;
  uint8_t key[WH_SHA256_BYTES], hash[WH_SHA256_BYTES]; // of the key, with its sender, and the body
  wh_error error;                                      // behind a problem's detail
} wh_submission;

void wh_submission_init(wh_submission *submission, wh_mem *mem, const wh_ingest *ingest,
                        const wh_auth *auth);
void wh_submission_free(wh_submission *submission); // zeroed is fine

// Each false: *ret says why not, whose texts live as long as the submission.
// What the headers say of who sends. True: let in, or it is for the body to say.
bool wh_submission_sender(wh_submission *submission, const wh_auth_request *request,
                          wh_http_problem *ret);
bool wh_submission_type(wh_submission *submission, wh_str content_type, wh_str content_encoding,
                        wh_http_problem *ret);
// Who sends, where the body says it.
bool wh_submission_signed(wh_submission *submission, wh_str body, wh_http_problem *ret);
// Its events. `key`: the Idempotency-Key; without data there is none.
bool wh_submission_read(wh_submission *submission, wh_str body, wh_str key, size_t line_max,
                        wh_http_problem *ret);

// What a sender is answered who is let in: {"receipt":"...","events":2}.
void wh_submission_write_taken(const char *receipt, uint64_t events, uint64_t rejected,
                               wh_buf *out);
