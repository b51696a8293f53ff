// Buckets and their keys, queues and topics: what connections name.
#include "deploy/private.h"

// --- finding them --------------------------------------------------------------------------------

static bool is_listed(const wh_deploy_request *request, wh_str name) {
  for (size_t i = 0; i < request->existing_count; i++)
    if (wh_str_eq(request->existing[i], name)) return true;
  return false;
}

// All that is made has one region and one account.
static wh_status agree(wh_deploy_place *place, const char *what, wh_str said, wh_str *all,
                       wh_error *err) {
  if (said.len == 0 || !place->is_ours || wh_str_eq(said, *all)) return WH_OK;
  if (all->len == 0) {
    *all = said;
    return WH_OK;
  }
  return wh_fail(err, WH_ERR_USAGE,
                 "%.*s is in %s %.*s, and others are in %.*s: a stack has one. Leave out what the "
                 "other has: --existing %.*s",
                 WH_STR_ARG(place->name), what, WH_STR_ARG(said), WH_STR_ARG(*all),
                 WH_STR_ARG(place->name));
}

static wh_status take(wh_deploy *d, wh_str name, const wh_connection *c,
                      const wh_connection_info *info, wh_error *err) {
  wh_deploy_place *place = &d->places[d->place_count];
  *place = (wh_deploy_place){.connection = info, .name = name};
  WH_TRY(c->type->cloud(c, d->arena, &place->cloud, err));
  if (place->cloud.endpoint.len)
    return wh_stack_note(d->stack, err, "%.*s is not AWS's, but at %.*s: not in the stack",
                         WH_STR_ARG(name), WH_STR_ARG(place->cloud.endpoint));
  d->place_count++;
  place->is_ours = !is_listed(d->request, name);
  WH_TRY(agree(place, "region", place->cloud.region, &d->region, err));
  return agree(place, "account", place->cloud.account, &d->account, err);
}

static wh_status check_listed(const wh_deploy *d, wh_error *err) {
  for (size_t i = 0; i < d->request->existing_count; i++) {
    wh_str name = d->request->existing[i];
    if (wh_str_is(name, "ledger") || wh_config_find_connection(d->config, name)) continue;
    return wh_fail(err, WH_ERR_USAGE, "--existing %.*s: there is no such connection",
                   WH_STR_ARG(name));
  }
  return WH_OK;
}

wh_status wh_deploy_find_places(wh_deploy *d, wh_error *err) {
  size_t count = wh_config_connection_count(d->config);
  const wh_connection *c;
  WH_TRY(check_listed(d, err));
  d->places = WH_NEW_ARRAY(d->arena, count + 1, wh_deploy_place);
  if (!d->places) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    const wh_connection_info *info = wh_config_connection_info(d->config, i);
    if (!info->type->cloud) continue;
    WH_TRY(wh_config_describe(d->config, info->name, &c, err));
    WH_TRY(take(d, info->name, c, info, err));
  }
  WH_TRY(wh_config_describe_ledger(d->config, &c, err));
  return c && c->type->cloud ? take(d, WH_STR("ledger"), c, NULL, err) : WH_OK;
}

wh_deploy_place *wh_deploy_place_of(const wh_deploy *d, wh_str connection) {
  for (size_t i = 0; i < d->place_count; i++)
    if (d->places[i].connection && wh_str_eq(d->places[i].name, connection)) return &d->places[i];
  return NULL;
}

static wh_str region_of(const wh_deploy *d, const wh_deploy_place *place) {
  bool is_here = !place->cloud.region.len || wh_str_eq(place->cloud.region, d->region);
  return is_here ? WH_STR(WH_STACK_REGION) : place->cloud.region;
}

