// Events of objects: every shape in which they come, keys as they were, and what is none.
#include "connect/object_event.h"
#include "test.h"

#define S(text) wh_str_of(text)

static wh_arena arena;
static wh_object_events found;

static wh_status parse(const char *message) {
  wh_arena_init(&arena, &test_mem);
  memset(&test_err, 0, sizeof test_err);
  found = (wh_object_events){0};
  return wh_object_events_parse(S(message), &arena, &found, &test_err);
}

static void end(void) {
  wh_arena_free(&arena);
}

#define S3_RECORD(name, object)                                                                    \
  "{\"eventVersion\":\"2.2\",\"eventSource\":\"aws:s3\",\"eventName\":\"" name                     \
  "\",\"s3\":{\"bucket\":{\"name\":\"lake\"},\"object\":" object "}}"
#define S3(object) "{\"Records\":[" S3_RECORD("ObjectCreated:Put", object) "]}"
#define QUOTED                                                                                     \
  "{\\\"Records\\\":[{\\\"eventSource\\\":\\\"aws:s3\\\",\\\"eventName\\\":\\\"ObjectCreated:"     \
  "Copy\\\",\\\"s3\\\":{\\\"bucket\\\":{\\\"name\\\":\\\"lake\\\"},\\\"object\\\":{\\\"key\\\":"   \
  "\\\"in/a.json\\\"}}}]}"

static void check_one(const char *key) {
  REQUIRE(found.count == 1);
  CHECK_STR(found.items[0].bucket, S("lake"));
  CHECK_STR(found.items[0].key, S(key));
}

TEST(a_notification_of_s3) {
  CHECK_OK(parse(S3("{\"key\":\"in/a.json\",\"size\":9,\"versionId\":\"v1\",\"eTag\":\"d41d\","
                    "\"sequencer\":\"0055\"}")));
  check_one("in/a.json");
  CHECK_STR(found.items[0].version, S("v1"));
  CHECK_STR(found.items[0].etag, S("d41d"));
  CHECK(found.ignored == 0);
  end();
}

TEST(keys_are_decoded_as_s3_encodes_them) {
  CHECK_OK(parse(S3("{\"key\":\"in/a+b%2Bc%2Fd%C3%BC+%25+x.json\"}")));
  check_one("in/a b+c/d\xC3\xBC % x.json");
  end();
  CHECK_OK(parse(S3("{\"key\":\"50%, 5%4\"}"))); // not encoded by anyone: stays
  check_one("50%, 5%4");
  end();
}

TEST(several_records_and_what_is_passed_over) {
  CHECK_OK(parse("{\"Records\":[" S3_RECORD("ObjectCreated:Put", "{\"key\":\"a\"}") "," S3_RECORD(
      "ObjectRemoved:Delete",
      "{\"key\":\"b\"}") "," S3_RECORD("ObjectCreated:CompleteMultipartUpload",
                                       "{\"key\":\"c\"}") "]}"));
  REQUIRE(found.count == 2);
  CHECK_STR(found.items[0].key, S("a"));
  CHECK_STR(found.items[1].key, S("c"));
  CHECK(found.ignored == 1);
  end();
}

TEST(the_test_event_is_nothing) {
  CHECK_OK(parse("{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Time\":\"2026-01-01\","
                 "\"Bucket\":\"lake\"}"));
  CHECK(found.count == 0 && found.ignored == 1);
  end();
}

TEST(through_sns) {
  CHECK_OK(parse("{\"Type\":\"Notification\",\"MessageId\":\"1\",\"TopicArn\":\"arn:aws:sns:x\","
                 "\"Message\":\"" QUOTED "\"}"));
  check_one("in/a.json");
  end();
  // In the event that Lambda hands to a function.
  CHECK_OK(
      parse("{\"Records\":[{\"EventSource\":\"aws:sns\",\"Sns\":{\"Message\":\"" QUOTED "\"}}]}"));
  check_one("in/a.json");
  end();
}

TEST(through_sqs_to_lambda) {
  CHECK_OK(parse("{\"Records\":[{\"messageId\":\"1\",\"eventSource\":\"aws:sqs\",\"body\":\"" QUOTED
                 "\"}]}"));
  check_one("in/a.json");
  end();
}

