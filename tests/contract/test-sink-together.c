// What sinks promise of several tables in one load, and of several loads in one transaction.
#include "sink_contract.h"

#define NEEDS (TEST_SQL | TEST_TRANSACTIONS)

// Two tables of others: bars have numbers that the database gives, and must have their artist.
typedef struct music {
  wh_schema artists, bars;
  wh_str key[1];
  wh_target targets[2];
  wh_sink *sink;
} music;

enum { ARTIST, BAR };

static const wh_sink_type *type(void) {
  return here.c.type->sink;
}

static bool open_music(music *m) {
  *m = (music){.key = {WH_STR("k")}};
  sink_sql(
      "{readers do not wait}CREATE TABLE artist (k {key text} NOT NULL PRIMARY KEY, s {text}); "
      "CREATE TABLE bar (id {serial key}, k {key text} NOT NULL, n {int64}, FOREIGN KEY (k) "
      "REFERENCES artist (k))");
  rows_schema("k string!; s string", &here.arena, &m->artists);
  rows_schema("k string!; n int64", &here.arena, &m->bars);
  m->targets[ARTIST] = (wh_target){.table = WH_STR("artist"),
                                   .schema = &m->artists,
                                   .mode = WH_WRITE_UPSERT,
                                   .key = m->key,
                                   .key_count = 1,
                                   .side_table = true};
  m->targets[BAR] =
      (wh_target){.table = WH_STR("bar"), .schema = &m->bars, .mode = WH_WRITE_APPEND};
  return CHECK_OK(type()->open(&here.c, m->targets, 2, &m->sink, &test_err)) &&
         CHECK_OK(type()->prepare(m->sink, &test_err));
}

static void put(music *m, size_t target, const char *rows, wh_counts *counts) {
  wh_batch batch;
  if (!CHECK_OK(wh_batch_init(&batch, &test_mem, m->targets[target].schema, &test_err))) return;
  rows_add(&batch, rows);
  counts->read += batch.rows;
  CHECK_OK(type()->write(m->sink, target, &batch, &here.rejects.base, counts, &test_err));
  wh_batch_free(&batch);
}

static void put_song(music *m, const char *artist, const char *bars, wh_mark *mark) {
  put(m, ARTIST, artist, &mark->counts);
  put(m, BAR, bars, &mark->counts);
}

static void done(music *m, const wh_load *load, wh_mark *mark) {
  mark->done = true;
  mark->rows_done = mark->counts.read;
  mark->run = load->run;
  CHECK_OK(type()->mark(m->sink, mark, &test_err));
}

static wh_mark joined(music *m, const wh_load *load) {
  wh_mark mark = {0};
  CHECK_OK(type()->join(m->sink, load, &here.arena, &mark, &test_err));
  return mark;
}

static bool is_marked(music *m, const wh_load *load) {
  wh_mark mark = {0};
  CHECK_OK(type()->begin(m->sink, load, &here.arena, &mark, &test_err));
  type()->abort(m->sink);
  return mark.found && mark.done;
}

static const char *counted(const char *table) {
  return test_place_ask(here.place, &here.c, test_place_text(here.place, table));
}

CONTRACT_OF(sink_fills_several_tables_at_once, NEEDS) {
  music m;
  if (open_music(&m)) {
    wh_load load = sink_load_of("song", 1);
    wh_mark mark = sink_begun(m.sink, &load);
    put_song(&m, "a|one\nb|two", "a|1\na|2\nb|1", &mark);
    done(&m, &load, &mark);
    CHECK_OK(type()->commit(m.sink, &test_err));
    CHECK_EQ(mark.counts.written, 5);
    CHECK_STR(wh_str_of(sink_table_text("artist")), WH_STR("a|one\nb|two\n"));
    CHECK_STR(wh_str_of(sink_table_text("bar")), WH_STR("1|a|1\n2|a|2\n3|b|1\n"));
  }
  type()->close(m.sink);
}

CONTRACT_OF(sink_rejects_rows_without_their_parent, NEEDS) {
  music m;
  if (open_music(&m) && !(here.place->lacks & TEST_FOREIGN_KEYS)) {
    wh_load load = sink_load_of("song", 1);
    wh_mark mark = sink_begun(m.sink, &load);
    put_song(&m, "a|one", "a|1\nnobody|2\na|3\nno|4", &mark);
    done(&m, &load, &mark);
    CHECK_OK(type()->commit(m.sink, &test_err));
    CHECK_EQ(mark.counts.written, 3);
    CHECK_EQ(mark.counts.quarantined, 2);
    CHECK_STR(wh_str_of(counted("SELECT count(*) FROM bar")), WH_STR("2"));
    CHECK(memmem(here.rejects.text.data, here.rejects.text.len, "constraint|", 11) != NULL);
  }
  type()->close(m.sink);
}

