// What every ledger does: runs, seals, leases, cursors, pins, schedules, quarantine. The queue is
// in test-ledger-queue.c; crashes, full disks and lack of memory in test-ledger-crash.c and
// test-ledger-memory.c.
#include "ledgers.h"

#include <sqlite3.h>

static const int64_t SECOND_US = 1000000;

static wh_lease acquire(fixture *f, const char *pipeline) {
  wh_lease lease = {0};
  CHECK_OK(f->t->acquire(f->l, S(pipeline), &lease, &test_err));
  return lease;
}

static void check_run(const wh_run *got, const wh_run *want) {
  CHECK_STR(got->id, want->id);
  CHECK_STR(got->pipeline, want->pipeline);
  CHECK_STR(got->object, want->object);
  CHECK_EQ(got->order, want->order);
  CHECK_EQ(got->epoch, want->epoch);
  CHECK_EQ(got->started_us, want->started_us);
  CHECK_EQ(got->finished_us, want->finished_us);
  CHECK(memcmp(&got->counts, &want->counts, sizeof got->counts) == 0);
  CHECK_EQ(got->bytes_read, want->bytes_read);
  CHECK_EQ(got->bytes_written, want->bytes_written);
  CHECK_EQ(got->row_hash, want->row_hash);
  CHECK_STR(got->output, want->output);
  CHECK_STR(got->output_version, want->output_version);
  CHECK_STR(got->sha256, want->sha256);
  CHECK_STR(got->rejects, want->rejects);
  CHECK_STR(got->cursor_from, want->cursor_from);
  CHECK_STR(got->cursor_to, want->cursor_to);
  CHECK_STR(got->reading, want->reading);
  CHECK_EQ(got->partial, want->partial);
  CHECK_STR(got->error, want->error);
}

// Every field with a value of its own.
static void fill_run(wh_run *run) {
  run->finished_us = run->started_us + 312000;
  run->counts = (wh_counts){100, 80, 10, 5, 3, 2, 7};
  run->bytes_read = 123456789012345;
  run->bytes_written = 14200000;
  run->row_hash = 0xFEDCBA9876543210;
  run->output = S("lake:inbound/orders.json");
  run->output_version = S("17-14200000-1");
  run->sha256 = S("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  run->rejects = S("export-orders/01jd");
  run->cursor_from = S("2026-11-21T08:45:00Z");
  run->cursor_to = S("2026-11-21T08:55:00.123456Z");
  run->reading = S("3 ranges of id, read in one snapshot");
  run->partial = true;
}

// --- runs
// ------------------------------------------------------------------------------------------

LEDGER_TEST(runs_keep_every_field) {
  wh_lease lease = acquire(f, "export-orders");
  wh_run *run = start_run(f, &lease, "lake:a.json@1");
  REQUIRE(run);
  CHECK_EQ(run->id.len, WH_RUN_ID_LEN);
  CHECK_STR(run->pipeline, S("export-orders"));
  CHECK_EQ(run->state, WH_RUN_RUNNING);
  CHECK_EQ(run->epoch, lease.epoch);
  CHECK(run->order >= run->started_us);
  wh_run got;
  CHECK_OK(f->t->run_get(f->l, run->id, &f->arena, &got, &test_err));
  CHECK_EQ(got.state, WH_RUN_RUNNING);
  check_run(&got, run);

  fill_run(run);
  run->error = S("the disk was full \xC3\xBC");
  CHECK_OK(finish_run(f, run, WH_RUN_FAILED));
  f->t->release(f->l, &lease);
  REQUIRE(reopen_ledger(f));
  CHECK_OK(f->t->run_get(f->l, run->id, &f->arena, &got, &test_err));
  CHECK_EQ(got.state, WH_RUN_FAILED);
  check_run(&got, run);
}

LEDGER_TEST(pipelines_are_known_once_they_ran) {
  static const char *const names[] = {"export:b", "export",   "export:%_",
                                      "exporter", "Export:b", "export:\xc3\xa4"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    wh_lease lease = acquire(f, names[i]);
    f->t->release(f->l, &lease);
  }
  wh_str *found;
  size_t count;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  REQUIRE_OK(f->t->pipelines(f->l, S("export:"), &arena, &found, &count, &test_err));
  if (CHECK_EQ(count, 3)) {
    CHECK_STR(found[0], S("export:%_"));
    CHECK_STR(found[1], S("export:b"));
    CHECK_STR(found[2], S("export:\xc3\xa4"));
  }
  REQUIRE_OK(f->t->pipelines(f->l, S("other"), &arena, &found, &count, &test_err));
  CHECK_EQ(count, 0);
}

LEDGER_TEST(orders_grow_whatever_the_clock_does) {
  wh_lease lease = acquire(f, "p");
  int64_t last = 0;
  static const int64_t clocks[] = {1800000000, 1000000000, 1900000000, 0, 1900000000};
  for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
    sim_os_set_now(f->os, clocks[i] * 1000000000);
    wh_run *run = start_run(f, &lease, "");
    REQUIRE(run);
    CHECK(run->order > last);
    CHECK(run->order >= clocks[i] * SECOND_US);
    last = run->order;
  }
  CHECK_OK(f->t->raise_order(f->l, last + 1000, &test_err));
  CHECK_OK(f->t->raise_order(f->l, last - 1000, &test_err));
  wh_run *run = start_run(f, &lease, "");
  REQUIRE(run);
  CHECK_EQ(run->order, last + 1001);
  CHECK_FAILS(f->t->raise_order(f->l, INT64_MAX, &test_err), WH_ERR_LIMIT);
  f->t->release(f->l, &lease);
  REQUIRE(reopen_ledger(f));
  lease = acquire(f, "p");
  wh_run *later = start_run(f, &lease, "");
  REQUIRE(later);
  CHECK_EQ(later->order, last + 1002);
  f->t->release(f->l, &lease);
}

