#include "net/aws_logs.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/json_doc.h"
#include "base/thread.h"
#include "net/aws.h"

#include <stdio.h>
#include <time.h>

enum {
  NS_PER_MS = 1000000,
  US_PER_MS = 1000,
  SEND_US = 5 * 1000000, // of one attempt
  SEND_ATTEMPTS = 2,
  AGAIN_MS_MIN = 1000, // after a failure
  AGAIN_MS_MAX = 30000,
  ANSWER_BYTES_MAX = 64 * 1024,
};

typedef struct event {
  int64_t time_ms;
  char *text;
  size_t len;
} event;

struct wh_aws_logs {
  wh_os *os;
  wh_mem *mem;
  wh_arena arena; // the options' texts
  wh_aws_logs_options options;
  wh_aws *aws;
  wh_buf body; // of the request under way; the thread's
  pthread_mutex_t mutex;
  pthread_cond_t woken;
  pthread_t thread;
  // Under the mutex.
  event *events; // in the order of their times
  size_t count, cap, bytes;
  size_t flying;      // of the first ones, those that are being sent
  uint64_t overtaken; // those of them that were dropped meanwhile
  uint64_t dropped;
  bool has_thread, closing, warned;
  bool failing; // it is tried again when its time has come, and not sooner
};

static size_t weight(size_t len) {
  return len + WH_AWS_LOGS_EVENT_OVERHEAD;
}

// --- what waits ----------------------------------------------------------------------------------

static void remove_first(wh_aws_logs *l, size_t count) {
  if (!count) return;
  for (size_t i = 0; i < count; i++) {
    l->bytes -= weight(l->events[i].len);
    wh_mem_free(l->mem, l->events[i].text, l->events[i].len + 1);
  }
  l->count -= count;
  memmove(l->events, l->events + count, l->count * sizeof *l->events);
}

static void drop_oldest(wh_aws_logs *l) {
  remove_first(l, 1);
  if (l->flying) {
    l->flying--;
    l->overtaken++;
  } else {
    l->dropped++;
  }
}

static bool make_room(wh_aws_logs *l, size_t len) {
  while (l->count &&
         (l->count == WH_AWS_LOGS_EVENTS_MAX || l->bytes + weight(len) > WH_AWS_LOGS_BYTES_MAX))
    drop_oldest(l);
  if (l->count < l->cap) return true;
  size_t cap = l->cap ? 2 * l->cap : 64;
  event *moved = wh_mem_realloc(l->mem, l->events, l->cap * sizeof *moved, cap * sizeof *moved);
  if (!moved) return false;
  l->events = moved;
  l->cap = cap;
  return true;
}

// Behind those that are not younger: the clock may have been set back.
static void insert(wh_aws_logs *l, event e) {
  size_t at = l->count;
  while (at > l->flying && l->events[at - 1].time_ms > e.time_ms)
    at--;
  memmove(l->events + at + 1, l->events + at, (l->count - at) * sizeof *l->events);
  l->events[at] = e;
  l->count++;
  l->bytes += weight(e.len);
}

static bool add(wh_aws_logs *l, wh_str line) {
  char *text = wh_mem_alloc(l->mem, line.len + 1);
  if (!text) return false;
  if (!make_room(l, line.len)) {
    wh_mem_free(l->mem, text, line.len + 1);
    return false;
  }
  memcpy(text, line.data, line.len);
  text[line.len] = 0;
  insert(l, (event){l->os->type->now_ns(l->os) / NS_PER_MS, text, line.len});
  return true;
}

// --- one request ---------------------------------------------------------------------------------

static void begin_body(const wh_aws_logs *l, wh_buf *body, bool with_stream) {
  wh_buf_clear(body);
  wh_buf_add_c(body, "{\"logGroupName\":");
  wh_buf_add_json(body, l->options.group);
  if (!with_stream) return;
  wh_buf_add_c(body, ",\"logStreamName\":");
  wh_buf_add_json(body, l->options.stream);
}

