// Who tells a queue of new objects: the topic that a pipeline which writes them tells, where there
// is one; else the bucket itself. The queue's policy lets them.
//
// S3 refuses two of a bucket's notifications whose prefixes and suffixes overlap [1].
// [1] https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
#include "config/glob.h"
#include "deploy/private.h"

typedef struct route route;
struct route {
  route *next;
  wh_deploy_place *bucket;
  wh_str prefix, suffix;
  wh_str queue;                      // ARN
  const wh_stack_resource *resource; // NULL: it is there already
  bool by_function;                  // the function takes what is in the queue
  bool gone;                         // another one says it, too
};

// A service that may send to a queue, for one bucket or topic.
typedef struct sender sender;
struct sender {
  sender *next;
  const wh_stack_resource *queue;
  const char *service;
  wh_str source; // ARN
};

typedef struct events {
  wh_deploy *d;
  route *routes;
  sender *senders;
} events;

// A queue, as somebody tells it.
typedef struct inbox {
  wh_str name, arn;
  const wh_stack_resource *resource; // NULL: it is there already
  bool by_function;
} inbox;

// --- senders -------------------------------------------------------------------------------------

static wh_status add_sender(events *e, const inbox *to, const char *service, wh_str source,
                            wh_error *err) {
  if (!to->resource)
    return wh_stack_before(e->d->stack, err, "The policy of queue %.*s lets %s send to it.",
                           WH_STR_ARG(to->name), service);
  sender **last = &e->senders;
  for (; *last; last = &(*last)->next)
    if ((*last)->queue == to->resource && wh_str_eq((*last)->source, source)) return WH_OK;
  *last = WH_NEW(e->d->arena, sender);
  if (!*last) return wh_fail_memory(err);
  **last = (sender){.queue = to->resource, .service = service, .source = source};
  return WH_OK;
}

// A topic's ARN says its account; a bucket's does not.
static json_t *allowing(const sender *s, wh_str queue) {
  bool is_s3 = strcmp(s->service, "s3.amazonaws.com") == 0;
  json_t *made =
      json_pack("{s:s,s:s,s:{s:s},s:s,s:s%,s:{s:{s:s%}}}", "Sid", is_s3 ? "Bucket" : "Topic",
                "Effect", "Allow", "Principal", "Service", s->service, "Action", "sqs:SendMessage",
                "Resource", queue.data, queue.len, "Condition", "ArnEquals", "aws:SourceArn",
                s->source.data, s->source.len);
  if (is_s3)
    json_object_set_new(json_object_get(made, "Condition"), "StringEquals",
                        json_pack("{s:s}", "aws:SourceAccount", WH_STACK_ACCOUNT));
  return made;
}

// One policy a queue, with all who may send: a queue has one.
static wh_status add_policy(events *e, const wh_stack_resource *queue, wh_stack_resource **ret,
                            wh_error *err) {
  wh_str arn = wh_stack_arn(e->d->stack, queue), url = wh_stack_ref(e->d->stack, queue);
  if (!arn.data || !url.data) return wh_fail_memory(err);
  json_t *statements = json_array();
  size_t count = 0;
  for (const sender *s = e->senders; s; s = s->next) {
    json_t *statement = s->queue == queue ? allowing(s, arn) : NULL;
    if (statement && count++)
      json_object_set_new(
          statement, "Sid",
          json_sprintf("%s%zu", json_string_value(json_object_get(statement, "Sid")), count));
    if (statement) json_array_append_new(statements, statement);
  }
  return wh_stack_add(e->d->stack, "AWS::SQS::QueuePolicy", queue->id, "Policy",
                      json_pack("{s:[s%],s:{s:s,s:o}}", "Queues", url.data, url.len,
                                "PolicyDocument", "Version", "2012-10-17", "Statement", statements),
                      ret, err);
}

// --- what pipelines tell -------------------------------------------------------------------------

