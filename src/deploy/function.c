// The function, its role, and what starts it: queues, and schedules.
#include "deploy/private.h"

#define CODE_BUCKET WH_STR("CodeBucket")
#define CODE_KEY    WH_STR("CodeKey")

// --- its environment -----------------------------------------------------------------------------

typedef struct gathering {
  wh_deploy *d;
  json_t *variables;
} gathering;

// Its value is the user's to say. Lambda sets those that begin with AWS_ itself.
static wh_status take_variable(void *context, wh_reference_kind kind, wh_str name, wh_error *err) {
  gathering *g = context;
  wh_deploy *d = g->d;
  if (kind != WH_REFERENCE_ENV || wh_str_starts(name, "AWS_")) return WH_OK;
  if (json_object_getn(g->variables, name.data, name.len)) return WH_OK;
  wh_str help = wh_arena_printf(d->arena, "${%.*s} of the configuration", WH_STR_ARG(name));
  wh_str parameter;
  WH_TRY(wh_stack_id(d->stack, name, "", &parameter, err));
  WH_TRY(wh_stack_parameter_add(d->stack, parameter, help, true, err));
  wh_str ref = wh_stack_parameter_ref(d->stack, parameter);
  if (!help.data || !ref.data) return wh_fail_memory(err);
  json_t *value = json_stringn(ref.data, ref.len);
  return json_object_setn_new(g->variables, name.data, name.len, value) == 0 ? WH_OK
                                                                             : wh_fail_memory(err);
}

static wh_status add_environment(wh_deploy *d, json_t *function, wh_error *err) {
  gathering g = {d, json_object()};
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < d->config->pipeline_count; i++)
    if (d->seats[i].is_function)
      status = wh_config_visit_references(d->config, d->seats[i].pipeline, take_variable, &g, err);
  for (size_t i = 0; status == WH_OK && i < d->config->serve.ingest_count; i++)
    if (wh_deploy_endpoint(d, i)->is_function)
      status = wh_config_visit_ingest_references(d->config, &d->config->serve.ingests[i],
                                                 take_variable, &g, err);
  if (status == WH_OK && json_object_size(g.variables) &&
      json_object_set_new(function, "Environment", json_pack("{s:O}", "Variables", g.variables)) !=
          0)
    status = wh_fail_memory(err);
  json_decref(g.variables);
  return status;
}

// --- its role ------------------------------------------------------------------------------------

static wh_status list_pipelines(wh_deploy *d, wh_policy_request *ret, wh_error *err) {
  const wh_pipeline **list = WH_NEW_ARRAY(d->arena, d->config->pipeline_count, const wh_pipeline *);
  if (!list) return wh_fail_memory(err);
  *ret = (wh_policy_request){.pipelines = list};
  WH_TRY(wh_deploy_endpoints(d, true, ret, err));
  for (size_t i = 0; i < d->config->pipeline_count; i++)
    if (d->seats[i].is_function) list[ret->count++] = d->seats[i].pipeline;
  return WH_OK;
}

static json_t *allowing(const char *sid, const char *const *actions, wh_str resource) {
  json_t *list = json_array();
  for (; *actions; actions++)
    json_array_append_new(list, json_string(*actions));
  return json_pack("{s:s,s:s,s:o,s:s%}", "Sid", sid, "Effect", "Allow", "Action", list, "Resource",
                   resource.data, resource.len);
}

// What Lambda does with its role: takes messages for the function, and writes its log.
static wh_status add_own_rights(wh_deploy *d, json_t *policy, wh_error *err) {
  static const char *const receive[] = {"sqs:DeleteMessage", "sqs:GetQueueAttributes",
                                        "sqs:ReceiveMessage", NULL};
  static const char *const log[] = {"logs:CreateLogStream", "logs:PutLogEvents", NULL};
  json_t *statements = json_object_get(policy, "Statement");
  wh_str streams = wh_arena_printf(
      d->arena,
      WH_STACK_ARN("logs:" WH_STACK_REGION ":" WH_STACK_ACCOUNT ":log-group:/aws/lambda/%.*s:*"),
      WH_STR_ARG(d->stack->name));
  if (!streams.data ||
      json_array_append_new(statements, allowing("FunctionLog", log, streams)) != 0)
    return wh_fail_memory(err);
  if (!d->new_objects) return WH_OK;
  wh_str queue = wh_stack_arn(d->stack, d->new_objects);
  json_t *statement = queue.data ? allowing("NewObjectsReceive", receive, queue) : NULL;
  return json_array_append_new(statements, statement) == 0 ? WH_OK : wh_fail_memory(err);
}