LEDGER_TEST(runs_are_found_by_prefix) {
  wh_lease lease = acquire(f, "p");
  wh_run *a = start_run(f, &lease, "");
  wh_run *b = start_run(f, &lease, "");
  REQUIRE(a && b);
  wh_run got;
  // The first characters are the time, so both begin alike.
  CHECK_FAILS(f->t->run_get(f->l, wh_str_sub(a->id, 0, 6), &f->arena, &got, &test_err),
              WH_ERR_USAGE);
  CHECK_ERROR_HAS("could be run 01");
  CHECK_FAILS(f->t->run_get(f->l, wh_str_sub(a->id, 0, 5), &f->arena, &got, &test_err),
              WH_ERR_USAGE);
  CHECK_ERROR_HAS("too short");
  CHECK_OK(f->t->run_get(f->l, a->id, &f->arena, &got, &test_err));
  CHECK_STR(got.id, a->id);
  // An hour later a dozen characters are enough.
  pass_time(f, 3600 * 1000 * SECOND_US);
  b = start_run(f, &lease, "");
  REQUIRE(b);
  CHECK_OK(f->t->run_get(f->l, wh_str_sub(b->id, 0, 12), &f->arena, &got, &test_err));
  CHECK_STR(got.id, b->id);
  char upper[WH_RUN_ID_LEN];
  for (int i = 0; i < WH_RUN_ID_LEN; i++)
    upper[i] = (char)(a->id.data[i] >= 'a' ? a->id.data[i] - 32 : a->id.data[i]);
  CHECK_OK(f->t->run_get(f->l, wh_str_n(upper, sizeof upper), &f->arena, &got, &test_err));
  CHECK_STR(got.id, a->id);
  wh_str longer = wh_arena_printf(&f->arena, "%.*sx", WH_STR_ARG(a->id));
  CHECK_FAILS(f->t->run_get(f->l, longer, &f->arena, &got, &test_err), WH_ERR_NOT_FOUND);
  CHECK_FAILS(f->t->run_get(f->l, S("zzzzzz"), &f->arena, &got, &test_err), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("wherry runs");
  f->t->release(f->l, &lease);
}

typedef struct listing {
  fixture *f;
  wh_str ids[64];
  size_t count;
  size_t stop_at; // 0: never
  bool finish;    // each running one, from within
} listing;

static wh_status list_run(void *context, const wh_run *run, wh_error *err) {
  (void)err;
  listing *list = context;
  static char kept[64][WH_RUN_ID_LEN];
  memcpy(kept[list->count], run->id.data, WH_RUN_ID_LEN);
  list->ids[list->count] = wh_str_n(kept[list->count], WH_RUN_ID_LEN);
  list->count++;
  if (list->finish) {
    wh_run copy = *run;
    CHECK_OK(finish_run(list->f, &copy, WH_RUN_DONE));
  }
  wh_arena_reset(&list->f->arena);
  return list->count == list->stop_at ? WH_ERR_CANCELLED : WH_OK;
}

LEDGER_TEST(runs_are_listed_newest_first) {
  wh_lease lease[2] = {acquire(f, "a"), acquire(f, "b")};
  char ids[40][WH_RUN_ID_LEN];
  for (int i = 0; i < 40; i++) {
    pass_time(f, 1000000000);
    wh_run *run = start_run(f, &lease[i % 2], "");
    REQUIRE(run);
    memcpy(ids[i], run->id.data, WH_RUN_ID_LEN);
    if (i % 4 == 0) CHECK_OK(finish_run(f, run, WH_RUN_FAILED));
  }
  listing all = {.f = f};
  CHECK_OK(f->t->runs(f->l, S(""), -1, 0, &f->arena, list_run, &all, &test_err));
  CHECK_EQ(all.count, 40);
  for (int i = 0; i < 40; i++)
    CHECK_STR(all.ids[i], wh_str_n(ids[39 - i], WH_RUN_ID_LEN));
  listing limited = {.f = f};
  CHECK_OK(f->t->runs(f->l, S("b"), -1, 3, &f->arena, list_run, &limited, &test_err));
  CHECK_EQ(limited.count, 3);
  CHECK_STR(limited.ids[2], wh_str_n(ids[35], WH_RUN_ID_LEN));
  listing failed = {.f = f};
  CHECK_OK(f->t->runs(f->l, S("a"), WH_RUN_FAILED, 0, &f->arena, list_run, &failed, &test_err));
  CHECK_EQ(failed.count, 10);
  listing none = {.f = f};
  CHECK_OK(f->t->runs(f->l, S("b"), WH_RUN_FAILED, 0, &f->arena, list_run, &none, &test_err));
  CHECK_EQ(none.count, 0);
  listing stopped = {.f = f, .stop_at = 5};
  CHECK_FAILS(f->t->runs(f->l, S(""), -1, 0, &f->arena, list_run, &stopped, &test_err),
              WH_ERR_CANCELLED);
  CHECK_EQ(stopped.count, 5);
  // The visitor may change what is listed.
  listing finishing = {.f = f, .finish = true};
  CHECK_OK(f->t->runs(f->l, S(""), WH_RUN_RUNNING, 0, &f->arena, list_run, &finishing, &test_err));
  CHECK_EQ(finishing.count, 30);
  listing done = {.f = f};
  CHECK_OK(f->t->runs(f->l, S(""), WH_RUN_DONE, 0, &f->arena, list_run, &done, &test_err));
  CHECK_EQ(done.count, 30);
  f->t->release(f->l, &lease[0]);
  f->t->release(f->l, &lease[1]);
}

LEDGER_TEST(import_leaves_known_runs_alone) {
  wh_lease lease = acquire(f, "p");
  wh_run *run = start_run(f, &lease, "");
  REQUIRE(run);
  wh_run other = *run;
  other.state = WH_RUN_DONE;
  other.counts.read = 5;
  CHECK_OK(f->t->import_run(f->l, &other, &test_err));
  wh_run got;
  CHECK_OK(f->t->run_get(f->l, run->id, &f->arena, &got, &test_err));
  CHECK_EQ(got.state, WH_RUN_RUNNING);

  fill_run(&other);
  other.id = S("01jd3vzzzzzzzzzzzzzzzzzzzz");
  other.order = run->order + 1000000;
  CHECK_OK(f->t->import_run(f->l, &other, &test_err));
  CHECK_OK(f->t->run_get(f->l, other.id, &f->arena, &got, &test_err));
  CHECK_EQ(got.state, WH_RUN_DONE);
  check_run(&got, &other);
  wh_run *next = start_run(f, &lease, "");
  REQUIRE(next);
  CHECK(next->order > other.order);
  other.order = INT64_MAX;
  CHECK_FAILS(f->t->import_run(f->l, &other, &test_err), WH_ERR_LIMIT);
  f->t->release(f->l, &lease);
}

// --- sealing and finishing
// -------------------------------------------------------------------------

static const wh_field FIELDS[] = {
    {WH_STR_INIT("OrderNumber"), {.kind = WH_STRING}, false, WH_INTERNAL},
    {WH_STR_INIT("a \"b\" \xE2\x82\xAC"),
     {.kind = WH_DECIMAL, .precision = 38, .scale = 4},
     true,
     WH_PERSONAL},
};
static const wh_schema SCHEMA = {2, FIELDS};
static const uint64_t HASHES[] = {0, 1, UINT64_MAX, 0x8000000000000000, 42};

static wh_cursor text_cursor(const char *text) {
  return (wh_cursor){
      .found = true,
      .last = {.type = wh_type_of(WH_STRING), .as.s = S(text)},
      .window = HASHES,
      .window_count = 5,
  };
}

static void fill_sealed(wh_run *run) {
  fill_run(run);
  run->sealed = (wh_sealed){.attempt = wh_str_n(run->id.data, run->id.len),
                            .store = S("lake"),
                            .key = S("inbound/orders.json"),
                            .sha256 = run->sha256,
                            .bytes = 14200000,
                            .rows = 80,
                            .row_hash = 0x8123456789ABCDEF,
                            .manifest = S("{\"version\": 1}")};
}

static void check_sealed(const wh_sealed *got, const wh_sealed *want) {
  CHECK_STR(got->attempt, want->attempt);
  CHECK_STR(got->store, want->store);
  CHECK_STR(got->key, want->key);
  CHECK_STR(got->sha256, want->sha256);
  CHECK_STR(got->manifest, want->manifest);
  CHECK_EQ(got->bytes, want->bytes);
  CHECK_EQ(got->rows, want->rows);
  CHECK_EQ(got->row_hash, want->row_hash);
}

typedef struct sealing {
  wh_lease lease;
  wh_run *run;
  wh_run finished;
  wh_cursor cursor;
  wh_quarantine_entry quarantine;
  wh_work work;
  wh_finish finish;
} sealing;

static bool seal_run(fixture *f, sealing *s) {
  *s = (sealing){.lease = acquire(f, "p"), .cursor = text_cursor("b")};
  bool is_new;
  CHECK_OK(f->t->put(f->l, S("p"), S("k"), S("1"), 1, &is_new, &test_err));
  CHECK_OK(f->t->receive(f->l, HELD("p"), SECOND_US, &f->arena, &s->work, &test_err));
  s->run = start_run(f, &s->lease, "lake:k@1");
  if (!s->run) return false;
  fill_sealed(s->run);
  s->finished = *s->run;
  s->finished.state = WH_RUN_DONE;
  s->finished.finished_us += 5;
  s->finished.cursor_to = S("b");
  s->quarantine = (wh_quarantine_entry){s->run->id, S("p"), S("lake:k"), S("p/x"), 2, 77};
  s->finish = (wh_finish){.run = &s->finished,
                          .cursor = &s->cursor,
                          .work = s->work.id,
                          .quarantine = &s->quarantine,
                          .pin = &SCHEMA};
  return CHECK_OK(f->t->run_seal(f->l, s->run, &s->finish, &test_err));
}

static uint64_t waiting(fixture *f) {
  wh_ledger_stats stats = {0};
  CHECK_OK(f->t->stats(f->l, S("p"), &stats, &test_err));
  return stats.waiting * 1000 + stats.quarantined_rows;
}

LEDGER_TEST(a_sealed_run_can_be_adopted) {
  sealing s;
  REQUIRE(seal_run(f, &s));
  f->t->release(f->l, &s.lease);
  REQUIRE(reopen_ledger(f));

  // Nothing of the finish shows before.
  wh_cursor cursor;
  CHECK_OK(f->t->cursor(f->l, S("p"), &f->arena, &cursor, &test_err));
  CHECK(!cursor.found);
  bool found;
  wh_schema schema;
  CHECK_OK(f->t->pinned(f->l, S("p"), &f->arena, &found, &schema, &test_err));
  CHECK(!found);
  CHECK_EQ(waiting(f), 1000);
  wh_run got;
  CHECK_OK(f->t->run_get(f->l, s.run->id, &f->arena, &got, &test_err));
  CHECK_EQ(got.state, WH_RUN_SEALED);
  check_run(&got, s.run);
  check_sealed(&got.sealed, &s.run->sealed);

  wh_finish finish;
  CHECK_OK(f->t->run_sealed_finish(f->l, s.run->id, &f->arena, &finish, &test_err));
  CHECK_EQ(finish.run->state, WH_RUN_DONE);
  check_run(finish.run, &s.finished);
  check_sealed(&finish.run->sealed, &s.run->sealed);
  CHECK_EQ(finish.work, s.work.id);
  REQUIRE(finish.cursor && finish.pin && finish.quarantine);
  CHECK(wh_schema_eq(finish.pin, &SCHEMA));
  CHECK_EQ(finish.pin->fields[1].privacy, WH_PERSONAL);
  CHECK_STR(finish.quarantine->file, S("p/x"));

  CHECK_OK(f->t->run_finish(f->l, &finish, &test_err));
  CHECK_OK(f->t->cursor(f->l, S("p"), &f->arena, &cursor, &test_err));
  CHECK(cursor.found && wh_value_compare(&cursor.last, &s.cursor.last) == 0);
  REQUIRE(cursor.window_count == 5);
  CHECK(memcmp(cursor.window, HASHES, sizeof HASHES) == 0);
  CHECK_OK(f->t->pinned(f->l, S("p"), &f->arena, &found, &schema, &test_err));
  CHECK(found && wh_schema_eq(&schema, &SCHEMA));
  CHECK_EQ(waiting(f), 2);
  CHECK_FAILS(f->t->run_sealed_finish(f->l, s.run->id, &f->arena, &finish, &test_err),
              WH_ERR_NOT_FOUND);
}

LEDGER_TEST(a_sealed_run_that_fails_changes_nothing) {
  sealing s;
  REQUIRE(seal_run(f, &s));
  // Sealing again replaces what was sealed.
  s.quarantine.rows = 3;
  s.finish.pin = NULL;
  CHECK_OK(f->t->run_seal(f->l, s.run, &s.finish, &test_err));
  wh_finish finish;
  CHECK_OK(f->t->run_sealed_finish(f->l, s.run->id, &f->arena, &finish, &test_err));
  CHECK(!finish.pin);
  CHECK_EQ(finish.quarantine->rows, 3);
  CHECK_OK(finish_run(f, s.run, WH_RUN_FAILED));
  wh_cursor cursor;
  CHECK_OK(f->t->cursor(f->l, S("p"), &f->arena, &cursor, &test_err));
  CHECK(!cursor.found);
  CHECK_EQ(waiting(f), 1000);
  CHECK_FAILS(f->t->run_seal(f->l, s.run, &s.finish, &test_err), WH_ERR_STALE);
  CHECK_ERROR_HAS("ended already");
  f->t->release(f->l, &s.lease);
}

LEDGER_TEST(a_run_finishes_once) {
  sealing s;
  REQUIRE(seal_run(f, &s));
  CHECK_OK(f->t->run_finish(f->l, &s.finish, &test_err));
  wh_cursor later = text_cursor("c");
  CHECK_OK(f->t->set_cursor(f->l, S("p"), &later, &test_err));
  // The same once more (its outcome was not known) does not bring the old cursor back.
  CHECK_OK(f->t->run_finish(f->l, &s.finish, &test_err));
  wh_cursor cursor;
  CHECK_OK(f->t->cursor(f->l, S("p"), &f->arena, &cursor, &test_err));
  CHECK_STR(cursor.last.as.s, S("c"));
  CHECK_FAILS(finish_run(f, s.run, WH_RUN_FAILED), WH_ERR_STALE);
  CHECK_ERROR_HAS("ended already, as done");
  s.run->id = S("01jd3vzzzzzzzzzzzzzzzzzzzz");
  CHECK_FAILS(finish_run(f, s.run, WH_RUN_FAILED), WH_ERR_NOT_FOUND);
  f->t->release(f->l, &s.lease);
}

LEDGER_TEST(a_worker_that_lost_its_lease_cannot_finish) {
  wh_lease lease = acquire(f, "p");
  wh_run *run = start_run(f, &lease, "");
  wh_run *sealed = start_run(f, &lease, "");
  REQUIRE(run && sealed);
  fill_sealed(sealed);
  CHECK_OK(f->t->run_seal(f->l, sealed, NULL, &test_err));
  CHECK_OK(f->t->renew(f->l, &lease, &test_err));
  CHECK_OK(f->t->raise_epoch(f->l, S("p"), lease.epoch + 1, &test_err));
  CHECK_FAILS(f->t->renew(f->l, &lease, &test_err), WH_ERR_STALE);
  CHECK_FAILS(f->t->run_seal(f->l, run, NULL, &test_err), WH_ERR_STALE);
  CHECK_FAILS(finish_run(f, run, WH_RUN_DONE), WH_ERR_STALE);
  CHECK_ERROR_HAS("taken over");
  wh_run ignored;
  CHECK_FAILS(f->t->run_start(f->l, &lease, S(""), &f->arena, &ignored, &test_err), WH_ERR_STALE);
  CHECK_OK(finish_run(f, run, WH_RUN_FAILED));
  CHECK_OK(finish_run(f, sealed, WH_RUN_DONE)); // that was decided before
  CHECK_FAILS(f->t->raise_epoch(f->l, S("p"), UINT64_MAX, &test_err), WH_ERR_LIMIT);
  f->t->release(f->l, &lease);
}

// --- leases
// ----------------------------------------------------------------------------------------

LEDGER_TEST(one_lease_a_pipeline) {
  wh_lease a = acquire(f, "p"), b = acquire(f, "q"), c = {0};
  CHECK_FAILS(f->t->acquire(f->l, S("p"), &c, &test_err), WH_ERR_BUSY);
  CHECK_ERROR_HAS("p: another run of it is going on");
  CHECK(test_err.retry);
  wh_ledger *other;
  REQUIRE_OK(f->factory->open(f->os, &test_mem, "state", &other, &test_err));
  CHECK_FAILS(f->t->acquire(other, S("p"), &c, &test_err), WH_ERR_BUSY);
  uint64_t epoch = a.epoch;
  f->t->release(f->l, &a);
  CHECK(!a.own);
  f->t->release(f->l, &a);
  f->t->release(f->l, NULL);
  CHECK_OK(f->t->acquire(other, S("p"), &c, &test_err));
  CHECK(c.epoch > epoch);
  CHECK_OK(f->t->renew(other, &c, &test_err));
  wh_ledger_close(other); // gives its leases back
  a = acquire(f, "p");
  CHECK(a.epoch > c.epoch);
  f->t->release(f->l, &a);
  f->t->release(f->l, &b);
  static const char *const bad[] = {"", ".hidden", "a/b", "../x"};
  for (size_t i = 0; i < 4; i++)
    CHECK_FAILS(f->t->acquire(f->l, S(bad[i]), &c, &test_err), WH_ERR_USAGE);
}

// --- cursors, pins, schedules
// ----------------------------------------------------------------------

static wh_value value_of(wh_kind kind) {
  wh_value v = {.type = wh_type_of(kind)};
  switch (kind) {
  case WH_INT64:
    v.as.i = INT64_MIN;
    break;
  case WH_UINT64:
    v.as.u = UINT64_MAX;
    break;
  case WH_FLOAT64:
    v.as.f = 0.1;
    break;
  case WH_DECIMAL:
    v.type.precision = 38;
    v.type.scale = 9;
    v.as.d = -((__int128)1 << 120);
    break;
  case WH_DATE:
    v.as.i = 20778;
    break;
  case WH_TIMESTAMP:
    v.type.unit = WH_UNIT_NS;
    v.type.zoned = true;
    v.as.i = 1795251600123456789;
    break;
  case WH_STRING:
    v.as.s = (wh_str)WH_STR_INIT("\0nul and \xF0\x9F\x9A\xA3");
    break;
  case WH_BINARY:
    v.as.s = (wh_str)WH_STR_INIT("\xFF\x00\x01\x02\x00\x00\x07\xD1");
    break;
  default:
    v.is_null = true;
  }
  return v;
}

LEDGER_TEST(cursors_keep_any_value) {
  static const wh_kind kinds[] = {WH_INT64,     WH_UINT64, WH_FLOAT64, WH_DECIMAL, WH_DATE,
                                  WH_TIMESTAMP, WH_STRING, WH_BINARY,  WH_NULL};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    wh_cursor cursor = {.found = true, .last = value_of(kinds[i]), .window_cut = i % 2};
    CHECK_OK(f->t->set_cursor(f->l, S("p"), &cursor, &test_err));
    REQUIRE(reopen_ledger(f));
    wh_cursor got;
    CHECK_OK(f->t->cursor(f->l, S("p"), &f->arena, &got, &test_err));
    CHECK(got.found);
    CHECK(wh_type_eq(&got.last.type, &cursor.last.type));
    CHECK_EQ(got.last.is_null, cursor.last.is_null);
    CHECK_EQ(wh_value_compare(&got.last, &cursor.last), 0);
    CHECK_EQ(got.window_cut, i % 2);
    CHECK_EQ(got.window_count, 0);
  }
  wh_cursor none = {0}, got;
  CHECK_OK(f->t->set_cursor(f->l, S("p"), &none, &test_err));
  CHECK_OK(f->t->cursor(f->l, S("p"), &f->arena, &got, &test_err));
  CHECK(!got.found);
  CHECK_OK(f->t->cursor(f->l, S("other"), &f->arena, &got, &test_err));
  CHECK(!got.found);
}

