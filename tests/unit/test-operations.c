// The listener for those who operate the service (serve/operations.h), and the format of what it
// says (serve/exposition.h). The ledger can be made to fail, and the clock goes as the test wants.
#include "test.h"

#include "base/os.h"
#include "net/http.h"
#include "serve/exposition.h"
#include "serve/operations.h"
#include "serve/run_counts.h"

#include <math.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

// --- the format ----------------------------------------------------------------------------------

TEST(samples_are_written_as_the_format_wants) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  wh_label labels[] = {{"pipeline", WH_STR("export:a\"b\\c\nd")}, {"state", WH_STR("")}};
  wh_exposition_family(&out, "x_total", "counter", "Some.");
  wh_exposition_sample(&out, "x_total", labels, 2, 9007199254740991.0);
  wh_exposition_sample(&out, "x_total", NULL, 0, 0);
  wh_exposition_sample(&out, "x_total", NULL, 0, NAN);
  wh_exposition_sample(&out, "x_total", labels + 1, 1, 1700000000.123456);
  CHECK_STR(wh_buf_str(&out), WH_STR("# HELP x_total Some.\n# TYPE x_total counter\n"
                                     "x_total{pipeline=\"export:a\\\"b\\\\c\\nd\",state=\"\"} "
                                     "9007199254740991\n"
                                     "x_total 0\n"
                                     "x_total{state=\"\"} 1700000000.123456\n"));
  wh_buf_clear(&out);
  wh_label odd = {"l", WH_STR("\xFF"
                              "a\xC3\xA9\xC3")};
  wh_exposition_sample(&out, "x", &odd, 1, 1);
  CHECK_STR(wh_buf_str(&out), WH_STR("x{l=\"\xEF\xBF\xBD"
                                     "a\xC3\xA9\xEF\xBF\xBD\"} 1\n"));
}

TEST(runs_are_added_up_by_pipeline) {
  wh_run_counts counts;
  wh_run_counts_init(&counts, &test_mem);
  for (int i = 0; i < 100; i++) {
    char name[16];
    snprintf(name, sizeof name, "p%d", i % 40);
    wh_run run = {
        .pipeline = wh_str_of(name),
        .state = i < 60   ? WH_RUN_DONE
                 : i < 80 ? WH_RUN_FAILED
                          : WH_RUN_STOPPED,
        .started_us = 5000000,
        .finished_us = 5500000,
        .counts = {.read = 10, .written = 7, .unchanged = 1, .filtered = 1, .quarantined = 1},
        .bytes_read = 100};
    wh_run_counts_add(&counts, &run);
  }
  wh_run_count c = wh_run_counts_of(&counts, WH_STR("p5")); // 5, 45 and 85
  CHECK_EQ(c.done, 2);
  CHECK_EQ(c.failed, 0);
  CHECK_EQ(c.stopped, 1);
  CHECK_EQ(c.rows.read, 30);
  CHECK_EQ(c.rows.written, 21);
  CHECK_EQ(c.bytes_read, 300);
  CHECK(c.seconds == 1.5);
  c = wh_run_counts_of(&counts, WH_STR("other"));
  CHECK_EQ(c.done + c.failed + c.stopped, 0);
  wh_run_counts_free(&counts);
}

// --- the listener --------------------------------------------------------------------------------

static wh_os_real os;
static wh_os_type shifted;
static _Atomic int64_t ahead_ns;
static wh_ledger *ledger;
static wh_ledger_type failing;
static const wh_ledger_type *real_type;
static atomic_bool stopping;
static wh_engine engine;
static wh_operations *operations;
static wh_http *http;
static wh_http_exchange *x;

static int64_t shifted_ns(wh_os *any) {
  (void)any;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec + ahead_ns;
}

static atomic_bool stalls, stalled;

