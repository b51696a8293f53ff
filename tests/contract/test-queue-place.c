// What every queue promises (connect/queue.h), checked against the local store's, which watches a
// folder, and SQS, at moto. A test puts objects ("announces" them) and takes what the queue tells.
#include "aws_server.h"
#include "connect/local/local.h"
#include "store_place.h"
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef WHERRY_SQS
#include "connect/sqs/sqs.h"
#endif

enum { SOON_US = 20 * 1000000, QUIET_US = 300000 };

typedef struct place place;
struct place {
  wh_connection *c;
  const wh_queue_type *type;
  wh_queue_handle *queue;
  void (*announce)(place *p, const char *key);
  store_place store; // local
#ifdef WHERRY_SQS
  wh_connection connection; // SQS
  wh_sqs_options options;
  wh_os_real real;
  char url[200];
#endif
};

static int64_t now_us(const place *p) {
  return p->c->os->type->monotonic_ns(p->c->os) / 1000;
}

// --- the local store -----------------------------------------------------------------------------

static void announce_local(place *p, const char *key) {
  CHECK_OK(store_put(&p->store, key, key, "[]", true, &test_err));
}

static bool open_local(place *p) {
  if (!store_place_local(&p->store, false)) return false;
  p->c = &p->store.connection;
  p->type = &wh_local_queue;
  p->announce = announce_local;
  return CHECK_OK(p->type->open(p->c, WH_STR("**"), &p->queue, &test_err));
}

// --- SQS -----------------------------------------------------------------------------------------

#ifdef WHERRY_SQS

static const char *get_variable(void *context, const char *name) {
  (void)context;
  return aws_server_value("moto", name);
}

// What a request to the queue's URL answers, in the arena of the test's making.
static void ask(place *p, const char *action, const char *members) {
  wh_sqs *s = p->c->own;
  static wh_mem own; // what the test does beside is not what it measures
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, &own, 0);
  wh_buf_printf(&body, "{\"QueueUrl\":\"%.*s\"", WH_STR_ARG(s->url));
  wh_buf_add_c(&body, members);
  wh_buf_add_char(&body, '}');
  wh_str text = wh_buf_str(&body);
  char target[80];
  snprintf(target, sizeof target, "AmazonSQS.%s", action);
  wh_http_header headers[WH_AWS_JSON_HEADERS];
  wh_aws_request request = wh_aws_json(wh_str_of(target), "1.0", headers, &text);
  CHECK_OK(wh_aws_place_call(p->c, s->aws, &request, NULL, NULL, &test_err));
}

static void send(place *p, const char *message) {
  WH_CLEAN_BUF wh_buf members;
  wh_buf_init(&members, &test_mem, 0);
  wh_buf_add_c(&members, ",\"MessageBody\":");
  wh_buf_add_json(&members, wh_str_of(message));
  if (CHECK_OK(wh_buf_check(&members, &test_err))) ask(p, "SendMessage", members.data);
}

static void announce_sqs(place *p, const char *key) {
  char message[512];
  snprintf(message, sizeof message,
           "{\"Records\":[{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{"
           "\"bucket\":{\"name\":\"lake\"},\"object\":{\"key\":\"%s\",\"size\":2}}}]}",
           key);
  send(p, message);
}

// A queue of its own that hides messages for so long.
static bool open_sqs(place *p, int seconds) {
  static int queues;
  const char *reason = aws_server_start("moto");
  if (reason) {
    test_skip(reason);
    return false;
  }
  int number = ++queues;
  snprintf(p->url, sizeof p->url, "arn:aws:sqs:eu-west-1:123456789012:queue-%d", number);
  if (!CHECK_OK(wh_os_real_init(&p->real, &test_mem, &test_err))) return false;
  p->options = (wh_sqs_options){.queue = wh_str_of(p->url), .place.tls = WH_TLS_VERIFY};
  p->connection = (wh_connection){.name = WH_STR("uploads"),
                                  .type = &wh_connector_sqs,
                                  .options = &p->options,
                                  .os = &p->real.base,
                                  .mem = &test_mem,
                                  .environment = {.get = get_variable}};
  p->c = &p->connection;
  p->type = &wh_sqs_queue;
  p->announce = announce_sqs;
  if (!CHECK_OK(wh_connector_sqs.open(p->c, &test_err))) return false;
  char members[200];
  snprintf(members, sizeof members,
           ",\"QueueName\":\"queue-%d\",\"Attributes\":{\"VisibilityTimeout\":\"%d\"}", number,
           seconds);
  ask(p, "CreateQueue", members);
  return CHECK_OK(p->type->open(p->c, WH_STR("**"), &p->queue, &test_err));
}

