// What a sink promises where a load replaces the whole table.
#include "sink_contract.h"

CONTRACT_OF(sink_replaces_exactly, TEST_REPLACE) {
  wh_target target = sink_target_of(WH_WRITE_REPLACE);
  sink_check_load(&target, "one", 1, "a|~|1|x\nb|~|2|y\nc|~|3|z", (wh_counts){.written = 3});
  sink_check_load(&target, "two", 2, "a|~|1|x\nb|~|5|y\nd|~|4|~",
                  (wh_counts){.written = 2, .unchanged = 1});
  sink_check_table("a|~|1|x\nb|~|5|y\nd|~|4|~\n");
  // An older one never replaces a newer one; the same again changes nothing.
  sink_check_load(&target, "one", 1, "a|~|1|x", (wh_counts){.superseded = 1});
  sink_check_load(&target, "two again", 2, "a|~|1|x\nb|~|5|y\nd|~|4|~",
                  (wh_counts){.unchanged = 3});
  // Of two rows with one key the later counts.
  sink_check_load(&target, "three", 3, "a|~|1|x\nb|~|6|y\nb|~|7|y",
                  (wh_counts){.written = 1, .unchanged = 1, .superseded = 1});
  sink_check_table("a|~|1|x\nb|~|7|y\n");
  sink_check_load(&target, "four", 4, "", (wh_counts){0});
  sink_check_table("");
}

CONTRACT_OF(sink_replaces_without_a_key, TEST_REPLACE) {
  wh_target target = sink_target_of(WH_WRITE_REPLACE);
  target.key_count = 0;
  sink_check_load(&target, "one", 1, "a|~|1|x\na|~|1|x\nb|~|~|~", (wh_counts){.written = 3});
  sink_check_table("a|~|1|x\na|~|1|x\nb|~|~|~\n");
  sink_check_load(&target, "two", 2, "a|~|1|x", (wh_counts){.written = 1});
  sink_check_table("a|~|1|x\n");
}

CONTRACT_OF(sink_replace_picks_the_highest_version_of_a_key, TEST_REPLACE) {
  wh_target target = sink_target_of(WH_WRITE_REPLACE);
  target.newest_by = WH_STR("v");
  sink_check_load(&target, "one", 1,
                  "a|2026-11-21T08:00:02Z|1|high\na|2026-11-21T08:00:01Z|2|low\n"
                  "b|2026-11-21T08:00:01Z|3|x\nb|2026-11-21T08:00:01Z|4|later",
                  (wh_counts){.written = 2, .superseded = 2});
  sink_check_table("a|2026-11-21T08:00:02Z|1|high\nb|2026-11-21T08:00:01Z|4|later\n");
}

CONTRACT_OF(sink_replace_goes_on_after_a_chunk, TEST_REPLACE) {
  const wh_sink_type *type = here.c.type->sink;
  wh_target target = sink_target_of(WH_WRITE_REPLACE);
  sink_check_load(&target, "one", 1, "x|~|0|old", (wh_counts){.written = 1});
  wh_load load = sink_load_of("two", 2);
  wh_sink *sink = sink_opened(&target);
  wh_mark mark = sink_begun(sink, &load);
  CHECK_OK(sink_write_text(sink, "a|~|1|a\nb|~|2|b\nb|~|3|b", &mark.counts));
  mark.rows_done = 3;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  sink_check_table("x|~|0|old\n"); // nothing is seen before all of it is
  sink = sink_opened(&target);
  mark = sink_begun(sink, &load);
  CHECK_EQ(mark.rows_done, 3);
  CHECK_OK(sink_write_text(sink, "c|~|4|c", &mark.counts));
  mark.done = true;
  mark.rows_done = 4;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  CHECK_EQ(mark.counts.written, 3);
  CHECK_EQ(mark.counts.superseded, 1);
  sink_check_table("a|~|1|a\nb|~|3|b\nc|~|4|c\n");
}

