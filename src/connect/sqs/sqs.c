#include "connect/sqs/sqs.h"

#define EXAMPLE "arn:aws:sqs:eu-west-1:123456789012:uploads"

static const wh_option sqs_options[] = {
    {.name = "queue",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_sqs_options, queue),
     .required = true,
     .help = "URL or ARN of the queue"},
    {.name = "columns",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_sqs_options, columns),
     .shape = "{ name: type } or { name: { type: ..., required: true } }",
     .help = "what its messages hold, each a JSON object: pipelines read them with from: NAME"},
    WH_AWS_PLACE_OPTIONS(wh_sqs_options),
    {0},
};

static wh_status parse_name(const wh_sqs_options *o, wh_aws_name *ret, wh_error *err) {
  wh_status status = wh_aws_name_parse(o->queue, "sqs", true, EXAMPLE, ret, err);
  if (status != WH_OK) wh_error_prefix(err, "queue: ");
  return status;
}

static wh_status sqs_check(const void *options, wh_error *err) {
  wh_aws_name name;
  return parse_name(options, &name, err);
}

static wh_status open(wh_connection *c, wh_sqs *s, wh_error *err) {
  const wh_sqs_options *o = c->options;
  WH_TRY(parse_name(o, &s->name, err));
  WH_TRY(wh_aws_place_open(c, &o->place, &s->name, "sqs", &s->aws, err));
  wh_str endpoint = wh_aws_endpoint_of(s->aws);
  s->url = wh_arena_printf(&s->arena, "%.*s/%.*s/%.*s", WH_STR_ARG(endpoint),
                           WH_STR_ARG(s->name.account), WH_STR_ARG(s->name.name));
  return s->url.data ? WH_OK : wh_fail_memory(err);
}

static void free_shared(wh_connection *c, wh_sqs *s) {
  wh_aws_free(s->aws);
  wh_arena_free(&s->arena);
  wh_mem_free(c->mem, s, sizeof *s);
}

static wh_status sqs_open(wh_connection *c, wh_error *err) {
  wh_sqs *s = wh_mem_alloc_zero(c->mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  wh_arena_init(&s->arena, c->mem);
  wh_status status = open(c, s, err);
  if (status == WH_OK)
    c->own = s;
  else
    free_shared(c, s);
  return status;
}

static void sqs_close(wh_connection *c) {
  free_shared(c, c->own);
  c->own = NULL;
}

static wh_status sqs_reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  const wh_sqs *s = c->own;
  wh_sqs_attributes found;
  WH_TRY(wh_sqs_ask(c, s->url, &arena, &found, err));
  wh_buf_printf(ret_note, "%.*s: about %llu messages wait, %llu are being worked on",
                WH_STR_ARG(s->url), (unsigned long long)found.depth.waiting,
                (unsigned long long)found.depth.hidden);
  if (!found.depth.has_dead) wh_buf_add_c(ret_note, "; it has no dead-letter queue");
  return wh_buf_check(ret_note, err);
}

void wh_sqs_begin(wh_str url, wh_buf *body) {
  wh_buf_add_c(body, "{\"QueueUrl\":");
  wh_buf_add_json(body, url);
}

// To receive takes the attributes, too: how long a message is hidden.
static wh_status sqs_permits(const wh_connection *c, const wh_use *use, wh_iam_policy *policy,
                             wh_error *err) {
  static const char *const receive[] = {"sqs:ChangeMessageVisibility", "sqs:DeleteMessage",
                                        "sqs:GetQueueAttributes", "sqs:ReceiveMessage", NULL};
  static const char *const send[] = {"sqs:SendMessage", NULL};
  const wh_sqs_options *o = c->options;
  bool tells = use->kind == WH_USE_TELL || use->kind == WH_USE_POST;
  wh_iam_permit permit = {
      .place = c->name, .what = tells ? "Send" : "Receive", .actions = tells ? send : receive};
  wh_aws_name name;
  wh_iam_place place;
  if (!tells && use->kind != WH_USE_EVENTS) return WH_OK;
  WH_TRY(parse_name(o, &name, err));
  WH_TRY(wh_aws_place_iam(c, &o->place, &name, "sqs", policy, &place, err));
  WH_TRY(wh_iam_arn(policy, &place, name.account, name.name, &permit.resource, err));
  return wh_iam_allow(policy, &permit, err);
}

static wh_status sqs_cloud(const wh_connection *c, wh_arena *arena, wh_cloud_place *ret,
                           wh_error *err) {
  (void)arena;
  const wh_sqs_options *o = c->options;
  wh_aws_name name;
  WH_TRY(parse_name(o, &name, err));
  *ret = (wh_cloud_place){.kind = WH_CLOUD_QUEUE,
                          .endpoint = o->place.endpoint.len ? o->place.endpoint : name.endpoint,
                          .region = name.region.len ? name.region : o->place.region,
                          .account = name.account,
                          .name = name.name};
  return WH_OK;
}

// --- the connector -------------------------------------------------------------------------------

const wh_connector wh_connector_sqs = {
    .name = "sqs",
    .help = "a queue of Amazon SQS that announces objects, brings rows, takes events, or is told "
            "of runs",
    .options = sqs_options,
    .options_size = sizeof(wh_sqs_options),
    .queue = &wh_sqs_queue,
    .notify = &wh_sqs_notify,
    .post = &wh_sqs_post,
    .check = sqs_check,
    .open = sqs_open,
    .close = sqs_close,
    .reach = sqs_reach,
    .permits = sqs_permits,
    .cloud = sqs_cloud,
    .reserve_bytes = WH_SQS_LIBRARY_BYTES,
};
