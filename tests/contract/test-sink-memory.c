// A load without memory at each of its allocations: an error, nothing lost, nothing leaked.
#include "sink_contract.h"

CONTRACT_OF(sink_survives_without_memory, TEST_MANY_TURNS) {
  for (int mode = WH_WRITE_APPEND; mode <= WH_WRITE_REPLACE; mode++) {
    if (mode == WH_WRITE_REPLACE && (here.place->lacks & TEST_REPLACE)) continue;
    if (mode == WH_WRITE_APPEND && (here.place->lacks & TEST_APPEND_TO_NEW)) continue;
    wh_target target = sink_target_of((wh_write_mode)mode);
    wh_load load = sink_load_of("one", 1);
    wh_counts counts;
    wh_arena kept = here.arena;
    // Where each turn takes long, a part of them does, another one each time.
    size_t step = here.place->is_slow && !test_is_long() ? 5 : 1;
    for (size_t n = 1;; n += 1 + test_random_below(step)) {
      sink_sql("DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_marks");
      // The rows of the test itself come first.
      wh_batch batch;
      REQUIRE_OK(wh_batch_init(&batch, &test_mem, &here.schema, &test_err));
      rows_add(&batch, ROW("a", "08:00:00") "1|a\n" ROW("a", "08:00:00") "1|a");
      const wh_sink_type *type = here.c.type->sink;
      wh_sink *sink = NULL;
      wh_mark mark;
      wh_arena_init(&here.arena, &test_mem);
      atomic_store(&test_mem.count, 0);
      atomic_store(&test_mem.failed, 0);
      atomic_store(&test_mem.fail_at, n);
      counts = (wh_counts){0};
      wh_status status = type->open(&here.c, &target, 1, &sink, &test_err);
      if (status == WH_OK) status = type->prepare(sink, &test_err);
      if (status == WH_OK) status = type->begin(sink, &load, &here.arena, &mark, &test_err);
      if (status == WH_OK)
        status = type->write(sink, 0, &batch, &here.rejects.base, &counts, &test_err);
      if (status == WH_OK) mark.done = true;
      if (status == WH_OK) status = type->mark(sink, &mark, &test_err);
      if (status == WH_OK) status = type->commit(sink, &test_err);
      if (sink) type->close(sink);
      bool refused = atomic_load(&test_mem.failed) > 0;
      atomic_store(&test_mem.fail_at, 0);
      wh_arena_free(&here.arena);
      wh_batch_free(&batch);
      if (!refused) {
        CHECK_EQ(status, WH_OK);
        test_note("%zu allocations failed in turn", n - 1);
        break;
      }
      if (!CHECK_EQ(status, WH_ERR_MEMORY)) break;
    }
    here.arena = kept;
  }
}
