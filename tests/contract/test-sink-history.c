// Random histories. Objects of a producer arrive in any order, several times, in chunks, with
// workers that die in between; whatever happens, the table is what the objects say together.
#include "sink_contract.h"

enum { OBJECTS = 6, OBJECT_ROWS = 24, KEYS = 8, VERSIONS = 5 };

typedef struct object_row {
  int key;     // -1: NULL
  int version; // seconds; -1: NULL, -2: far in the future
  int64_t n;
} object_row;

typedef struct object {
  int64_t order;
  size_t count;
  object_row rows[OBJECT_ROWS];
} object;

static object objects[OBJECTS];
static bool by_version;

static void make_objects(void) {
  for (int i = 0; i < OBJECTS; i++) {
    objects[i] = (object){.order = 100 + i, .count = test_random_below(OBJECT_ROWS + 1)};
    for (size_t k = 0; k < objects[i].count; k++) {
      objects[i].rows[k] = (object_row){
          .key = (int)test_random_below(KEYS + 1) - (test_random_below(20) == 0),
          .version = (int)test_random_below(VERSIONS),
          .n = (int64_t)test_random_below(3),
      };
      if (test_random_below(15) == 0) objects[i].rows[k].version = -1 - (int)test_random_below(2);
    }
  }
}

static void add_rows(wh_batch *batch, const object *o, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    const object_row *r = &o->rows[i];
    char k[32] = "~", v[64] = "~", line[160];
    if (r->key >= 0) snprintf(k, sizeof k, "key-%d", r->key);
    // Fractions of different lengths.
    if (r->version >= 0)
      snprintf(v, sizeof v, "2026-11-21T08:00:0%d%s", r->version / 2, r->version % 2 ? ".5Z" : "Z");
    if (r->version == -2) snprintf(v, sizeof v, "2030-01-01T00:00:00Z");
    snprintf(line, sizeof line, "%s|%s|%lld|from %lld", k, v, (long long)r->n, (long long)o->order);
    rows_add(batch, line);
  }
}

static bool takes_part(const object_row *r) {
  return r->key >= 0 && (!by_version || r->version >= 0);
}

// What the table must be, from all objects at once.
static void model_upsert(wh_buf *want) {
  wh_buf_clear(want);
  for (int k = 0; k <= KEYS; k++) {
    const object *best_object = NULL;
    const object_row *best = NULL;
    for (int i = 0; i < OBJECTS; i++) {
      for (size_t j = 0; j < objects[i].count; j++) {
        const object_row *r = &objects[i].rows[j];
        if (!takes_part(r) || r->key != k) continue;
        bool wins = !best || !by_version || r->version >= best->version;
        if (wins) best = r, best_object = &objects[i];
      }
    }
    if (!best) continue;
    wh_batch batch;
    if (!CHECK_OK(wh_batch_init(&batch, &here.out_mem, &here.schema, &test_err))) return;
    object one = {.order = best_object->order, .count = 1, .rows = {*best}};
    add_rows(&batch, &one, 0, 1);
    rows_write(&batch, want);
    wh_batch_free(&batch);
  }
  rows_sort(want);
}

static void model_replace(wh_buf *want) {
  object kept[OBJECTS];
  memcpy(kept, objects, sizeof kept);
  for (int i = 0; i + 1 < OBJECTS; i++)
    objects[i].count = 0;
  model_upsert(want);
  memcpy(objects, kept, sizeof kept);
}