static wh_status subscribe(events *e, wh_deploy_place *topic, const inbox *to, wh_error *err) {
  wh_str from = wh_deploy_place_arn(e->d, topic);
  if (!from.data) return wh_fail_memory(err);
  WH_TRY(add_sender(e, to, "sns.amazonaws.com", from, err));
  for (const wh_stack_resource *r = e->d->stack->resources; r; r = r->next)
    if (strcmp(r->type, "AWS::SNS::Subscription") == 0 &&
        wh_str_eq(wh_json_text(r->properties, "TopicArn"), from) &&
        wh_str_eq(wh_json_text(r->properties, "Endpoint"), to->arn))
      return WH_OK;
  return wh_stack_add(e->d->stack, "AWS::SNS::Subscription", topic->name, "Subscription",
                      json_pack("{s:s,s:s%,s:s%}", "Protocol", "sqs", "TopicArn", from.data,
                                from.len, "Endpoint", to->arn.data, to->arn.len),
                      NULL, err);
}

// Whether `writer` may write what `reader` waits for.
static wh_status feeds(const wh_deploy *d, const wh_pipeline *writer, const wh_pipeline *reader,
                       bool *ret, wh_error *err) {
  wh_str made;
  *ret = false;
  if (!wh_str_eq(writer->to.connection, reader->from.connection)) return WH_OK;
  WH_TRY(wh_template_glob_for(writer->to.thing, writer->many ? (wh_str){0} : writer->name, d->arena,
                              &made, err));
  return wh_glob_overlap(made, reader->from.thing, d->arena->mem, ret, err);
}

// *ret_told: a writer tells the queue, itself or by a topic.
static wh_status take_told(events *e, const wh_pipeline *reader, const inbox *to, bool *ret_told,
                           wh_error *err) {
  wh_deploy *d = e->d;
  for (size_t i = 0; i < d->config->pipeline_count; i++) {
    const wh_pipeline *writer = &d->config->pipelines[i];
    bool feeds_it;
    WH_TRY(feeds(d, writer, reader, &feeds_it, err));
    for (size_t j = 0; feeds_it && j < writer->notify_count; j++) {
      wh_deploy_place *told = wh_deploy_place_of(d, writer->notify[j].connection);
      if (!told || !(writer->notify[j].on & WH_NOTIFY_DONE)) continue;
      bool is_topic = told->cloud.kind == WH_CLOUD_TOPIC;
      bool is_it = wh_str_eq(told->name, to->name);
      if (is_topic) WH_TRY(subscribe(e, told, to, err));
      *ret_told = *ret_told || is_topic || is_it;
    }
  }
  return WH_OK;
}

// --- what buckets tell ---------------------------------------------------------------------------

// What every key that the pattern matches ends with.
static wh_str suffix_of(wh_str pattern) {
  size_t from = pattern.len;
  while (from > 0 && !strchr("*?[]/", pattern.data[from - 1]))
    from--;
  return wh_str_sub(pattern, from, pattern.len);
}

static bool begins_with(wh_str text, wh_str with) {
  return text.len >= with.len && wh_str_eq(wh_str_sub(text, 0, with.len), with);
}
static bool ends_with(wh_str text, wh_str with) {
  return text.len >= with.len && wh_str_eq(wh_str_sub(text, text.len - with.len, text.len), with);
}
static wh_str shorter(wh_str a, wh_str b) {
  return a.len < b.len ? a : b;
}
static bool overlap(const route *a, const route *b) {
  return a->bucket->resource == b->bucket->resource &&
         (begins_with(a->prefix, b->prefix) || begins_with(b->prefix, a->prefix)) &&
         (ends_with(a->suffix, b->suffix) || ends_with(b->suffix, a->suffix));
}
static bool covers(const route *a, const route *b) {
  return begins_with(b->prefix, a->prefix) && ends_with(b->suffix, a->suffix);
}

static wh_status refuse(const route *a, const route *b, wh_error *err) {
  return wh_fail(err, WH_ERR_USAGE,
                 "two queues would be told of objects of %.*s that begin with '%.*s' and '%.*s', "
                 "which S3 refuses. Let the pipelines wait for one queue",
                 WH_STR_ARG(a->bucket->name), WH_STR_ARG(a->prefix), WH_STR_ARG(b->prefix));
}

