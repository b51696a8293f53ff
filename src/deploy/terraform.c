// A stack as Terraform's configuration. What is one resource in CloudFormation may be several here:
// the table says for each property which one has it, and under which name.
#include "deploy/stack.h"

#include <stdlib.h>

typedef struct writing {
  const wh_stack *stack;
  json_t *resources; // {"aws_s3_bucket": {"LakeBucket": {...}}}
  const wh_stack_resource *of;
  wh_error *err;
} writing;

typedef enum how {
  COPY,   // maps by the words of `inside`
  TEXT,   // a document of JSON, as a text
  LISTED, // the one as a list
  FIRST,  // the only one of a list
  KEYS,   // of a table: hash_key and range_key
  FILTER, // of keys: filter_prefix and filter_suffix
  ROUTES, // what the map says of each, as a list that names them
  STREAM, // of a table: that it has one, and its view
} how;

typedef struct word {
  const char *name; // CloudFormation's; NULL ends
  const char *type; // of the resource that has it; NULL: where what it stands in is
  const char *to;   // NULL: the words inside go where this would
  how how;
  const struct word *inside;
} word;

typedef struct kind {
  const char *name, *type;
  const char *link; // of its other resources, which names it
  const word *words;
} kind;

// --- the table -----------------------------------------------------------------------------------

#define VERSIONING "aws_s3_bucket_versioning"
static const word versioning[] = {{"Status", 0, "status", COPY, 0}, {0}};
#define ACCESS "aws_s3_bucket_public_access_block"
static const word access[] = {{"BlockPublicAcls", 0, "block_public_acls", COPY, 0},
                              {"BlockPublicPolicy", 0, "block_public_policy", COPY, 0},
                              {"IgnorePublicAcls", 0, "ignore_public_acls", COPY, 0},
                              {"RestrictPublicBuckets", 0, "restrict_public_buckets", COPY, 0},
                              {0}};
#define OWNERSHIP "aws_s3_bucket_ownership_controls"
static const word owner[] = {{"ObjectOwnership", 0, "object_ownership", COPY, 0}, {0}};
static const word ownership[] = {{"Rules", 0, "rule", COPY, owner}, {0}};
#define ENCRYPTION "aws_s3_bucket_server_side_encryption_configuration"
static const word by_default[] = {{"SSEAlgorithm", 0, "sse_algorithm", COPY, 0},
                                  {"KMSMasterKeyID", 0, "kms_master_key_id", COPY, 0},
                                  {0}};
static const word encryption_rule[] = {{"ServerSideEncryptionByDefault", 0,
                                        "apply_server_side_encryption_by_default", COPY,
                                        by_default},
                                       {"BucketKeyEnabled", 0, "bucket_key_enabled", COPY, 0},
                                       {0}};
static const word encryption[] = {
    {"ServerSideEncryptionConfiguration", 0, "rule", COPY, encryption_rule}, {0}};
#define NOTIFICATION "aws_s3_bucket_notification"
static const word told_queue[] = {{"Queue", 0, "queue_arn", COPY, 0},
                                  {"Event", 0, "events", LISTED, 0},
                                  {"Filter", 0, NULL, FILTER, 0},
                                  {0}};
static const word notification[] = {{"QueueConfigurations", 0, "queue", COPY, told_queue}, {0}};
static const word bucket[] = {
    {"BucketName", 0, "bucket", COPY, 0},
    {"VersioningConfiguration", VERSIONING, "versioning_configuration", COPY, versioning},
    {"PublicAccessBlockConfiguration", ACCESS, NULL, COPY, access},
    {"OwnershipControls", OWNERSHIP, NULL, COPY, ownership},
    {"BucketEncryption", ENCRYPTION, NULL, COPY, encryption},
    {"NotificationConfiguration", NOTIFICATION, NULL, COPY, notification},
    {0}};
static const word bucket_policy[] = {
    {"Bucket", 0, "bucket", COPY, 0}, {"PolicyDocument", 0, "policy", TEXT, 0}, {0}};

static const word key[] = {{"Description", 0, "description", COPY, 0},
                           {"EnableKeyRotation", 0, "enable_key_rotation", COPY, 0},
                           {"KeyPolicy", 0, "policy", TEXT, 0},
                           {0}};
