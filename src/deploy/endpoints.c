// The endpoints that the function serves, and the HTTP API in front of it: a route each.
#include "deploy/private.h"

wh_status wh_deploy_endpoints(const wh_deploy *d, bool by_function, wh_policy_request *ret,
                              wh_error *err) {
  const wh_serve *serve = &d->config->serve;
  const wh_ingest **list = WH_NEW_ARRAY(d->arena, serve->ingest_count, const wh_ingest *);
  if (!list) return wh_fail_memory(err);
  ret->endpoints = list;
  for (size_t i = 0; i < serve->ingest_count; i++)
    if (wh_deploy_endpoint(d, i)->is_function == by_function)
      list[ret->endpoint_count++] = &serve->ingests[i];
  return WH_OK;
}

static json_t *route_key(const wh_ingest *ingest) {
  return json_sprintf("POST /ingest/%.*s", WH_STR_ARG(ingest->endpoint->name));
}

static wh_status add_integration(wh_deploy *d, wh_str api, wh_stack_resource **ret, wh_error *err) {
  wh_str function = wh_stack_arn(d->stack, d->function);
  if (!function.data) return wh_fail_memory(err);
  return wh_stack_add(d->stack, "AWS::ApiGatewayV2::Integration", (wh_str){"", 0}, "Integration",
                      json_pack("{s:s%,s:s,s:s%,s:s,s:i}", "ApiId", api.data, api.len,
                                "IntegrationType", "AWS_PROXY", "IntegrationUri", function.data,
                                function.len, "PayloadFormatVersion", "2.0", "TimeoutInMillis",
                                (int)WH_DEPLOY_API_MS),
                      ret, err);
}

static wh_status add_route(wh_deploy *d, wh_str api, const wh_stack_resource *integration,
                           const wh_ingest *ingest, wh_stack_resource **ret, wh_error *err) {
  wh_str ref = wh_stack_ref(d->stack, integration);
  if (!ref.data) return wh_fail_memory(err);
  return wh_stack_add(d->stack, "AWS::ApiGatewayV2::Route", ingest->endpoint->name, "Route",
                      json_pack("{s:s%,s:o,s:o}", "ApiId", api.data, api.len, "RouteKey",
                                route_key(ingest), "Target",
                                json_sprintf("integrations/%.*s", WH_STR_ARG(ref))),
                      ret, err);
}

// A token bucket: `rate` fills it, and `concurrency` is what it holds. Without a `rate` the
// account's own limits count: the gateway takes both or neither.
static wh_status limit_route(const wh_ingest *ingest, const wh_stack_resource *route,
                             wh_stack_resource *stage, wh_error *err) {
  if (!ingest->rate) return WH_OK;
  json_t *all = json_object_get(stage->properties, "RouteSettings");
  json_t *key = route_key(ingest);
  if (!all && json_object_set_new(stage->properties, "RouteSettings", all = json_object()) != 0)
    all = NULL;
  int failed = key && all
                   ? json_object_set_new(all, json_string_value(key),
                                         json_pack("{s:I,s:I}", "ThrottlingBurstLimit",
                                                   (json_int_t)ingest->concurrency,
                                                   "ThrottlingRateLimit", (json_int_t)ingest->rate))
                   : -1;
  json_decref(key);
  return failed ? wh_fail_memory(err) : wh_stack_depend(stage, route, err);
}

static wh_status add_permission(wh_deploy *d, wh_str api, wh_error *err) {
  wh_stack_resource *made;
  wh_str source = wh_arena_printf(
      d->arena,
      WH_STACK_ARN("execute-api:" WH_STACK_REGION ":" WH_STACK_ACCOUNT ":%.*s/*/POST/ingest/*"),
      WH_STR_ARG(api));
  wh_str name = d->stack->name;
  if (!source.data) return wh_fail_memory(err);
  WH_TRY(wh_stack_add(d->stack, "AWS::Lambda::Permission", (wh_str){"", 0}, "ApiPermission",
                      json_pack("{s:s%,s:s,s:s,s:s%}", "FunctionName", name.data, name.len,
                                "Action", "lambda:InvokeFunction", "Principal",
                                "apigateway.amazonaws.com", "SourceArn", source.data, source.len),
                      &made, err));
  return wh_stack_depend(made, d->function, err);
}

wh_status wh_deploy_add_api(wh_deploy *d, wh_error *err) {
  wh_policy_request served = {0};
  wh_stack_resource *api, *integration, *stage, *route;
  wh_str name = d->stack->name;
  WH_TRY(wh_deploy_endpoints(d, true, &served, err));
  if (!served.endpoint_count) return WH_OK;
  WH_TRY(wh_stack_add(d->stack, "AWS::ApiGatewayV2::Api", (wh_str){"", 0}, "Api",
                      json_pack("{s:s%,s:s}", "Name", name.data, name.len, "ProtocolType", "HTTP"),
                      &api, err));
  wh_str ref = wh_stack_ref(d->stack, api);
  if (!ref.data) return wh_fail_memory(err);
  WH_TRY(add_integration(d, ref, &integration, err));
  WH_TRY(wh_stack_add(d->stack, "AWS::ApiGatewayV2::Stage", (wh_str){"", 0}, "Stage",
                      json_pack("{s:s%,s:s,s:b}", "ApiId", ref.data, ref.len, "StageName",
                                "$default", "AutoDeploy", true),
                      &stage, err));
  for (size_t i = 0; i < served.endpoint_count; i++) {
    WH_TRY(add_route(d, ref, integration, served.endpoints[i], &route, err));
    WH_TRY(limit_route(served.endpoints[i], route, stage, err));
  }
  return add_permission(d, ref, err);
}