#endif

static void close_place(place *p) {
  if (p->type && p->queue) p->type->close(p->queue);
  if (p->type == &wh_local_queue) store_place_free(&p->store);
#ifdef WHERRY_SQS
  if (p->connection.own) wh_connector_sqs.close(&p->connection);
  if (p->connection.os == &p->real.base) wh_os_real_free(&p->real);
#endif
}

// --- taking --------------------------------------------------------------------------------------

static wh_event last; // of what was received; its strings are gone with the next
static char told[512];

// Receives until `want` events came, and a moment longer; each key with ';' behind it. What `use`
// says of each receipt is done.
static const char *take(place *p, size_t want,
                        wh_status (*use)(wh_queue_handle *, uint64_t, wh_error *)) {
  size_t got = 0, len = 0;
  told[0] = 0;
  int64_t until = now_us(p) + SOON_US;
  while (now_us(p) < until) {
    wh_event events[2];
    size_t count = 0;
    bool lost = false;
    int64_t wait = got < want ? until - now_us(p) : QUIET_US;
    if (!CHECK_OK(p->type->receive(p->queue, events, 2, wait, &count, &lost, &test_err))) break;
    for (size_t i = 0; i < count; i++) {
      len +=
          (size_t)snprintf(told + len, sizeof told - len, "%.*s;", WH_STR_ARG(events[i].store_key));
      if (use) CHECK_OK(use(p->queue, events[i].receipt, &test_err));
      last = events[i];
    }
    got += count;
    if (count == 0 && got >= want) break;
  }
  return told;
}

#define TELLS(p, want, use, text) CHECK_STR(wh_str_of(take((p), (want), (use))), WH_STR(text))

static void check_tells_in_time(place *p) {
  TELLS(p, 0, NULL, "");
  p->announce(p, "a.json");
  TELLS(p, 1, p->type->done, "a.json;");
  p->announce(p, "b.json");
  TELLS(p, 1, p->type->done, "b.json;");
  TELLS(p, 0, NULL, "");
}

static void check_an_unknown_receipt_is_fine(place *p) {
  CHECK_OK(p->type->done(p->queue, 4711, &test_err));
  CHECK_OK(p->type->extend(p->queue, 4711, 1000000, &test_err));
  CHECK_OK(p->type->fail(p->queue, 4711, &test_err));
}

TEST(local_tells_in_time) {
  place p = {0};
  if (open_local(&p)) check_tells_in_time(&p);
  close_place(&p);
}

TEST(local_takes_an_unknown_receipt) {
  place p = {0};
  if (open_local(&p)) check_an_unknown_receipt_is_fine(&p);
  close_place(&p);
}

#ifdef WHERRY_SQS

#define SQS_TEST(ident, seconds)                                                                   \
  static void check_sqs_##ident(place *p);                                                         \
  TEST(sqs_##ident) {                                                                              \
    place p = {0};                                                                                 \
    if (open_sqs(&p, seconds)) check_sqs_##ident(&p);                                              \
    close_place(&p);                                                                               \
  }                                                                                                \
  static void check_sqs_##ident(place *p)

SQS_TEST(tells_in_time, 30) {
  check_tells_in_time(p);
}

SQS_TEST(takes_an_unknown_receipt, 30) {
  check_an_unknown_receipt_is_fine(p);
}

static bool depth_is(place *p, uint64_t waiting, uint64_t hidden) {
  wh_queue_depth depth;
  return CHECK_OK(p->type->depth(p->c, &depth, &test_err)) && CHECK_EQ(depth.waiting, waiting) &&
         CHECK_EQ(depth.hidden, hidden) && CHECK(!depth.has_dead);
}

