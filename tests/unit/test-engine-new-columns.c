// Columns that are new at the source: held, stopped at, added.
#include "engine/run.h"
#include "shop.h"
#include "sim_os.h"

// --- new columns -------------------------------------------------------------------------------

#define LISTED(more)                                                                               \
  SHOP_CONNECTIONS "  copy:\n    from: erp:t\n    columns: { n: n }\n" more "    to: website:t\n"
#define ALL(more)                                                                                  \
  SHOP_CONNECTIONS "  copy:\n    from: erp:t\n    columns: all\n" more "    to: website:t\n"
#define OBJECTS(more)                                                                              \
  SHOP_CONNECTIONS                                                                                 \
  "  load:\n    when: new\n    from: drop:in/*\n    columns: { n: n }\n" more "    to: "           \
  "website:t\n"
#define STOP "    on_new_column: stop\n"
#define HOLD "    on_new_column: hold\n"
#define ADD  "    on_new_column: add\n"

static bool runs(shop *s, const char *pipeline) {
  CHECK_EQ(shop_run(s, pipeline, NULL), WH_OK);
  CHECK_EQ(s->finished, 1);
  return s->last.state == WH_RUN_DONE;
}

TEST(a_new_column_of_a_table_stops_the_run_until_it_is_settled) {
  shop s;
  REQUIRE(shop_start(&s, LISTED(STOP)));
  shop_sql(&s, "erp", "CREATE TABLE t(n INTEGER, s TEXT); INSERT INTO t VALUES (1, 'a')");
  CHECK(runs(&s, "copy")); // what is there at first is not new
  CHECK(runs(&s, "copy"));
  shop_sql(&s, "erp", "ALTER TABLE t ADD COLUMN iban TEXT; ALTER TABLE t ADD COLUMN x INTEGER");
  for (int i = 0; i < 2; i++) {
    CHECK(!runs(&s, "copy"));
    CHECK_STR(wh_str_of(s.last.error),
              WH_STR("the source has new columns 'iban', 'x', and on_new_column says stop. Nothing "
                     "was moved. List what may cross under columns; to leave the rest home, run "
                     "once with on_new_column: hold"));
    CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 2);
  }
  REQUIRE(shop_config(&s, LISTED(HOLD)));
  CHECK(runs(&s, "copy"));
  REQUIRE(shop_config(&s, LISTED(STOP)));
  CHECK(runs(&s, "copy"));
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 4);
  shop_end(&s);
}

TEST(with_all_columns_a_new_one_stops_or_is_added) {
  shop s;
  REQUIRE(shop_start(&s, ALL(STOP)));
  shop_sql(&s, "erp", "CREATE TABLE t(n INTEGER); INSERT INTO t VALUES (1)");
  CHECK(runs(&s, "copy"));
  shop_sql(&s, "erp", "ALTER TABLE t ADD COLUMN s TEXT; UPDATE t SET s = 'new'");
  CHECK(!runs(&s, "copy"));
  CHECK(strstr(s.last.error, "the source has a new column 's', and on_new_column says stop. "
                             "Nothing was moved. To let what is new cross, write on_new_column: "
                             "add"));
  REQUIRE(shop_config(&s, ALL(""))); // a table is not altered because nobody said anything
  CHECK(!runs(&s, "copy"));
  CHECK(strstr(s.last.error, "does not fit"));
  REQUIRE(shop_config(&s, ALL(ADD)));
  CHECK(runs(&s, "copy"));
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t WHERE s IS NULL"), 1);
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t WHERE s = 'new'"), 1);
  shop_end(&s);
}

static void check_object_stops(const char *name, const char *before, const char *same,
                               const char *wider) {
  static const char config[] = OBJECTS(STOP "    attempts: 3\n");
  char path[64];
  shop s;
  if (!CHECK(shop_start(&s, config))) return;
  const char *texts[] = {before, same, wider};
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "drop/in/%d.%s", i, name);
    CHECK(shop_write(&s, path, texts[i]));
    bool done = runs(&s, "load");
    if (!CHECK_EQ(done, i < 2)) test_note("%s %d: %s", name, i, s.last.error);
  }
  CHECK(strstr(s.last.error, "the source has a new column 'iban'"));
  wh_run_options hurry = {.hurry = true};
  CHECK_EQ(shop_run(&s, "load", &hurry), WH_OK);
  CHECK_EQ(s.finished, 0); // it is a dead letter
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 2);
  shop_end(&s);
}