wh_str wh_deploy_place_arn(const wh_deploy *d, const wh_deploy_place *place) {
  const wh_cloud_place *c = &place->cloud;
  if (place->resource && c->kind != WH_CLOUD_BUCKET) return wh_stack_arn(d->stack, place->resource);
  if (c->kind == WH_CLOUD_BUCKET) // by its name: what waits for it may have to be there before it
    return wh_arena_printf(d->arena, WH_STACK_ARN("s3:::%.*s"), WH_STR_ARG(c->name));
  bool is_here = !c->account.len || wh_str_eq(c->account, d->account);
  wh_str account = is_here ? WH_STR(WH_STACK_ACCOUNT) : c->account, region = region_of(d, place);
  return wh_arena_printf(d->arena, WH_STACK_ARN("%s:%.*s:%.*s:%.*s"),
                         c->kind == WH_CLOUD_QUEUE ? "sqs" : "sns", WH_STR_ARG(region),
                         WH_STR_ARG(account), WH_STR_ARG(c->name));
}

// --- keys ----------------------------------------------------------------------------------------

// IAM decides, as the account says; without this nobody could ever change the key again.
static json_t *key_policy(void) {
  return json_pack("{s:s,s:[{s:s,s:s,s:{s:s},s:s,s:s}]}", "Version", "2012-10-17", "Statement",
                   "Sid", "AccountDecides", "Effect", "Allow", "Principal", "AWS",
                   WH_STACK_ARN("iam::" WH_STACK_ACCOUNT ":root"), "Action", "kms:*", "Resource",
                   "*");
}

static wh_status add_key(wh_deploy *d, wh_str alias, const wh_deploy_place *place,
                         wh_stack_resource **ret, wh_error *err) {
  wh_str name = wh_str_sub(alias, strlen("alias/"), alias.len);
  wh_str help = wh_arena_printf(d->arena, "Objects of %.*s", WH_STR_ARG(place->cloud.name));
  if (!help.data) return wh_fail_memory(err);
  WH_TRY(wh_stack_add(d->stack, "AWS::KMS::Key", name, "Key",
                      json_pack("{s:s%,s:b,s:o}", "Description", help.data, help.len,
                                "EnableKeyRotation", true, "KeyPolicy", key_policy()),
                      ret, err));
  (*ret)->keeps = true;
  wh_str id = wh_stack_ref(d->stack, *ret);
  if (!id.data) return wh_fail_memory(err);
  return wh_stack_add(
      d->stack, "AWS::KMS::Alias", name, "Alias",
      json_pack("{s:s%,s:s%}", "AliasName", alias.data, alias.len, "TargetKeyId", id.data, id.len),
      NULL, err);
}