// Nobody says what became of it: whoever took it is gone.
SQS_TEST(a_message_comes_again_when_nobody_ends_it, 1) {
  announce_sqs(p, "a.json");
  TELLS(p, 1, NULL, "a.json;");
  CHECK_EQ(last.deliveries, 1);
  CHECK_EQ(last.of_receipt, 1);
  CHECK_EQ(last.hidden_us, 1000000);
  TELLS(p, 1, p->type->done, "a.json;");
  CHECK_EQ(last.deliveries, 2);
  TELLS(p, 0, NULL, "");
  depth_is(p, 0, 0);
}

SQS_TEST(an_extended_message_stays_hidden, 2) {
  announce_sqs(p, "a.json");
  TELLS(p, 1, NULL, "a.json;");
  int64_t until = now_us(p) + 4 * 1000000;
  while (now_us(p) < until) {
    CHECK_OK(p->type->extend(p->queue, last.receipt, 2 * 1000000, &test_err));
    wh_event event;
    size_t count;
    bool lost;
    REQUIRE_OK(p->type->receive(p->queue, &event, 1, 500000, &count, &lost, &test_err));
    CHECK_EQ(count, 0);
  }
  depth_is(p, 0, 1);
  CHECK_OK(p->type->done(p->queue, last.receipt, &test_err));
  TELLS(p, 0, NULL, "");
  depth_is(p, 0, 0);
}

SQS_TEST(a_failed_message_comes_at_once_and_then_later, 600) {
  announce_sqs(p, "a.json");
  wh_event event;
  size_t count;
  bool lost;
  int64_t start = 0;
  for (uint32_t delivery = 1; delivery <= 3; delivery++) {
    REQUIRE_OK(p->type->receive(p->queue, &event, 1, SOON_US, &count, &lost, &test_err));
    REQUIRE(count == 1);
    CHECK_EQ(event.deliveries, delivery);
    if (delivery == 3) CHECK(now_us(p) - start > 1000000); // two seconds, to SQS
    start = now_us(p);
    CHECK_OK((delivery < 3 ? p->type->fail : p->type->done)(p->queue, event.receipt, &test_err));
  }
  TELLS(p, 0, NULL, "");
}

SQS_TEST(events_of_a_message_share_its_receipt, 30) {
  send(p, "{\"Records\":["
          "{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{"
          "\"name\":\"lake\"},\"object\":{\"key\":\"in/a+b%2Fc.json\",\"versionId\":\"v1\"}}},"
          "{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectRemoved:Delete\",\"s3\":{\"bucket\":{"
          "\"name\":\"lake\"},\"object\":{\"key\":\"gone\"}}},"
          "{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Copy\",\"s3\":{\"bucket\":{"
          "\"name\":\"other\"},\"object\":{\"key\":\"d\"}}},"
          "{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Copy\",\"s3\":{\"bucket\":{"
          "\"name\":\"lake\"},\"object\":{\"key\":\"e\"}}}]}");
  wh_event events[2];
  size_t count;
  bool lost;
  REQUIRE_OK(p->type->receive(p->queue, events, 2, SOON_US, &count, &lost, &test_err));
  REQUIRE(count == 2); // no more than were asked for
  CHECK_STR(events[0].store_key, WH_STR("in/a b/c.json"));
  CHECK_STR(events[0].bucket, WH_STR("lake"));
  CHECK_STR(events[0].version, WH_STR("v1"));
  CHECK_STR(events[1].bucket, WH_STR("other"));
  CHECK_EQ(events[0].of_receipt, 3);
  uint64_t receipt = events[0].receipt;
  REQUIRE_OK(p->type->receive(p->queue, events, 2, SOON_US, &count, &lost, &test_err));
  REQUIRE(count == 1);
  CHECK_STR(events[0].store_key, WH_STR("e"));
  CHECK_EQ(events[0].receipt, receipt);
  CHECK_OK(p->type->done(p->queue, receipt, &test_err));
  TELLS(p, 0, NULL, "");
  depth_is(p, 0, 0);
}