TEST(from_event_bridge) {
  CHECK_OK(parse("{\"version\":\"0\",\"source\":\"aws.s3\",\"detail-type\":\"Object Created\","
                 "\"detail\":{\"bucket\":{\"name\":\"lake\"},\"object\":{\"key\":\"a+b c.json\","
                 "\"etag\":\"e\",\"version-id\":\"v\"}}}"));
  check_one("a+b c.json"); // not encoded there
  CHECK_STR(found.items[0].version, S("v"));
  end();
  CHECK_OK(parse("{\"source\":\"aws.s3\",\"detail-type\":\"Object Deleted\",\"detail\":{}}"));
  CHECK(found.count == 0 && found.ignored == 1);
  end();
}

#define NOTICE(object) "{\"wherry\":1,\"id\":\"r-q\",\"status\":\"done\"" object "}"

TEST(what_another_wherry_tells) {
  CHECK_OK(parse(NOTICE(",\"object\":{\"address\":\"lake:a+b.json\",\"bucket\":\"lake\",\"key\":"
                        "\"in/a+b c.json\",\"version\":\"v1\"}")));
  check_one("in/a+b c.json"); // not encoded there
  CHECK_STR(found.items[0].version, S("v1"));
  end();
  CHECK_OK(parse("{\"Type\":\"Notification\",\"TopicArn\":\"t\",\"Message\":\"{\\\"wherry\\\":1,"
                 "\\\"object\\\":{\\\"bucket\\\":\\\"lake\\\",\\\"key\\\":\\\"a\\\"}}\"}"));
  check_one("a");
  end();
  static const char *const nothing[] = {NOTICE(""), NOTICE(",\"table\":\"site:orders\""),
                                        NOTICE(",\"object\":{\"address\":\"disk:a\"}"),
                                        NOTICE(",\"object\":7")};
  for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
    CHECK_OK(parse(nothing[i]));
    CHECK(found.count == 0 && found.ignored == 1);
    end();
  }
  CHECK_FAILS(parse("{\"wherry\":2,\"object\":{\"bucket\":\"b\",\"key\":\"k\"}}"), WH_ERR_DATA);
  CHECK_ERROR_HAS("a newer wherry sent this message (version 2; this one knows 1)");
  end();
}

TEST(what_is_no_event) {
  static const char *const texts[] = {
      "",
      "hello",
      "[]",
      "7",
      "{}",
      "{\"Records\":[{}]}",
      "{\"Records\":[7]}",
      "{\"Records\":{}}",
      "{\"source\":\"aws.ec2\"}",
      S3("{\"key\":\"\"}"),
      S3("{}"),
      S3("7"),
      "{\"Records\":[{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\"}]}",
      "{\"Type\":\"Notification\",\"TopicArn\":\"t\",\"Message\":\"hello\"}",
      "{\"Type\":\"Notification\",\"TopicArn\":\"t\"}",
      "{\"source\":\"aws.s3\",\"detail-type\":\"Object Created\",\"detail\":{\"bucket\":1}}",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    CHECK_FAILS(parse(texts[i]), WH_ERR_DATA);
    CHECK(test_err.text[0] && found.items == NULL);
    end();
  }
}

TEST(wrapping_ends) {
  CHECK_FAILS(parse("{\"Records\":[{\"eventSource\":\"aws:sqs\",\"body\":\"{\\\"Records\\\":[{"
                    "\\\"eventSource\\\":\\\"aws:sqs\\\",\\\"body\\\":\\\"{\\\\\\\"Records"
                    "\\\\\\\":[{\\\\\\\"eventSource\\\\\\\":\\\\\\\"aws:sqs\\\\\\\",\\\\\\\"body"
                    "\\\\\\\":\\\\\\\"{}\\\\\\\"}]}\\\"}]}\"}]}"),
              WH_ERR_DATA);
  CHECK_ERROR_HAS("a message in a message");
  end();
}

TEST(without_memory) {
  for (int n = 1;; n++) {
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + (size_t)n);
    wh_status status = parse(S3("{\"key\":\"a+b\"}"));
    atomic_store(&test_mem.fail_at, 0);
    end();
    if (status == WH_OK) break;
    CHECK(status == WH_ERR_MEMORY);
    REQUIRE(n < 20);
  }
}
