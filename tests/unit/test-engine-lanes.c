// Several data paths side by side over one object: what they make together is what one path makes,
// whatever lane is slow, wherever a part was thought to begin, and whatever goes wrong.
#include "base/os.h"
#include "codec/text_block.h"
#include "engine/convert.h"
#include "engine/lanes.h"
#include "row_text.h"
#include "shop.h"

#include <stdio.h>
#include <unistd.h>

#define HEAD "  p:\n    from: drop:in.ndjson\n    to: lake:out/{run}.json\n"
static const char plain[] = SHOP_CONNECTIONS HEAD "    columns: { Number: n, Status: s }\n";
static const char sorting_out[] = SHOP_CONNECTIONS HEAD
    "    steps:\n      - map: { s: { S1: One, S2: Two, S3: Three, S4: Four, S5: Five } }\n"
    "    columns: { Number: n, Status: s }\n    expect: { Status: { in: [One, Two, Four] } }\n";
static const char deduping[] = SHOP_CONNECTIONS HEAD
    "    steps:\n      - dedupe: { key: [s] }\n    columns: { Number: n, Status: s }\n";
static const char holding[] = SHOP_CONNECTIONS HEAD
    "    steps:\n      - dedupe: { key: [s], keep: last }\n    columns: { Number: n, Status: s }\n";
static const char unique[] = SHOP_CONNECTIONS HEAD
    "    columns: { Number: n, Status: s }\n    expect: { Number: [unique] }\n";

// --- an object that is what it is told to be ---------------------------------------------------

enum { MEMORY = 512 << 20, LINES_A_ROW = 2, BYTES_A_ROW = 10 };

typedef struct script {
  uint64_t rows, batch, part_rows, block_rows;
  uint64_t raw_every;  // each so many rows one is no row at all; 0: never
  size_t text_bytes;   // of `s`; 0: "S1" and so on
  uint64_t odd;        // a part's guess is wrong where its number is odd (1), or each one's (2)
  wh_status odd_ends;  // how a wrong part ends
  bool no_restart;     // the codec says that its parts are no guesses
  uint64_t wide_row;   // does not fit the type that was inferred
  uint64_t bad_row;    // its reader fails there
  wh_status bad_with;  // in this way
  bool bad_in_parts;   // and only in a part
  uint64_t bad_part;   // counting from 1: next_part fails
  bool slow_at_random; // each call takes its time
  uint64_t hold_part;  // counting from 1: waits until it is let go
  size_t bad_open, bad_add, bad_take; // the call that fails, in all lanes together
  bool no_parts, no_encoder;
} script;

static struct {
  script told;
  atomic_size_t opens, adds, takes, parts, restarts, whole_rows, blocks, blocks_most;
  atomic_bool go_on;
} play;

static wh_field narrow_fields[] = {{.name = WH_STR("n"), .type = {.kind = WH_INT32}},
                                   {.name = WH_STR("s"), .type = {.kind = WH_STRING}}};
static wh_field wide_fields[] = {{.name = WH_STR("n"), .type = {.kind = WH_INT64}},
                                 {.name = WH_STR("s"), .type = {.kind = WH_STRING}}};
static const wh_schema narrow = {.count = 2, .fields = narrow_fields};
static const wh_schema wide = {.count = 2, .fields = wide_fields};

typedef struct fake_reader {
  wh_reader base;
  wh_mem *mem;
  wh_arena arena;
  wh_schema schema;
  bool is_part, wrong;
  uint64_t begin, at, end; // rows in front
  uint64_t index;          // of the next part
} fake_reader;

static wh_status widen(fake_reader *r, wh_error *err) {
  r->base.schema = &wide;
  return wh_fail(err, WH_ERR_WIDEN, "a number is too large");
}

static wh_status give_row(fake_reader *r, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  const script *told = &play.told;
  uint64_t number = ++r->at, row = number - r->begin;
  wh_place place = {.row = row, .line = (row - 1) * LINES_A_ROW + 1, .byte = number * BYTES_A_ROW};
  if (number == told->bad_row && (r->is_part || !told->bad_in_parts)) {
    return wh_fail_at(err, told->bad_with, place, "the row is cut (row %d, line %d)", (int)row,
                      (int)place.line);
  }
  if (told->raw_every && number % told->raw_every == 0) {
    wh_reject reject = {.rule = WH_STR("fake"), .reason = WH_STR("no row"), .place = place};
    return rejects->raw(rejects, &reject, r->wrong ? WH_STR("wrong") : WH_STR("{"), err);
  }
  char small[32];
  snprintf(small, sizeof small, "S%d", (int)(number * 7 % 5) + 1);
  wh_str text = wh_str_of(small);
  WH_TRY(wh_column_add_i64(&batch->columns[0], r->wrong ? -1 : (int64_t)number, err));
  if (told->text_bytes) {
    char *large = wh_arena_alloc(&batch->arena, told->text_bytes);
    if (!large) return wh_fail_memory(err);
    memset(large, 'x', told->text_bytes);
    text = wh_str_n(large, told->text_bytes);
  }
  WH_TRY(wh_column_add_text(&batch->columns[1], text, err));
  WH_TRY(wh_batch_set_place(batch, place, err));
  wh_batch_row_end(batch);
  return WH_OK;
}