static wh_status fail_stats(wh_ledger *l, wh_str pipeline, wh_ledger_stats *ret, wh_error *err) {
  (void)l, (void)pipeline, (void)ret;
  while (atomic_load(&stalls)) {
    atomic_store(&stalled, true);
    usleep(1000);
  }
  return wh_fail(err, WH_ERR_UNAVAILABLE, "the server is away");
}

static const char config_text[] = "version: 1\n"
                                  "connections:\n"
                                  "  db: { type: sqlite, path: a.db }\n"
                                  "  lake: { type: local, path: lake }\n"
                                  "pipelines:\n"
                                  "  export:\n"
                                  "    from: db:t\n"
                                  "    columns: all\n"
                                  "    to: lake:x-{run}.json\n"
                                  "serve:\n"
                                  "  metrics: 127.0.0.1:0\n";

static bool begin(void) {
  signal(SIGPIPE, SIG_IGN);
  ahead_ns = 0;
  stopping = false;
  if (!CHECK_OK(wh_os_real_init(&os, &test_mem, &test_err))) return false;
  shifted = *os.base.type;
  shifted.monotonic_ns = shifted_ns;
  os.base.type = &shifted;
  char path[1024], locks[1024], config_path[1024];
  snprintf(path, sizeof path, "%s/ledger.db", test_folder());
  snprintf(locks, sizeof locks, "%s/locks", test_folder());
  snprintf(config_path, sizeof config_path, "%s/wherry.yaml", test_folder());
  wh_config_source source = {.os = &os.base, .mem = &test_mem, .path = config_path};
  engine = (wh_engine){.os = &os.base, .mem = &test_mem, .stop = &stopping, .wake_fd = -1};
  wh_http_options options = {.os = &os.base, .mem = &test_mem};
  if (!CHECK_OK(
          wh_os_write_file(&os.base, config_path, wh_str_of(config_text), false, &test_err)) ||
      !CHECK_OK(wh_config_load(&source, &engine.config, &test_err)) ||
      !CHECK_OK(wh_ledger_open_sqlite(&os.base, &test_mem, path, locks, &ledger, &test_err)))
    return false;
  real_type = ledger->type;
  failing = *real_type;
  failing.stats = fail_stats;
  engine.ledger = ledger;
  return CHECK_OK(wh_operations_start(&engine, NULL, &operations, &test_err)) &&
         CHECK_OK(wh_http_new(&options, &http, &test_err));
}

static void end(void) {
  wh_http_end(x);
  wh_http_free(http);
  wh_operations_stop(operations);
  wh_ledger_close(ledger);
  wh_config_free(engine.config);
  wh_os_real_free(&os);
  x = NULL;
}

// The body of the answer, valid until the next.
static const char *get(const char *path, int code) {
  char url[256];
  wh_http_exchange *done;
  snprintf(url, sizeof url, "%.*s%s", WH_STR_ARG(wh_operations_address(operations)), path);
  wh_http_request request = {.method = "GET", .url = wh_str_of(url)};
  wh_http_end(x);
  x = NULL;
  if (!CHECK_OK(wh_http_start(http, &request, &x, &test_err)) ||
      !CHECK_OK(wh_http_wait(http, x, -1, &done, &test_err)) || !CHECK_EQ(x->status, WH_OK))
    return "";
  if (!CHECK_EQ(x->code, code)) test_note("%s", x->body.data);
  return x->body.data;
}