static const word alias[] = {
    {"AliasName", 0, "name", COPY, 0}, {"TargetKeyId", 0, "target_key_id", COPY, 0}, {0}};

static const word topic[] = {{"TopicName", 0, "name", COPY, 0},
                             {"KmsMasterKeyId", 0, "kms_master_key_id", COPY, 0},
                             {"FifoTopic", 0, "fifo_topic", COPY, 0},
                             {0}};
static const word subscription[] = {{"Protocol", 0, "protocol", COPY, 0},
                                    {"TopicArn", 0, "topic_arn", COPY, 0},
                                    {"Endpoint", 0, "endpoint", COPY, 0},
                                    {0}};

static const word queue[] = {{"QueueName", 0, "name", COPY, 0},
                             {"FifoQueue", 0, "fifo_queue", COPY, 0},
                             {"SqsManagedSseEnabled", 0, "sqs_managed_sse_enabled", COPY, 0},
                             {"VisibilityTimeout", 0, "visibility_timeout_seconds", COPY, 0},
                             {"MessageRetentionPeriod", 0, "message_retention_seconds", COPY, 0},
                             {"RedrivePolicy", 0, "redrive_policy", TEXT, 0},
                             {0}};
static const word queue_policy[] = {
    {"Queues", 0, "queue_url", FIRST, 0}, {"PolicyDocument", 0, "policy", TEXT, 0}, {0}};

static const word attribute[] = {
    {"AttributeName", 0, "name", COPY, 0}, {"AttributeType", 0, "type", COPY, 0}, {0}};
static const word capacity[] = {{"ReadCapacityUnits", 0, "read_capacity", COPY, 0},
                                {"WriteCapacityUnits", 0, "write_capacity", COPY, 0},
                                {0}};
static const word recovery[] = {{"PointInTimeRecoveryEnabled", 0, "enabled", COPY, 0}, {0}};
static const word at_rest[] = {{"SSEEnabled", 0, "enabled", COPY, 0}, {0}};
static const word ttl[] = {
    {"AttributeName", 0, "attribute_name", COPY, 0}, {"Enabled", 0, "enabled", COPY, 0}, {0}};
static const word table[] = {
    {"TableName", 0, "name", COPY, 0},
    {"AttributeDefinitions", 0, "attribute", COPY, attribute},
    {"KeySchema", 0, NULL, KEYS, 0},
    {"BillingMode", 0, "billing_mode", COPY, 0},
    {"ProvisionedThroughput", 0, NULL, COPY, capacity},
    {"PointInTimeRecoverySpecification", 0, "point_in_time_recovery", COPY, recovery},
    {"SSESpecification", 0, "server_side_encryption", COPY, at_rest},
    {"TimeToLiveSpecification", 0, "ttl", COPY, ttl},
    {"StreamSpecification", 0, NULL, STREAM, 0},
    {0}};

static const word group[] = {{"LogGroupName", 0, "name", COPY, 0},
                             {"RetentionInDays", 0, "retention_in_days", COPY, 0},
                             {0}};

static const word role_policy[] = {
    {"PolicyName", 0, "name", COPY, 0}, {"PolicyDocument", 0, "policy", TEXT, 0}, {0}};
static const word role[] = {{"RoleName", 0, "name", COPY, 0},
                            {"Description", 0, "description", COPY, 0},
                            {"AssumeRolePolicyDocument", 0, "assume_role_policy", TEXT, 0},
                            {"Policies", "aws_iam_role_policy", NULL, COPY, role_policy},
                            {0}};
static const word policy[] = {{"ManagedPolicyName", 0, "name", COPY, 0},
                              {"Description", 0, "description", COPY, 0},
                              {"PolicyDocument", 0, "policy", TEXT, 0},
                              {0}};

static const word code[] = {
    {"S3Bucket", 0, "s3_bucket", COPY, 0}, {"S3Key", 0, "s3_key", COPY, 0}, {0}};