LEDGER_TEST(cursors_keep_their_window) {
  static const size_t counts[] = {1, 1023, 1024, 1025, 0, WH_WINDOW_HASHES_MAX, 3};
  uint64_t *hashes = WH_NEW_ARRAY(&f->arena, WH_WINDOW_HASHES_MAX, uint64_t);
  REQUIRE(hashes);
  for (size_t i = 0; i < WH_WINDOW_HASHES_MAX; i++)
    hashes[i] = test_random();
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    wh_cursor cursor = text_cursor("x"), got;
    cursor.window = hashes;
    cursor.window_count = counts[i];
    CHECK_OK(f->t->set_cursor(f->l, S("p"), &cursor, &test_err));
    CHECK_OK(f->t->cursor(f->l, S("p"), &f->arena, &got, &test_err));
    REQUIRE(got.window_count == counts[i]);
    CHECK(memcmp(got.window, hashes, counts[i] * sizeof *hashes) == 0);
  }
  wh_cursor cursor = text_cursor("x");
  cursor.window_count = (size_t)WH_WINDOW_HASHES_MAX + 1;
  CHECK_FAILS(f->t->set_cursor(f->l, S("p"), &cursor, &test_err), WH_ERR_LIMIT);
}

LEDGER_TEST(pins_keep_nested_types) {
  wh_type nested;
  REQUIRE_OK(wh_type_parse(S("list<struct<a: int64, \"b c\": list<string?>>>"), &f->arena, &nested,
                           &test_err));
  const wh_field fields[] = {{S("x"), nested, true, WH_SECRET},
                             {S(""), wh_type_of(WH_NULL), true, WH_PUBLIC}};
  const wh_schema schema = {2, fields};
  CHECK_OK(f->t->pin(f->l, S("p"), &SCHEMA, &test_err));
  CHECK_OK(f->t->pin(f->l, S("p"), &schema, &test_err));
  REQUIRE(reopen_ledger(f));
  bool found = false;
  wh_schema got;
  CHECK_OK(f->t->pinned(f->l, S("p"), &f->arena, &found, &got, &test_err));
  REQUIRE(found);
  CHECK(wh_schema_eq(&got, &schema));
  CHECK_EQ(got.fields[0].privacy, WH_SECRET);
  CHECK_EQ(got.fields[1].privacy, WH_PUBLIC);
}

