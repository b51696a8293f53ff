// Lines to CloudWatch Logs: batches, order, limits, and what becomes of them when nobody takes
// them.
#include "base/json_doc.h"
#include "http_peer.h"
#include "net/aws_logs.h"
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { REQUESTS_MAX = 64 };

// What the server is and was told. Under the mutex.
static struct {
  pthread_mutex_t mutex;
  http_peer *peer;
  bool has_group, has_stream, refuses;
  const char *answer;    // to PutLogEvents; NULL: {}
  size_t puts, creates;  // requests
  size_t events, newest; // events that were taken; of the last request
  size_t weight_max;     // of a request, as the service counts
  bool in_order;
  char first[64], last[64]; // messages
  size_t longest;
} server = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct {
  wh_os_real os;
  wh_aws_logs *logs;
  char endpoint[64];
  int warnings;
  char warning[1024];
} t;

static void note_event(const json_t *event, json_int_t *before, size_t *weight) {
  const char *text = json_string_value(json_object_get(event, "message"));
  size_t len = json_string_length(json_object_get(event, "message"));
  json_int_t time = json_integer_value(json_object_get(event, "timestamp"));
  server.in_order = server.in_order && time >= *before && len > 0;
  *before = time;
  *weight += len + WH_AWS_LOGS_EVENT_OVERHEAD;
  if (len > server.longest) server.longest = len;
  if (!server.events) snprintf(server.first, sizeof server.first, "%.60s", text);
  snprintf(server.last, sizeof server.last, "%.60s", text);
  server.events++;
}

static void take(wh_str body) {
  WH_CLEAN_JSON json_t *root = NULL;
  if (wh_json_load(body, 64 << 20, "the request", &root, NULL) != WH_OK) return;
  const json_t *events = json_object_get(root, "logEvents");
  json_int_t before = 0;
  size_t weight = 0;
  server.newest = json_array_size(events);
  for (size_t i = 0; i < server.newest; i++)
    note_event(json_array_get(events, i), &before, &weight);
  if (weight > server.weight_max) server.weight_max = weight;
}

static bool answer(void *context, const http_peer_request *r, http_peer_line *line) {
  (void)context;
  wh_str target = http_peer_field(r, "x-amz-target");
  pthread_mutex_lock(&server.mutex);
  if (server.refuses) {
    http_peer_reply(line, 400, "", "{\"__type\":\"AccessDeniedException\",\"message\":\"no\"}");
  } else if (wh_str_ends(target, ".CreateLogGroup")) {
    server.creates++;
    http_peer_reply(line, server.has_group ? 400 : 200, "",
                    "{\"__type\":\"ResourceAlreadyExistsException\"}");
    server.has_group = true;
  } else if (wh_str_ends(target, ".CreateLogStream")) {
    server.creates++;
    server.has_stream = server.has_group;
    http_peer_reply(line, 200, "", "{}");
  } else if (!server.has_stream) {
    http_peer_reply(line, 400, "", "{\"__type\":\"ResourceNotFoundException\",\"message\":\"no\"}");
  } else {
    server.puts++;
    take(r->body);
    http_peer_reply(line, 200, "", server.answer ? server.answer : "{}");
  }
  pthread_mutex_unlock(&server.mutex);
  return true;
}

static const char *variable(void *context, const char *name) {
  (void)context;
  if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0) return "AKID";
  if (strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0) return "secret";
  return NULL;
}

static void warn(void *context, const char *text) {
  (void)context;
  pthread_mutex_lock(&server.mutex);
  t.warnings++;
  snprintf(t.warning, sizeof t.warning, "%s", text);
  pthread_mutex_unlock(&server.mutex);
}

static bool begin(void) {
  memset(&t, 0, sizeof t);
  server.has_group = server.has_stream = server.refuses = false;
  server.answer = NULL;
  server.puts = server.creates = server.events = server.weight_max = server.longest = 0;
  server.in_order = true;
  if (!CHECK_OK(wh_os_real_init(&t.os, &test_mem, &test_err))) return false;
  server.peer = http_peer_start(answer, NULL, NULL);
  if (!CHECK(server.peer != NULL)) return false;
  snprintf(t.endpoint, sizeof t.endpoint, "http://127.0.0.1:%d", http_peer_port(server.peer));
  wh_aws_logs_options options = {.os = &t.os.base,
                                 .mem = &test_mem,
                                 .environment = {variable, NULL},
                                 .group = WH_STR("group"),
                                 .stream = WH_STR("stream"),
                                 .region = WH_STR("eu-west-1"),
                                 .endpoint = wh_str_of(t.endpoint),
                                 .warn = warn};
  return CHECK_OK(wh_aws_logs_open(&options, &t.logs, &test_err));
}

static void end(void) {
  wh_aws_logs_close(t.logs);
  http_peer_stop(server.peer);
  wh_os_real_free(&t.os);
}

// Closes the log and leaves the server's numbers to be looked at.
static void flush(void) {
  wh_aws_logs_close(t.logs);
  t.logs = NULL;
}

static void add_numbered(size_t count, size_t len) {
  char *line = wh_mem_alloc(&test_mem, len + 1);
  memset(line, 'x', len);
  for (size_t i = 0; i < count; i++) {
    char number[16];
    int n = snprintf(number, sizeof number, "%zu:", i);
    memcpy(line, number, (size_t)n);
    wh_aws_logs_add(t.logs, wh_str_n(line, len));
  }
  wh_mem_free(&test_mem, line, len + 1);
}