static const word variables[] = {{"Variables", 0, "variables", COPY, 0}, {0}};
static const word function[] = {{"FunctionName", 0, "function_name", COPY, 0},
                                {"Description", 0, "description", COPY, 0},
                                {"Runtime", 0, "runtime", COPY, 0},
                                {"Architectures", 0, "architectures", COPY, 0},
                                {"Handler", 0, "handler", COPY, 0},
                                {"Code", 0, NULL, COPY, code},
                                {"MemorySize", 0, "memory_size", COPY, 0},
                                {"Timeout", 0, "timeout", COPY, 0},
                                {"Role", 0, "role", COPY, 0},
                                {"Environment", 0, "environment", COPY, variables},
                                {0}};
static const word event_source[] = {
    {"FunctionName", 0, "function_name", COPY, 0},
    {"EventSourceArn", 0, "event_source_arn", COPY, 0},
    {"FunctionResponseTypes", 0, "function_response_types", COPY, 0},
    {0}};
static const word window[] = {{"Mode", 0, "mode", COPY, 0},
                              {"MaximumWindowInMinutes", 0, "maximum_window_in_minutes", COPY, 0},
                              {0}};
static const word target[] = {{"Arn", 0, "arn", COPY, 0},
                              {"RoleArn", 0, "role_arn", COPY, 0},
                              {"Input", 0, "input", COPY, 0},
                              {0}};
static const word schedule[] = {
    {"Name", 0, "name", COPY, 0},
    {"ScheduleExpression", 0, "schedule_expression", COPY, 0},
    {"ScheduleExpressionTimezone", 0, "schedule_expression_timezone", COPY, 0},
    {"FlexibleTimeWindow", 0, "flexible_time_window", COPY, window},
    {"Target", 0, "target", COPY, target},
    {0}};

static const word api[] = {
    {"Name", 0, "name", COPY, 0}, {"ProtocolType", 0, "protocol_type", COPY, 0}, {0}};
static const word integration[] = {{"ApiId", 0, "api_id", COPY, 0},
                                   {"IntegrationType", 0, "integration_type", COPY, 0},
                                   {"IntegrationUri", 0, "integration_uri", COPY, 0},
                                   {"PayloadFormatVersion", 0, "payload_format_version", COPY, 0},
                                   {"TimeoutInMillis", 0, "timeout_milliseconds", COPY, 0},
                                   {0}};
static const word route[] = {{"ApiId", 0, "api_id", COPY, 0},
                             {"RouteKey", 0, "route_key", COPY, 0},
                             {"Target", 0, "target", COPY, 0},
                             {0}};
static const word stage[] = {{"ApiId", 0, "api_id", COPY, 0},
                             {"StageName", 0, "name", COPY, 0},
                             {"AutoDeploy", 0, "auto_deploy", COPY, 0},
                             {"RouteSettings", 0, "route_settings", ROUTES, 0},
                             {0}};
static const word permission[] = {{"FunctionName", 0, "function_name", COPY, 0},
                                  {"Action", 0, "action", COPY, 0},
                                  {"Principal", 0, "principal", COPY, 0},
                                  {"SourceArn", 0, "source_arn", COPY, 0},
                                  {0}};

static const kind kinds[] = {
    {"AWS::S3::Bucket", "aws_s3_bucket", "bucket", bucket},
    {"AWS::S3::BucketPolicy", "aws_s3_bucket_policy", NULL, bucket_policy},
    {"AWS::KMS::Key", "aws_kms_key", NULL, key},
    {"AWS::KMS::Alias", "aws_kms_alias", NULL, alias},
    {"AWS::SNS::Topic", "aws_sns_topic", NULL, topic},
    {"AWS::SNS::Subscription", "aws_sns_topic_subscription", NULL, subscription},
    {"AWS::SQS::Queue", "aws_sqs_queue", NULL, queue},
    {"AWS::SQS::QueuePolicy", "aws_sqs_queue_policy", NULL, queue_policy},
    {"AWS::DynamoDB::Table", "aws_dynamodb_table", NULL, table},
    {"AWS::Logs::LogGroup", "aws_cloudwatch_log_group", NULL, group},
    {"AWS::IAM::Role", "aws_iam_role", "role", role},
    {"AWS::IAM::ManagedPolicy", "aws_iam_policy", NULL, policy},
    {"AWS::Lambda::Function", "aws_lambda_function", NULL, function},
    {"AWS::Lambda::EventSourceMapping", "aws_lambda_event_source_mapping", NULL, event_source},
    {"AWS::Lambda::Permission", "aws_lambda_permission", NULL, permission},
    {"AWS::Scheduler::Schedule", "aws_scheduler_schedule", NULL, schedule},
    {"AWS::ApiGatewayV2::Api", "aws_apigatewayv2_api", NULL, api},
    {"AWS::ApiGatewayV2::Integration", "aws_apigatewayv2_integration", NULL, integration},
    {"AWS::ApiGatewayV2::Route", "aws_apigatewayv2_route", NULL, route},
    {"AWS::ApiGatewayV2::Stage", "aws_apigatewayv2_stage", NULL, stage},
    {0}};