TEST(ready_is_what_can_work) {
  REQUIRE(begin());
  CHECK_STR(wh_str_of(get("/healthz", 200)), WH_STR("ok\n"));
  CHECK_STR(wh_str_of(get("/readyz", 503)), WH_STR("the service has not begun yet\n"));
  wh_operations_beat(operations);
  CHECK_STR(wh_str_of(get("/readyz", 200)), WH_STR("ready\n"));
  ledger->type = &failing;
  CHECK_STR(wh_str_of(get("/readyz", 200)), WH_STR("ready\n")); // as fresh as a second
  ahead_ns = (WH_OPERATIONS_FRESH_SECONDS + 1) * 1000000000LL;
  CHECK_STR(wh_str_of(get("/readyz", 503)), WH_STR("the ledger cannot be read\n"));
  ahead_ns = (WH_OPERATIONS_BEAT_SECONDS + 1) * 1000000000LL;
  CHECK_STR(wh_str_of(get("/readyz", 503)),
            WH_STR("the service's main thread is stuck\nthe ledger cannot be read\n"));
  CHECK_STR(wh_str_of(get("/healthz", 200)), WH_STR("ok\n"));
  ledger->type = real_type;
  ahead_ns += (WH_OPERATIONS_FRESH_SECONDS + 1) * 1000000000LL;
  wh_operations_beat(operations);
  get("/readyz", 200);
  stopping = true;
  CHECK_STR(wh_str_of(get("/readyz", 503)), WH_STR("the service is ending\n"));
  end();
}

TEST(a_ledger_that_takes_long_keeps_nobody_from_saying_that_it_lives) {
  REQUIRE(begin());
  char url[256];
  wh_http_exchange *slow, *done;
  stalls = true;
  stalled = false;
  ledger->type = &failing;
  snprintf(url, sizeof url, "%.*s/readyz", WH_STR_ARG(wh_operations_address(operations)));
  wh_http_request request = {.method = "GET", .url = wh_str_of(url)};
  CHECK_OK(wh_http_start(http, &request, &slow, &test_err));
  for (int i = 0; i < 500 && !stalled; i++)
    CHECK_OK(wh_http_wait(http, slow, 10000, &done, &test_err));
  CHECK(stalled);
  CHECK_STR(wh_str_of(get("/healthz", 200)), WH_STR("ok\n"));
  stalls = false;
  CHECK_OK(wh_http_wait(http, slow, -1, &done, &test_err));
  CHECK_EQ(slow->code, 503);
  wh_http_end(slow);
  ledger->type = real_type;
  end();
}

TEST(metrics_without_a_ledger_are_those_of_the_process) {
  REQUIRE(begin());
  const char *text = get("/metrics", 200);
  CHECK(strstr(text, "\nwherry_ledger_readable 1\n"));
  CHECK(strstr(text, "\nwherry_objects_waiting{pipeline=\"export\"} 0\n"));
  CHECK(strstr(text, "\nwherry_objects_oldest_seconds{pipeline=\"export\"} 0\n"));
  ledger->type = &failing;
  ahead_ns += (WH_OPERATIONS_FRESH_SECONDS + 1) * 1000000000LL;
  text = get("/metrics", 200);
  CHECK(strstr(text, "\nwherry_ledger_readable 0\n"));
  CHECK(strstr(text, "\nprocess_resident_memory_bytes "));
  CHECK(!strstr(text, "pipeline"));
  ledger->type = real_type;
  get("/metrics", 200); // as fresh as a second
  CHECK(strstr(x->body.data, "\nwherry_ledger_readable 0\n"));
  ahead_ns += (WH_OPERATIONS_FRESH_SECONDS + 1) * 1000000000LL;
  CHECK(strstr(get("/metrics", 200), "\nwherry_ledger_readable 1\n"));
  end();
}

TEST(metrics_count_the_runs_of_the_process) {
  REQUIRE(begin());
  wh_run run = {.pipeline = WH_STR("export"), .state = WH_RUN_FAILED, .counts = {.read = 7}};
  wh_operations_count_run(operations, &run);
  const char *text = get("/metrics", 200);
  CHECK(strstr(text, "\nwherry_runs_total{pipeline=\"export\",state=\"failed\"} 1\n"));
  CHECK(strstr(text, "\nwherry_runs_total{pipeline=\"export\",state=\"done\"} 0\n"));
  CHECK(strstr(text, "\nwherry_rows_read_total{pipeline=\"export\"} 7\n"));
  wh_operations_count_run(NULL, &run);
  wh_operations_beat(NULL);
  end();
}