static bool wait_for_puts(size_t count) {
  for (int i = 0; i < 500; i++) {
    pthread_mutex_lock(&server.mutex);
    bool there = server.puts >= count;
    pthread_mutex_unlock(&server.mutex);
    if (there) return true;
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
  return false;
}

TEST(aws_logs_reach_nobody_without_a_line) {
  REQUIRE(begin());
  wh_aws_logs_add(t.logs, WH_STR(""));
  flush();
  CHECK_EQ(http_peer_requests(server.peer), 0);
  end();
}

TEST(aws_logs_make_group_and_stream_and_send_at_the_end) {
  REQUIRE(begin());
  wh_aws_logs_add(t.logs, WH_STR("{\"text\":\"one \\\"quoted\\\"\"}"));
  wh_aws_logs_add(t.logs, WH_STR("two"));
  flush();
  CHECK_EQ(server.creates, 2);
  CHECK_EQ(server.puts, 1);
  CHECK_EQ(server.events, 2);
  CHECK_STR(wh_str_of(server.first), WH_STR("{\"text\":\"one \\\"quoted\\\"\"}"));
  CHECK_STR(wh_str_of(server.last), WH_STR("two"));
  CHECK_EQ(t.warnings, 0);
  end();
}

TEST(aws_logs_wait_a_second_at_most) {
  REQUIRE(begin());
  server.has_group = server.has_stream = true;
  add_numbered(3, 20);
  CHECK(wait_for_puts(1));
  CHECK_EQ(server.newest, 3);
  add_numbered(1, 20);
  CHECK(wait_for_puts(2));
  end();
}

TEST(aws_logs_keep_to_the_limits_of_a_request) {
  REQUIRE(begin());
  server.has_group = server.has_stream = true;
  for (int i = 0; i < 8; i++) {
    add_numbered(9, 60000); // much: it goes at once
    CHECK(wait_for_puts((size_t)i + 1));
  }
  flush();
  CHECK_EQ(server.events, 72);
  CHECK(server.weight_max <= WH_AWS_LOGS_BYTES_MAX);
  CHECK(server.in_order);
  end();
}

TEST(aws_logs_cut_what_is_too_long_between_characters) {
  REQUIRE(begin());
  server.has_group = server.has_stream = true;
  size_t len = WH_AWS_LOGS_EVENT_BYTES_MAX;
  char *line = wh_mem_alloc(&test_mem, len);
  for (size_t i = 0; i + 1 < len; i += 2)
    memcpy(line + i, "\xC3\xA9", 2);
  memmove(line + 1, line, len - 1);
  line[0] = 'x';
  wh_aws_logs_add(t.logs, wh_str_n(line, len - 1));
  wh_mem_free(&test_mem, line, len);
  flush();
  CHECK_EQ(server.events, 1);
  CHECK_EQ(server.longest, WH_AWS_LOGS_EVENT_BYTES_MAX - WH_AWS_LOGS_EVENT_OVERHEAD - 1);
  end();
}

// The oldest go first; how many, the log itself says once it can be sent.
TEST(aws_logs_drop_the_oldest_and_count_them) {
  REQUIRE(begin());
  server.has_group = server.has_stream = true;
  pthread_mutex_lock(&server.mutex); // nothing is answered
  add_numbered(WH_AWS_LOGS_EVENTS_MAX + 500, 20);
  pthread_mutex_unlock(&server.mutex);
  flush();
  CHECK(server.in_order);
  CHECK(server.newest == 1 || server.puts == 1 || server.puts == 2 || server.puts == 3);
  // Those that were on their way while others came may have been taken as well.
  CHECK(server.events >= WH_AWS_LOGS_EVENTS_MAX);
  CHECK(server.events <= WH_AWS_LOGS_EVENTS_MAX + 501);
  end();
}

TEST(aws_logs_never_fail_who_has_something_to_say) {
  REQUIRE(begin());
  server.refuses = true;
  add_numbered(WH_AWS_LOGS_EVENTS_MAX + 500, 20);
  flush();
  CHECK_EQ(server.events, 0);
  CHECK_EQ(t.warnings, 2);
  CHECK_STR(wh_str_of(t.warning), WH_STR("log: 10500 lines were not sent to CloudWatch Logs"));
  end();
}

TEST(aws_logs_go_on_when_the_service_is_back) {
  REQUIRE(begin());
  server.has_group = server.has_stream = server.refuses = true;
  add_numbered(5, 20);
  for (int i = 0; i < 500 && !http_peer_requests(server.peer); i++)
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  pthread_mutex_lock(&server.mutex);
  server.refuses = false;
  pthread_mutex_unlock(&server.mutex);
  flush();
  CHECK_EQ(server.events, 5);
  CHECK_EQ(t.warnings, 1);
  CHECK(strstr(t.warning, "AccessDeniedException") != NULL);
  end();
}

TEST(aws_logs_count_what_the_service_rejects) {
  REQUIRE(begin());
  server.has_group = server.has_stream = true;
  server.answer = "{\"rejectedLogEventsInfo\":{\"tooOldLogEventEndIndex\":2}}";
  add_numbered(5, 20);
  CHECK(wait_for_puts(1));
  pthread_mutex_lock(&server.mutex);
  server.answer = NULL;
  pthread_mutex_unlock(&server.mutex);
  flush();
  CHECK(strstr(server.last, "\"text\":\"2 lines before") != NULL);
  end();
}