static void take_time(const fake_reader *r) {
  if (play.told.slow_at_random) usleep((useconds_t)((r->at * 2654435761u >> 7) % 900));
  if (!r->is_part || r->base.part.index + 1 != play.told.hold_part) return;
  while (!atomic_load(&play.go_on))
    usleep(200);
}

static wh_status fake_next(wh_reader *reader, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  fake_reader *r = (fake_reader *)reader;
  const script *told = &play.told;
  take_time(r);
  uint64_t from = r->at, last = r->at + told->batch;
  while (r->at < r->end && r->at < last) {
    if (r->at + 1 == told->wide_row && wh_schema_eq(&r->schema, &narrow)) return widen(r, err);
    WH_TRY(give_row(r, batch, rejects, err));
  }
  reader->paused = r->at < r->end;
  reader->bytes_read += (r->at - from) * BYTES_A_ROW;
  if (!r->is_part) atomic_fetch_add(&play.whole_rows, r->at - from);
  reader->part.rows = r->at - r->begin;
  reader->part.lines = reader->part.rows * LINES_A_ROW;
  if (!reader->paused) reader->part.to = r->at;
  if (!reader->paused && r->wrong && told->odd_ends == WH_ERR_WIDEN) return widen(r, err);
  if (!reader->paused && r->wrong && told->odd_ends != WH_OK)
    return wh_fail(err, told->odd_ends, "nothing is right here");
  return WH_OK;
}

static void fake_close(wh_reader *reader) {
  fake_reader *r = (fake_reader *)reader;
  wh_arena_free(&r->arena);
  wh_mem_free(r->mem, r, sizeof *r);
}