// An alias's key is made once, whoever uses it. A key that only has an id is there, and so is one
// whose ARN somebody knows; those of "alias/aws/" AWS makes.
static wh_status find_key(wh_deploy *d, const wh_deploy_place *place, wh_str *ret, wh_error *err) {
  wh_str alias = *ret = place->cloud.key;
  if (wh_str_starts(alias, "alias/aws/")) return WH_OK;
  if (!wh_str_starts(alias, "alias/"))
    return wh_stack_before(d->stack, err, "The key %.*s of KMS is there.", WH_STR_ARG(alias));
  const wh_stack_resource *made = wh_stack_find(d->stack, "AWS::KMS::Alias", "AliasName", alias);
  wh_stack_resource *key = NULL;
  for (wh_stack_resource *r = d->stack->resources; made && r && !key; r = r->next)
    if (wh_str_eq(wh_stack_ref(d->stack, r), wh_json_text(made->properties, "TargetKeyId")))
      key = r;
  if (!key) WH_TRY(add_key(d, alias, place, &key, err));
  *ret = wh_stack_arn(d->stack, key);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

// --- buckets -------------------------------------------------------------------------------------

static json_t *encryption_of(const wh_cloud_place *c, wh_str key) {
  bool is_kms = c->encryption == WH_CLOUD_KMS;
  json_t *how = json_pack("{s:s}", "SSEAlgorithm", is_kms ? "aws:kms" : "AES256");
  if (how && is_kms && key.len)
    json_object_set_new(how, "KMSMasterKeyID", json_stringn(key.data, key.len));
  return json_pack("{s:[{s:o,s:b}]}", "ServerSideEncryptionConfiguration",
                   "ServerSideEncryptionByDefault", how, "BucketKeyEnabled", is_kms);
}

static json_t *bucket_of(const wh_cloud_place *c, wh_str key) {
  return json_pack("{s:s%,s:{s:s},s:{s:b,s:b,s:b,s:b},s:{s:[{s:s}]},s:o}", "BucketName",
                   c->name.data, c->name.len, "VersioningConfiguration", "Status", "Enabled",
                   "PublicAccessBlockConfiguration", "BlockPublicAcls", true, "BlockPublicPolicy",
                   true, "IgnorePublicAcls", true, "RestrictPublicBuckets", true,
                   "OwnershipControls", "Rules", "ObjectOwnership", "BucketOwnerEnforced",
                   "BucketEncryption", encryption_of(c, key));
}

static wh_status add_tls_only(wh_deploy *d, const wh_deploy_place *place, wh_error *err) {
  wh_str bucket = wh_stack_ref(d->stack, place->resource);
  wh_str arn = wh_deploy_place_arn(d, place);
  wh_str objects = wh_arena_printf(d->arena, "%.*s/*", WH_STR_ARG(arn));
  if (!bucket.data || !arn.data || !objects.data) return wh_fail_memory(err);
  json_t *document = json_pack(
      "{s:s,s:[{s:s,s:s,s:s,s:s,s:[s%,s%],s:{s:{s:s}}}]}", "Version", "2012-10-17", "Statement",
      "Sid", "TlsOnly", "Effect", "Deny", "Principal", "*", "Action", "s3:*", "Resource", arn.data,
      arn.len, objects.data, objects.len, "Condition", "Bool", "aws:SecureTransport", "false");
  return wh_stack_add(
      d->stack, "AWS::S3::BucketPolicy", place->name, "BucketPolicy",
      json_pack("{s:s%,s:o}", "Bucket", bucket.data, bucket.len, "PolicyDocument", document), NULL,
      err);
}

static wh_status add_bucket(wh_deploy *d, wh_deploy_place *place, wh_error *err) {
  wh_str key = {0};
  place->resource = wh_stack_find(d->stack, "AWS::S3::Bucket", "BucketName", place->cloud.name);
  if (place->resource) return WH_OK; // another connection's, with another prefix
  if (place->cloud.key.len) WH_TRY(find_key(d, place, &key, err));
  WH_TRY(wh_stack_add(d->stack, "AWS::S3::Bucket", place->name, "Bucket",
                      bucket_of(&place->cloud, key), &place->resource, err));
  place->resource->keeps = true;
  return add_tls_only(d, place, err);
}

// --- queues and topics ---------------------------------------------------------------------------

static json_t *queue_of(wh_str name) {
  json_t *queue =
      json_pack("{s:s%,s:b}", "QueueName", name.data, name.len, "SqsManagedSseEnabled", true);
  if (queue && wh_str_ends(name, ".fifo")) json_object_set_new(queue, "FifoQueue", json_true());
  return queue;
}

// "orders.fifo" and "orders-dead.fifo".
static wh_str dead_name_of(wh_arena *arena, wh_str name) {
  bool is_fifo = wh_str_ends(name, ".fifo");
  wh_str stem = wh_str_sub(name, 0, name.len - (is_fifo ? strlen(".fifo") : 0));
  return wh_arena_printf(arena, "%.*s-dead%s", WH_STR_ARG(stem), is_fifo ? ".fifo" : "");
}

wh_status wh_deploy_add_queue(wh_deploy *d, wh_str base, wh_str name, int64_t hidden_seconds,
                              int64_t attempts, wh_stack_resource **ret, wh_error *err) {
  wh_stack_resource *dead;
  wh_str dead_name = dead_name_of(d->arena, name);
  if (!dead_name.data) return wh_fail_memory(err);
  json_t *letters = queue_of(dead_name);
  if (letters)
    json_object_set_new(letters, "MessageRetentionPeriod", json_integer(WH_DEPLOY_DEAD_SECONDS));
  WH_TRY(wh_stack_add(d->stack, "AWS::SQS::Queue", base, "DeadLetters", letters, &dead, err));
  wh_str target = wh_stack_arn(d->stack, dead);
  json_t *queue = queue_of(name);
  if (target.data && queue) {
    json_object_set_new(queue, "MessageRetentionPeriod", json_integer(WH_DEPLOY_MESSAGE_SECONDS));
    json_object_set_new(queue, "VisibilityTimeout", json_integer(hidden_seconds));
    json_object_set_new(queue, "RedrivePolicy",
                        json_pack("{s:s%,s:I}", "deadLetterTargetArn", target.data, target.len,
                                  "maxReceiveCount", (json_int_t)attempts));
  }
  return wh_stack_add(d->stack, "AWS::SQS::Queue", base, "Queue", queue, ret, err);
}

// A message is given as often as the most patient pipeline tries.
static wh_status add_queue(wh_deploy *d, wh_deploy_place *place, wh_error *err) {
  int64_t attempts = 0;
  bool by_function = false;
  place->resource = wh_stack_find(d->stack, "AWS::SQS::Queue", "QueueName", place->cloud.name);
  if (place->resource) return WH_OK;
  for (size_t i = 0; i < d->config->pipeline_count; i++) {
    const wh_pipeline *p = &d->config->pipelines[i];
    if (!wh_str_eq(p->when.queue, place->name)) continue;
    if (p->attempts > attempts) attempts = p->attempts;
    by_function = by_function || d->seats[i].is_function;
  }
  return wh_deploy_add_queue(d, place->name, place->cloud.name,
                             by_function ? WH_DEPLOY_FUNCTION_HIDDEN_SECONDS
                                         : WH_DEPLOY_HIDDEN_SECONDS,
                             attempts ? attempts : WH_DEPLOY_ATTEMPTS, &place->resource, err);
}

static wh_status add_topic(wh_deploy *d, wh_deploy_place *place, wh_error *err) {
  wh_str name = place->cloud.name;
  place->resource = wh_stack_find(d->stack, "AWS::SNS::Topic", "TopicName", name);
  if (place->resource) return WH_OK;
  json_t *topic =
      json_pack("{s:s%,s:s}", "TopicName", name.data, name.len, "KmsMasterKeyId", "alias/aws/sns");
  if (topic && wh_str_ends(name, ".fifo")) json_object_set_new(topic, "FifoTopic", json_true());
  return wh_stack_add(d->stack, "AWS::SNS::Topic", place->name, "Topic", topic, &place->resource,
                      err);
}

// --- all of them ---------------------------------------------------------------------------------

static wh_status add_log(wh_deploy *d, wh_error *err) {
  const wh_log_place *log = &d->config->log;
  if (log->to != WH_LOG_CLOUDWATCH || log->endpoint.len) return WH_OK;
  if (log->region.len && d->region.len && !wh_str_eq(log->region, d->region))
    return wh_stack_note(d->stack, err, "the log is in %.*s: its group is not in the stack",
                         WH_STR_ARG(log->region));
  return wh_stack_add(d->stack, "AWS::Logs::LogGroup", (wh_str){"", 0}, "LogGroup",
                      json_pack("{s:s%,s:i}", "LogGroupName", log->group.data, log->group.len,
                                "RetentionInDays", (int)WH_DEPLOY_LOG_DAYS),
                      NULL, err);
}

wh_status wh_deploy_add_places(wh_deploy *d, wh_error *err) {
  static wh_status (*const add[])(wh_deploy *, wh_deploy_place *, wh_error *) = {
      [WH_CLOUD_BUCKET] = add_bucket, [WH_CLOUD_QUEUE] = add_queue, [WH_CLOUD_TOPIC] = add_topic};
  for (size_t i = 0; i < d->place_count; i++) {
    wh_deploy_place *place = &d->places[i];
    bool by_tables = place->cloud.kind == WH_CLOUD_TABLES || place->cloud.kind == WH_CLOUD_STREAM;
    if (place->is_ours && !by_tables) WH_TRY(add[place->cloud.kind](d, place, err));
  }
  return add_log(d, err);
}