// Two to one queue become one that says both; where the function takes a queue already, it need not
// be told by another.
static wh_status join(route *a, route *b, wh_error *err) {
  if (!overlap(a, b)) return WH_OK;
  bool same = wh_str_eq(a->queue, b->queue);
  bool known = a->by_function && b->by_function && (covers(a, b) || covers(b, a));
  if (!same && !known) return refuse(a, b, err);
  if (!same && covers(b, a) && !covers(a, b)) {
    a->queue = b->queue;
    a->resource = b->resource;
  }
  a->prefix = shorter(a->prefix, b->prefix);
  a->suffix = shorter(a->suffix, b->suffix);
  b->gone = true;
  return WH_OK;
}

static wh_status join_all(events *e, wh_error *err) {
  for (bool again = true; again;) {
    again = false;
    for (route *a = e->routes; a; a = a->next)
      for (route *b = a->next; b && !a->gone; b = b->next) {
        if (b->gone) continue;
        WH_TRY(join(a, b, err));
        again = again || b->gone;
      }
  }
  return WH_OK;
}

static wh_status add_route(events *e, const wh_pipeline *p, wh_deploy_place *bucket,
                           const inbox *to, wh_error *err) {
  wh_str start = wh_glob_prefix(p->from.thing);
  route **last = &e->routes;
  while (*last)
    last = &(*last)->next;
  route *r = *last = WH_NEW(e->d->arena, route);
  wh_str prefix =
      wh_arena_printf(e->d->arena, "%.*s%.*s", WH_STR_ARG(bucket->cloud.prefix), WH_STR_ARG(start));
  if (!r || !prefix.data) return wh_fail_memory(err);
  *r = (route){.bucket = bucket,
               .prefix = prefix,
               .queue = to->arn,
               .resource = to->resource,
               .by_function = to->by_function};
  if (start.len < p->from.thing.len) r->suffix = suffix_of(p->from.thing);
  return WH_OK;
}

static json_t *filter_of(const route *r) {
  json_t *rules = json_array();
  if (r->prefix.len)
    json_array_append_new(
        rules, json_pack("{s:s,s:s%}", "Name", "prefix", "Value", r->prefix.data, r->prefix.len));
  if (r->suffix.len)
    json_array_append_new(
        rules, json_pack("{s:s,s:s%}", "Name", "suffix", "Value", r->suffix.data, r->suffix.len));
  return json_pack("{s:{s:o}}", "S3Key", "Rules", rules);
}

static wh_status add_notification(const route *r, wh_error *err) {
  json_t *properties = r->bucket->resource->properties;
  json_t *all = json_object_get(properties, "NotificationConfiguration");
  if (!all) {
    all = json_pack("{s:[]}", "QueueConfigurations");
    if (json_object_set_new(properties, "NotificationConfiguration", all) != 0)
      return wh_fail_memory(err);
  }
  json_t *one =
      json_pack("{s:s,s:s%}", "Event", "s3:ObjectCreated:*", "Queue", r->queue.data, r->queue.len);
  if (one && (r->prefix.len || r->suffix.len)) json_object_set_new(one, "Filter", filter_of(r));
  return json_array_append_new(json_object_get(all, "QueueConfigurations"), one) == 0
             ? WH_OK
             : wh_fail_memory(err);
}

static wh_status take_routes(events *e, wh_error *err) {
  WH_TRY(join_all(e, err));
  for (const route *r = e->routes; r; r = r->next) {
    if (r->gone) continue;
    inbox to = {.name = r->queue, .resource = r->resource};
    wh_str source = wh_deploy_place_arn(e->d, r->bucket);
    if (!source.data) return wh_fail_memory(err);
    WH_TRY(add_sender(e, &to, "s3.amazonaws.com", source, err));
    if (r->bucket->resource)
      WH_TRY(add_notification(r, err));
    else
      WH_TRY(wh_stack_note(e->d->stack, err,
                           "%.*s is there already: let its bucket tell the queue of objects that "
                           "begin with '%.*s' and end with '%.*s'",
                           WH_STR_ARG(r->bucket->name), WH_STR_ARG(r->prefix),
                           WH_STR_ARG(r->suffix)));
  }
  return WH_OK;
}

