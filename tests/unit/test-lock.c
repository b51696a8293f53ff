#include "config/lock.h"
#include "sim_os.h"
#include "test.h"

static wh_os *os;
static wh_config *config;
static wh_arena arena;

static bool begin(void) {
  os = sim_os_new(&test_mem, 1);
  wh_arena_init(&arena, &test_mem);
  CHECK_OK(wh_os_write_file(os, "wherry.yaml", WH_STR("version: 1\n"), false, &test_err));
  wh_config_source source = {.os = os, .mem = &test_mem};
  return CHECK_OK(wh_config_load(&source, &config, &test_err));
}

static void end(void) {
  wh_config_free(config);
  config = NULL;
  wh_arena_free(&arena);
  sim_os_free(os);
}

static wh_crossing crossing(const char *column, const char *from, wh_class privacy,
                            const char *mask) {
  return (wh_crossing){.pipeline = WH_STR("export-orders"),
                       .to = WH_STR("lake:in/{run}.json"),
                       .column = wh_str_of(column),
                       .from = wh_str_of(from),
                       .type = {.kind = WH_STRING},
                       .privacy = privacy,
                       .mask = wh_str_of(mask)};
}

static void check_file(const char *want) {
  wh_str text = {0};
  if (CHECK_OK(wh_os_read_file(os, "wherry.lock", 1 << 20, &arena, &text, &test_err))) {
    CHECK_STR(text, wh_str_of(want));
  }
}

static void put(const char *text) {
  CHECK_OK(wh_os_write_file(os, "wherry.lock", wh_str_of(text), false, &test_err));
}

static wh_status check_one(const wh_crossing *c) {
  return wh_lock_check(config, c->pipeline, c, 1, &test_err);
}

#define HEADER                                                                                     \
  "# What crosses where. Made by: wherry plan --lock. Review its changes as you review code.\n"

TEST(the_lock_is_a_table_that_sorts) {
  if (!begin()) return end();
  wh_crossing list[] = {
      crossing("PostcodeProof", "postcode", WH_PERSONAL, "postcode-proof"),
      crossing("OrderNumber", "order_number", WH_INTERNAL, ""),
      crossing("Total", "total", WH_PUBLIC, ""),
      crossing("Ship To", "ship \"to\"", WH_INTERNAL, ""),
      crossing("OrderNumber", "order_number", WH_INTERNAL, ""),
  };
  list[2].type = (wh_type){.kind = WH_DECIMAL, .precision = 12, .scale = 2};
  CHECK_OK(wh_lock_write(config, list, 5, &test_err));
  check_file(
      HEADER
      "export-orders  lake:in/{run}.json  \"Ship To\"  from \"ship \\\"to\\\"\"  string  "
      "internal\n"
      "export-orders  lake:in/{run}.json  OrderNumber  from order_number  string  internal\n"
      "export-orders  lake:in/{run}.json  PostcodeProof  from postcode  string  personal  mask "
      "postcode-proof\n"
      "export-orders  lake:in/{run}.json  Total  from total  decimal(12,2)  public\n");
  CHECK_OK(wh_lock_check(config, WH_STR("export-orders"), list, 5, &test_err));
  end();
}

TEST(without_a_lock_everything_may_cross) {
  if (!begin()) return end();
  wh_crossing c = crossing("A", "a", WH_SECRET, "");
  CHECK_OK(check_one(&c));
  CHECK_OK(wh_lock_write(config, &c, 0, &test_err));
  check_file(HEADER);
  CHECK_FAILS(check_one(&c), WH_ERR_REFUSED); // an empty one lets nothing cross
  end();
}