LEDGER_TEST(schedules_remember_when_they_fired) {
  int64_t at = -1;
  CHECK_OK(f->t->fired(f->l, S("p"), &at, &test_err));
  CHECK_EQ(at, 0);
  wh_lease lease = acquire(f, "p");
  CHECK_OK(f->t->set_fired(f->l, &lease, 1795251600000000, &test_err));
  CHECK_OK(f->t->renew(f->l, &lease, &test_err));
  f->t->release(f->l, &lease);
  REQUIRE(reopen_ledger(f));
  CHECK_OK(f->t->fired(f->l, S("p"), &at, &test_err));
  CHECK_EQ(at, 1795251600000000);
}

LEDGER_TEST(schedules_are_set_by_who_holds_the_lease) {
  int64_t at = -1;
  wh_lease slept = acquire(f, "p");
  wh_lease lost = {.pipeline = S("p"), .epoch = slept.epoch};
  f->t->release(f->l, &slept);
  wh_lease lease = acquire(f, "p");
  CHECK_OK(f->t->set_fired(f->l, &lease, 20, &test_err));
  CHECK_FAILS(f->t->set_fired(f->l, &lost, 10, &test_err), WH_ERR_STALE);
  f->t->release(f->l, &lease);
  CHECK_FAILS(f->t->set_fired(f->l, &lost, 30, &test_err), WH_ERR_STALE);
  CHECK_OK(f->t->fired(f->l, S("p"), &at, &test_err));
  CHECK_EQ(at, 20);
  // Without one, only where it is as it was seen.
  CHECK_OK(f->t->move_fired(f->l, S("p"), 0, 40, &test_err));
  CHECK_OK(f->t->fired(f->l, S("p"), &at, &test_err));
  CHECK_EQ(at, 20);
  CHECK_OK(f->t->move_fired(f->l, S("p"), 20, 5, &test_err));
  CHECK_OK(f->t->fired(f->l, S("p"), &at, &test_err));
  CHECK_EQ(at, 5);
  CHECK_OK(f->t->move_fired(f->l, S("new"), 0, 7, &test_err));
  CHECK_OK(f->t->fired(f->l, S("new"), &at, &test_err));
  CHECK_EQ(at, 7);
}