static wh_status add_role(wh_deploy *d, wh_error *err) {
  wh_policy_request request;
  json_t *policy = NULL;
  WH_TRY(list_pipelines(d, &request, err));
  WH_TRY(wh_deploy_policy(d, &request, true, &policy, err));
  if (!policy) policy = json_pack("{s:s,s:[]}", "Version", "2012-10-17", "Statement");
  wh_status status = policy ? add_own_rights(d, policy, err) : wh_fail_memory(err);
  if (status != WH_OK) {
    json_decref(policy);
    return status;
  }
  wh_str name = d->stack->name;
  return wh_stack_add(d->stack, "AWS::IAM::Role", WH_STR("Function"), "Role",
                      json_pack("{s:o,s:o,s:s,s:[{s:s,s:o}]}", "RoleName",
                                json_sprintf("%.*s-function", WH_STR_ARG(name)),
                                "AssumeRolePolicyDocument", wh_deploy_trust("lambda.amazonaws.com"),
                                "Description",
                                "What the pipelines and endpoints of the function need", "Policies",
                                "PolicyName", "pipelines", "PolicyDocument", policy),
                      &d->function_role, err);
}

// --- the function --------------------------------------------------------------------------------

static json_int_t memory_of(const wh_deploy *d) {
  json_int_t mib = (d->config->memory_bytes >> 20) + WH_DEPLOY_MEMORY_MIB_BESIDES;
  if (mib < WH_DEPLOY_MEMORY_MIB_LEAST) mib = WH_DEPLOY_MEMORY_MIB_LEAST;
  return mib > WH_DEPLOY_MEMORY_MIB_MOST ? WH_DEPLOY_MEMORY_MIB_MOST : mib;
}

static wh_status add_code(wh_deploy *d, json_t *function, wh_error *err) {
  wh_stack *s = d->stack;
  WH_TRY(wh_stack_parameter_add(
      s, CODE_BUCKET, WH_STR("Bucket that has the function's zip (make lambda)"), false, err));
  WH_TRY(wh_stack_parameter_add(s, CODE_KEY, WH_STR("Key of the zip in it"), false, err));
  wh_str bucket = wh_stack_parameter_ref(s, CODE_BUCKET), key = wh_stack_parameter_ref(s, CODE_KEY);
  if (!bucket.data || !key.data) return wh_fail_memory(err);
  json_t *code =
      json_pack("{s:s%,s:s%}", "S3Bucket", bucket.data, bucket.len, "S3Key", key.data, key.len);
  return json_object_set_new(function, "Code", code) == 0 ? WH_OK : wh_fail_memory(err);
}

static wh_status make_function(wh_deploy *d, json_t *function, wh_error *err) {
  WH_TRY(add_code(d, function, err));
  return add_environment(d, function, err);
}

static wh_status add_function_log(wh_deploy *d, wh_error *err) {
  wh_stack_resource *log;
  WH_TRY(wh_stack_add(d->stack, "AWS::Logs::LogGroup", WH_STR("Function"), "LogGroup",
                      json_pack("{s:o,s:i}", "LogGroupName",
                                json_sprintf("/aws/lambda/%.*s", WH_STR_ARG(d->stack->name)),
                                "RetentionInDays", (int)WH_DEPLOY_LOG_DAYS),
                      &log, err));
  return wh_stack_depend(d->function, log, err);
}

wh_status wh_deploy_add_function(wh_deploy *d, wh_error *err) {
  if (!d->has_function) return WH_OK;
  WH_TRY(add_role(d, err));
  const char *environment = d->request->environment;
  wh_str role = wh_stack_arn(d->stack, d->function_role);
  wh_str handler = wh_arena_printf(d->arena, "wherry%s%s", environment ? "." : "",
                                   environment ? environment : "");
  if (!role.data || !handler.data) return wh_fail_memory(err);
  WH_TRY(wh_stack_add(d->stack, "AWS::Lambda::Function", (wh_str){"", 0}, "Function",
                      json_pack("{s:s%,s:s,s:[s],s:s%,s:I,s:i,s:s%}", "FunctionName",
                                d->stack->name.data, d->stack->name.len, "Runtime",
                                "provided.al2023", "Architectures", "x86_64", "Handler",
                                handler.data, handler.len, "MemorySize", memory_of(d), "Timeout",
                                (int)WH_DEPLOY_TIMEOUT_SECONDS, "Role", role.data, role.len),
                      &d->function, err));
  WH_TRY(make_function(d, d->function->properties, err));
  return add_function_log(d, err);
}

// --- what starts it ------------------------------------------------------------------------------