static const kind *kind_of(const char *type) {
  const kind *k = kinds;
  while (k->name && strcmp(k->name, type) != 0)
    k++;
  return k;
}

// --- texts ---------------------------------------------------------------------------------------

static const char *type_of_id(const wh_stack *stack, wh_str id) {
  return kind_of(wh_stack_by_id(stack, id)->type)->type;
}

static void add_variable(const wh_stack *stack, wh_buf *out, wh_str name) {
  char first = name.data[0];
  wh_str rest = wh_str_sub(name, 1, name.len);
  if (wh_str_is(name, "account"))
    wh_buf_add_c(out, "${data.aws_caller_identity.current.account_id}");
  else if (wh_str_is(name, "region"))
    wh_buf_add_c(out, "${data.aws_region.current.id}");
  else if (wh_str_is(name, "partition"))
    wh_buf_add_c(out, "${data.aws_partition.current.partition}");
  else if (first == WH_STACK_IS_PARAMETER)
    wh_buf_printf(out, "${var.%.*s}", WH_STR_ARG(rest));
  else if (first == WH_STACK_IS_REF)
    wh_buf_printf(out, "${%s.%.*s.id}", type_of_id(stack, rest), WH_STR_ARG(rest));
  else
    wh_buf_printf(out, "${%s.%.*s.arn}", type_of_id(stack, name), WH_STR_ARG(name));
}

// "${" and "%{" begin a template; doubled they are themselves.
static void add_literal(wh_buf *out, wh_str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    bool opens = (c == '$' || c == '%') && i + 1 < text.len && text.data[i + 1] == '{';
    if (opens) wh_buf_add_char(out, c);
    wh_buf_add_char(out, c);
  }
}

static json_t *encode_text(const wh_stack *stack, wh_str text) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, stack->arena->mem, 0);
  wh_str piece;
  bool is_variable;
  while (wh_stack_next(&text, &piece, &is_variable)) {
    if (is_variable)
      add_variable(stack, &out, piece);
    else
      add_literal(&out, piece);
  }
  return out.failed ? NULL : json_stringn(out.data ? out.data : "", out.len);
}

static json_t *encode(const wh_stack *stack, const json_t *tree) {
  return wh_stack_encode(stack, tree, encode_text);
}

// Encoded first: the quotes around a text are JSON's, and what is inside them the template's.
static json_t *as_text(const wh_stack *stack, const json_t *tree) {
  json_t *encoded = encode(stack, tree);
  char *text = encoded ? json_dumps(encoded, JSON_COMPACT) : NULL;
  json_t *made = text ? json_string(text) : NULL;
  free(text);
  json_decref(encoded);
  return made;
}

// --- resources -----------------------------------------------------------------------------------

// The resource of that type with the id, which is made when it is not there.
static json_t *resource(writing *w, const char *type, bool *ret_is_new) {
  json_t *all = json_object_get(w->resources, type);
  if (!all) {
    all = json_object();
    if (json_object_set_new(w->resources, type, all) != 0) return NULL;
  }
  json_t *one = json_object_getn(all, w->of->id.data, w->of->id.len);
  *ret_is_new = !one;
  if (one) return one;
  one = json_object();
  return json_object_setn_new(all, w->of->id.data, w->of->id.len, one) == 0 ? one : NULL;
}

// Another resource of the same thing names its main one.
static json_t *side(writing *w, const char *type) {
  bool is_new;
  json_t *one = resource(w, type, &is_new);
  if (!one || !is_new) return one;
  wh_str ref = wh_stack_ref(w->stack, w->of);
  json_t *link = ref.data ? encode_text(w->stack, ref) : NULL;
  return json_object_set_new(one, kind_of(w->of->type)->link, link) == 0 ? one : NULL;
}