static wh_status call(const wh_aws_logs *l, wh_aws_client *client, const char *target,
                      wh_aws_exchange **ret, wh_error *err) {
  WH_TRY(wh_buf_check(&l->body, err));
  wh_str body = wh_buf_str(&l->body);
  wh_http_header json[WH_AWS_JSON_HEADERS], headers[WH_AWS_JSON_HEADERS + 1];
  wh_aws_request request = wh_aws_json(wh_str_of(target), "1.1", json, &body);
  memcpy(headers, json, sizeof json);
  // So that lines with metrics in them become metrics.
  headers[WH_AWS_JSON_HEADERS] = (wh_http_header){WH_STR("x-amzn-logs-format"), WH_STR("json/emf")};
  request.headers = headers;
  request.header_count = WH_AWS_JSON_HEADERS + 1;
  request.total_us = SEND_US;
  request.attempts = SEND_ATTEMPTS;
  request.body_bytes_max = ANSWER_BYTES_MAX;
  return wh_aws_call(client, &request, ret, err);
}

static wh_status create(wh_aws_logs *l, wh_aws_client *client, bool stream, wh_error *err) {
  wh_aws_exchange *x = NULL;
  begin_body(l, &l->body, stream);
  wh_buf_add_char(&l->body, '}');
  wh_status status =
      call(l, client, stream ? "Logs_20140328.CreateLogStream" : "Logs_20140328.CreateLogGroup", &x,
           err);
  if (x && wh_aws_is(x, "ResourceAlreadyExistsException")) status = WH_OK;
  wh_aws_end(x);
  return status;
}

// As many of the first events as one request takes. With the mutex.
static void write_batch(wh_aws_logs *l) {
  begin_body(l, &l->body, true);
  wh_buf_add_c(&l->body, ",\"logEvents\":[");
  l->flying = 0;
  l->overtaken = 0;
  while (l->flying < l->count &&
         l->events[l->flying].time_ms - l->events[0].time_ms < WH_AWS_LOGS_SPAN_MS) {
    const event *e = &l->events[l->flying];
    wh_buf_printf(&l->body, "%s{\"timestamp\":%lld,\"message\":", l->flying ? "," : "",
                  (long long)e->time_ms);
    wh_buf_add_json(&l->body, wh_str_n(e->text, e->len));
    wh_buf_add_char(&l->body, '}');
    l->flying++;
  }
  wh_buf_add_c(&l->body, "]}");
}

// Those that the service did not take, though it took the request: too old, or too new.
static uint64_t count_rejected(wh_str answer, size_t sent) {
  WH_CLEAN_JSON json_t *root = NULL;
  if (wh_json_load(answer, ANSWER_BYTES_MAX, "the answer", &root, NULL) != WH_OK) return 0;
  const json_t *info = json_object_get(root, "rejectedLogEventsInfo");
  const json_t *old = json_object_get(info, "tooOldLogEventEndIndex");
  const json_t *expired = json_object_get(info, "expiredLogEventEndIndex");
  const json_t *young = json_object_get(info, "tooNewLogEventStartIndex");
  json_int_t before = json_integer_value(old), behind = json_integer_value(young);
  if (json_integer_value(expired) > before) before = json_integer_value(expired);
  uint64_t rejected = before > 0 ? (uint64_t)before : 0;
  if (json_is_integer(young) && behind >= 0 && (size_t)behind < sent)
    rejected += sent - (size_t)behind;
  return rejected < sent ? rejected : sent;
}