SQS_TEST(what_speaks_of_no_new_object_is_done_with, 30) {
  send(p, "{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"lake\"}");
  TELLS(p, 0, NULL, "");
  TELLS(p, 0, NULL, "");
  depth_is(p, 0, 0);
}

SQS_TEST(what_cannot_be_understood_is_told_as_a_problem, 30) {
  send(p, "hello");
  wh_event event;
  size_t count;
  bool lost;
  REQUIRE_OK(p->type->receive(p->queue, &event, 1, SOON_US, &count, &lost, &test_err));
  REQUIRE(count == 1);
  CHECK(event.problem.len > 0);
  CHECK_EQ(event.store_key.len, 0);
  CHECK_EQ(event.of_receipt, 1);
  CHECK_OK(p->type->done(p->queue, event.receipt, &test_err));
}

// More than one request brings, and more than one deletes.
SQS_TEST(many_messages_are_each_told_once, 60) {
  enum { COUNT = 25 };
  char key[16];
  for (int i = 0; i < COUNT; i++) {
    snprintf(key, sizeof key, "%02d", i);
    announce_sqs(p, key);
  }
  take(p, COUNT, p->type->done);
  CHECK_EQ(strlen(told), COUNT * 3);
  for (int i = 0; i < COUNT; i++) {
    snprintf(key, sizeof key, "%02d;", i);
    CHECK(strstr(told, key) != NULL);
  }
  TELLS(p, 0, NULL, "");
  depth_is(p, 0, 0);
}

// --- memory --------------------------------------------------------------------------------------

// Receives until the queue is empty, each message whole, and says that they are done.
static bool take_all(place *p) {
  enum { EVENTS_MAX = 100 };
  wh_event events[EVENTS_MAX];
  wh_queue_depth depth = {.waiting = 1};
  int64_t until = now_us(p) + 3 * SOON_US;
  while (depth.waiting + depth.hidden && now_us(p) < until) {
    size_t count;
    bool lost;
    if (!CHECK_OK(
            p->type->receive(p->queue, events, EVENTS_MAX, QUIET_US, &count, &lost, &test_err)))
      return false;
    for (size_t i = 0; i < count; i++) {
      CHECK_EQ(events[i].of_receipt, 1);
      CHECK_OK(p->type->done(p->queue, events[i].receipt, &test_err));
    }
    CHECK_OK(p->type->flush(p->queue, &test_err));
    CHECK_OK(p->type->depth(p->c, &depth, &test_err));
  }
  return depth.waiting + depth.hidden == 0;
}

// Of more events than there is room for at first.
static void send_many_records(place *p) {
  wh_mem own = {0}; // what the test does beside is not what it measures
  WH_CLEAN_BUF wh_buf message;
  wh_buf_init(&message, &own, 0);
  for (int i = 0; i < 70; i++)
    wh_buf_printf(&message,
                  "%s{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{"
                  "\"bucket\":{\"name\":\"lake\"},\"object\":{\"key\":\"%d\"}}}",
                  i ? "," : "{\"Records\":[", i);
  wh_buf_add_c(&message, "]}");
  send(p, message.data);
}

// A message of which not all can be kept is not told by half.
SQS_TEST(messages_are_whole_whatever_memory_says, 600) {
  size_t failures = 0;
  for (size_t n = 1; n < 500; n += test_is_long() ? 1 : 1 + test_random_below(5)) {
    p->type->close(p->queue); // a new one has no room yet
    REQUIRE_OK(p->type->open(p->c, WH_STR("**"), &p->queue, &test_err));
    send_many_records(p);
    wh_event events[100];
    size_t count = 0;
    bool lost;
    atomic_store(&test_mem.count, 0);
    test_mem.fail_at = n;
    wh_status status = p->type->receive(p->queue, events, 100, 0, &count, &lost, &test_err);
    test_mem.fail_at = 0;
    CHECK(count == 0 || count % 70 == 0 || count == 100);
    if (status == WH_OK && count) break;
    failures++;
  }
  test_note("%zu allocations failed in turn", failures);
  CHECK(failures > 3);
}