static wh_status make_reader(wh_mem *mem, const wh_schema *schema, fake_reader **ret,
                             wh_error *err) {
  fake_reader *r = wh_mem_alloc_zero(mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->mem = mem;
  wh_arena_init(&r->arena, mem);
  r->base = (wh_reader){.schema = &r->schema, .next = fake_next, .close = fake_close};
  wh_status status = wh_schema_copy(schema, &r->arena, &r->schema, err);
  if (status != WH_OK)
    fake_close(&r->base);
  else
    *ret = r;
  return status;
}

static wh_status fake_restart(wh_reader *reader, uint64_t from, wh_error *err) {
  (void)err;
  fake_reader *r = (fake_reader *)reader;
  atomic_fetch_add(&play.restarts, 1);
  r->begin = r->at = from;
  r->wrong = false;
  r->base.schema = &r->schema;
  r->base.part = (wh_part){.index = r->base.part.index, .from = from, .to = from};
  return WH_OK;
}

static wh_status fake_next_part(wh_reader *reader, wh_reader **ret, wh_error *err) {
  fake_reader *whole = (fake_reader *)reader;
  const script *told = &play.told;
  uint64_t from = whole->index * told->part_rows;
  if (whole->index + 1 == told->bad_part) return wh_fail(err, WH_ERR_IO, "the disk is on fire");
  if (from >= told->rows) return WH_ERR_END;
  fake_reader *r;
  WH_TRY(make_reader(whole->mem, &whole->schema, &r, err));
  atomic_fetch_add(&play.parts, 1);
  r->is_part = true;
  r->wrong = whole->index > 0 && (told->odd == 2 || (told->odd == 1 && whole->index % 2));
  r->begin = r->at = from + r->wrong;
  r->end = from + told->part_rows < told->rows ? from + told->part_rows : told->rows;
  if (r->at > r->end) r->at = r->begin = r->end;
  if (r->wrong && r->begin == from) r->wrong = false;
  r->base.part = (wh_part){.index = whole->index++, .from = r->begin, .to = r->begin};
  if (!told->no_restart) r->base.restart_part = fake_restart;
  *ret = &r->base;
  return WH_OK;
}

static wh_status fake_open_reader(const wh_codec_context *context, wh_input *in,
                                  const void *options, const wh_schema *given, wh_reader **ret,
                                  wh_error *err) {
  (void)in, (void)options;
  const wh_schema *first = play.told.wide_row ? &narrow : &wide;
  fake_reader *r;
  WH_TRY(make_reader(context->mem, given ? given : first, &r, err));
  r->base.schema_inferred = !given;
  r->end = play.told.rows;
  if (!play.told.no_parts) r->base.next_part = fake_next_part;
  *ret = &r->base;
  return WH_OK;
}

// --- and how it is written: rows as text -------------------------------------------------------

typedef struct fake_encoder {
  wh_encoder base;
  wh_mem *mem;
  wh_buf text;
  uint64_t rows;
} fake_encoder;

static void free_block(wh_block *block) {
  wh_text_block *text = (wh_text_block *)block;
  atomic_fetch_sub(&play.blocks, 1);
  wh_buf_free(&text->text);
  wh_mem_free(text->mem, text, sizeof *text);
}

static bool is_call(atomic_size_t *calls, size_t bad) {
  return atomic_fetch_add(calls, 1) + 1 == bad;
}

static wh_status fake_add(wh_encoder *encoder, const wh_batch *batch, wh_error *err) {
  fake_encoder *e = (fake_encoder *)encoder;
  if (is_call(&play.adds, play.told.bad_add)) return wh_fail(err, WH_ERR_LIMIT, "no such row");
  rows_write(batch, &e->text);
  e->rows += batch->rows;
  e->base.full = e->rows >= play.told.block_rows;
  return wh_buf_check(&e->text, err);
}

static wh_status fake_take(wh_encoder *encoder, wh_block **ret, wh_error *err) {
  fake_encoder *e = (fake_encoder *)encoder;
  *ret = NULL;
  if (e->rows == 0) return WH_OK;
  if (is_call(&play.takes, play.told.bad_take)) return wh_fail(err, WH_ERR_LIMIT, "no such block");
  wh_text_block *block;
  WH_TRY(wh_text_block_new(e->mem, &block, err));
  block->base.free = free_block;
  block->base.rows = e->rows;
  block->base.bytes = e->text.len;
  wh_buf_free(&block->text);
  block->text = e->text;
  wh_buf_init(&e->text, e->mem, 0);
  e->rows = 0;
  e->base.full = false;
  size_t live = atomic_fetch_add(&play.blocks, 1) + 1, most = atomic_load(&play.blocks_most);
  while (live > most && !atomic_compare_exchange_weak(&play.blocks_most, &most, live)) {
  }
  *ret = &block->base;
  return WH_OK;
}

static void fake_close_encoder(wh_encoder *encoder) {
  fake_encoder *e = (fake_encoder *)encoder;
  wh_buf_free(&e->text);
  wh_mem_free(e->mem, e, sizeof *e);
}

static wh_status fake_open_encoder(const wh_codec_context *context, const void *options,
                                   const wh_schema *schema, wh_encoder **ret, wh_error *err) {
  (void)options, (void)schema;
  if (is_call(&play.opens, play.told.bad_open)) return wh_fail(err, WH_ERR_TYPE, "no such type");
  fake_encoder *e = wh_mem_alloc_zero(context->mem, sizeof *e);
  if (!e) return wh_fail_memory(err);
  e->base = (wh_encoder){.add = fake_add, .take = fake_take, .close = fake_close_encoder};
  e->mem = context->mem;
  wh_buf_init(&e->text, e->mem, 0);
  *ret = &e->base;
  return WH_OK;
}

typedef struct fake_writer {
  wh_writer base;
  wh_mem *mem;
  wh_output *out;
} fake_writer;

static wh_status fake_write(wh_writer *writer, const wh_batch *batch, wh_error *err) {
  fake_writer *w = (fake_writer *)writer;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, w->mem, 0);
  rows_write(batch, &text);
  WH_TRY(wh_buf_check(&text, err));
  return wh_output_write(w->out, text.data, text.len, err);
}

static wh_status fake_append(wh_writer *writer, wh_block *block, wh_error *err) {
  const wh_buf *text = &((wh_text_block *)block)->text;
  return wh_output_write(((fake_writer *)writer)->out, text->data, text->len, err);
}

static wh_status fake_finish(wh_writer *writer, wh_error *err) {
  return wh_output_write(((fake_writer *)writer)->out, "end\n", 4, err);
}

static void fake_close_writer(wh_writer *writer) {
  fake_writer *w = (fake_writer *)writer;
  wh_mem_free(w->mem, w, sizeof *w);
}

static wh_status fake_open_writer(const wh_codec_context *context, wh_output *out,
                                  const void *options, const wh_schema *schema, wh_writer **ret,
                                  wh_error *err) {
  (void)options, (void)schema;
  fake_writer *w = wh_mem_alloc_zero(context->mem, sizeof *w);
  if (!w) return wh_fail_memory(err);
  w->base = (wh_writer){.write = fake_write,
                        .append = fake_append,
                        .finish = fake_finish,
                        .close = fake_close_writer};
  w->mem = context->mem;
  w->out = out;
  *ret = &w->base;
  return WH_OK;
}

static const char *const no_extensions[] = {NULL};
#define FAKE_CODEC                                                                                 \
  .name = "fake", .help = "rows as a test tells them", .extensions = no_extensions,                \
  .open_reader = fake_open_reader, .open_writer = fake_open_writer
static const wh_codec_type fake = {FAKE_CODEC, .open_encoder = fake_open_encoder};
static const wh_codec_type fake_without_encoder = {FAKE_CODEC};