static wh_status put(wh_aws_logs *l, wh_aws_client *client, bool *ret_missing,
                     uint64_t *ret_rejected, wh_error *err) {
  wh_aws_exchange *x = NULL;
  pthread_mutex_lock(&l->mutex);
  write_batch(l);
  size_t sent = l->flying;
  pthread_mutex_unlock(&l->mutex);
  wh_status status = call(l, client, "Logs_20140328.PutLogEvents", &x, err);
  *ret_missing = x && wh_aws_is(x, "ResourceNotFoundException");
  *ret_rejected = status == WH_OK ? count_rejected(x->body, sent) : 0;
  if (x && wh_aws_is(x, "DataAlreadyAcceptedException")) status = WH_OK;
  wh_aws_end(x);
  return status;
}

// Who may not create the group may still write to one that is there.
static wh_status send_with(wh_aws_logs *l, wh_aws_client *client, uint64_t *ret_rejected,
                           wh_error *err) {
  bool missing;
  wh_status status = put(l, client, &missing, ret_rejected, err);
  if (!missing) return status;
  WH_IGNORE(create(l, client, false, NULL));
  WH_TRY(create(l, client, true, err));
  return put(l, client, &missing, ret_rejected, err);
}

static wh_status send(wh_aws_logs *l, uint64_t *ret_rejected, wh_error *err) {
  wh_aws_options options = {.os = l->os,
                            .mem = l->mem,
                            .environment = l->options.environment,
                            .service = "logs",
                            .region = l->options.region,
                            .endpoint = l->options.endpoint,
                            .profile = l->options.profile};
  wh_aws_client *client = NULL;
  if (!l->aws) WH_TRY(wh_aws_new(&options, &l->aws, err));
  WH_TRY(wh_aws_take(l->aws, NULL, &client, err));
  wh_status status = send_with(l, client, ret_rejected, err);
  wh_aws_give(client);
  return status;
}

// --- the thread ----------------------------------------------------------------------------------

static void warn(wh_aws_logs *l, const char *text) {
  if (l->options.warn) l->options.warn(l->options.context, text);
}

static void tell_failure(wh_aws_logs *l, const wh_error *why) {
  if (l->warned) return;
  l->warned = true;
  char text[WH_ERROR_TEXT_MAX + 128];
  snprintf(text, sizeof text,
           "log: CloudWatch Logs does not take it: %s. The work goes on; it is tried again",
           why->text);
  warn(l, text);
}

static void note_dropped(wh_aws_logs *l) {
  char line[160];
  int n = snprintf(line, sizeof line,
                   "{\"level\":\"warn\",\"topic\":\"log\",\"text\":\"%llu lines before this one "
                   "could not be sent and are lost\",\"lines_dropped\":%llu}",
                   (unsigned long long)l->dropped, (unsigned long long)l->dropped);
  if (add(l, wh_str_n(line, (size_t)n))) l->dropped = 0;
}

// With the mutex; lets it go while it sends.
static bool send_some(wh_aws_logs *l) {
  uint64_t rejected = 0;
  wh_error why = {0};
  pthread_mutex_unlock(&l->mutex);
  wh_status status = send(l, &rejected, &why);
  pthread_mutex_lock(&l->mutex);
  if (status == WH_OK) {
    remove_first(l, l->flying);
    l->dropped += rejected;
  } else {
    l->dropped += l->overtaken;
    tell_failure(l, &why);
  }
  l->flying = 0;
  l->overtaken = 0;
  if (status == WH_OK && l->dropped) note_dropped(l);
  return status == WH_OK;
}

// With the mutex; a wake-up ends it early.
static void wait_ms(wh_aws_logs *l, int64_t ms) {
  struct timespec until = wh_cond_until(ms * US_PER_MS);
  pthread_cond_timedwait(&l->woken, &l->mutex, &until);
}

static bool is_much(const wh_aws_logs *l) {
  return l->count >= WH_AWS_LOGS_EVENTS_MAX / 2 || l->bytes >= WH_AWS_LOGS_BYTES_MAX / 2;
}

