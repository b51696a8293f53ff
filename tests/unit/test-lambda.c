// What a function of Lambda hears and says: the Runtime API's answers, events of all kinds.
#include "lambda/batch.h"
#include "lambda/runtime.h"
#include "test.h"

static wh_arena arena;
static wh_lambda_event event;

static wh_status parse(const char *text) {
  wh_arena_init(&arena, &test_mem);
  memset(&test_err, 0, sizeof test_err);
  event = (wh_lambda_event){0};
  return wh_lambda_event_parse(wh_str_of(text), &arena, &event, &test_err);
}

static void end(void) {
  wh_arena_free(&arena);
}

// --- the Runtime API -----------------------------------------------------------------------------

static bool says(const char *text, uint64_t code, const char *body) {
  char copy[512];
  snprintf(copy, sizeof copy, "%s", text);
  wh_runtime_said said;
  return wh_runtime_parse(copy, strlen(copy), &said) && said.code == code &&
         wh_str_is(said.body, body);
}

static bool is_cut(const char *text) {
  char copy[512];
  snprintf(copy, sizeof copy, "%s", text);
  wh_runtime_said said;
  return !wh_runtime_parse(copy, strlen(copy), &said);
}

TEST(answers_come_with_a_length_in_chunks_or_to_the_end) {
  CHECK(says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", 200, "{}"));
  CHECK(says("HTTP/1.1 202 Accepted\r\n\r\n", 202, ""));
  CHECK(says("HTTP/1.0 200 OK\r\n\r\nall of it", 200, "all of it"));
  CHECK(says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\n0A;name=value\r\n0123456789\r\n0\r\n\r\n",
             200, "abc0123456789"));
  CHECK(says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, ""));
}