static void start_play(const script *told) {
  play.told = *told;
  atomic_store(&play.opens, 0);
  atomic_store(&play.adds, 0);
  atomic_store(&play.takes, 0);
  atomic_store(&play.parts, 0);
  atomic_store(&play.restarts, 0);
  atomic_store(&play.whole_rows, 0);
  atomic_store(&play.blocks, 0);
  atomic_store(&play.blocks_most, 0);
  atomic_store(&play.go_on, false);
}

// --- a flow over it ----------------------------------------------------------------------------

typedef struct bench {
  shop s;
  wh_arena arena;
  wh_gate gate;
  wh_reader *reader;
  wh_flow *flow;
  wh_encoding encoding;
  wh_schema schema;
  bool in_lanes;
  wh_buf text, rejects; // what came out
  wh_counts counts;
  uint64_t items, rows_through, hash_read, hash_out, blocks;
} bench;

static bool bench_init(bench *b, const char *config, const script *told) {
  *b = (bench){0};
  start_play(told);
  wh_arena_init(&b->arena, &test_mem);
  wh_buf_init(&b->text, &test_mem, 0);
  wh_buf_init(&b->rejects, &test_mem, 0);
  if (!shop_start(&b->s, config) || !shop_open(&b->s)) return false;
  b->s.c.engine.single_thread = false;
  b->s.c.config->memory_bytes = MEMORY;
  return CHECK_OK(
      wh_config_gate(b->s.c.config, shop_pipeline(&b->s, "p"), &b->arena, &b->gate, &test_err));
}

// `lanes` 0: one path.
static wh_status bench_start(bench *b, size_t lanes, wh_error *err) {
  wh_engine *engine = &b->s.c.engine;
  engine->lanes = lanes;
  wh_codec_context context = {.mem = engine->mem};
  WH_TRY(fake.open_reader(&context, NULL, NULL, NULL, &b->reader, err));
  wh_flow_options options = {.engine = engine,
                             .pipeline = shop_pipeline(&b->s, "p"),
                             .gate = &b->gate,
                             .reader = b->reader,
                             .hash_read = true,
                             .hash_out = true};
  WH_TRY(wh_flow_open(&options, &b->flow, err));
  b->encoding = (wh_encoding){.codec = play.told.no_encoder ? &fake_without_encoder : &fake,
                              .schema = wh_flow_schema(b->flow),
                              .context = context};
  if (lanes) b->in_lanes = wh_flow_encode(b->flow, &b->encoding);
  return wh_flow_start(b->flow, 0, err);
}

// Ready for another start.
static void bench_stop(bench *b) {
  atomic_store(&play.go_on, true);
  wh_flow_close(b->flow);
  wh_reader_close(b->reader);
  b->flow = NULL;
  b->reader = NULL;
  atomic_store(&test_mem.fail_at, 0);
  atomic_store(&test_mem.fail_count, 0);
  CHECK_EQ(atomic_load(&play.blocks), 0);
}

// What came out stays.
static void bench_end(bench *b) {
  bench_stop(b);
  shop_end(&b->s);
  wh_arena_free(&b->arena);
}

static void bench_free_text(bench *b) {
  wh_buf_free(&b->text);
  wh_buf_free(&b->rejects);
}

static void bench_free(bench *b) {
  bench_end(b);
  bench_free_text(b);
}

static void take_item(bench *b, wh_flow_item *item) {
  b->items++;
  CHECK(item->block || item->counts.read || !b->in_lanes);
  if (item->block) {
    const wh_buf *text = &((wh_text_block *)item->block)->text;
    wh_buf_add(&b->text, text->data, text->len);
    b->counts.written += item->block->rows;
    b->blocks++;
  } else if (item->batch) {
    rows_write(item->batch, &b->text);
    b->counts.written += item->batch->rows;
  }
  CHECK_OK(wh_reject_lines_write(item->rejected, &b->rejects, &test_err));
  CHECK_EQ(item->counts.quarantined, item->rejected->count);
  CHECK(item->rows_through >= b->rows_through || !item->rows_through);
  if (item->rows_through) b->rows_through = item->rows_through;
  b->counts.read += item->counts.read;
  b->counts.filtered += item->counts.filtered;
  b->counts.quarantined += item->counts.quarantined;
  b->hash_read += item->hash_read;
  b->hash_out += item->hash_out;
}

// Takes items until the flow ends or fails.
static wh_status drain(bench *b, wh_error *err) {
  for (;;) {
    wh_flow_item *item;
    wh_status status = wh_flow_next(b->flow, &item, err);
    if (status != WH_OK) return status;
    take_item(b, item);
    wh_flow_release(b->flow, item);
  }
}

// All of it, by one path.
static bool run_one_path(bench *b, const char *config, const script *told) {
  script even = *told; // whose parts have no say
  even.odd = 0;
  bool fine = bench_init(b, config, &even) && CHECK_OK(bench_start(b, 0, &test_err)) &&
              CHECK_FAILS(drain(b, &test_err), WH_ERR_END);
  bench_end(b);
  return fine;
}