CONTRACT_OF(loads_share_a_transaction, NEEDS) {
  music m;
  const wh_load loads[] = {sink_load_of("a", 1), sink_load_of("b", 2), sink_load_of("c", 3),
                           sink_load_of("d", 4)};
  static const char *const artists[] = {"a|one", "b|two", "c|three", "d|four"};
  static const char *const bars[] = {"a|1\na|2", "b|1", "c|1\nc|2", "d|1\nb|7"};
  enum { LEAVES = 2 };
  if (open_music(&m)) {
    for (size_t i = 0; i < 4; i++) {
      wh_mark mark = i ? joined(&m, &loads[i]) : sink_begun(m.sink, &loads[i]);
      CHECK(!mark.found);
      put_song(&m, artists[i], bars[i], &mark);
      if (i == LEAVES)
        CHECK_OK(type()->leave(m.sink, &test_err));
      else
        done(&m, &loads[i], &mark);
    }
    CHECK_OK(type()->commit(m.sink, &test_err));
    CHECK_STR(wh_str_of(sink_table_text("artist")), WH_STR("a|one\nb|two\nd|four\n"));
    CHECK_STR(wh_str_of(counted("SELECT count(*) FROM bar")), WH_STR("5"));
    for (size_t i = 0; i < 4; i++)
      CHECK_EQ(is_marked(&m, &loads[i]), i != LEAVES);
    // What left can be loaded again, and a second time joins find their marks.
    wh_mark mark = sink_begun(m.sink, &loads[0]);
    CHECK(mark.done);
    mark = joined(&m, &loads[LEAVES]);
    CHECK(!mark.found);
    put_song(&m, artists[LEAVES], "c|1", &mark);
    done(&m, &loads[LEAVES], &mark);
    mark = joined(&m, &loads[3]);
    CHECK(mark.done);
    CHECK_OK(type()->commit(m.sink, &test_err));
    CHECK(is_marked(&m, &loads[LEAVES]));
    CHECK_STR(wh_str_of(counted("SELECT count(DISTINCT id) FROM bar")), WH_STR("6"));
  }
  type()->close(m.sink);
}

// A crash, or a commit that fails: none of them is there, nor a mark.
CONTRACT_OF(loads_that_share_a_transaction_go_with_it, NEEDS) {
  music m;
  const wh_load loads[] = {sink_load_of("a", 1), sink_load_of("b", 2)};
  if (open_music(&m)) {
    wh_mark mark = sink_begun(m.sink, &loads[0]);
    put_song(&m, "a|one", "a|1", &mark);
    done(&m, &loads[0], &mark);
    mark = joined(&m, &loads[1]);
    put_song(&m, "b|two", "b|1", &mark);
    done(&m, &loads[1], &mark);
    type()->abort(m.sink);
    CHECK_STR(wh_str_of(sink_table_text("artist")), WH_STR(""));
    CHECK_STR(wh_str_of(counted("SELECT count(*) FROM bar")), WH_STR("0"));
    CHECK(!is_marked(&m, &loads[0]) && !is_marked(&m, &loads[1]));
    // The sink is as good as before.
    mark = sink_begun(m.sink, &loads[1]);
    put_song(&m, "b|two", "b|1", &mark);
    done(&m, &loads[1], &mark);
    CHECK_OK(type()->commit(m.sink, &test_err));
    CHECK_STR(wh_str_of(sink_table_text("artist")), WH_STR("b|two\n"));
  }
  type()->close(m.sink);
}

// A worker whose lease is over cannot begin, and nobody can take it from a group under way.
CONTRACT_OF(loads_join_under_the_lease_they_began_with, NEEDS) {
  music m;
  wh_load newer = sink_load_of("a", 1), older = sink_load_of("b", 2);
  newer.epoch = 2;
  if (open_music(&m)) {
    wh_mark mark = sink_begun(m.sink, &newer);
    put_song(&m, "a|one", "a|1", &mark);
    done(&m, &newer, &mark);
    CHECK_OK(type()->commit(m.sink, &test_err));
    CHECK_FAILS(type()->begin(m.sink, &older, &here.arena, &mark, &test_err), WH_ERR_STALE);
  }
  type()->close(m.sink);
}