TEST(what_is_not_in_the_lock_is_refused) {
  if (!begin()) return end();
  wh_crossing c = crossing("A", "a", WH_PERSONAL, "m");
  CHECK_OK(wh_lock_write(config, &c, 1, &test_err));
  CHECK_OK(check_one(&c));
  wh_crossing other = crossing("B", "b", WH_INTERNAL, "");
  CHECK_FAILS(check_one(&other), WH_ERR_REFUSED);
  CHECK_STR(
      wh_str_of(test_err.text),
      WH_STR("export-orders: B (from b, string, internal) would cross to lake:in/{run}.json, and "
             "wherry.lock does not list it. Nothing was moved. Review and accept it with: "
             "wherry plan --lock"));
  other = c;
  other.mask = WH_STR("");
  CHECK_FAILS(check_one(&other), WH_ERR_REFUSED);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("export-orders: A would cross to lake:in/{run}.json from a, string, personal; "
                   "wherry.lock has it from a, string, personal, mask m. Nothing was moved. Review "
                   "and accept it with: wherry plan --lock"));
  other = c;
  other.privacy = WH_INTERNAL;
  CHECK_FAILS(check_one(&other), WH_ERR_REFUSED);
  other = c;
  other.type.kind = WH_BINARY;
  CHECK_FAILS(check_one(&other), WH_ERR_REFUSED);
  other = c;
  other.from = WH_STR("aa");
  CHECK_FAILS(check_one(&other), WH_ERR_REFUSED);
  other = c;
  other.to = WH_STR("lake:out/{run}.json");
  CHECK_FAILS(check_one(&other), WH_ERR_REFUSED);
  other = c;
  other.pipeline = WH_STR("export");
  CHECK_FAILS(check_one(&other), WH_ERR_REFUSED);
  end();
}

// Names with every kind of sign in them can neither break a line nor pass for another.
TEST(names_cannot_break_the_lines) {
  if (!begin()) return end();
  static const char *const names[] = {"a  from b", "\"",     "\\",       "a\nb", "#a",
                                      "\xFF",      "mask x", "\xC3\xA4", "a\tb", "\"a\"  b"};
  enum { COUNT = sizeof names / sizeof names[0] };
  wh_crossing list[COUNT];
  for (size_t i = 0; i < COUNT; i++)
    list[i] = crossing(names[i], names[COUNT - 1 - i], WH_INTERNAL, i % 2 ? names[i] : "");
  CHECK_OK(wh_lock_write(config, list, COUNT, &test_err));
  for (size_t i = 0; i < COUNT; i++)
    CHECK_OK(check_one(&list[i]));
  for (size_t i = 0; i < COUNT; i++) {
    wh_crossing other = list[i];
    other.from = WH_STR("elsewhere");
    CHECK_FAILS(check_one(&other), WH_ERR_REFUSED);
  }
  end();
}

TEST(a_line_that_is_none_is_refused) {
  if (!begin()) return end();
  wh_crossing c = crossing("A", "a", WH_INTERNAL, "");
  static const char good[] = "export-orders  lake:in/{run}.json  A  from a  string  internal";
  static const char *const bad[] = {
      "<<<<<<< ours",
      "export-orders  lake:in/{run}.json  A  from a  string",
      "export-orders  lake:in/{run}.json  A  from a  string  internal  mask",
      "export-orders  lake:in/{run}.json  A  from a  string  internal  m",
      "export-orders  lake:in/{run}.json  A  a  string  internal",
      "export-orders lake:in/{run}.json A from a string internal",
      "export-orders  lake:in/{run}.json  A  from a  string  internally",
      "export-orders  lake:in/{run}.json  \"A  from a  string  internal",
      "export-orders  lake:in/{run}.json  A  from a  string  internal ",
      " export-orders  lake:in/{run}.json  A  from a  string  internal",
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char text[512];
    snprintf(text, sizeof text, "# a comment\n\n%s\n%s\n", good, bad[i]);
    put(text);
    if (!CHECK_FAILS(check_one(&c), WH_ERR_USAGE)) test_note("%s", bad[i]);
    CHECK_ERROR_HAS("wherry.lock:4: not a line of this file");
  }
  char text[512];
  snprintf(text, sizeof text, "# a comment\r\n\r\n%s\r\n", good);
  put(text);
  CHECK_OK(check_one(&c));
  end();
}

TEST(lock_fails_cleanly_without_memory) {
  for (size_t n = 1;; n++) {
    wh_mem_init(&test_mem, 0);
    if (!begin()) return end();
    wh_crossing c = crossing("A b", "a", WH_INTERNAL, "m");
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    wh_status status = wh_lock_write(config, &c, 1, &test_err);
    if (status == WH_OK) status = check_one(&c);
    atomic_store(&test_mem.fail_at, 0);
    if (status != WH_OK) CHECK_FAILS(status, WH_ERR_MEMORY);
    end();
    if (status == WH_OK) break;
    REQUIRE(n < 1000);
  }
}