// --- quarantine
// ------------------------------------------------------------------------------------

static wh_status list_entry(void *context, const wh_quarantine_entry *entry, wh_error *err) {
  (void)err;
  wh_buf_printf(context, "%.*s/%.*s/%.*s:%d ", WH_STR_ARG(entry->pipeline), WH_STR_ARG(entry->run),
                WH_STR_ARG(entry->object), (int)entry->rows);
  return WH_OK;
}

static void check_quarantine(fixture *f, const char *pipeline, const char *want) {
  wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  CHECK_OK(f->t->quarantined(f->l, S(pipeline), &f->arena, list_entry, &buf, &test_err));
  CHECK_STR(wh_buf_str(&buf), S(want));
  wh_buf_free(&buf);
}

LEDGER_TEST(quarantine_is_listed_oldest_first) {
  const wh_quarantine_entry entries[] = {{S("r3"), S("a"), S("o"), S("f"), 3, 30},
                                         {S("r1"), S("b"), S("o"), S("f"), 1, 10},
                                         {S("r2"), S("a"), S("o"), S("f"), 2, 10},
                                         {S("r3"), S("a"), S("o2"), S("f"), 5, 30}};
  check_quarantine(f, "", "");
  for (size_t i = 0; i < 4; i++)
    CHECK_OK(f->t->quarantine_put(f->l, &entries[i], &test_err));
  check_quarantine(f, "", "b/r1/o:1 a/r2/o:2 a/r3/o2:5 ");
  check_quarantine(f, "a", "a/r2/o:2 a/r3/o2:5 ");
  check_quarantine(f, "c", "");
  wh_ledger_stats stats;
  CHECK_OK(f->t->stats(f->l, S(""), &stats, &test_err));
  CHECK_EQ(stats.quarantined_rows, 8);
  CHECK_OK(f->t->quarantine_drop(f->l, S("r2"), &test_err));
  CHECK_OK(f->t->quarantine_drop(f->l, S("r2"), &test_err));
  REQUIRE(reopen_ledger(f));
  check_quarantine(f, "", "b/r1/o:1 a/r3/o2:5 ");
}

