// A project of a test's own on a simulated machine: its configuration, its files, and lives of the
// program over it.
//
//   shop s;
//   REQUIRE(shop_start(&s, config));
//   shop_sql(&s, "erp", "CREATE TABLE ...");
//   CHECK(shop_run(&s, "orders", NULL));                  // one life: opens, runs, closes
//   CHECK_EQ(s.last.counts.written, 2);
//   CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM orders"), 2);
//   shop_end(&s);
#pragma once

#include "crossing.h"
#include "test.h"

#define SHOP_CONNECTIONS                                                                           \
  "version: 1\n"                                                                                   \
  "connections:\n"                                                                                 \
  "  erp: { type: sqlite, path: erp.db }\n"                                                        \
  "  website: { type: sqlite, path: website.db }\n"                                                \
  "  drop: { type: local, path: drop }\n"                                                          \
  "  lake: { type: local, path: lake }\n"                                                          \
  "pipelines:\n"

// The last run that the engine told its watcher of.
typedef struct shop_last {
  wh_run_state state;
  wh_counts counts;
  char id[WH_RUN_ID_LEN + 1];
  char error[WH_ERROR_TEXT_MAX];
} shop_last;

typedef struct shop {
  wh_os *os;
  crossing c; // while it is open
  bool is_open;
  wh_run_totals totals; // of the last shop_run or shop_run_all
  int finished;         // runs that ended in the last life
  shop_last last;
  int stop_after; // batches until it asks to stop; < 0: never
} shop;

bool shop_start(shop *s, const char *config); // in "shop/wherry.yaml"
void shop_end(shop *s);
bool shop_config(shop *s, const char *config); // for the lives that follow
// A file under shop/, still for a minute.
bool shop_write(shop *s, const char *path, const char *text);
// Makes the real system's time zone known to the simulated one; skips the test where it has none.
bool shop_zone(shop *s, const char *name);
bool shop_sql(shop *s, const char *database, const char *sql);
// The first value of the first row, or -1.
int64_t shop_ask(shop *s, const char *database, const char *sql);

bool shop_open(shop *s);
void shop_close(shop *s);
// Fails the test when there is none of that name.
const wh_pipeline *shop_pipeline(shop *s, const char *name);

// Lists the store, if the pipeline reads one, and runs it once, as a service would; `options` NULL:
// the defaults. Opens and closes the shop when it is closed.
wh_status shop_run(shop *s, const char *pipeline, const wh_run_options *options);
wh_status shop_run_all(shop *s); // wherry run

// Of the objects of a store under a prefix.
uint64_t shop_count_objects(shop *s, const char *connection, const char *prefix);
uint64_t shop_count_attempts(shop *s, const char *connection);