// Where a batch ends decides which of its rejects come first: a reader's before a step's.
static void check_same(bench *got, bench *want) {
  rows_sort(&got->rejects);
  rows_sort(&want->rejects);
  CHECK_STR(wh_buf_str(&got->text), wh_buf_str(&want->text));
  CHECK_STR(wh_buf_str(&got->rejects), wh_buf_str(&want->rejects));
  CHECK_EQ(got->counts.read, want->counts.read);
  CHECK_EQ(got->counts.written, want->counts.written);
  CHECK_EQ(got->counts.filtered, want->counts.filtered);
  CHECK_EQ(got->counts.quarantined, want->counts.quarantined);
  CHECK_EQ(got->rows_through, want->rows_through);
  CHECK(got->hash_read == want->hash_read);
  CHECK(got->hash_out == want->hash_out);
}

static const size_t lane_counts[] = {1, 2, 3, 16};
enum { LANE_COUNTS = sizeof lane_counts / sizeof *lane_counts };

// Any number of lanes makes what one path makes. How many parts had to be read again: *ret.
static void compare(const char *config, script told, size_t *ret_restarts) {
  bench one;
  bool fine = run_one_path(&one, config, &told);
  CHECK_EQ(one.counts.read, told.rows);
  for (size_t i = 0; fine && i < LANE_COUNTS && !test_failed(); i++) {
    bench b;
    if (bench_init(&b, config, &told) && CHECK_OK(bench_start(&b, lane_counts[i], &test_err)) &&
        CHECK(b.in_lanes)) {
      CHECK_FAILS(drain(&b, &test_err), WH_ERR_END);
      wh_flow_item *item;
      CHECK_FAILS(wh_flow_next(b.flow, &item, &test_err), WH_ERR_END); // and stays at its end
      check_same(&b, &one);
      CHECK_EQ(atomic_load(&play.whole_rows), 0); // nobody reads the whole
      if (!told.odd) CHECK_EQ(b.reader->bytes_read, told.rows * BYTES_A_ROW);
      if (ret_restarts) *ret_restarts = atomic_load(&play.restarts);
    }
    if (test_failed()) test_note("with %d lanes", (int)lane_counts[i]);
    bench_free(&b);
  }
  bench_free_text(&one);
}

TEST(lanes_make_what_one_path_makes) {
  compare(plain, (script){.rows = 500, .batch = 7, .part_rows = 50, .block_rows = 20}, NULL);
  compare(plain, (script){.rows = 500, .batch = 7, .part_rows = 1000, .block_rows = 20}, NULL);
  compare(plain, (script){.rows = 40, .batch = 7, .part_rows = 1, .block_rows = 20}, NULL);
  compare(plain, (script){.rows = 1, .batch = 7, .part_rows = 10, .block_rows = 1}, NULL);
  compare(plain, (script){.rows = 0, .batch = 7, .part_rows = 10, .block_rows = 1}, NULL);
}

TEST(rejected_rows_have_their_places_in_the_whole) {
  compare(plain,
          (script){.rows = 500, .batch = 7, .part_rows = 33, .block_rows = 9, .raw_every = 5},
          NULL);
  compare(sorting_out,
          (script){.rows = 500, .batch = 7, .part_rows = 33, .block_rows = 9, .raw_every = 11},
          NULL);
  // Whole parts that are nothing but rejects, and a whole object.
  compare(plain, (script){.rows = 100, .batch = 3, .part_rows = 8, .block_rows = 9, .raw_every = 1},
          NULL);
}

TEST(the_numbers_of_rejected_rows_count_from_the_start_of_the_object) {
  bench b;
  script told = {.rows = 30, .batch = 4, .part_rows = 10, .block_rows = 100, .raw_every = 13};
  if (bench_init(&b, plain, &told) && CHECK_OK(bench_start(&b, 2, &test_err)))
    CHECK_FAILS(drain(&b, &test_err), WH_ERR_END);
  CHECK_STR(
      wh_buf_str(&b.rejects),
      WH_STR("{\"rule\":\"fake\",\"column\":\"\",\"reason\":\"no row\",\"row\":13,\"line\":25,"
             "\"at\":0,\"byte\":130,\"text\":\"{\"}\n"
             "{\"rule\":\"fake\",\"column\":\"\",\"reason\":\"no row\",\"row\":26,\"line\":51,"
             "\"at\":0,\"byte\":260,\"text\":\"{\"}\n"));
  bench_free(&b);
}