static bool add_stream(const json_t *stream, json_t *out) {
  return json_object_set_new(out, "stream_enabled", json_true()) == 0 &&
         json_object_set(out, "stream_view_type", json_object_get(stream, "StreamViewType")) == 0;
}

static bool add_keys(const json_t *schema, json_t *out) {
  size_t i;
  json_t *item;
  bool ok = true;
  json_array_foreach(schema, i, item) {
    bool is_hash = wh_str_is(wh_json_text(item, "KeyType"), "HASH");
    ok = ok && json_object_set(out, is_hash ? "hash_key" : "range_key",
                               json_object_get(item, "AttributeName")) == 0;
  }
  return ok;
}

static bool add_filter(const writing *w, const json_t *filter, json_t *out) {
  const json_t *rules = json_object_get(json_object_get(filter, "S3Key"), "Rules");
  size_t i;
  json_t *rule;
  bool ok = true;
  json_array_foreach(rules, i, rule) {
    bool is_prefix = wh_str_is(wh_json_text(rule, "Name"), "prefix");
    ok = ok && json_object_set_new(out, is_prefix ? "filter_prefix" : "filter_suffix",
                                   encode(w->stack, json_object_get(rule, "Value"))) == 0;
  }
  return ok;
}

static bool add_routes(const json_t *settings, json_t *out) {
  const char *route_key;
  json_t *limits, *list = json_array();
  bool ok = json_object_set_new(out, "route_settings", list) == 0;
  json_object_foreach((json_t *)settings, route_key, limits) ok =
      ok &&
      json_array_append_new(
          list, json_pack("{s:s,s:O,s:O}", "route_key", route_key, "throttling_burst_limit",
                          json_object_get(limits, "ThrottlingBurstLimit"), "throttling_rate_limit",
                          json_object_get(limits, "ThrottlingRateLimit"))) == 0;
  return ok;
}

static json_t *translate_text(const writing *w, how as, const json_t *value) {
  if (as == TEXT) return as_text(w->stack, value);
  if (as == FIRST) return encode(w->stack, json_array_get(value, 0));
  json_t *encoded = encode(w->stack, value);
  return as == LISTED ? json_pack("[o]", encoded) : encoded;
}

static wh_status translate(writing *w, const word *words, const json_t *from, json_t *out);

static wh_status translate_list(writing *w, const word *as, const json_t *list, json_t *out) {
  json_t *made = NULL;
  size_t i;
  json_t *item;
  if (as->to) {
    made = json_array();
    if (json_object_set_new(out, as->to, made) != 0) return wh_fail_memory(w->err);
  }
  json_array_foreach(list, i, item) {
    json_t *one = out;
    if (made) {
      one = json_object();
      if (json_array_append_new(made, one) != 0) return wh_fail_memory(w->err);
    }
    WH_TRY(translate(w, as->inside, item, one));
  }
  return WH_OK;
}

static wh_status translate_map(writing *w, const word *as, const json_t *map, json_t *out) {
  json_t *one = out;
  if (as->to) {
    one = json_object();
    if (json_object_set_new(out, as->to, one) != 0) return wh_fail_memory(w->err);
  }
  return translate(w, as->inside, map, one);
}

static wh_status translate_one(writing *w, const word *as, const json_t *value, json_t *out) {
  bool ok;
  if (as->inside)
    return json_is_array(value) ? translate_list(w, as, value, out)
                                : translate_map(w, as, value, out);
  if (as->how == KEYS)
    ok = add_keys(value, out);
  else if (as->how == FILTER)
    ok = add_filter(w, value, out);
  else if (as->how == ROUTES)
    ok = add_routes(value, out);
  else if (as->how == STREAM)
    ok = add_stream(value, out);
  else
    ok = json_object_set_new(out, as->to, translate_text(w, as->how, value)) == 0;
  return ok ? WH_OK : wh_fail_memory(w->err);
}

static wh_status translate(writing *w, const word *words, const json_t *from, json_t *out) {
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)from, name, value) {
    const word *as = words;
    while (as->name && strcmp(as->name, name) != 0)
      as++;
    if (!as->name)
      return wh_fail(w->err, WH_ERR_BUG, "no word of Terraform's for %s: %s", w->of->type, name);
    json_t *into = as->type ? side(w, as->type) : out;
    if (!into) return wh_fail_memory(w->err);
    WH_TRY(translate_one(w, as, value, into));
  }
  return WH_OK;
}