// --- services
// -----------------------------------------------------------------------------------

static wh_status list_service(void *context, const wh_service *s, wh_error *err) {
  (void)err;
  wh_buf_printf(context, "%d:%.*s:%d%s ", (int)s->pid, WH_STR_ARG(s->address), (int)s->memory_bytes,
                s->running ? "" : " gone");
  return WH_OK;
}

static void check_services(fixture *f, const char *want) {
  wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  CHECK_OK(f->t->services(f->l, &f->arena, list_service, &buf, &test_err));
  CHECK_STR(wh_buf_str(&buf), S(want));
  wh_buf_free(&buf);
}

LEDGER_TEST(a_service_that_is_gone_is_told_from_one_that_runs) {
  check_services(f, "");
  wh_service a = {.pid = 1, .address = S("http://a")}, b = {.pid = 2};
  CHECK_OK(f->t->service_begin(f->l, &a, &test_err));
  CHECK_OK(f->t->service_begin(f->l, &b, &test_err));
  check_services(f, ""); // they have said nothing yet
  CHECK_OK(f->t->service_tell(f->l, &a, 5, NULL, 0, &test_err));
  a.memory_bytes = 7;
  CHECK_OK(f->t->service_tell(f->l, &a, 5, NULL, 0, &test_err));
  CHECK_OK(f->t->service_tell(f->l, &b, 5, NULL, 0, &test_err));
  check_services(f, "1:http://a:7 2::0 ");
  f->t->service_end(f->l, &a);
  f->t->service_end(f->l, &a);
  check_services(f, "2::0 ");
  REQUIRE(reopen_ledger(f)); // the locks are gone, as with the process
  check_services(f, "2::0 gone ");
  wh_service c[WH_SERVICES_MAX + 1] = {0};
  for (size_t i = 0; i < WH_SERVICES_MAX; i++)
    CHECK_OK(f->t->service_begin(f->l, &c[i], &test_err));
  CHECK_FAILS(f->t->service_begin(f->l, &c[WH_SERVICES_MAX], &test_err), WH_ERR_BUSY);
  c[1].pid = 3;
  CHECK_OK(f->t->service_tell(f->l, &c[1], 5, NULL, 0, &test_err));
  check_services(f, "3::0 "); // in the slot of the one that was gone
  for (size_t i = 0; i < WH_SERVICES_MAX; i++)
    f->t->service_end(f->l, &c[i]);
  check_services(f, "");
}