// --- who waits -----------------------------------------------------------------------------------

// The function's own queue, for what it is told of by the bucket alone.
static wh_status find_own_queue(wh_deploy *d, inbox *ret, wh_error *err) {
  int64_t attempts = 0;
  wh_str name = wh_arena_printf(d->arena, "%.*s-new", WH_STR_ARG(d->stack->name));
  if (!name.data) return wh_fail_memory(err);
  for (size_t i = 0; i < d->config->pipeline_count; i++) {
    const wh_deploy_seat *seat = &d->seats[i];
    bool counts = seat->is_function && seat->pipeline->when.kind == WH_WHEN_NEW;
    if (counts && seat->pipeline->attempts > attempts) attempts = seat->pipeline->attempts;
  }
  if (!d->new_objects)
    WH_TRY(wh_deploy_add_queue(d, WH_STR("NewObjects"), name, WH_DEPLOY_FUNCTION_HIDDEN_SECONDS,
                               attempts, &d->new_objects, err));
  wh_str arn = wh_stack_arn(d->stack, d->new_objects);
  *ret = (inbox){.name = name, .arn = arn, .resource = d->new_objects, .by_function = true};
  return arn.data ? WH_OK : wh_fail_memory(err);
}

static wh_status find_inbox(wh_deploy *d, const wh_deploy_seat *seat, inbox *ret, wh_error *err) {
  const wh_pipeline *p = seat->pipeline;
  if (p->when.kind == WH_WHEN_NEW) return find_own_queue(d, ret, err);
  const wh_deploy_place *queue = wh_deploy_place_of(d, p->when.queue);
  if (!queue) return WH_OK;
  *ret = (inbox){.name = queue->name,
                 .arn = wh_deploy_place_arn(d, queue),
                 .resource = queue->resource,
                 .by_function = seat->is_function};
  return ret->arn.data ? WH_OK : wh_fail_memory(err);
}

static wh_status take_waiting(events *e, const wh_deploy_seat *seat, wh_error *err) {
  wh_deploy *d = e->d;
  const wh_pipeline *p = seat->pipeline;
  wh_deploy_place *bucket = wh_deploy_place_of(d, p->from.connection);
  bool needs = p->when.kind == WH_WHEN_EVENT || (p->when.kind == WH_WHEN_NEW && seat->is_function);
  bool told = false;
  inbox to = {0};
  if (!needs || !bucket || bucket->cloud.kind != WH_CLOUD_BUCKET) return WH_OK;
  WH_TRY(find_inbox(d, seat, &to, err));
  if (!to.arn.data) return WH_OK; // a queue of somebody else's
  WH_TRY(take_told(e, p, &to, &told, err));
  return told ? WH_OK : add_route(e, p, bucket, &to, err);
}

static wh_status add_policies(events *e, wh_error *err) {
  for (const sender *s = e->senders; s; s = s->next) {
    wh_stack_resource *policy;
    bool is_first = true;
    for (const sender *before = e->senders; before != s; before = before->next)
      is_first = is_first && before->queue != s->queue;
    if (!is_first) continue;
    WH_TRY(add_policy(e, s->queue, &policy, err));
    // S3 tries whether it may send before it takes a notification.
    for (const route *r = e->routes; r; r = r->next)
      if (!r->gone && r->resource == s->queue && r->bucket->resource)
        WH_TRY(wh_stack_depend(r->bucket->resource, policy, err));
  }
  return WH_OK;
}

wh_status wh_deploy_add_events(wh_deploy *d, wh_error *err) {
  events e = {.d = d};
  for (size_t i = 0; i < d->config->pipeline_count; i++)
    WH_TRY(take_waiting(&e, &d->seats[i], err));
  WH_TRY(take_routes(&e, err));
  return add_policies(&e, err);
}
