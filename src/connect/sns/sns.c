#include "connect/sns/sns.h"

#include "net/uri.h"
#include "net/xml.h"

#define EXAMPLE "arn:aws:sns:eu-west-1:123456789012:alerts"

static const wh_option sns_options[] = {
    {.name = "topic",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_sns_options, topic),
     .required = true,
     .help = "ARN of the topic"},
    WH_AWS_PLACE_OPTIONS(wh_sns_options),
    {0},
};

static wh_status parse_name(const wh_sns_options *o, wh_aws_name *ret, wh_error *err) {
  wh_status status = wh_aws_name_parse(o->topic, "sns", false, EXAMPLE, ret, err);
  if (status != WH_OK) wh_error_prefix(err, "topic: ");
  return status;
}

static wh_status sns_check(const void *options, wh_error *err) {
  wh_aws_name name;
  return parse_name(options, &name, err);
}

static wh_status sns_open(wh_connection *c, wh_error *err) {
  const wh_sns_options *o = c->options;
  wh_aws_name name;
  WH_TRY(parse_name(o, &name, err));
  wh_sns *s = wh_mem_alloc_zero(c->mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->is_fifo = wh_str_ends(name.name, ".fifo");
  wh_status status = wh_aws_place_open(c, &o->place, &name, "sns", &s->aws, err);
  if (status == WH_OK)
    c->own = s;
  else
    wh_mem_free(c->mem, s, sizeof *s);
  return status;
}

static void sns_close(wh_connection *c) {
  wh_sns *s = c->own;
  wh_aws_free(s->aws);
  wh_mem_free(c->mem, s, sizeof *s);
  c->own = NULL;
}

static wh_status sns_permits(const wh_connection *c, const wh_use *use, wh_iam_policy *policy,
                             wh_error *err) {
  static const char *const publish[] = {"sns:Publish", NULL};
  const wh_sns_options *o = c->options;
  wh_iam_permit permit = {
      .place = c->name, .what = "Publish", .actions = publish, .resource = o->topic};
  return use->kind == WH_USE_TELL ? wh_iam_allow(policy, &permit, err) : WH_OK;
}

static wh_status sns_cloud(const wh_connection *c, wh_arena *arena, wh_cloud_place *ret,
                           wh_error *err) {
  (void)arena;
  const wh_sns_options *o = c->options;
  wh_aws_name name;
  WH_TRY(parse_name(o, &name, err));
  *ret = (wh_cloud_place){.kind = WH_CLOUD_TOPIC,
                          .endpoint = o->place.endpoint,
                          .region = name.region,
                          .account = name.account,
                          .name = name.name};
  return WH_OK;
}

// --- requests ------------------------------------------------------------------------------------

static void begin_form(const wh_connection *c, const char *action, wh_buf *form) {
  const wh_sns_options *o = c->options;
  wh_uri_add_param(form, "Action", wh_str_of(action));
  wh_uri_add_param(form, "Version", WH_STR("2010-03-31"));
  wh_uri_add_param(form, "TopicArn", o->topic);
}

static wh_status post(wh_connection *c, const wh_buf *form, wh_arena *arena, wh_str *ret,
                      wh_error *err) {
  const wh_sns *s = c->own;
  WH_TRY(wh_buf_check(form, err));
  wh_str body = wh_buf_str(form);
  wh_http_header headers[WH_AWS_FORM_HEADERS];
  wh_aws_request request = wh_aws_form(headers, &body);
  request.total_us = WH_SNS_SEND_US;
  request.attempts = WH_SNS_SEND_ATTEMPTS;
  return wh_aws_place_call(c, s->aws, &request, arena, ret, err);
}

static void add_attribute(wh_buf *form, int number, const char *name, wh_str value) {
  char words[3][64];
  snprintf(words[0], sizeof words[0], "MessageAttributes.entry.%d.Name", number);
  snprintf(words[1], sizeof words[1], "MessageAttributes.entry.%d.Value.DataType", number);
  snprintf(words[2], sizeof words[2], "MessageAttributes.entry.%d.Value.StringValue", number);
  wh_uri_add_param(form, words[0], wh_str_of(name));
  wh_uri_add_param(form, words[1], WH_STR("String"));
  wh_uri_add_param(form, words[2], value);
}

static wh_status sns_send(wh_connection *c, const wh_notice *n, wh_error *err) {
  const wh_sns *s = c->own;
  WH_CLEAN_BUF wh_buf form;
  wh_buf_init(&form, c->mem, 0);
  begin_form(c, "Publish", &form);
  wh_uri_add_param(&form, "Message", n->body);
  add_attribute(&form, 1, "pipeline", n->pipeline);
  add_attribute(&form, 2, "status", n->status);
  if (s->is_fifo) {
    wh_uri_add_param(&form, "MessageGroupId", n->group);
    wh_uri_add_param(&form, "MessageDeduplicationId", n->id);
  }
  return post(c, &form, NULL, NULL, err);
}

static const wh_notify_type sns_notify = {.send = sns_send};

// --- looking -------------------------------------------------------------------------------------

typedef struct attributes {
  wh_arena *arena;
  bool is_confirmed; // the key before the value in hand is the one
  wh_str confirmed;
} attributes;

static wh_status take_attribute(void *context, wh_str path, wh_str text, wh_error *err) {
  attributes *a = context;
  if (wh_str_ends(path, "/entry/key")) a->is_confirmed = wh_str_is(text, "SubscriptionsConfirmed");
  if (!a->is_confirmed || !wh_str_ends(path, "/entry/value")) return WH_OK;
  a->confirmed = wh_arena_str(a->arena, text);
  return a->confirmed.data ? WH_OK : wh_fail_memory(err);
}

static wh_status sns_reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  const wh_sns_options *o = c->options;
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf form;
  wh_arena_init(&arena, c->mem);
  wh_buf_init(&form, c->mem, 0);
  begin_form(c, "GetTopicAttributes", &form);
  wh_str answer;
  WH_TRY(post(c, &form, &arena, &answer, err));
  attributes found = {.arena = &arena};
  wh_xml_visitor visitor = {.end = take_attribute, .context = &found};
  wh_status status = wh_xml_read(c->mem, answer, &visitor, err);
  if (status != WH_OK) {
    wh_error_prefix(err, "%.*s: the answer: ", WH_STR_ARG(c->name));
    return status;
  }
  wh_buf_printf(ret_note, "%.*s", WH_STR_ARG(o->topic));
  if (found.confirmed.len)
    wh_buf_printf(ret_note, ": confirmed subscriptions: %.*s", WH_STR_ARG(found.confirmed));
  return wh_buf_check(ret_note, err);
}

const wh_connector wh_connector_sns = {
    .name = "sns",
    .help = "a topic of Amazon SNS that is told of runs",
    .options = sns_options,
    .options_size = sizeof(wh_sns_options),
    .notify = &sns_notify,
    .check = sns_check,
    .open = sns_open,
    .close = sns_close,
    .reach = sns_reach,
    .permits = sns_permits,
    .cloud = sns_cloud,
    .reserve_bytes = WH_SNS_LIBRARY_BYTES,
};