// A worker: loads from where the mark says, in batches and chunks, and dies now and then.
static bool work(const wh_target *target, const object *o, const char *name) {
  const wh_sink_type *type = here.c.type->sink;
  wh_load load = sink_load_of(name, o->order);
  wh_sink *sink = sink_opened(target);
  bool finished = false;
  wh_mark mark = sink_begun(sink, &load);
  while (!mark.done) {
    size_t at = mark.rows_done, left = o->count - at, n = left ? 1 + test_random_below(left) : 0;
    wh_batch batch;
    CHECK_OK(wh_batch_init(&batch, &test_mem, &here.schema, &test_err));
    add_rows(&batch, o, at, at + n);
    mark.counts.read += n;
    CHECK_OK(type->write(sink, 0, &batch, &here.rejects.base, &mark.counts, &test_err));
    wh_batch_free(&batch);
    mark.rows_done += n;
    if (test_random_below(4) == 0) break; // dies
    if (mark.rows_done < o->count && test_random_below(2)) continue;
    mark.done = mark.rows_done == o->count;
    CHECK_OK(type->mark(sink, &mark, &test_err));
    const wh_counts *k = &mark.counts;
    CHECK_EQ(k->read, k->written + k->unchanged + k->superseded + k->quarantined);
    CHECK_EQ(k->read, mark.rows_done);
    CHECK_OK(type->commit(sink, &test_err));
    finished = mark.done;
    if (!finished && test_random_below(3) == 0) break;
    if (!finished) mark = sink_begun(sink, &load);
  }
  finished |= mark.done;
  type->close(sink);
  return finished;
}

static void run_history(wh_write_mode mode, const char *table_sql, bool side) {
  wh_target target = sink_target_of(mode);
  target.newest_by = by_version ? WH_STR("v") : (wh_str){0};
  target.side_table = side;
  sink_sql("DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_order_orders;"
           "DROP TABLE IF EXISTS _wherry_marks; DROP TABLE IF EXISTS _wherry_tables;"
           "DROP TABLE IF EXISTS _wherry_stages; DROP TABLE IF EXISTS _wherry_stage_orders");
  if (table_sql) sink_sql(table_sql);
  make_objects();
  bool done[OBJECTS] = {false};
  char name[64];
  for (int left = OBJECTS, copies = 0; left > 0;) {
    int i = (int)test_random_below(OBJECTS);
    // A copy under another name: the mark does not tell that it is known.
    bool copy = done[i] && test_random_below(3) == 0;
    snprintf(name, sizeof name, "object-%d%s", i, copy ? "-copy" : "");
    if (copy) snprintf(name + strlen(name), 16, "-%d", copies++);
    if (copy) {
      while (!work(&target, &objects[i], name)) {
      }
    } else if (work(&target, &objects[i], name) && !done[i]) {
      done[i] = true;
      left--;
    }
  }
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&want, &here.out_mem, 0);
  if (mode == WH_WRITE_UPSERT)
    model_upsert(&want);
  else
    model_replace(&want);
  CHECK_STR(wh_str_of(sink_table_text("orders")), wh_buf_str(&want));
}

static void run_histories(wh_write_mode mode, const char *table_sql, bool side) {
  rows_schema("k string; v timestamp[us,UTC]; n int64; s string", &here.arena, &here.schema);
  int count = test_is_long() ? 200 : here.place->is_slow ? 3 : 8;
  for (int i = 0; i < count; i++) {
    by_version = mode == WH_WRITE_UPSERT && i % 4 != 3;
    run_history(mode, table_sql, side);
    wh_buf_clear(&here.rejects.text);
  }
}

CONTRACT(sink_history_of_upserts) {
  run_histories(WH_WRITE_UPSERT, NULL, false);
}

CONTRACT_OF(sink_history_of_upserts_with_a_side_table, TEST_SIDE_TABLE) {
  run_histories(WH_WRITE_UPSERT, NULL, true);
}

CONTRACT_OF(sink_history_of_upserts_into_an_existing_table, TEST_SQL) {
  run_histories(WH_WRITE_UPSERT,
                "CREATE TABLE orders (k {key text} UNIQUE, v {datetime}, n INTEGER, s TEXT)",
                false);
}

// An order column of their own making, and nothing that may not be NULL.
CONTRACT_OF(sink_history_of_upserts_into_a_table_without_constraints, TEST_SQL) {
  run_histories(WH_WRITE_UPSERT,
                "CREATE TABLE orders (k {key text} UNIQUE, v {timestamptz}, n INTEGER, s TEXT, "
                "_wherry_order INTEGER)",
                false);
}

CONTRACT_OF(sink_history_of_replaces, TEST_REPLACE) {
  run_histories(WH_WRITE_REPLACE, NULL, false);
}
