// What an HTTP Event Collector answers, and what that means; ids of events.
#include "test.h"

#include "connect/splunk/answer.h"
#include "connect/splunk/event.h"
#include "sim_os.h"

static wh_splunk_answer read_answer(int status, const char *body) {
  wh_splunk_answer a;
  wh_splunk_answer_read(status, wh_str_of(body), &a);
  return a;
}

// --- answers -------------------------------------------------------------------------------------

TEST(each_code_has_a_verdict) {
  static const struct {
    int status, code;
    wh_splunk_verdict want;
  } cases[] = {
      {200, 0, WH_SPLUNK_TAKEN},      {403, 1, WH_SPLUNK_REFUSED},    {401, 2, WH_SPLUNK_REFUSED},
      {401, 3, WH_SPLUNK_REFUSED},    {403, 4, WH_SPLUNK_REFUSED},    {400, 5, WH_SPLUNK_REFUSED},
      {400, 6, WH_SPLUNK_BAD_EVENT},  {400, 7, WH_SPLUNK_BAD_EVENT},  {500, 8, WH_SPLUNK_LATER},
      {503, 9, WH_SPLUNK_LATER},      {400, 10, WH_SPLUNK_REFUSED},   {400, 11, WH_SPLUNK_REFUSED},
      {400, 12, WH_SPLUNK_BAD_EVENT}, {400, 13, WH_SPLUNK_BAD_EVENT}, {400, 14, WH_SPLUNK_REFUSED},
      {400, 15, WH_SPLUNK_BAD_EVENT}, {400, 16, WH_SPLUNK_REFUSED},   {200, 17, WH_SPLUNK_TAKEN},
      {503, 18, WH_SPLUNK_LATER},     {503, 19, WH_SPLUNK_LATER},     {503, 20, WH_SPLUNK_LATER},
      {400, 21, WH_SPLUNK_REFUSED},   {400, 22, WH_SPLUNK_REFUSED},   {503, 23, WH_SPLUNK_LATER},
      {200, 24, WH_SPLUNK_TAKEN},     {200, 25, WH_SPLUNK_TAKEN},     {429, 26, WH_SPLUNK_LATER},
      {429, 27, WH_SPLUNK_LATER},     {413, 27, WH_SPLUNK_TOO_LARGE}, {408, 0, WH_SPLUNK_LATER},
      {502, 0, WH_SPLUNK_LATER},      {501, 0, WH_SPLUNK_REFUSED},    {404, 404, WH_SPLUNK_REFUSED},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char body[64];
    snprintf(body, sizeof body, "{\"text\":\"x\",\"code\":%d}", cases[i].code);
    wh_splunk_answer a = read_answer(cases[i].status, body);
    if (!CHECK_EQ(a.verdict, cases[i].want))
      test_note("HTTP %d, code %d", cases[i].status, cases[i].code);
    CHECK_EQ(a.code, cases[i].code);
  }
}

TEST(what_is_not_the_collectors_has_taken_nothing) {
  static const char *const bodies[] = {"",
                                       "<html>200</html>",
                                       "[]",
                                       "{}",
                                       "{\"code\":\"0\"}",
                                       "{\"text\":\"Success\"}",
                                       "{\"code\":-1}",
                                       "{\"code\":0"};
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
    CHECK_EQ(read_answer(200, bodies[i]).verdict, WH_SPLUNK_REFUSED);
}

TEST(numbers_and_words) {
  wh_splunk_answer a = read_answer(200, "{\"text\":\"Success\",\"code\":0,\"ackId\":0}");
  CHECK(a.has_ack && a.ack == 0 && !a.has_number);
  a = read_answer(400, "{\"text\":\"a\\u001b[31mb\\n\",\"code\":6,\"invalid-event-number\":12}");
  CHECK(a.has_number && a.number == 12 && !a.has_ack);
  CHECK_STR(wh_str_of(a.text), WH_STR("a [31mb "));
}

typedef struct heard {
  uint64_t acks[4];
  size_t count;
} heard;

static void hear(void *context, uint64_t ack) {
  heard *h = context;
  if (h->count < 4) h->acks[h->count++] = ack;
}