TEST(the_order_does_not_depend_on_who_is_slow) {
  script told = {.rows = 900, .batch = 10, .part_rows = 60, .block_rows = 25, .raw_every = 17};
  told.slow_at_random = true;
  compare(sorting_out, told, NULL);
  told.slow_at_random = false;
  bench one;
  if (run_one_path(&one, plain, &told)) {
    for (uint64_t held = 1; held <= 4; held++) { // and is let go when the others can do no more
      script slow = told;
      slow.hold_part = held;
      bench b;
      if (bench_init(&b, plain, &slow) && CHECK_OK(bench_start(&b, 3, &test_err))) {
        for (int i = 0; i < 5000 && atomic_load(&play.parts) < 15; i++)
          usleep(1000);
        CHECK_EQ(atomic_load(&play.parts), 15);
        atomic_store(&play.go_on, true);
        CHECK_FAILS(drain(&b, &test_err), WH_ERR_END);
        check_same(&b, &one);
      }
      bench_free(&b);
    }
  }
  bench_free_text(&one);
}

// --- guesses -----------------------------------------------------------------------------------

TEST(wrong_guesses_leave_no_trace) {
  static const wh_status ways[] = {WH_OK, WH_ERR_DATA, WH_ERR_WIDEN, WH_ERR_IO, WH_ERR_LIMIT};
  for (size_t i = 0; i < sizeof ways / sizeof *ways && !test_failed(); i++) {
    size_t restarts = 0;
    script told = {.rows = 503, .batch = 7, .part_rows = 50, .block_rows = 12, .raw_every = 4};
    told.odd = 1;
    told.odd_ends = ways[i];
    compare(plain, told, &restarts);
    CHECK_EQ(restarts, 5);
    told.odd = 2; // all but the first
    told.slow_at_random = true;
    compare(sorting_out, told, &restarts);
    CHECK_EQ(restarts, 10);
    if (test_failed()) test_note("wrong parts ended with %d", (int)ways[i]);
  }
}

TEST(a_part_that_is_read_again_may_fail_then) {
  bench b;
  script told = {.rows = 500, .batch = 7, .part_rows = 50, .block_rows = 12, .odd = 2};
  told.bad_row = 120;
  told.bad_with = WH_ERR_DATA;
  told.odd_ends = WH_ERR_WIDEN;
  if (bench_init(&b, plain, &told) && CHECK_OK(bench_start(&b, 3, &test_err))) {
    CHECK_FAILS(drain(&b, &test_err), WH_ERR_DATA);
    CHECK_STR(wh_str_of(test_err.text), WH_STR("the row is cut (row 20, line 39)"));
    CHECK(wh_flow_reader_failed(b.flow));
  }
  bench_free(&b);
}

TEST(a_codec_whose_parts_do_not_meet_is_found_out) {
  bench b;
  script told = {.rows = 100, .batch = 7, .part_rows = 50, .block_rows = 12, .odd = 1};
  told.no_restart = true;
  if (bench_init(&b, plain, &told) && CHECK_OK(bench_start(&b, 2, &test_err))) {
    CHECK_FAILS(drain(&b, &test_err), WH_ERR_BUG);
    CHECK_ERROR_HAS("part 1 of the object does not begin where the one before it ended");
  }
  bench_free(&b);
}

// --- failures ----------------------------------------------------------------------------------

// What came in front of the failure may have been given, in order; nothing of what is behind it.
static void fail_once(script told, wh_status want, const char *text, bool by_reader) {
  for (size_t i = 0; i < LANE_COUNTS; i++) {
    bench b;
    if (bench_init(&b, plain, &told)) {
      wh_status status = bench_start(&b, lane_counts[i], &test_err);
      if (status == WH_OK) status = drain(&b, &test_err);
      CHECK_EQ(status, want);
      CHECK_ERROR_HAS(text);
      if (b.flow) CHECK_EQ(wh_flow_reader_failed(b.flow), by_reader);
      if (told.bad_row) CHECK(b.counts.read < told.bad_row);
      wh_flow_item *item;
      if (b.flow && b.items) CHECK_FAILS(wh_flow_next(b.flow, &item, &test_err), WH_ERR_END);
    }
    if (test_failed()) test_note("with %d lanes", (int)lane_counts[i]);
    bench_free(&b);
  }
}

TEST(failures_of_a_part_surface_in_their_turn) {
  script told = {.rows = 500, .batch = 7, .part_rows = 50, .block_rows = 12};
  static const wh_status ways[] = {WH_ERR_DATA, WH_ERR_IO, WH_ERR_WIDEN, WH_ERR_LIMIT};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    told.bad_with = ways[i];
    told.bad_row = 275;
    fail_once(told, ways[i], "the row is cut (row 25, line 49)", true);
    told.bad_row = 1;
    fail_once(told, ways[i], "the row is cut (row 1, line 1)", true);
    told.bad_row = 500;
    fail_once(told, ways[i], "the row is cut (row 50, line 99)", true);
  }
}

TEST(failures_to_begin_a_part_surface_in_their_turn) {
  script told = {.rows = 500, .batch = 7, .part_rows = 50, .block_rows = 12};
  for (told.bad_part = 1; told.bad_part <= 11; told.bad_part += 5)
    fail_once(told, WH_ERR_IO, "the disk is on fire", true);
}

