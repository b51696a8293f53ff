// The data path of an object that holds several tables: one reader, and a line of steps for each.
#include "engine/flow.h"
#include "row_text.h"
#include "shop.h"

static const char config[] =
    SHOP_CONNECTIONS "  p:\n"
                     "    from: lake:in/*.h5\n"
                     "    tables:\n"
                     "      parent: { rows: /a, columns: { Key: k }, to: website:parent }\n"
                     "      child:\n"
                     "        rows: /b\n"
                     "        steps: [{ dedupe: { key: [k], keep: last } }]\n"
                     "        columns: { Key: k, n: n }\n"
                     "        expect: { n: [not_null] }\n"
                     "        to: website:child\n";

enum { PARENT, CHILD, TABLES };

// What a reader gives, a call each: a table and its rows; "!": a row that was none.
typedef struct call {
  size_t table;
  const char *rows;
} call;

typedef struct fake_reader {
  wh_tables_reader base;
  wh_schema schemas[TABLES];
  const wh_schema *shown[TABLES];
  const call *calls;
  size_t count, at;
  wh_status ends_with;
} fake_reader;

static wh_status fake_next(wh_tables_reader *base, size_t *ret_table, wh_batch *batches,
                           wh_rejects *rejects, wh_error *err) {
  fake_reader *r = (fake_reader *)base;
  if (r->at == r->count)
    return r->ends_with == WH_ERR_END ? WH_ERR_END : wh_fail(err, r->ends_with, "the file is cut");
  const call *now = &r->calls[r->at++];
  *ret_table = now->table;
  base->bytes_read += 10;
  if (now->rows[0] == '!') {
    wh_reject reject = {.rule = WH_STR("hdf5"), .reason = WH_STR("no row")};
    return rejects->raw(rejects, &reject, WH_STR("?"), err);
  }
  rows_add(&batches[now->table], now->rows);
  return WH_OK;
}

typedef struct bench {
  shop s;
  wh_arena arena;
  fake_reader reader;
  wh_gate gates[TABLES];
  wh_flow *flow;
  wh_buf text[TABLES];
  wh_counts counts[TABLES];
} bench;

static bool bench_start(bench *b, const call *calls, size_t count, wh_status ends_with,
                        bool threads) {
  *b = (bench){.reader = {.base = {.count = TABLES, .next = fake_next},
                          .calls = calls,
                          .count = count,
                          .ends_with = ends_with}};
  wh_arena_init(&b->arena, &test_mem);
  for (size_t i = 0; i < TABLES; i++)
    wh_buf_init(&b->text[i], &test_mem, 0);
  rows_schema("k string!; s string", &b->arena, &b->reader.schemas[PARENT]);
  rows_schema("k string!; n int64", &b->arena, &b->reader.schemas[CHILD]);
  for (size_t i = 0; i < TABLES; i++)
    b->reader.shown[i] = &b->reader.schemas[i];
  b->reader.base.schemas = b->reader.shown;
  if (!shop_start(&b->s, config) || !shop_open(&b->s)) return false;
  b->s.c.engine.single_thread = !threads;
  const wh_pipeline *p = shop_pipeline(&b->s, "p");
  if (!CHECK_EQ(p->branch_count, TABLES)) return false;
  for (size_t i = 0; i < TABLES; i++)
    CHECK_OK(wh_config_gate(b->s.c.config, &p->branches[i], &b->arena, &b->gates[i], &test_err));
  wh_flow_options options = {
      .engine = &b->s.c.engine, .pipeline = p, .gate = b->gates, .tables_reader = &b->reader.base};
  return CHECK_OK(wh_flow_open(&options, &b->flow, &test_err)) &&
         CHECK_OK(wh_flow_start(b->flow, 0, &test_err));
}

static wh_status drain(bench *b) {
  for (;;) {
    wh_flow_item *item;
    wh_status status = wh_flow_next(b->flow, &item, &test_err);
    if (status != WH_OK) return status;
    wh_counts *counts = &b->counts[item->branch];
    rows_write(item->batch, &b->text[item->branch]);
    counts->read += item->counts.read;
    counts->filtered += item->counts.filtered;
    counts->quarantined += item->counts.quarantined;
    counts->written += item->batch->rows;
    wh_flow_release(b->flow, item);
  }
}

static void bench_end(bench *b) {
  wh_flow_close(b->flow);
  for (size_t i = 0; i < TABLES; i++)
    wh_buf_free(&b->text[i]);
  shop_end(&b->s);
  wh_arena_free(&b->arena);
}

static void check_counts(const bench *b, size_t table, wh_counts want) {
  const wh_counts *got = &b->counts[table];
  CHECK_EQ(got->read, want.read);
  CHECK_EQ(got->written, want.written);
  CHECK_EQ(got->filtered, want.filtered);
  CHECK_EQ(got->quarantined, want.quarantined);
}

TEST(each_table_goes_through_steps_of_its_own) {
  static const call calls[] = {{PARENT, "a|x\nb|y\n"}, {CHILD, "a|1\na|2\n"}, {CHILD, "!"},
                               {PARENT, "c|~\n"},      {CHILD, "b|~\nc|7\n"}, {PARENT, "!"}};
  for (int threads = 0; threads < 2; threads++) {
    bench b;
    if (bench_start(&b, calls, sizeof calls / sizeof *calls, WH_ERR_END, threads)) {
      CHECK(wh_flow_holds_back(b.flow)); // dedupe keeps the last of each key until the end
      CHECK_FAILS(drain(&b), WH_ERR_END);
      CHECK_STR(wh_buf_str(&b.text[PARENT]), WH_STR("a\nb\nc\n"));
      rows_sort(&b.text[CHILD]);
      CHECK_STR(wh_buf_str(&b.text[CHILD]), WH_STR("a|2\nc|7\n"));
      check_counts(&b, PARENT, (wh_counts){.read = 4, .written = 3, .quarantined = 1});
      check_counts(&b, CHILD,
                   (wh_counts){.read = 5, .written = 2, .filtered = 1, .quarantined = 2});
      wh_flow_item *item;
      CHECK_FAILS(wh_flow_next(b.flow, &item, &test_err), WH_ERR_END); // and stays at its end
    }
    bench_end(&b);
  }
}

TEST(what_the_reader_says_is_told) {
  static const call calls[] = {{PARENT, "a|x\n"}};
  for (int threads = 0; threads < 2; threads++) {
    bench b;
    if (bench_start(&b, calls, 1, WH_ERR_DATA, threads)) {
      CHECK_FAILS(drain(&b), WH_ERR_DATA);
      CHECK(wh_flow_reader_failed(b.flow));
      CHECK_ERROR_HAS("the file is cut");
      CHECK_STR(wh_buf_str(&b.text[PARENT]), WH_STR("a\n"));
    }
    bench_end(&b);
  }
}

TEST(an_object_without_rows_ends_at_once) {
  bench b;
  if (bench_start(&b, NULL, 0, WH_ERR_END, true)) CHECK_FAILS(drain(&b), WH_ERR_END);
  bench_end(&b);
}