TEST(answers_that_are_cut_are_none) {
  CHECK(is_cut(""));
  CHECK(is_cut("HTTP/1.1 200 OK\r\n"));
  CHECK(is_cut("SSH-2.0-OpenSSH_9.2p1\r\n\r\n"));
  CHECK(is_cut("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"));
  CHECK(is_cut("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"));
  CHECK(is_cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"));
  CHECK(is_cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
  CHECK(is_cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc"));
  CHECK(is_cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc"));
}

// --- events --------------------------------------------------------------------------------------

#define REST                                                                                       \
  "{\"resource\":\"/{proxy+}\",\"path\":\"/ingest/x\",\"httpMethod\":\"POST\","                    \
  "\"headers\":{\"Content-Type\":\"application/json\",\"X-A\":\"2\"},"                             \
  "\"multiValueHeaders\":{\"Content-Type\":[\"application/json\"],\"X-A\":[\"1\",\"2\"]},"         \
  "\"requestContext\":{\"identity\":{\"sourceIp\":\"203.0.113.7\",\"user\":null},\"stage\":"       \
  "\"prod\"},"                                                                                     \
  "\"body\":\"{}\",\"isBase64Encoded\":false}"
#define HTTP                                                                                       \
  "{\"version\":\"2.0\",\"rawPath\":\"/dev/ingest/x\",\"headers\":{\"content-type\":\"text/"       \
  "plain\"},"                                                                                      \
  "\"requestContext\":{\"http\":{\"method\":\"POST\",\"path\":\"/dev/ingest/x\","                  \
  "\"sourceIp\":\"2001:db8::7\"},\"stage\":\"dev\"},\"body\":\"YQBi\",\"isBase64Encoded\":true}"

TEST(requests_of_both_formats) {
  wh_str value = {0};
  CHECK_OK(parse(REST));
  CHECK(event.kind == WH_LAMBDA_REQUEST);
  const wh_gateway_request *r = &event.request;
  CHECK(wh_str_is(r->method, "POST") && wh_str_is(r->path, "/ingest/x"));
  CHECK(wh_str_is(r->source_ip, "203.0.113.7") && wh_str_is(r->body, "{}"));
  CHECK(wh_gateway_header_of(r, "x-a", &value) == 2 && wh_str_is(value, "1"));
  CHECK(wh_gateway_header_of(r, "X-B", &value) == 0);
  end();
  CHECK_OK(parse(HTTP));
  CHECK(event.kind == WH_LAMBDA_REQUEST);
  CHECK(wh_str_is(r->path, "/dev/ingest/x") && wh_str_is(r->source_ip, "2001:db8::7"));
  CHECK(wh_str_eq(r->body, wh_str_n("a\0b", 3)));
  CHECK(wh_gateway_header_of(r, "Content-Type", &value) == 1 && wh_str_is(value, "text/plain"));
  end();
}

TEST(what_is_no_request) {
  CHECK_OK(parse("{\"Records\":[{\"eventSource\":\"aws:sqs\",\"messageId\":\"1\",\"body\":\"{}\"}],"
                 "\"httpMethod\":\"POST\"}"));
  CHECK(event.kind == WH_LAMBDA_MESSAGES);
  end();
  CHECK_OK(parse("{\"requestContext\":{\"elb\":{}},\"httpMethod\":\"POST\"}")); // of no gateway
  CHECK(event.kind == WH_LAMBDA_MESSAGES);
  end();
  CHECK_FAILS(parse("{\"requestContext\":{\"http\":{}},\"body\":\"%\",\"isBase64Encoded\":true}"),
              WH_ERR_DATA);
  end();
}

TEST(messages_of_sqs_stand_for_themselves) {
  CHECK_OK(parse("{\"Records\":[{\"messageId\":\"1\",\"eventSource\":\"aws:sqs\",\"body\":\"x\"},"
                 "{\"messageId\":\"2\",\"eventSource\":\"aws:sqs\",\"body\":\"\"}]}"));
  CHECK(event.is_sqs);
  REQUIRE(event.message_count == 2);
  CHECK_STR(event.messages[0].id, WH_STR("1"));
  CHECK_STR(event.messages[0].body, WH_STR("x"));
  CHECK_STR(event.messages[1].id, WH_STR("2"));
  end();
  CHECK_FAILS(parse("{\"Records\":[{\"eventSource\":\"aws:sqs\",\"body\":\"x\"}]}"), WH_ERR_DATA);
  CHECK_ERROR_HAS("no messageId");
  end();
}

TEST(anything_else_is_one_message) {
  CHECK_OK(parse("{\"Records\":[{\"eventSource\":\"aws:s3\"}]}"));
  CHECK(!event.is_sqs);
  REQUIRE(event.message_count == 1);
  CHECK_STR(event.messages[0].body, WH_STR("{\"Records\":[{\"eventSource\":\"aws:s3\"}]}"));
  end();
}

TEST(calls_say_what_run_says) {
  CHECK_OK(parse("{\"pipelines\":[\"a\",\"b\"],\"full\":true,\"limit\":7,"
                 "\"since\":\"2026-11-21T08:00:00+01:00\"}"));
  CHECK_EQ(event.kind, WH_LAMBDA_RUN);
  REQUIRE(event.pipeline_count == 2);
  CHECK_STR(event.pipelines[1], WH_STR("b"));
  CHECK(event.options.full && event.options.has_since && event.options.hurry);
  CHECK_EQ(event.options.limit_rows, 7);
  CHECK_EQ(event.options.since_us, 1795244400000000);
  end();
  static const char *const wrong[] = {"[]",
                                      "{\"pipeline\":\"a\",\"pipelines\":[\"b\"]}",
                                      "{\"pipeline\":1}",
                                      "{\"pipelines\":[1]}",
                                      "{\"pipelines\":[]}",
                                      "{\"pipeline\":\"a\",\"limit\":0}",
                                      "{\"pipeline\":\"a\",\"full\":1}",
                                      "{\"pipeline\":\"a\",\"since\":\"08:00\"}",
                                      "{\"pipeline\":\"a\",\"sinse\":\"2026-11-21\"}"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    CHECK_FAILS(parse(wrong[i]), WH_ERR_DATA);
    end();
  }
}

TEST(a_schedule_runs_what_is_due) {
  CHECK_OK(parse("{\"source\":\"aws.events\",\"detail-type\":\"Scheduled Event\"}"));
  CHECK_EQ(event.kind, WH_LAMBDA_SCHEDULE);
  end();
}

TEST(an_event_survives_want_of_memory) {
  for (int n = 1;; n++) {
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + (size_t)n);
    wh_status status = parse("{\"pipelines\":[\"a\",\"b\"]}");
    atomic_store(&test_mem.fail_at, 0);
    end();
    if (status == WH_OK) break;
    CHECK_EQ(status, WH_ERR_MEMORY);
    REQUIRE(n < 20);
  }
}

// --- a batch as a queue --------------------------------------------------------------------------

#define TWO                                                                                        \
  "{\\\"Records\\\":[{\\\"eventSource\\\":\\\"aws:s3\\\",\\\"eventName\\\":\\\"ObjectCreated:Put"  \
  "\\\",\\\"s3\\\":{\\\"bucket\\\":{\\\"name\\\":\\\"lake\\\"},\\\"object\\\":{\\\"key\\\":"       \
  "\\\"a\\\"}}},{\\\"eventSource\\\":\\\"aws:s3\\\",\\\"eventName\\\":\\\"ObjectCreated:Put\\\","  \
  "\\\"s3\\\":{\\\"bucket\\\":{\\\"name\\\":\\\"lake\\\"},\\\"object\\\":{\\\"key\\\":\\\"b\\\"}}" \
  "}]}"

TEST(a_batch_gives_its_events_one_after_the_other) {
  CHECK_OK(parse("{\"Records\":[{\"messageId\":\"1\",\"eventSource\":\"aws:sqs\",\"body\":\"" TWO
                 "\"},{\"messageId\":\"2\",\"eventSource\":\"aws:sqs\",\"body\":\"hello\"},"
                 "{\"messageId\":\"3\",\"eventSource\":\"aws:sqs\",\"body\":"
                 "\"{\\\"Event\\\":\\\"s3:TestEvent\\\"}\"}]}"));
  wh_lambda_batch *batch = wh_lambda_batch_new(&event, &arena);
  wh_queue_handle *queue = (wh_queue_handle *)batch;
  wh_event events[2];
  size_t count;
  bool lost;
  REQUIRE(batch);
  CHECK_OK(wh_lambda_queue.receive(queue, events, 1, 0, &count, &lost, &test_err));
  REQUIRE(count == 1);
  CHECK_STR(events[0].store_key, WH_STR("a"));
  CHECK_EQ(events[0].of_receipt, 2);
  CHECK(!wh_lambda_batch_is_taken(batch));
  CHECK_OK(wh_lambda_queue.receive(queue, events, 2, 0, &count, &lost, &test_err));
  REQUIRE(count == 2);
  CHECK_STR(events[0].store_key, WH_STR("b"));
  CHECK_EQ(events[0].receipt, 1);
  CHECK(events[1].problem.len > 0);
  CHECK_EQ(events[1].receipt, 2);
  CHECK_OK(wh_lambda_queue.receive(queue, events, 2, 0, &count, &lost, &test_err));
  CHECK_EQ(count, 0);
  CHECK(wh_lambda_batch_is_taken(batch));
  CHECK_EQ(wh_lambda_batch_problem(batch)->status, WH_ERR_DATA);
  CHECK_EQ(wh_lambda_batch_outcome(batch, 2), WH_MESSAGE_DONE); // a test says nothing
  CHECK_OK(wh_lambda_queue.done(queue, 1, &test_err));
  CHECK_OK(wh_lambda_queue.fail(queue, 2, &test_err));
  CHECK_EQ(wh_lambda_batch_outcome(batch, 0), WH_MESSAGE_DONE);
  CHECK_EQ(wh_lambda_batch_outcome(batch, 1), WH_MESSAGE_FAILED);
  end();
}
