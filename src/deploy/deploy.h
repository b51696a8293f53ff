// From a configuration to the stack that it needs at AWS: what its connections name is made with
// their names, pipelines that can run there become a function, and whoever else works with it gets
// a policy or a role. Asks nobody, and knows no secret: parameters and secrets are referred to by
// name, and have to be there first.
//
// One function runs all of them, since an event that comes to it is for every pipeline that waits
// for its object (lambda/handle.h). It also answers for the endpoints whose events go to a queue
// and nowhere else (lambda/endpoints.h), behind an HTTP API. Lookup pages are served by a machine.
#pragma once

#include "deploy/stack.h"
#include "engine/engine.h"

enum {
  WH_DEPLOY_NAME_CHARS_MAX = 32,   // of the stack: it begins the names of roles, which have 64
  WH_DEPLOY_TIMEOUT_SECONDS = 300, // of an invocation
  WH_DEPLOY_HIDDEN_SECONDS = 300,  // a message that a machine works on
  WH_DEPLOY_FUNCTION_HIDDEN_SECONDS = 1800, // six times the function's time, as AWS advises
  WH_DEPLOY_MESSAGE_SECONDS = 7 * 86400,    // a message waits
  WH_DEPLOY_DEAD_SECONDS = 14 * 86400,      // a dead letter is kept, from when it was sent; SQS
                                            // keeps none longer
  WH_DEPLOY_ATTEMPTS = 5,                   // to take a message that no pipeline waits for
  WH_DEPLOY_LOG_DAYS = 90,
  WH_DEPLOY_WINDOW_MINUTES_MAX = 1440, // of a schedule's jitter
  WH_DEPLOY_API_MS = 30000,            // that an HTTP API waits for the function, at most
  WH_DEPLOY_MEMORY_MIB_LEAST = 256,
  WH_DEPLOY_MEMORY_MIB_BESIDES = 192, // `memory`
  WH_DEPLOY_MEMORY_MIB_MOST = 10240,
};

// Where a pipeline runs, or an endpoint is served.
typedef struct wh_deploy_seat {
  const wh_pipeline *pipeline;
  const wh_ingest *endpoint; // where there is no pipeline
  bool is_function;
  wh_str why_not; // a function: half a sentence; empty where it is one
} wh_deploy_seat;

typedef struct wh_deploy_request {
  wh_str name;                     // of the stack
  const wh_str *existing;          // connections, or "ledger", whose things are there already
  size_t existing_count;           //
  const wh_pipeline *const *named; // that shall run as a function; none: those that can
  size_t named_count;              //
  bool no_function;                // everything runs on machines
  const char *environment;         // "prod": the function's configuration; may be NULL
} wh_deploy_request;

// `stack` is wh_stack_init()'ed. *ret_seats: one for each pipeline, then one for each endpoint, in
// its arena.
wh_status wh_deploy_make(wh_config *config, const wh_deploy_request *request, wh_stack *stack,
                         wh_deploy_seat **ret_seats, wh_error *err);

// What whoever makes the stack, changes it or takes it away has to be allowed, by Terraform, or by
// CloudFormation. Adds to `policy`, which is then finished.
wh_status wh_deploy_rights(wh_config *config, const wh_stack *stack, bool by_cloudformation,
                           wh_iam_policy *policy, wh_error *err);