static wh_status add_queue(wh_deploy *d, wh_str name, wh_str queue, wh_error *err) {
  wh_stack_resource *made;
  wh_str function = wh_stack_arn(d->stack, d->function);
  if (wh_stack_find(d->stack, "AWS::Lambda::EventSourceMapping", "EventSourceArn", queue))
    return WH_OK;
  if (!function.data || !queue.data) return wh_fail_memory(err);
  WH_TRY(wh_stack_add(d->stack, "AWS::Lambda::EventSourceMapping", name, "Starts",
                      json_pack("{s:s%,s:s%,s:[s]}", "FunctionName", function.data, function.len,
                                "EventSourceArn", queue.data, queue.len, "FunctionResponseTypes",
                                "ReportBatchItemFailures"),
                      &made, err));
  return wh_stack_depend(made, d->function_role, err);
}

static wh_status add_scheduler(wh_deploy *d, wh_stack_resource **ret, wh_error *err) {
  wh_str name = wh_arena_printf(d->arena, "%.*s-schedule", WH_STR_ARG(d->stack->name));
  wh_str function = wh_stack_arn(d->stack, d->function);
  if (!name.data || !function.data) return wh_fail_memory(err);
  *ret = wh_stack_find(d->stack, "AWS::IAM::Role", "RoleName", name);
  if (*ret) return WH_OK;
  return wh_stack_add(d->stack, "AWS::IAM::Role", WH_STR("Schedule"), "Role",
                      json_pack("{s:s%,s:o,s:s,s:[{s:s,s:{s:s,s:[{s:s,s:s,s:s,s:s%}]}}]}",
                                "RoleName", name.data, name.len, "AssumeRolePolicyDocument",
                                wh_deploy_trust("scheduler.amazonaws.com"), "Description",
                                "Starts the function when a pipeline is due", "Policies",
                                "PolicyName", "function", "PolicyDocument", "Version", "2012-10-17",
                                "Statement", "Sid", "Start", "Effect", "Allow", "Action",
                                "lambda:InvokeFunction", "Resource", function.data, function.len),
                      ret, err);
}

// EventBridge counts in minutes, up to a day.
static json_t *window_of(const wh_when *when) {
  int64_t minutes = when->jitter_us / 60000000;
  if (minutes > WH_DEPLOY_WINDOW_MINUTES_MAX) minutes = WH_DEPLOY_WINDOW_MINUTES_MAX;
  return minutes ? json_pack("{s:s,s:I}", "Mode", "FLEXIBLE", "MaximumWindowInMinutes",
                             (json_int_t)minutes)
                 : json_pack("{s:s}", "Mode", "OFF");
}

// Its event names the pipeline: {"pipeline":"NAME"} (lambda/event.h).
static wh_status add_schedule(wh_deploy *d, const wh_pipeline *p, wh_error *err) {
  wh_stack_resource *role;
  wh_str expression = {0};
  WH_TRY(add_scheduler(d, &role, err));
  (void)wh_deploy_schedule(d, &p->when, &expression); // it was asked for before
  wh_str arn = wh_stack_arn(d->stack, role), function = wh_stack_arn(d->stack, d->function);
  wh_str zone = p->when.timezone.len ? p->when.timezone : WH_STR("UTC");
  if (!expression.data || !arn.data || !function.data) return wh_fail_memory(err);
  json_t *schedule =
      json_pack("{s:o,s:s%,s:s%,s:o,s:{s:s%,s:s%,s:o}}", "Name",
                json_sprintf("%.*s-%.*s", WH_STR_ARG(d->stack->name), WH_STR_ARG(p->name)),
                "ScheduleExpression", expression.data, expression.len, "ScheduleExpressionTimezone",
                zone.data, zone.len, "FlexibleTimeWindow", window_of(&p->when), "Target", "Arn",
                function.data, function.len, "RoleArn", arn.data, arn.len, "Input",
                json_sprintf("{\"pipeline\":\"%.*s\"}", WH_STR_ARG(p->name)));
  return wh_stack_add(d->stack, "AWS::Scheduler::Schedule", p->name, "Schedule", schedule, NULL,
                      err);
}

wh_status wh_deploy_add_starts(wh_deploy *d, wh_error *err) {
  if (d->new_objects)
    WH_TRY(add_queue(d, WH_STR("NewObjects"), wh_stack_arn(d->stack, d->new_objects), err));
  for (size_t i = 0; i < d->config->pipeline_count; i++) {
    const wh_pipeline *p = d->seats[i].pipeline;
    if (!d->seats[i].is_function) continue;
    bool is_timed = p->when.kind == WH_WHEN_EVERY || p->when.kind == WH_WHEN_CRON;
    const wh_deploy_place *queue = wh_deploy_place_of(d, p->when.queue);
    if (is_timed) WH_TRY(add_schedule(d, p, err));
    if (queue) WH_TRY(add_queue(d, queue->name, wh_deploy_place_arn(d, queue), err));
  }
  return WH_OK;
}