TEST(failures_of_an_encoder_are_not_the_readers) {
  script told = {.rows = 500, .batch = 7, .part_rows = 50, .block_rows = 12};
  for (told.bad_add = 1; told.bad_add <= 61; told.bad_add += 20)
    fail_once(told, WH_ERR_LIMIT, "no such row", false);
  told.bad_add = 0;
  for (told.bad_take = 1; told.bad_take <= 31; told.bad_take += 10)
    fail_once(told, WH_ERR_LIMIT, "no such block", false);
  told.bad_take = 0;
  told.bad_open = 1;
  fail_once(told, WH_ERR_TYPE, "no such type", false);
}

// One that is opened anew after a wrong part has spoilt it. With several lanes the others may take
// all the parts that are left, and then it is not needed.
TEST(a_later_encoder_that_cannot_be_opened_is_told_of) {
  script told = {.rows = 500, .batch = 7, .part_rows = 50, .block_rows = 12, .odd = 1};
  told.odd_ends = WH_ERR_DATA;
  for (size_t lanes = 1; lanes <= 3; lanes++) {
    told.bad_open = lanes + 1;
    bench b;
    if (bench_init(&b, plain, &told) && CHECK_OK(bench_start(&b, lanes, &test_err))) {
      wh_status status = drain(&b, &test_err);
      if (lanes == 1 || status != WH_ERR_END) {
        CHECK_EQ(status, WH_ERR_TYPE);
        CHECK_ERROR_HAS("no such type");
        CHECK(!wh_flow_reader_failed(b.flow));
      }
    }
    bench_free(&b);
  }
}

// --- memory ------------------------------------------------------------------------------------

static void refuse(size_t nth, size_t count) {
  atomic_store(&test_mem.fail_count, count);
  atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + nth);
}

// Takes items and looks at none.
static wh_status skim(bench *b) {
  for (;;) {
    wh_flow_item *item;
    wh_status status = wh_flow_next(b->flow, &item, &test_err);
    if (status != WH_OK) return status;
    wh_flow_release(b->flow, item);
  }
}

// Threads make the order of allocations another each time, so what is refused is, too.
static void refuse_each(script told, size_t lanes, size_t count, bool may_recover) {
  bench b;
  bool fine = bench_init(&b, sorting_out, &told);
  for (size_t n = 1, misses = 0; fine && misses < 3; n++) {
    refuse(n, count);
    wh_status status = bench_start(&b, lanes, &test_err);
    if (status == WH_OK) status = skim(&b);
    bool refused = atomic_load(&test_mem.failed) > 0;
    bench_stop(&b); // the other lanes may still be refused
    atomic_store(&test_mem.failed, 0);
    misses = refused ? 0 : misses + 1;
    fine = status == WH_ERR_END ? !refused || may_recover : refused && status == WH_ERR_MEMORY;
    if (!CHECK(fine))
      test_note("allocation %d of %d lanes: status %d", (int)n, (int)lanes, (int)status);
  }
  bench_free(&b);
}

TEST(every_refused_allocation_ends_lanes_well) {
  script told = {.rows = 60, .batch = 7, .part_rows = 20, .block_rows = 9, .raw_every = 5};
  refuse_each(told, 1, 0, false);
  refuse_each(told, 1, 1, false);
  refuse_each(told, 3, 0, false);
  refuse_each(told, 3, 1, false);
}

TEST(every_refused_allocation_ends_guesses_well) {
  script told = {.rows = 60, .batch = 7, .part_rows = 20, .block_rows = 9, .raw_every = 5};
  told.odd = 2;
  refuse_each(told, 2, 0, false);
  refuse_each(told, 2, 1, true); // in a part that is thrown away
}

// A lane has no memory to say that it has none, and the others wait for room.
TEST(nobody_waits_for_a_lane_that_is_out_of_memory) {
  script told = {.rows = 1000, .batch = 5, .part_rows = 100, .block_rows = 5, .text_bytes = 40000};
  bench b;
  bool fine = bench_init(&b, plain, &told);
  for (size_t n = 1; fine && n < 60; n++) {
    b.s.c.config->memory_bytes = (int64_t)2 * WH_LANE_MEMORY; // 4 MiB ahead
    fine = CHECK_OK(bench_start(&b, 2, &test_err));
    if (!fine) break;
    refuse(n, 1);
    fine = CHECK_FAILS(skim(&b), WH_ERR_MEMORY);
    bench_stop(&b);
    atomic_store(&test_mem.failed, 0);
  }
  bench_free(&b);
}