// --- what they wait for --------------------------------------------------------------------------

// Everything that was made of a resource is waited for.
static bool add_depends_on(writing *w, const wh_stack_resource *on, json_t *list) {
  const char *type;
  json_t *all;
  bool ok = true;
  json_object_foreach(w->resources, type, all) {
    if (!json_object_getn(all, on->id.data, on->id.len)) continue;
    ok = ok && json_array_append_new(list, json_sprintf("%s.%.*s", type, WH_STR_ARG(on->id))) == 0;
  }
  return ok;
}

// Of a bucket what waits is what it tells others.
static bool add_depends(writing *w, const wh_stack_resource *r) {
  const char *type =
      strcmp(r->type, "AWS::S3::Bucket") == 0 ? NOTIFICATION : kind_of(r->type)->type;
  json_t *one = json_object_getn(json_object_get(w->resources, type), r->id.data, r->id.len);
  if (!one || r->depend_count == 0) return true;
  json_t *list = json_array();
  bool ok = json_object_set_new(one, "depends_on", list) == 0;
  for (size_t i = 0; ok && i < r->depend_count; i++)
    ok = add_depends_on(w, r->depends[i], list);
  return ok;
}

// --- the configuration ---------------------------------------------------------------------------

static wh_status add_resource(writing *w, const wh_stack_resource *r) {
  bool is_new;
  w->of = r;
  json_t *one = resource(w, kind_of(r->type)->type, &is_new);
  if (!one) return wh_fail_memory(w->err);
  WH_TRY(translate(w, kind_of(r->type)->words, r->properties, one));
  if (!r->keeps) return WH_OK;
  json_t *stays = json_pack("{s:b}", "prevent_destroy", true);
  return json_object_set_new(one, "lifecycle", stays) == 0 ? WH_OK : wh_fail_memory(w->err);
}

static bool add_variables(const wh_stack *stack, json_t *root) {
  if (!stack->parameters) return true;
  json_t *all = json_object();
  bool ok = json_object_set_new(root, "variable", all) == 0;
  for (const wh_stack_parameter *p = stack->parameters; ok && p; p = p->next) {
    json_t *one =
        json_pack("{s:s,s:s%}", "type", "string", "description", p->help.data, p->help.len);
    ok = json_object_setn_new(all, p->name.data, p->name.len, one) == 0 &&
         (!p->hides || json_object_set_new(one, "sensitive", json_true()) == 0);
  }
  return ok;
}

// What is said to people stands under "//", which Terraform passes over.
static json_t *begin(const wh_stack *stack) {
  json_t *said = json_array();
  json_t *root = json_pack("{s:o,s:{s:{s:{s:s,s:s}}},s:{s:{s:{}},s:{s:{}},s:{s:{}}}}", "//", said,
                           "terraform", "required_providers", "aws", "source", "hashicorp/aws",
                           "version", ">= 5.0, < 7.0", "data", "aws_caller_identity", "current",
                           "aws_partition", "current", "aws_region", "current");
  bool ok = root && json_array_append_new(
                        said, json_stringn(stack->description.data, stack->description.len)) == 0;
  for (const wh_stack_text *t = stack->before; ok && t; t = t->next)
    ok = json_array_append_new(said, json_stringn(t->text.data, t->text.len)) == 0;
  if (ok && add_variables(stack, root)) return root;
  json_decref(root);
  return NULL;
}

wh_status wh_stack_write_terraform(const wh_stack *stack, bool lines, wh_buf *out, wh_error *err) {
  WH_CLEAN_JSON json_t *root = begin(stack);
  writing w = {.stack = stack, .resources = json_object(), .err = err};
  if (!root || json_object_set_new(root, "resource", w.resources) != 0) return wh_fail_memory(err);
  for (const wh_stack_resource *r = stack->resources; r; r = r->next)
    WH_TRY(add_resource(&w, r));
  for (const wh_stack_resource *r = stack->resources; r; r = r->next)
    if (!add_depends(&w, r)) return wh_fail_memory(err);
  return wh_stack_write_json(root, lines, out, err);
}