static void check_asked(fixture *f, const char *lookup, int64_t day, uint64_t asked,
                        uint64_t limited) {
  wh_asked got = {.lookup = S(lookup)};
  CHECK_OK(f->t->asked(f->l, day, &got, &test_err));
  CHECK_EQ(got.asked, asked);
  CHECK_EQ(got.limited, limited);
}

LEDGER_TEST(questions_are_counted_by_day) {
  wh_service s = {.pid = 1};
  CHECK_OK(f->t->service_begin(f->l, &s, &test_err));
  wh_asked more[] = {{S("a"), 3, 1, 1}, {S("b"), 0, 0, 0}};
  check_asked(f, "a", 5, 0, 0);
  CHECK_OK(f->t->service_tell(f->l, &s, 5, more, 2, &test_err));
  CHECK_OK(f->t->service_tell(f->l, &s, 5, more, 2, &test_err));
  REQUIRE(reopen_ledger(f));
  check_asked(f, "a", 5, 6, 2);
  check_asked(f, "a", 6, 0, 0);
  check_asked(f, "b", 5, 0, 0);
  s = (wh_service){.pid = 2};
  CHECK_OK(f->t->service_begin(f->l, &s, &test_err));
  CHECK_OK(f->t->service_tell(f->l, &s, 6, more, 2, &test_err));
  check_asked(f, "a", 6, 3, 1);
  check_asked(f, "a", 5, 0, 0);
  f->t->service_end(f->l, &s);
}