TEST(acknowledgements) {
  heard h = {0};
  CHECK_OK(wh_splunk_acks_read(WH_STR("{\"acks\":{\"0\":true,\"1\":false,\"7\":true,\"x\":true}}"),
                               hear, &h, &test_err));
  CHECK(h.count == 2 && h.acks[0] == 0 && h.acks[1] == 7);
  CHECK_OK(wh_splunk_acks_read(WH_STR("{\"acks\":{}}"), hear, &h, &test_err));
  CHECK_FAILS(wh_splunk_acks_read(WH_STR("{\"acks\":[1]}"), hear, &h, &test_err), WH_ERR_DATA);
  CHECK_FAILS(wh_splunk_acks_read(WH_STR("ok"), hear, &h, &test_err), WH_ERR_DATA);
  CHECK_EQ(h.count, 2);
}

// --- ids -----------------------------------------------------------------------------------------

enum { ROWS = 6 };

static wh_splunk_options options;
static wh_os *os;
static wh_connection connection;
static wh_arena arena;
static wh_splunk_rows rows;

static void open_rows(const wh_schema *schema) {
  os = sim_os_new(&test_mem, 1);
  options = (wh_splunk_options){.url = WH_STR("https://splunk:8088")};
  connection =
      (wh_connection){.name = WH_STR("splunk"), .os = os, .mem = &test_mem, .options = &options};
  wh_arena_init(&arena, &test_mem);
  wh_target target = {.table = WH_STR("event"), .schema = schema};
  CHECK_OK(wh_splunk_rows_init(&rows, &connection, &target, &arena, &test_err));
}

static void close_rows(void) {
  wh_splunk_rows_free(&rows);
  wh_arena_free(&arena);
  sim_os_free(os);
}

// The ids of rows [from, ROWS), which say 0, 1, 1, 2, 2, 3; their places are 1, 2, 2, 3, 4, 5.
static void write_ids(const wh_schema *schema, const char *object, const char *run, size_t from,
                      char ids[ROWS][WH_SPLUNK_ID_CHARS + 1]) {
  wh_batch batch;
  wh_buf out;
  wh_load load = {.pipeline = WH_STR("p"), .object = wh_str_of(object), .run = wh_str_of(run)};
  wh_buf_init(&out, &test_mem, 0);
  CHECK_OK(wh_batch_init(&batch, &test_mem, schema, &test_err));
  for (size_t i = from; i < ROWS; i++) {
    wh_place place = {.row = i < 2 ? i + 1 : i};
    CHECK_OK(wh_column_add_i64(&batch.columns[0], (int64_t)((i + 1) / 2), &test_err));
    CHECK_OK(wh_batch_set_place(&batch, place, &test_err));
    wh_batch_row_end(&batch);
  }
  wh_splunk_rows_begin(&rows, &load);
  CHECK_OK(wh_splunk_rows_take(&rows, &batch, &test_err));
  for (size_t i = from; i < ROWS; i++) {
    wh_reject why;
    wh_buf_clear(&out);
    CHECK(wh_splunk_rows_write(&rows, &batch, i - from, &out, &why));
    wh_str text = wh_buf_str(&out);
    REQUIRE(wh_str_starts(text, "{\"event\":{\"_wherry_id\":\""));
    snprintf(ids[i], sizeof ids[i], "%.*s", WH_SPLUNK_ID_CHARS, text.data + 24);
  }
  wh_batch_free(&batch);
  wh_buf_free(&out);
}

static bool same(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

TEST(an_event_is_known_by_its_object_place_and_content) {
  wh_field field = {.name = WH_STR("n"), .type = wh_type_of(WH_INT64)};
  wh_schema schema = {1, &field};
  char first[ROWS][WH_SPLUNK_ID_CHARS + 1], again[ROWS][WH_SPLUNK_ID_CHARS + 1];
  open_rows(&schema);
  write_ids(&schema, "lake:x.json@1", "run1", 0, first);
  for (size_t i = 0; i < ROWS; i++)
    for (size_t j = 0; j < i; j++)
      CHECK(!same(first[i], first[j]));
  write_ids(&schema, "lake:x.json@1", "run2", 3, again); // another attempt, which goes on
  for (size_t i = 3; i < ROWS; i++)
    CHECK(same(first[i], again[i]));
  write_ids(&schema, "lake:x.json@2", "run1", 0, again);
  for (size_t i = 0; i < ROWS; i++)
    CHECK(!same(first[i], again[i]));
  write_ids(&schema, "run1", "run1", 0, first); // of a database
  write_ids(&schema, "run2", "run2", 0, again);
  for (size_t i = 0; i < ROWS; i++)
    CHECK(same(first[i], again[i]));
  CHECK(same(first[1], first[2]) && same(first[3], first[4]) && !same(first[2], first[3]));
  close_rows();
}
