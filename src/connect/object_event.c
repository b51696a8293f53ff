#include "connect/object_event.h"

#include "base/crypto.h"
#include "base/json_doc.h"

enum { WRAPPERS_MAX = 3 }; // a message in a message: SNS in SQS, both in an event of Lambda

typedef struct reader {
  wh_arena *arena;
  wh_object_event *items;
  size_t count, cap;
  size_t ignored;
  wh_error *err;
} reader;

static wh_status read_message(reader *r, wh_str message, int depth);

static wh_status add_event(reader *r, const wh_object_event *event) {
  if (r->count == WH_OBJECT_EVENTS_MAX) {
    return wh_fail(r->err, WH_ERR_LIMIT, "a message speaks of more than %d objects",
                   WH_OBJECT_EVENTS_MAX);
  }
  if (r->count == r->cap) {
    size_t cap = r->cap ? 2 * r->cap : 8;
    wh_object_event *items = WH_NEW_ARRAY(r->arena, cap, wh_object_event);
    if (!items) return wh_fail_memory(r->err);
    if (r->count) memcpy(items, r->items, r->count * sizeof *items);
    r->items = items;
    r->cap = cap;
  }
  wh_object_event *copy = &r->items[r->count];
  *copy = (wh_object_event){.bucket = wh_arena_str(r->arena, event->bucket),
                            .key = wh_arena_str(r->arena, event->key),
                            .version = wh_arena_str(r->arena, event->version),
                            .etag = wh_arena_str(r->arena, event->etag)};
  if (!copy->bucket.data || !copy->key.data || !copy->version.data || !copy->etag.data)
    return wh_fail_memory(r->err);
  r->count++;
  return WH_OK;
}

// S3 writes keys in notifications as forms are written: '+' for a space, %XX for the rest [1].
static wh_status decode_key(reader *r, wh_str text, wh_str *ret) {
  char *out = wh_arena_alloc(r->arena, text.len + 1);
  if (!out) return wh_fail_memory(r->err);
  size_t len = 0;
  for (size_t i = 0; i < text.len; i++) {
    out[len] = text.data[i] == '+' ? ' ' : text.data[i];
    if (text.data[i] == '%' && wh_hex_decode(wh_str_sub(text, i + 1, i + 3), out + len, 1)) i += 2;
    len++;
  }
  *ret = wh_str_n(out, len);
  return WH_OK;
}

static wh_status check_named(reader *r, const wh_object_event *event) {
  if (event->bucket.len && event->key.len) return WH_OK;
  return wh_fail(r->err, WH_ERR_DATA, "a record of a new object has no %s",
                 event->bucket.len ? "object.key" : "bucket.name");
}

// A record of a notification of S3.
static wh_status read_s3(reader *r, const json_t *record) {
  wh_str name = wh_json_text(record, "eventName");
  if (!wh_str_starts(name, "ObjectCreated:")) {
    r->ignored++;
    return WH_OK;
  }
  const json_t *s3 = json_object_get(record, "s3");
  const json_t *object = json_object_get(s3, "object");
  wh_object_event event = {.bucket = wh_json_text(json_object_get(s3, "bucket"), "name"),
                           .version = wh_json_text(object, "versionId"),
                           .etag = wh_json_text(object, "eTag")};
  WH_TRY(decode_key(r, wh_json_text(object, "key"), &event.key));
  WH_TRY(check_named(r, &event));
  return add_event(r, &event);
}

// An event of EventBridge. Its keys are as they are [3].
static wh_status read_event_bridge(reader *r, const json_t *event) {
  if (!wh_str_is(wh_json_text(event, "detail-type"), "Object Created")) {
    r->ignored++;
    return WH_OK;
  }
  const json_t *detail = json_object_get(event, "detail");
  const json_t *object = json_object_get(detail, "object");
  wh_object_event found = {.bucket = wh_json_text(json_object_get(detail, "bucket"), "name"),
                           .key = wh_json_text(object, "key"),
                           .version = wh_json_text(object, "version-id"),
                           .etag = wh_json_text(object, "etag")};
  WH_TRY(check_named(r, &found));
  return add_event(r, &found);
}

// What another Wherry tells. Its keys are as they are.
static wh_status read_notice(reader *r, const json_t *notice) {
  json_int_t version = json_integer_value(json_object_get(notice, WH_NOTICE_FORM));
  if (version != WH_NOTICE_VERSION) {
    return wh_fail(r->err, WH_ERR_DATA,
                   "a newer wherry sent this message (version %lld; this one knows %d)",
                   (long long)version, WH_NOTICE_VERSION);
  }
  const json_t *object = json_object_get(notice, "object");
  wh_object_event event = {.bucket = wh_json_text(object, "bucket"),
                           .key = wh_json_text(object, "key"),
                           .version = wh_json_text(object, "version")};
  if (event.bucket.len && event.key.len) return add_event(r, &event);
  r->ignored++;
  return WH_OK;
}

static wh_status unknown(reader *r, const char *what) {
  return wh_fail(r->err, WH_ERR_DATA,
                 "%s is no event of an object: neither a notification of S3, nor one in a message "
                 "of SNS, nor an event of EventBridge, nor what a Wherry tells",
                 what);
}

static wh_status read_record(reader *r, const json_t *record, int depth) {
  if (wh_str_is(wh_json_text(record, "eventSource"), "aws:s3")) return read_s3(r, record);
  if (wh_str_is(wh_json_text(record, "EventSource"), "aws:sns"))
    return read_message(r, wh_json_text(json_object_get(record, "Sns"), "Message"), depth + 1);
  if (wh_str_is(wh_json_text(record, "eventSource"), "aws:sqs"))
    return read_message(r, wh_json_text(record, "body"), depth + 1);
  return unknown(r, "a record");
}

static wh_status read_document(reader *r, const json_t *root, int depth) {
  const json_t *records = json_object_get(root, "Records");
  if (json_is_array(records)) {
    for (size_t i = 0; i < json_array_size(records); i++)
      WH_TRY(read_record(r, json_array_get(records, i), depth));
    return WH_OK;
  }
  if (wh_str_is(wh_json_text(root, "Event"), "s3:TestEvent")) { // when notifications are set up
    r->ignored++;
    return WH_OK;
  }
  if (wh_str_is(wh_json_text(root, "Type"), "Notification") && json_object_get(root, "TopicArn"))
    return read_message(r, wh_json_text(root, "Message"), depth + 1);
  if (wh_str_is(wh_json_text(root, "source"), "aws.s3")) return read_event_bridge(r, root);
  if (json_is_integer(json_object_get(root, WH_NOTICE_FORM))) return read_notice(r, root);
  return unknown(r, "the message");
}

static wh_status read_message(reader *r, wh_str message, int depth) {
  if (depth == WRAPPERS_MAX) return unknown(r, "a message in a message in a message");
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(message, WH_OBJECT_EVENT_BYTES_MAX, "the message", &root, r->err));
  return read_document(r, root, depth);
}

wh_status wh_object_events_parse(wh_str message, wh_arena *arena, wh_object_events *ret,
                                 wh_error *err) {
  reader r = {.arena = arena, .err = err};
  WH_TRY(read_message(&r, message, 0));
  *ret = (wh_object_events){.items = r.items, .count = r.count, .ignored = r.ignored};
  return WH_OK;
}
