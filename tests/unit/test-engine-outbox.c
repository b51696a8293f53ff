// What a run leaves to be told, and what becomes of it: the catalogue, which needs no server.
#include "engine/run.h"
#include "shop.h"
#include "sim_os.h"

static const char export[] =
    SHOP_CONNECTIONS "  out:\n    from: erp:t\n    columns: all\n    to: lake:out/{run}.json\n"
                     "  new:\n    from: erp:t\n    read: { cursor: at }\n    columns: all\n"
                     "    to: lake:new/{run}.json\n"
                     "  load:\n    from: lake:out/*.json\n    columns: all\n    to: website:t\n"
                     "    attempts: 2\n"
                     "catalog: website:Objects\n";

static const int64_t MINUTE_US = 60ll * 1000000;

static bool begin(shop *s, wh_arena *arena) {
  wh_arena_init(arena, &test_mem);
  return shop_start(s, export) &&
         shop_sql(s, "erp",
                  "CREATE TABLE t(n INTEGER, at TIMESTAMP);"
                  "INSERT INTO t VALUES (1, '2026-11-21 08:00:00Z')") &&
         shop_open(s);
}

static void end(shop *s, wh_arena *arena) {
  shop_end(s);
  wh_arena_free(arena);
}

static wh_outbox_box box_of(shop *s, wh_arena *arena) {
  wh_outbox_box *boxes = NULL, none = {0};
  size_t count = 0;
  wh_ledger *l = s->c.ledger;
  CHECK_OK(l->type->outbox(l, arena, &boxes, &count, &test_err));
  CHECK(count <= 1);
  return count ? boxes[0] : none;
}

static wh_delivered deliver(shop *s, bool revive) {
  wh_delivered d = {0};
  CHECK_OK(wh_engine_deliver(&s->c.engine, revive, MINUTE_US, &d, &test_err));
  return d;
}

TEST(an_object_that_is_published_enters_and_goes) {
  shop s;
  wh_arena arena;
  REQUIRE(begin(&s, &arena));
  CHECK_OK(shop_run(&s, "out", NULL));
  wh_outbox_box box = box_of(&s, &arena);
  CHECK_STR(box.target, WH_STR("website:Objects"));
  CHECK_EQ(box.kind, WH_OUTBOX_CATALOGUE);
  CHECK_EQ(box.waiting, 1);
  wh_delivered d = deliver(&s, false);
  CHECK_EQ(d.sent, 1);
  CHECK(d.failed == 0 && !d.paused && d.next_us == INT64_MAX);
  CHECK_EQ(box_of(&s, &arena).waiting, 0);
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM Objects WHERE pipeline = 'out'"), 1);
  CHECK_EQ(shop_ask(&s, "website", "SELECT \"rows\" FROM Objects"), 1);
  CHECK_EQ(deliver(&s, true).sent, 0);
  end(&s, &arena);
}

TEST(what_publishes_nothing_tells_nothing) {
  shop s;
  wh_arena arena;
  REQUIRE(begin(&s, &arena));
  CHECK_OK(shop_run(&s, "out", NULL));
  CHECK_OK(shop_run(&s, "load", NULL)); // a table
  CHECK_EQ(box_of(&s, &arena).waiting, 1);
  CHECK_OK(shop_run(&s, "new", NULL));
  CHECK_EQ(box_of(&s, &arena).waiting, 2);
  CHECK_OK(shop_run(&s, "new", NULL)); // nothing new
  CHECK_EQ(box_of(&s, &arena).waiting, 2);
  CHECK(shop_sql(&s, "erp", "DELETE FROM t"));
  CHECK_OK(shop_run(&s, "out", NULL)); // an empty table is an object
  CHECK_EQ(box_of(&s, &arena).waiting, 3);
  CHECK(shop_sql(&s, "erp", "DROP TABLE t"));
  CHECK_OK(shop_run(&s, "out", NULL));
  CHECK_EQ(s.last.state, WH_RUN_FAILED);
  CHECK_EQ(box_of(&s, &arena).waiting, 3);
  CHECK_EQ(deliver(&s, false).sent, 3);
  end(&s, &arena);
}