// The first part is slow, the others are fast: what they make ahead of it is bounded.
TEST(what_waits_for_its_turn_is_bounded) {
  script told = {.rows = 4000, .batch = 5, .part_rows = 100, .block_rows = 10};
  told.text_bytes = 100000; // blocks of a million bytes
  told.hold_part = 1;
  for (size_t lanes = 2; lanes <= 4; lanes++) {
    bench b;
    if (bench_init(&b, plain, &told)) {
      size_t memory = lanes * WH_LANE_MEMORY;
      b.s.c.config->memory_bytes = (int64_t)memory;
      CHECK_OK(bench_start(&b, lanes, &test_err));
      size_t before = 0;
      for (int still = 0; still < 50;) { // until nothing happens any more
        usleep(2000);
        size_t now = atomic_load(&play.blocks);
        still = now == before && now ? still + 1 : 0;
        before = now;
      }
      // What fits, the one that made it full, and one in each hand.
      CHECK(before <= memory / WH_LANES_AHEAD_SHARE / 1000000 + 1 + (lanes - 1));
      CHECK(before >= memory / WH_LANES_AHEAD_SHARE / 1000000);
      CHECK_EQ(b.items, 0);
      atomic_store(&play.go_on, true);
      wh_flow_item *item;
      uint64_t rows = 0;
      wh_status status;
      while ((status = wh_flow_next(b.flow, &item, &test_err)) == WH_OK) {
        if (item->block) rows += item->block->rows;
        wh_flow_release(b.flow, item);
      }
      CHECK_EQ(status, WH_ERR_END);
      CHECK_EQ(rows, told.rows);
      size_t most = atomic_load(&play.blocks_most);
      CHECK(most <= memory / WH_LANES_AHEAD_SHARE / 1000000 + 2 + lanes + 1);
    }
    bench_free(&b);
  }
}

// --- closing -----------------------------------------------------------------------------------

TEST(lanes_may_be_closed_while_they_are_full) {
  script told = {.rows = 4000, .batch = 5, .part_rows = 50, .block_rows = 10, .text_bytes = 50000};
  for (int taken = 0; taken < 4; taken++) {
    for (size_t lanes = 1; lanes <= 3; lanes++) {
      bench b;
      if (bench_init(&b, plain, &told)) {
        b.s.c.config->memory_bytes = (int64_t)(lanes * WH_LANE_MEMORY);
        CHECK_OK(bench_start(&b, lanes, &test_err));
        for (int i = 0; i < taken; i++) {
          wh_flow_item *item;
          if (CHECK_OK(wh_flow_next(b.flow, &item, &test_err))) wh_flow_release(b.flow, item);
        }
        if (taken % 2) usleep(5000); // they are full, or still at work
      }
      bench_free(&b);
    }
  }
}

TEST(lanes_may_be_closed_while_a_part_is_read_again) {
  script told = {.rows = 4000, .batch = 5, .part_rows = 50, .block_rows = 10, .odd = 2};
  for (int taken = 4; taken < 12; taken++) {
    bench b;
    if (bench_init(&b, plain, &told) && CHECK_OK(bench_start(&b, 2, &test_err))) {
      for (int i = 0; i < taken; i++) {
        wh_flow_item *item;
        if (CHECK_OK(wh_flow_next(b.flow, &item, &test_err))) wh_flow_release(b.flow, item);
      }
    }
    bench_free(&b);
  }
}

// --- when there are none -----------------------------------------------------------------------

static void falls_back(const char *config, script told, uint64_t written) {
  bench b;
  if (bench_init(&b, config, &told) && CHECK_OK(bench_start(&b, 4, &test_err))) {
    CHECK(!b.in_lanes);
    CHECK_FAILS(drain(&b, &test_err), WH_ERR_END);
    CHECK_EQ(b.blocks, 0);
    CHECK_EQ(b.counts.written, written);
    CHECK_EQ(atomic_load(&play.parts), 0);
    CHECK_EQ(atomic_load(&play.whole_rows), told.rows);
  }
  bench_free(&b);
}

TEST(steps_that_remember_or_hold_back_take_one_path) {
  script told = {.rows = 500, .batch = 7, .part_rows = 50, .block_rows = 12};
  falls_back(deduping, told, 5);
  falls_back(holding, told, 5);
  falls_back(unique, told, 500);
  told.no_parts = true;
  falls_back(plain, told, 500);
  told.no_parts = false;
  told.no_encoder = true;
  falls_back(plain, told, 500);
}

TEST(lanes_are_as_many_as_memory_and_processors_allow) {
  wh_config config = {.memory_bytes = 64 << 20};
  wh_engine engine = {.config = &config};
  CHECK(wh_lanes_count(&engine, 0) >= 1 && wh_lanes_count(&engine, 0) <= 4);
  engine.lanes = 3;
  CHECK_EQ(wh_lanes_count(&engine, 0), 3);
  engine.lanes = 100;
  CHECK_EQ(wh_lanes_count(&engine, 0), 4);
  CHECK_EQ(wh_lanes_count(&engine, 500), 1);
  config.memory_bytes = 1 << 20;
  CHECK_EQ(wh_lanes_count(&engine, 0), 1);
  config.memory_bytes = (int64_t)1 << 40;
  CHECK_EQ(wh_lanes_count(&engine, 0), WH_LANES_MAX);
}
