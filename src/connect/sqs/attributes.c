// What a queue says of itself.
#include "connect/sqs/sqs.h"

enum { HIDDEN_SECONDS = 30 }; // SQS's own default, where the queue does not say

static uint64_t number(const json_t *attributes, const char *name, uint64_t otherwise) {
  uint64_t value;
  return wh_str_to_u64(wh_json_text(attributes, name), &value) ? value : otherwise;
}

// "{\"deadLetterTargetArn\":\"arn:...\",\"maxReceiveCount\":5}", as text.
static wh_status read_redrive(const wh_sqs *s, wh_str policy, wh_arena *arena,
                              wh_sqs_attributes *ret, wh_error *err) {
  if (!policy.len) return WH_OK;
  WH_CLEAN_JSON json_t *json = NULL;
  WH_TRY(wh_json_load(policy, WH_SQS_ANSWER_BYTES_MAX, "the queue's redrive policy", &json, err));
  wh_aws_name name;
  wh_str arn = wh_json_text(json, "deadLetterTargetArn");
  WH_TRY(wh_aws_name_parse(arn, "sqs", false, "arn:aws:sqs:REGION:ACCOUNT:NAME", &name, err));
  ret->depth.has_dead = true;
  ret->dead_queue = wh_arena_printf(arena, "%.*s/%.*s/%.*s", WH_STR_ARG(wh_aws_endpoint_of(s->aws)),
                                    WH_STR_ARG(name.account), WH_STR_ARG(name.name));
  return ret->dead_queue.data ? WH_OK : wh_fail_memory(err);
}

static wh_status read_answer(const wh_sqs *s, wh_str text, wh_arena *arena, wh_sqs_attributes *ret,
                             wh_error *err) {
  WH_CLEAN_JSON json_t *json = NULL;
  WH_TRY(wh_json_load(text, WH_SQS_ANSWER_BYTES_MAX, "the answer", &json, err));
  const json_t *attributes = json_object_get(json, "Attributes");
  *ret = (wh_sqs_attributes){
      .hidden_seconds = (int64_t)number(attributes, "VisibilityTimeout", HIDDEN_SECONDS),
      .depth = {.waiting = number(attributes, "ApproximateNumberOfMessages", 0) +
                           number(attributes, "ApproximateNumberOfMessagesDelayed", 0),
                .hidden = number(attributes, "ApproximateNumberOfMessagesNotVisible", 0)},
  };
  if (ret->hidden_seconds < 1) ret->hidden_seconds = 1;
  if (ret->hidden_seconds > WH_SQS_HIDDEN_SECONDS_MAX)
    ret->hidden_seconds = WH_SQS_HIDDEN_SECONDS_MAX;
  return read_redrive(s, wh_json_text(attributes, "RedrivePolicy"), arena, ret, err);
}

wh_status wh_sqs_ask(wh_connection *c, wh_str url, wh_arena *arena, wh_sqs_attributes *ret,
                     wh_error *err) {
  const wh_sqs *s = c->own;
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, c->mem, 0);
  wh_sqs_begin(url, &body);
  wh_buf_add_c(&body, ",\"AttributeNames\":[\"All\"]}");
  WH_TRY(wh_buf_check(&body, err));
  wh_str text = wh_buf_str(&body), answer;
  wh_http_header headers[WH_AWS_JSON_HEADERS];
  wh_aws_request request =
      wh_aws_json(WH_STR("AmazonSQS.GetQueueAttributes"), "1.0", headers, &text);
  WH_TRY(wh_aws_place_call(c, s->aws, &request, arena, &answer, err));
  wh_status status = read_answer(s, answer, arena, ret, err);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  return status;
}

wh_status wh_sqs_depth(wh_connection *c, wh_queue_depth *ret, wh_error *err) {
  const wh_sqs *s = c->own;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_sqs_attributes found, dead;
  WH_TRY(wh_sqs_ask(c, s->url, &arena, &found, err));
  if (found.depth.has_dead) {
    // Somebody else's perhaps, and not for us to see.
    wh_error ignored = {0};
    found.depth.has_dead = wh_sqs_ask(c, found.dead_queue, &arena, &dead, &ignored) == WH_OK;
    if (found.depth.has_dead) found.depth.dead = dead.depth.waiting + dead.depth.hidden;
  }
  *ret = found.depth;
  return WH_OK;
}