TEST(a_new_column_in_an_object_makes_it_a_dead_letter) {
  check_object_stops("json", "[{\"n\": 1, \"s\": \"a\"}]", "[{\"n\": 2, \"s\": \"b\"}]",
                     "[{\"n\": 3, \"s\": \"c\"}, {\"n\": 4, \"s\": \"c\", \"iban\": \"x\"}]");
  check_object_stops("csv", "n,s\n1,a\n", "n,s\n2,b\n", "n,s,iban\n3,c,x\n");
  check_object_stops("ndjson", "{\"n\": 1, \"s\": \"a\"}\n", "{\"n\": 2}\n",
                     "{\"n\": 3, \"iban\": \"x\"}\n");
}

// What stayed home before somebody asked to be stopped is not new, once a run has looked.
TEST(columns_that_always_stayed_home_are_made_known_by_a_run_that_holds) {
  shop s;
  REQUIRE(shop_start(&s, OBJECTS("")));
  CHECK(shop_write(&s, "drop/in/1.json", "[{\"n\": 1, \"s\": \"a\"}]"));
  CHECK(runs(&s, "load"));
  REQUIRE(shop_config(&s, OBJECTS(HOLD)));
  CHECK(shop_write(&s, "drop/in/2.json", "[{\"n\": 2, \"s\": \"a\"}]"));
  CHECK(runs(&s, "load"));
  REQUIRE(shop_config(&s, OBJECTS(STOP)));
  CHECK(shop_write(&s, "drop/in/3.json", "[{\"n\": 3, \"s\": \"a\"}]"));
  CHECK(runs(&s, "load"));
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 3);
  shop_end(&s);
}

// Objects of Wherry's own tell their columns by their manifests.
TEST(a_new_column_stops_what_follows_an_export) {
  static const char config[] = SHOP_CONNECTIONS
      "  out:\n    from: erp:t\n    columns: all\n    to: lake:out/{run}.json\n"
      "  load:\n    when: new\n    from: lake:out/*.json\n    columns: { n: n }\n" STOP
      "    to: website:t\n";
  shop s;
  REQUIRE(shop_start(&s, config));
  shop_sql(&s, "erp", "CREATE TABLE t(n INTEGER, s TEXT); INSERT INTO t VALUES (1, 'a')");
  for (int i = 0; i < 2; i++) {
    CHECK(runs(&s, "out"));
    CHECK(runs(&s, "load"));
  }
  shop_sql(&s, "erp", "ALTER TABLE t ADD COLUMN iban TEXT");
  CHECK(runs(&s, "out"));
  CHECK(!runs(&s, "load"));
  CHECK(strstr(s.last.error, "the source has a new column 'iban'"));
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 2);
  shop_end(&s);
}

// A new key far behind in an object that commits in chunks.
TEST(a_column_that_comes_late_in_an_object_stops_it_before_the_first_chunk) {
  shop s;
  REQUIRE(shop_start(&s, OBJECTS(STOP "    chunk: 10\n    batch: 5\n")));
  CHECK(shop_write(&s, "drop/in/1.json", "[{\"n\": 1}]"));
  CHECK(runs(&s, "load"));
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  for (int i = 0; i < 3000; i++)
    wh_buf_printf(&text, "%s{\"n\": %d%s}", i ? "," : "[", i, i == 2990 ? ", \"iban\": 1" : "");
  CHECK(wh_buf_add_c(&text, "]") && wh_buf_add_char(&text, 0));
  CHECK(shop_write(&s, "drop/in/2.json", text.data));
  CHECK(!runs(&s, "load"));
  CHECK(strstr(s.last.error, "the source has a new column 'iban'"));
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 1);
  shop_end(&s);
}

// Two objects in one life: the second brings the column, and the third is again narrow.
TEST(objects_of_several_widths_go_into_a_table_that_grows) {
  static const char config[] =
      SHOP_CONNECTIONS "  load:\n    when: new\n    from: drop:in/*.json\n    columns: all\n" ADD
                       "    to: website:t\n    write: { mode: upsert, key: n }\n";
  shop s;
  REQUIRE(shop_start(&s, config));
  CHECK(shop_write(&s, "drop/in/1.json", "[{\"n\": 1}]"));
  CHECK(shop_write(&s, "drop/in/2.json", "[{\"n\": 2, \"day\": \"2026-11-20\"}]"));
  CHECK(shop_write(&s, "drop/in/3.json", "[{\"n\": 3, \"day\": \"2026-11-21\", \"x\": 5}]"));
  CHECK(shop_write(&s, "drop/in/4.json", "[{\"n\": 1, \"x\": 6}]"));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.totals.failed, 0);
  if (s.totals.failed) test_note("%s", s.last.error);
  CHECK_EQ(s.totals.runs, 4);
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 3);
  CHECK_EQ(shop_ask(&s, "website", "SELECT sum(x) FROM t"), 11);
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(day) FROM t"), 2);
  shop_end(&s);
}