// --- keys that were sent -------------------------------------------------------------------------

// "first count checksum keys;" of each range.
static const char *ranges_text(fixture *f, const char *pipeline) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, f->arena.mem, 0);
  wh_key_range r = {0};
  wh_status status = f->t->keys_next(f->l, S(pipeline), NULL, true, &f->arena, &r, &test_err);
  while (status == WH_OK) {
    wh_buf_printf(&text, "%.*s %llu %llx %.*s;", WH_STR_ARG(r.first), (unsigned long long)r.count,
                  (unsigned long long)r.checksum, WH_STR_ARG(r.keys));
    wh_str first = r.first;
    status = f->t->keys_next(f->l, S(pipeline), &first, true, &f->arena, &r, &test_err);
  }
  CHECK_EQ(status, WH_ERR_END);
  wh_str kept = wh_arena_str(&f->arena, wh_buf_str(&text));
  return kept.data;
}

static void check_ranges(fixture *f, const char *pipeline, const char *want) {
  CHECK_STR(S(ranges_text(f, pipeline)), S(want));
}

LEDGER_TEST(keys_hold_when_their_run_is_done) {
  wh_lease lease = acquire(f, "p");
  wh_run *run = start_run(f, &lease, "");
  REQUIRE(run);
  const wh_key_range first[] = {
      {S(""), 1, 0, S("shape")}, {S("b"), 2, UINT64_MAX, S("b, c")}, {S("x"), 1, 7, S("x")}};
  CHECK_OK(f->t->keys_stage(f->l, run, first, 3, &test_err));
  check_ranges(f, "p", "");
  CHECK_OK(finish_run(f, run, WH_RUN_DONE));
  check_ranges(f, "p", " 1 0 shape;b 2 ffffffffffffffff b, c;x 1 7 x;");
  CHECK_OK(finish_run(f, run, WH_RUN_DONE)); // once more changes nothing
  check_ranges(f, "q", "");
  // What a run that fails has staged is forgotten; what it staged twice counts as staged last.
  for (int fails = 1; fails >= 0; fails--) {
    run = start_run(f, &lease, "");
    REQUIRE(run);
    const wh_key_range then[] = {{S("b"), 0, 0, S("")}, {S("d"), 1, 5, S("d")}};
    const wh_key_range again = {S("d"), 2, 6, S("d, e")};
    CHECK_OK(f->t->keys_stage(f->l, run, then, 2, &test_err));
    CHECK_OK(f->t->keys_stage(f->l, run, &again, 1, &test_err));
    CHECK_OK(finish_run(f, run, fails ? WH_RUN_FAILED : WH_RUN_DONE));
    if (fails) check_ranges(f, "p", " 1 0 shape;b 2 ffffffffffffffff b, c;x 1 7 x;");
  }
  f->t->release(f->l, &lease);
  REQUIRE(reopen_ledger(f));
  check_ranges(f, "p", " 1 0 shape;d 2 6 d, e;x 1 7 x;");
  wh_key_range r;
  CHECK_OK(f->t->keys_next(f->l, S("p"), NULL, false, &f->arena, &r, &test_err));
  CHECK_EQ(r.keys.len, 0); // it was not asked for
}

LEDGER_TEST(keys_of_a_sealed_run_hold_when_it_is_adopted) {
  wh_lease lease = acquire(f, "p");
  wh_run *run = start_run(f, &lease, "");
  REQUIRE(run);
  const wh_key_range range = {wh_str_n("\0\xFF", 2), 1, 0, wh_str_n("\0", 1)};
  CHECK_OK(f->t->keys_stage(f->l, run, &range, 1, &test_err));
  run->state = WH_RUN_DONE;
  run->sealed = (wh_sealed){.attempt = S("a"), .store = S("lake"), .key = S("k")};
  CHECK_OK(f->t->run_seal(f->l, run, NULL, &test_err));
  f->t->release(f->l, &lease);
  REQUIRE(reopen_ledger(f));
  lease = acquire(f, "p");
  check_ranges(f, "p", "");
  wh_finish finish;
  CHECK_OK(f->t->run_sealed_finish(f->l, run->id, &f->arena, &finish, &test_err));
  CHECK_OK(f->t->run_finish(f->l, &finish, &test_err));
  wh_key_range r;
  CHECK_OK(f->t->keys_next(f->l, S("p"), NULL, true, &f->arena, &r, &test_err));
  CHECK_STR(r.first, range.first);
  CHECK_STR(r.keys, range.keys);
  // A worker that lost its lease stages nothing.
  wh_run *late = start_run(f, &lease, "");
  REQUIRE(late);
  CHECK_OK(f->t->raise_epoch(f->l, S("p"), lease.epoch + 1, &test_err));
  CHECK_EQ(f->t->keys_stage(f->l, late, &range, 1, &test_err), WH_ERR_STALE);
  f->t->release(f->l, &lease);
}
