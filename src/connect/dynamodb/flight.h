// Requests side by side over one client: jobs that are started when there is room, started again
// when the table refuses them as too much, and handed to their owner when they are answered.
//
// Threads: one at a time. After an error the flight is stopped, and nothing else is done with it.
#pragma once

#include "connect/dynamodb/pace.h"

typedef struct wh_dynamodb_job {
  wh_str action;
  wh_buf body; // the owner writes it
  // The owner's own: which rows it is about, and their keys as hashes.
  size_t rows[WH_DYNAMODB_BATCH_ITEMS];
  uint64_t keys[WH_DYNAMODB_BATCH_ITEMS];
  size_t count;
  int step;
  int turns;
  // The flight's.
  enum { WH_DYNAMODB_IDLE, WH_DYNAMODB_WAITING, WH_DYNAMODB_FLYING } state;
  wh_str piece;
  wh_aws_exchange *exchange;
} wh_dynamodb_job;

typedef struct wh_dynamodb_flight wh_dynamodb_flight;
struct wh_dynamodb_flight {
  wh_connection *connection;
  wh_aws_client *client; // borrowed
  wh_dynamodb_pace pace;
  wh_dynamodb_job jobs[WH_DYNAMODB_FLIGHT_MAX];
  size_t flying, waiting;
  size_t bytes; // of the bodies of both
  // An answer, good or bad. To go on with the job, it writes action and body anew and sets *again;
  // *ret_refused: what remains was too much, and waits as if the request had been refused.
  wh_status (*answered)(void *context, wh_dynamodb_job *job, const wh_aws_exchange *x, bool *again,
                        bool *refused, wh_error *err);
  void *context; // set before jobs are started
};

void wh_dynamodb_flight_init(wh_dynamodb_flight *f, wh_connection *c, wh_aws_client *client);
void wh_dynamodb_flight_free(wh_dynamodb_flight *f); // zeroed is fine
// Ends what is under way.
void wh_dynamodb_flight_stop(wh_dynamodb_flight *f);

// A job that is idle, its body empty; waits for others when there is no room.
wh_status wh_dynamodb_flight_room(wh_dynamodb_flight *f, wh_dynamodb_job **ret, wh_error *err);
wh_status wh_dynamodb_flight_go(wh_dynamodb_flight *f, wh_dynamodb_job *job, wh_error *err);
// Until no job under way has the key; until there are none.
wh_status wh_dynamodb_flight_clear(wh_dynamodb_flight *f, uint64_t key, wh_error *err);
wh_status wh_dynamodb_flight_finish(wh_dynamodb_flight *f, wh_error *err);