// With little memory few are asked for until they turn out to be small; where they were not, they
// come again.
SQS_TEST(large_messages_come_through_little_memory, 3) {
  enum { SMALL = 30, LARGE = 12, LARGE_BYTES = 250000 };
  p->connection.row_limit_bytes = 1;
  for (int i = 0; i < SMALL; i++)
    announce_sqs(p, "small");
  CHECK(take_all(p));
  static char text[LARGE_BYTES + 1];
  memset(text, '"', LARGE_BYTES); // twice as long in the answer
  for (int i = 0; i < LARGE; i++)
    send(p, text);
  CHECK(take_all(p));
}

static void *wake_soon(void *context) {
  place *p = context;
  struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
  nanosleep(&pause, NULL);
  p->type->wake(p->queue);
  return NULL;
}

SQS_TEST(a_receive_that_waits_can_be_woken, 30) {
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, wake_soon, p) == 0);
  int64_t start = now_us(p);
  wh_event event;
  size_t count;
  bool lost;
  CHECK_OK(p->type->receive(p->queue, &event, 1, SOON_US, &count, &lost, &test_err));
  CHECK_EQ(count, 0);
  CHECK(now_us(p) - start < SOON_US / 2);
  pthread_join(thread, NULL);
  announce_sqs(p, "a.json"); // the question is still under way
  TELLS(p, 1, p->type->done, "a.json;");
}

SQS_TEST(a_queue_that_is_not_there_is_told, 30) {
  place other = {.connection = p->connection, .type = p->type};
  wh_sqs_options options = p->options;
  options.queue = WH_STR("https://sqs.eu-west-1.amazonaws.com/123456789012/none");
  other.connection.options = &options;
  other.c = &other.connection;
  REQUIRE_OK(wh_connector_sqs.open(other.c, &test_err));
  REQUIRE_OK(other.type->open(other.c, WH_STR(""), &other.queue, &test_err));
  wh_event event;
  size_t count;
  bool lost;
  CHECK_FAILS(other.type->receive(other.queue, &event, 1, 0, &count, &lost, &test_err),
              WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("uploads: ");
  other.type->close(other.queue);
  wh_connector_sqs.close(other.c);
}

TEST(sqs_refuses_what_is_no_queue) {
  static const char *const names[] = {"",
                                      "orders",
                                      "arn:aws:sns:eu-west-1:123456789012:x",
                                      "arn:aws:sqs:eu-west-1:123456789012",
                                      "arn:aws:sqs:eu-west-1::x",
                                      "arn:aws:sqs:eu-west-1:123456789012:x:y",
                                      "https://sqs.eu-west-1.amazonaws.com/",
                                      "https://sqs.eu-west-1.amazonaws.com/x",
                                      "https://sqs.eu-west-1.amazonaws.com/1/x/y"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    wh_sqs_options options = {.queue = wh_str_of(names[i])};
    if (!CHECK_FAILS(wh_connector_sqs.check(&options, &test_err), WH_ERR_USAGE))
      test_note("%s", names[i]);
    CHECK_ERROR_HAS("queue: '");
    CHECK_ERROR_HAS("arn:aws:sqs:eu-west-1:123456789012:uploads");
  }
}

TEST(sqs_takes_the_region_from_the_queue) {
  wh_aws_name name;
  REQUIRE_OK(wh_aws_name_parse(WH_STR("https://sqs.eu-central-1.amazonaws.com/123456789012/a"),
                               "sqs", true, "", &name, &test_err));
  CHECK_STR(name.region, WH_STR("eu-central-1"));
  CHECK_EQ(name.endpoint.len, 0);
  CHECK_STR(name.name, WH_STR("a"));
  REQUIRE_OK(wh_aws_name_parse(WH_STR("http://127.0.0.1:5000/123456789012/a.fifo"), "sqs", true, "",
                               &name, &test_err));
  CHECK_STR(name.endpoint, WH_STR("http://127.0.0.1:5000"));
  REQUIRE_OK(wh_aws_name_parse(WH_STR("arn:aws-cn:sqs:cn-north-1:123456789012:b"), "sqs", true, "",
                               &name, &test_err));
  CHECK_STR(name.region, WH_STR("cn-north-1"));
  CHECK_STR(name.account, WH_STR("123456789012"));
}

#endif