CONTRACT_OF(sink_replaces_under_way_do_not_disturb_each_other, TEST_REPLACE) {
  const wh_sink_type *type = here.c.type->sink;
  wh_target target = sink_target_of(WH_WRITE_REPLACE);
  wh_load load = sink_load_of("long", 5);
  wh_sink *sink = sink_opened(&target);
  wh_mark mark = sink_begun(sink, &load);
  CHECK_OK(sink_write_text(sink, "a|~|1|a", &mark.counts));
  mark.rows_done = 1;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  sink = sink_opened(&target); // a new worker, before anything has replaced the table
  wh_load other = sink_load_of("short", 4);
  other.pipeline = WH_STR("other");
  wh_counts counts;
  CHECK_OK(sink_load_text(&target, &other, "b|~|2|b", &counts));
  sink_check_table("b|~|2|b\n");
  mark = sink_begun(sink, &load);
  CHECK_EQ(mark.rows_done, 1);
  CHECK_OK(sink_write_text(sink, "c|~|3|c", &mark.counts));
  mark.done = true;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  sink_check_table("a|~|1|a\nc|~|3|c\n");
}

CONTRACT_OF(sink_replace_leaves_alone_what_others_stage, TEST_REPLACE) {
  if (here.place->one_writer) return;
  const wh_sink_type *type = here.c.type->sink;
  wh_target target = sink_target_of(WH_WRITE_REPLACE);
  wh_load load = sink_load_of("long", 5);
  wh_sink *sink = sink_opened(&target);
  wh_mark mark = sink_begun(sink, &load);
  CHECK_OK(sink_write_text(sink, "a|~|1|a\nb|~|2|b", &mark.counts));
  wh_sink *other = sink_opened(&target); // nothing of it is committed yet
  mark.rows_done = 2;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  mark = sink_begun(sink, &load);
  CHECK_EQ(mark.rows_done, 2);
  CHECK_OK(sink_write_text(sink, "c|~|3|c", &mark.counts));
  mark.done = true;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  CHECK_EQ(mark.counts.written, 3);
  type->close(other);
  type->close(sink);
  sink_check_table("a|~|1|a\nb|~|2|b\nc|~|3|c\n");
}

CONTRACT_OF(sink_replace_that_cannot_be_tells_no_values, TEST_REPLACE) {
  sink_sql("CREATE TABLE orders (k {key text} PRIMARY KEY, v {timestamptz}, n INT, s {key text} "
           "UNIQUE)");
  wh_target target = sink_target_of(WH_WRITE_REPLACE);
  wh_load load = sink_load_of("one", 1);
  wh_counts counts;
  wh_status status =
      sink_load_text(&target, &load, "a|~|1|me@home.org\nb|~|2|me@home.org", &counts);
  if (status == WH_OK) return; // the stage refused the row
  CHECK_EQ(status, WH_ERR_REFUSED);
  CHECK_ERROR_HAS("place: table orders cannot become what came: ");
  CHECK(strstr(test_err.text, "home") == NULL);
  CHECK(!test_err.retry);
}

CONTRACT_OF(sink_replace_that_is_overtaken_changes_nothing, TEST_REPLACE) {
  const wh_sink_type *type = here.c.type->sink;
  wh_target target = sink_target_of(WH_WRITE_REPLACE);
  wh_load load = sink_load_of("slow", 1);
  wh_sink *sink = sink_opened(&target);
  wh_mark mark = sink_begun(sink, &load);
  CHECK_OK(sink_write_text(sink, "a|~|1|slow\nb|~|1|slow", &mark.counts));
  mark.rows_done = 2;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  sink_check_load(&target, "fast", 2, "c|~|2|fast", (wh_counts){.written = 1});
  mark = sink_begun(sink, &load);
  CHECK_OK(sink_write_text(sink, "d|~|1|slow", &mark.counts));
  mark.done = true;
  mark.rows_done = 3;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  CHECK_EQ(mark.counts.written, 0);
  CHECK_EQ(mark.counts.superseded, 3);
  sink_check_table("c|~|2|fast\n");
}

CONTRACT_OF(sink_replace_begins_anew_when_its_stage_is_gone, TEST_REPLACE) {
  const wh_sink_type *type = here.c.type->sink;
  wh_target target = sink_target_of(WH_WRITE_REPLACE);
  wh_load load = sink_load_of("one", 1);
  wh_sink *sink = sink_opened(&target);
  wh_mark mark = sink_begun(sink, &load);
  CHECK_OK(sink_write_text(sink, "a|~|1|a", &mark.counts));
  mark.rows_done = 1;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  // The columns change in between: what was staged is of no use.
  rows_schema("k string!; n int64", &here.arena, &here.schema);
  sink_sql("DROP TABLE orders");
  sink = sink_opened(&target);
  mark = sink_begun(sink, &load);
  CHECK(mark.found);
  CHECK_EQ(mark.rows_done, 0);
  CHECK_EQ(mark.counts.written, 0);
  type->close(sink);
}