TEST(a_table_that_refuses_is_given_up_and_taken_up_again) {
  shop s;
  wh_arena arena;
  REQUIRE(begin(&s, &arena));
  CHECK(shop_sql(&s, "website", "CREATE TABLE Objects(id INTEGER)"));
  CHECK_OK(shop_run(&s, "out", NULL));
  int tries = 0;
  while (box_of(&s, &arena).dead == 0 && tries < 20) {
    wh_delivered d = deliver(&s, false);
    CHECK(d.sent == 0 && d.failed == 1 && d.paused);
    CHECK_EQ(deliver(&s, false).failed, 0); // not due yet
    sim_os_advance(s.os, 20 * MINUTE_US * 1000);
    tries++;
  }
  CHECK_EQ(tries, 5); // the pipeline's attempts
  CHECK_EQ(deliver(&s, false).failed, 0);
  CHECK_EQ(deliver(&s, true).failed, 1);
  CHECK_EQ(box_of(&s, &arena).dead, 1);
  CHECK(box_of(&s, &arena).error.len > 0);
  CHECK(shop_sql(&s, "website", "DROP TABLE Objects"));
  CHECK_EQ(deliver(&s, true).sent, 1);
  CHECK_EQ(box_of(&s, &arena).dead, 0);
  end(&s, &arena);
}

// Objects whose manifests are gone cannot be written; the others do not wait for them.
TEST(what_cannot_be_mended_keeps_nothing_else) {
  shop s;
  wh_arena arena;
  REQUIRE(begin(&s, &arena));
  enum { GONE = 5 };
  for (int i = 0; i < GONE; i++) {
    CHECK_OK(shop_run(&s, "out", NULL));
    wh_connection *lake;
    CHECK_OK(wh_config_connect(s.c.config, WH_STR("lake"), &lake, &test_err));
    wh_str key = wh_arena_printf(&arena, "_wherry/manifests/out/%s.json.json", s.last.id);
    CHECK_OK(lake->type->store->remove(lake, key, &test_err));
  }
  CHECK_OK(shop_run(&s, "out", NULL));
  uint64_t sent = 0;
  int passes = 0;
  while (!sent && passes < 100) {
    sent = deliver(&s, true).sent;
    passes++;
  }
  CHECK_EQ(sent, 1);
  CHECK_EQ(box_of(&s, &arena).dead, GONE);
  CHECK_STR(wh_str_sub(box_of(&s, &arena).error, 0, 9), WH_STR("lake:out/"));
  CHECK_OK(shop_run(&s, "out", NULL));
  wh_delivered d = deliver(&s, true);
  CHECK(d.sent == 1 && d.failed == 1); // and one of the others was tried
  CHECK_EQ(box_of(&s, &arena).dead, GONE);
  end(&s, &arena);
}

TEST(who_delivers_elsewhere_is_left_alone) {
  shop s;
  wh_arena arena;
  REQUIRE(begin(&s, &arena));
  CHECK_OK(shop_run(&s, "out", NULL));
  wh_ledger *l = s.c.ledger;
  wh_lease lease;
  CHECK_OK(l->type->acquire(l, WH_STR(WH_OUTBOX_LEASE), &lease, &test_err));
  wh_delivered d = deliver(&s, true);
  CHECK(d.sent == 0 && d.next_us != INT64_MAX);
  l->type->release(l, &lease);
  CHECK_EQ(deliver(&s, false).sent, 1);
  end(&s, &arena);
}

TEST(a_project_that_tells_nobody_leaves_what_others_do) {
  shop s;
  wh_arena arena;
  REQUIRE(begin(&s, &arena));
  CHECK_OK(shop_run(&s, "out", NULL));
  shop_close(&s);
  CHECK(shop_config(&s, SHOP_CONNECTIONS "  out:\n    from: erp:t\n    columns: all\n"
                                         "    to: lake:out/{run}.json\n"));
  REQUIRE(shop_open(&s));
  CHECK_EQ(deliver(&s, true).sent, 0);
  CHECK_EQ(box_of(&s, &arena).waiting, 1);
  end(&s, &arena);
}

// Whatever fails for want of memory, the row comes in the end, and no failure is counted.
TEST(without_memory) {
  shop s;
  wh_arena arena;
  REQUIRE(begin(&s, &arena));
  CHECK_OK(shop_run(&s, "out", NULL));
  uint64_t sent = 0;
  for (size_t n = 1; !sent && n < 20000; n += n < 200 ? 1 : 37) {
    wh_delivered d = {0};
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    wh_status status = wh_engine_deliver(&s.c.engine, true, MINUTE_US, &d, &test_err);
    atomic_store(&test_mem.fail_at, 0);
    CHECK(status == WH_OK || status == WH_ERR_MEMORY);
    CHECK_EQ(d.failed, 0);
    sent = d.sent;
  }
  sent += deliver(&s, true).sent; // where it was there, and only its taking out failed
  CHECK(sent >= 1);
  CHECK_EQ(box_of(&s, &arena).waiting, 0);
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM Objects"), 1);
  end(&s, &arena);
}
