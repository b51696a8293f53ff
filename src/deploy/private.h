// What the files of deploy/ share.
#pragma once

#include "deploy/deploy.h"

typedef struct wh_deploy_place {
  const wh_connection_info *connection; // NULL: the ledger
  wh_str name;                          // of the connection, or "ledger"
  wh_cloud_place cloud;
  bool is_ours;                // the stack makes it
  wh_stack_resource *resource; // bucket, queue or topic; NULL: it is there already
} wh_deploy_place;

typedef struct wh_deploy {
  wh_config *config;
  const wh_deploy_request *request;
  wh_stack *stack;
  wh_arena *arena; // the stack's
  wh_deploy_place *places;
  size_t place_count;
  wh_deploy_seat *seats; // by pipeline, then by endpoint
  bool has_function;
  wh_str region, account; // as connections say, of all that is made; empty: nobody says
  wh_stack_resource *function, *function_role;
  wh_stack_resource *new_objects; // the function's own queue, where it has one
} wh_deploy;

// places.c: what connections are at AWS.
wh_status wh_deploy_find_places(wh_deploy *d, wh_error *err);
wh_status wh_deploy_add_places(wh_deploy *d, wh_error *err);
wh_deploy_place *wh_deploy_place_of(const wh_deploy *d, wh_str connection); // NULL: not at AWS
// Its ARN, by a variable where the stack makes it.
wh_str wh_deploy_place_arn(const wh_deploy *d, const wh_deploy_place *place);
wh_status wh_deploy_add_queue(wh_deploy *d, wh_str base, wh_str name, int64_t hidden_seconds,
                              int64_t attempts, wh_stack_resource **ret, wh_error *err);

// tables.c: DynamoDB's.
wh_status wh_deploy_add_tables(wh_deploy *d, wh_error *err);

// seats.c: which pipelines run as a function, and which endpoints it serves.
wh_status wh_deploy_choose_seats(wh_deploy *d, wh_error *err);
static inline bool wh_deploy_waits(const wh_pipeline *p) {
  return p->when.kind == WH_WHEN_NEW || p->when.kind == WH_WHEN_EVENT;
}
// EventBridge Scheduler's words for the schedule; false: it has none, and *ret says why.
bool wh_deploy_schedule(const wh_deploy *d, const wh_when *when, wh_str *ret);

// events.c: who tells which queue of new objects.
wh_status wh_deploy_add_events(wh_deploy *d, wh_error *err);

// function.c: the function, and what starts it.
wh_status wh_deploy_add_function(wh_deploy *d, wh_error *err);
wh_status wh_deploy_add_starts(wh_deploy *d, wh_error *err);

// endpoints.c: which endpoints the function serves, and the API in front of it.
static inline wh_deploy_seat *wh_deploy_endpoint(const wh_deploy *d, size_t number) {
  return &d->seats[d->config->pipeline_count + number];
}
// Those that the function serves, or those that it does not; in the arena.
wh_status wh_deploy_endpoints(const wh_deploy *d, bool by_function, wh_policy_request *ret,
                              wh_error *err);
wh_status wh_deploy_add_api(wh_deploy *d, wh_error *err);

// roles.c: policies.
wh_status wh_deploy_add_roles(wh_deploy *d, wh_error *err);
// What the pipelines, the team or what is served needs, as a document in the stack's texts; without
// what is needed only to make things that the stack makes, and what Lambda does for a function.
// *ret NULL: nothing is needed.
wh_status wh_deploy_policy(wh_deploy *d, const wh_policy_request *request, bool is_function,
                           json_t **ret, wh_error *err);
// {"Version":...,"Statement":[...]} for a service of AWS's, "lambda.amazonaws.com".
json_t *wh_deploy_trust(const char *service);
