// A queue as one that is told of runs.
#include "connect/sqs/sqs.h"

static void add_attribute(wh_buf *body, const char *name, wh_str value) {
  wh_buf_printf(body, "\"%s\":{\"DataType\":\"String\",\"StringValue\":", name);
  wh_buf_add_json(body, value);
  wh_buf_add_char(body, '}');
}

static wh_status sqs_send(wh_connection *c, const wh_notice *n, wh_error *err) {
  const wh_sqs *s = c->own;
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, c->mem, 0);
  wh_sqs_begin(s->url, &body);
  wh_buf_add_c(&body, ",\"MessageBody\":");
  wh_buf_add_json(&body, n->body);
  wh_buf_add_c(&body, ",\"MessageAttributes\":{");
  add_attribute(&body, "pipeline", n->pipeline);
  wh_buf_add_char(&body, ',');
  add_attribute(&body, "status", n->status);
  wh_buf_add_char(&body, '}');
  if (wh_str_ends(s->name.name, ".fifo")) {
    wh_buf_add_c(&body, ",\"MessageGroupId\":");
    wh_buf_add_json(&body, n->group);
    wh_buf_add_c(&body, ",\"MessageDeduplicationId\":");
    wh_buf_add_json(&body, n->id);
  }
  wh_buf_add_char(&body, '}');
  WH_TRY(wh_buf_check(&body, err));
  wh_str text = wh_buf_str(&body);
  wh_http_header headers[WH_AWS_JSON_HEADERS];
  wh_aws_request request = wh_aws_json(WH_STR("AmazonSQS.SendMessage"), "1.0", headers, &text);
  request.total_us = WH_SQS_SEND_US;
  request.attempts = WH_SQS_SEND_ATTEMPTS;
  return wh_aws_place_call(c, s->aws, &request, NULL, NULL, err);
}

const wh_notify_type wh_sqs_notify = {.send = sqs_send};
