#include "lambda/event.h"

#include "base/json_doc.h"
#include "data/temporal.h"
#include "lambda/runtime.h"

typedef struct reader {
  wh_arena *arena;
  wh_lambda_event *event;
  wh_error *err;
} reader;

static wh_status own(reader *r, wh_str text, wh_str *ret) {
  *ret = wh_arena_str(r->arena, text);
  return ret->data ? WH_OK : wh_fail_memory(r->err);
}

// --- messages ------------------------------------------------------------------------------------

static bool is_sqs(const json_t *root) {
  const json_t *first = json_array_get(json_object_get(root, "Records"), 0);
  return wh_str_is(wh_json_text(first, "eventSource"), "aws:sqs");
}

static wh_status read_sqs(reader *r, const json_t *records) {
  wh_lambda_event *e = r->event;
  size_t count = json_array_size(records);
  if (count > WH_LAMBDA_MESSAGES_MAX)
    return wh_fail(r->err, WH_ERR_LIMIT, "an event has more than %d messages",
                   WH_LAMBDA_MESSAGES_MAX);
  e->is_sqs = true;
  e->messages = WH_NEW_ARRAY(r->arena, count, wh_lambda_message);
  if (!e->messages) return wh_fail_memory(r->err);
  for (size_t i = 0; i < count; i++) {
    const json_t *record = json_array_get(records, i);
    wh_lambda_message *m = &e->messages[e->message_count++];
    WH_TRY(own(r, wh_json_text(record, "messageId"), &m->id));
    WH_TRY(own(r, wh_json_text(record, "body"), &m->body));
    if (m->id.len == 0)
      return wh_fail(r->err, WH_ERR_DATA, "a message of the event has no messageId");
  }
  return WH_OK;
}

static wh_status read_whole(reader *r, wh_str text) {
  r->event->messages = WH_NEW(r->arena, wh_lambda_message);
  if (!r->event->messages) return wh_fail_memory(r->err);
  r->event->message_count = 1;
  return own(r, text, &r->event->messages[0].body);
}

// --- a call --------------------------------------------------------------------------------------

static wh_status expected(reader *r, const char *name, const char *what) {
  return wh_fail(r->err, WH_ERR_DATA, "the event's \"%s\" has to be %s", name, what);
}

static wh_status read_names(reader *r, const json_t *root) {
  wh_lambda_event *e = r->event;
  const json_t *one = json_object_get(root, "pipeline"), *many = json_object_get(root, "pipelines");
  if (one && many) return wh_fail(r->err, WH_ERR_DATA, "the event has both pipeline and pipelines");
  if (one && !json_is_string(one)) return expected(r, "pipeline", "the name of one");
  if (many && !json_array_size(many)) return expected(r, "pipelines", "a list of names");
  size_t count = one ? 1 : json_array_size(many);
  e->pipelines = WH_NEW_ARRAY(r->arena, count, wh_str);
  if (!e->pipelines) return wh_fail_memory(r->err);
  for (size_t i = 0; i < count; i++) {
    const json_t *name = one ? one : json_array_get(many, i);
    if (!json_is_string(name)) return expected(r, "pipelines", "a list of names");
    wh_str text = wh_str_n(json_string_value(name), json_string_length(name));
    WH_TRY(own(r, text, &e->pipelines[e->pipeline_count++]));
  }
  return WH_OK;
}

static wh_status read_option(reader *r, const char *name, const json_t *value) {
  wh_run_options *o = &r->event->options;
  if (strcmp(name, "pipeline") == 0 || strcmp(name, "pipelines") == 0) return WH_OK;
  if (strcmp(name, "full") == 0) {
    if (!json_is_boolean(value)) return expected(r, name, "true or false");
    o->full = json_is_true(value);
    return WH_OK;
  }
  if (strcmp(name, "limit") == 0) {
    if (!json_is_integer(value) || json_integer_value(value) < 1)
      return expected(r, name, "a number of rows");
    o->limit_rows = (uint64_t)json_integer_value(value);
    return WH_OK;
  }
  if (strcmp(name, "since") == 0) {
    o->has_since = json_is_string(value) &&
                   wh_instant_parse(wh_str_of(json_string_value(value)), &o->since_us);
    return o->has_since ? WH_OK : expected(r, name, "a time such as 2026-11-21T08:00:00Z");
  }
  return wh_fail(r->err, WH_ERR_DATA,
                 "the event says \"%s\", which is not known. A call says pipeline or pipelines, "
                 "full, since, limit",
                 name);
}

static wh_status read_call(reader *r, json_t *root) {
  const char *name;
  json_t *value;
  r->event->kind = WH_LAMBDA_RUN;
  r->event->options.hurry = true;
  WH_TRY(read_names(r, root));
  json_object_foreach(root, name, value) WH_TRY(read_option(r, name, value));
  return WH_OK;
}

// -------------------------------------------------------------------------------------------------

wh_status wh_lambda_event_parse(wh_str text, wh_arena *arena, wh_lambda_event *ret, wh_error *err) {
  reader r = {.arena = arena, .event = ret, .err = err};
  *ret = (wh_lambda_event){.kind = WH_LAMBDA_MESSAGES};
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(text, WH_RUNTIME_EVENT_BYTES_MAX, "the event", &root, err));
  if (!json_is_object(root)) return wh_fail(err, WH_ERR_DATA, "the event is no JSON object");
  if (wh_gateway_is(root)) {
    ret->kind = WH_LAMBDA_REQUEST;
    return wh_gateway_read(root, arena, &ret->request, err);
  }
  if (json_object_get(root, "pipeline") || json_object_get(root, "pipelines"))
    return read_call(&r, root);
  if (wh_str_is(wh_json_text(root, "detail-type"), "Scheduled Event")) {
    ret->kind = WH_LAMBDA_SCHEDULE;
    return WH_OK;
  }
  return is_sqs(root) ? read_sqs(&r, json_object_get(root, "Records")) : read_whole(&r, text);
}