static void *send_all(void *context) {
  wh_aws_logs *l = context;
  int64_t again_ms = 0; // after a failure: until it is tried again
  pthread_mutex_lock(&l->mutex);
  while (!l->closing) {
    if (!l->count) {
      pthread_cond_wait(&l->woken, &l->mutex);
      continue;
    }
    if (again_ms || !is_much(l)) wait_ms(l, again_ms ? again_ms : WH_AWS_LOGS_AGE_MS);
    if (l->closing) break;
    l->failing = !send_some(l);
    again_ms = !l->failing                   ? 0
               : again_ms == 0               ? AGAIN_MS_MIN
               : 2 * again_ms < AGAIN_MS_MAX ? 2 * again_ms
                                             : AGAIN_MS_MAX;
  }
  while (l->count && send_some(l)) {
  }
  pthread_mutex_unlock(&l->mutex);
  return NULL;
}

// --- the verbs -----------------------------------------------------------------------------------

static wh_status keep_options(wh_aws_logs *l, const wh_aws_logs_options *options, wh_error *err) {
  wh_aws_logs_options *o = &l->options;
  *o = *options;
  bool ok = wh_arena_own(&l->arena, &o->group) && wh_arena_own(&l->arena, &o->stream) &&
            wh_arena_own(&l->arena, &o->region) && wh_arena_own(&l->arena, &o->endpoint) &&
            wh_arena_own(&l->arena, &o->profile);
  return ok ? WH_OK : wh_fail_memory(err);
}

wh_status wh_aws_logs_open(const wh_aws_logs_options *options, wh_aws_logs **ret, wh_error *err) {
  wh_aws_logs *l = wh_mem_alloc_zero(options->mem, sizeof *l);
  if (!l) return wh_fail_memory(err);
  l->os = options->os;
  l->mem = options->mem;
  wh_arena_init(&l->arena, l->mem);
  wh_buf_init(&l->body, l->mem, 0);
  pthread_mutex_init(&l->mutex, NULL);
  WH_IGNORE(wh_cond_init(&l->woken, NULL));
  wh_status status = keep_options(l, options, err);
  if (status == WH_OK)
    *ret = l;
  else
    wh_aws_logs_close(l);
  return status;
}

void wh_aws_logs_add(wh_aws_logs *l, wh_str line) {
  line.len = wh_utf8_cut(line, WH_AWS_LOGS_EVENT_BYTES_MAX - WH_AWS_LOGS_EVENT_OVERHEAD);
  if (line.len == 0) return; // which the service does not take
  pthread_mutex_lock(&l->mutex);
  if (!l->has_thread) l->has_thread = wh_thread_start(&l->thread, send_all, l, NULL) == WH_OK;
  bool was_empty = l->count == 0;
  if (!add(l, line)) l->dropped++;
  if ((was_empty || is_much(l)) && !l->failing) pthread_cond_signal(&l->woken);
  pthread_mutex_unlock(&l->mutex);
}

static void tell_lost(wh_aws_logs *l) {
  uint64_t lost = l->dropped + l->count;
  char text[128];
  if (!lost) return;
  snprintf(text, sizeof text, "log: %llu %s not sent to CloudWatch Logs", (unsigned long long)lost,
           lost == 1 ? "line was" : "lines were");
  warn(l, text);
}

void wh_aws_logs_close(wh_aws_logs *l) {
  if (!l) return;
  pthread_mutex_lock(&l->mutex);
  l->closing = true;
  pthread_cond_signal(&l->woken);
  pthread_mutex_unlock(&l->mutex);
  if (l->has_thread) pthread_join(l->thread, NULL);
  tell_lost(l);
  remove_first(l, l->count);
  wh_mem_free(l->mem, l->events, l->cap * sizeof *l->events);
  wh_buf_free(&l->body);
  wh_aws_free(l->aws);
  wh_arena_free(&l->arena);
  pthread_cond_destroy(&l->woken);
  pthread_mutex_destroy(&l->mutex);
  wh_mem_free(l->mem, l, sizeof *l);
}
