// A run as a line in the embedded metric format.
#include "ledger/run_metrics.h"
#include "test.h"

static const wh_run run = {.id = WH_STR_INIT("01jd"),
                           .pipeline = WH_STR_INIT("export:a \"b\""),
                           .state = WH_RUN_FAILED,
                           .started_us = 1700000000000000,
                           .finished_us = 1700000001250000,
                           .counts = {.read = 5, .written = 3, .quarantined = 2},
                           .bytes_read = 70,
                           .bytes_written = UINT64_MAX,
                           .error = WH_STR_INIT("no space\n")};

TEST(metrics_of_a_run) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  REQUIRE(wh_run_write_metrics(&run, &out));
  CHECK_STR(
      wh_buf_str(&out),
      WH_STR(
          "{\"_aws\":{\"Timestamp\":1700000001250,\"CloudWatchMetrics\":[{\"Namespace\":\"Wherry\","
          "\"Dimensions\":[[\"Pipeline\"]],\"Metrics\":["
          "{\"Name\":\"rows_read\",\"Unit\":\"Count\"},{\"Name\":\"rows_written\",\"Unit\":"
          "\"Count\"},{\"Name\":\"rows_quarantined\",\"Unit\":\"Count\"},"
          "{\"Name\":\"bytes_read\",\"Unit\":\"Bytes\"},{\"Name\":\"bytes_written\",\"Unit\":"
          "\"Bytes\"},{\"Name\":\"seconds\",\"Unit\":\"Seconds\"},"
          "{\"Name\":\"failed\",\"Unit\":\"Count\"}]}]},\"Pipeline\":\"export:a \\\"b\\\"\","
          "\"run\":\"01jd\",\"error\":\"no space\\n\",\"rows_read\":5,\"rows_written\":3,"
          "\"rows_quarantined\":2,\"bytes_read\":70,\"bytes_written\":18446744073709551615,"
          "\"seconds\":1.250000,\"failed\":1}"));
}

TEST(metrics_without_memory) {
  wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  test_mem.fail_at = atomic_load(&test_mem.count) + 1;
  CHECK(!wh_run_write_metrics(&run, &out));
  test_mem.fail_at = 0;
  CHECK(out.failed);
  wh_buf_free(&out);
}
