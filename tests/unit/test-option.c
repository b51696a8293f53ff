#include "base/buf.h"
#include "base/option.h"
#include "nodes.h"
#include "test.h"

#include <limits.h>

typedef struct options {
  wh_str title, path, password;
  bool versioning;
  int64_t port, limit, every;
  int mode;
  wh_str_list accepts, columns;
  const wh_node *steps;
} options;

static const char *const modes[] = {"append", "upsert", "replace", NULL};
static const char *const classes[] = {"public", "internal", "personal", "secret", NULL};

static const wh_option table[] = {
    {.name = "title", .type = WH_OPTION_TEXT, .offset = offsetof(options, title), .def = "Orders"},
    {.name = "path",
     .type = WH_OPTION_PATH,
     .offset = offsetof(options, path),
     .required = true,
     .help = "folder that holds the objects"},
    {.name = "password",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(options, password),
     .secret = true},
    {.name = "versioning", .type = WH_OPTION_BOOL, .offset = offsetof(options, versioning)},
    {.name = "port",
     .type = WH_OPTION_INT,
     .offset = offsetof(options, port),
     .def = "1433",
     .min = 1,
     .max = 65535},
    {.name = "limit",
     .type = WH_OPTION_SIZE,
     .offset = offsetof(options, limit),
     .def = "64MiB",
     .min = 1 << 20,
     .max = 1ll << 40},
    {.name = "every",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(options, every),
     .min = 1000000,
     .max = -1},
    {.name = "mode",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(options, mode),
     .choices = modes,
     .def = "upsert"},
    {.name = "accepts",
     .type = WH_OPTION_LIST,
     .offset = offsetof(options, accepts),
     .choices = classes,
     .def = "public, internal"},
    {.name = "columns", .type = WH_OPTION_LIST, .offset = offsetof(options, columns)},
    {.name = "steps", .type = WH_OPTION_NODE, .offset = offsetof(options, steps)},
    {0},
};

static const char *const skip[] = {"type", NULL};

static wh_arena arena;
static options got;

// --- trees by hand; every node of a map says line 9, column 12 for its value
// ----------------------

static wh_node *scalar(const char *text, bool plain) {
  wh_node *node = WH_NEW(&arena, wh_node);
  *node = (wh_node){
      .plain = plain, .file = "wherry.yaml", .line = 9, .column = 12, .text = wh_str_of(text)};
  return node;
}

static wh_node *list(size_t count, wh_node **items) {
  wh_node *node = scalar("", true);
  node->kind = WH_NODE_LIST;
  node->items = WH_NEW_ARRAY(&arena, count, wh_node *);
  memcpy(node->items, items, count * sizeof *items);
  node->count = count;
  return node;
}

static wh_node *map_of(size_t count, const char *const *keys, wh_node **values) {
  wh_node *node = scalar("", true);
  node->kind = WH_NODE_MAP;
  node->line = 8;
  node->column = 5;
  node->entries = WH_NEW_ARRAY(&arena, count, wh_node_entry);
  for (size_t i = 0; i < count; i++) {
    wh_node *key = scalar(keys[i], true);
    key->line = 14;
    key->column = 7;
    node->entries[i] = (wh_node_entry){key, values[i]};
  }
  node->count = count;
  return node;
}

static wh_status resolve(void *context, const wh_node *node, wh_arena *into, wh_str *ret,
                         wh_error *err) {
  (void)context, (void)into;
  if (wh_str_is(node->text, "${GONE}")) {
    return wh_node_fail(node, err, "the environment has no variable GONE");
  }
  *ret = wh_str_is(node->text, "${PORT}") ? WH_STR("5432") : WH_STR("hunter2");
  return WH_OK;
}

static wh_status parse(const wh_node *map) {
  wh_option_context context = {.arena = &arena, .base_folder = WH_STR("shop"), .resolve = resolve};
  memset(&got, 0xA5, sizeof got);
  return wh_options_parse(table, map, skip, "connection lake", &context, &got, &test_err);
}

// path and one more option.
static wh_status parse_one(const char *key, wh_node *value) {
  return parse(
      map_of(2, (const char *[]){"path", key}, (wh_node *[]){scalar("lake", true), value}));
}

static void check_text(const char *key, const char *text, const char *message) {
  wh_status status = parse_one(key, scalar(text, true));
  CHECK_EQ(status, WH_ERR_USAGE);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(message));
}

static void begin(void) {
  wh_arena_init(&arena, &test_mem);
}

static void end(void) {
  wh_arena_free(&arena);
}

TEST(options_take_defaults) {
  begin();
  CHECK_OK(parse(map_of(2, (const char *[]){"type", "path"},
                        (wh_node *[]){scalar("local", true), scalar("lake", true)})));
  CHECK_STR(got.title, WH_STR("Orders"));
  CHECK_STR(got.path, WH_STR("shop/lake"));
  CHECK_EQ(got.password.len, 0);
  CHECK(!got.versioning && got.port == 1433 && got.limit == 64 << 20 && got.every == 0);
  CHECK_EQ(got.mode, 1);
  CHECK_EQ(got.accepts.count, 2);
  CHECK_STR(got.accepts.items[1], WH_STR("internal"));
  CHECK(got.columns.count == 0 && !got.steps);
  end();
}

TEST(options_take_values) {
  begin();
  const char *keys[] = {"path",  "title", "versioning", "port",    "limit",
                        "every", "mode",  "accepts",    "columns", "steps"};
  wh_node *steps = list(1, (wh_node *[]){scalar("trim", true)});
  wh_node *values[] = {scalar("/data", true),
                       scalar("", false),
                       scalar("yes", true),
                       scalar("${PORT}", true),
                       scalar("1.5 GiB", true),
                       scalar("1h30m", true),
                       scalar("replace", true),
                       list(2, (wh_node *[]){scalar("personal", true), scalar("public", true)}),
                       scalar("all", true),
                       steps};
  CHECK_OK(parse(map_of(10, keys, values)));
  CHECK_STR(got.path, WH_STR("/data"));
  CHECK_EQ(got.title.len, 0);
  CHECK(got.versioning && got.port == 5432 && got.mode == 2);
  CHECK_EQ(got.limit, 3ll << 29);
  CHECK_EQ(got.every, 5400ll * 1000000);
  CHECK_EQ(got.accepts.count, 2);
  CHECK_STR(got.accepts.items[0], WH_STR("personal"));
  CHECK_EQ(got.columns.count, 1);
  CHECK_STR(got.columns.items[0], WH_STR("all"));
  CHECK(got.steps == steps);
  end();
}

TEST(options_with_nothing_are_not_given) {
  begin();
  CHECK_OK(parse_one("port", scalar("~", true)));
  CHECK_EQ(got.port, 1433);
  CHECK_EQ(parse_one("port", scalar("~", false)), WH_ERR_USAGE);
  CHECK_EQ(parse(scalar("", true)), WH_ERR_USAGE);
  CHECK_STR(
      wh_str_of(test_err.text),
      WH_STR("wherry.yaml:9:12: connection lake needs 'path': folder that holds the objects"));
  CHECK_EQ(parse(NULL), WH_ERR_USAGE);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("connection lake needs 'path': folder that holds the objects"));
  CHECK_EQ(parse(map_of(1, (const char *[]){"path"}, (wh_node *[]){scalar("", true)})),
           WH_ERR_USAGE);
  CHECK_STR(
      wh_str_of(test_err.text),
      WH_STR("wherry.yaml:9:12: connection lake needs 'path': folder that holds the objects"));
  end();
}

TEST(options_say_what_is_wrong) {
  begin();
  check_text("colums", "x",
             "wherry.yaml:14:7: connection lake has no word 'colums'. Did you mean 'columns'?");
  check_text("zebra", "x", "wherry.yaml:14:7: connection lake has no word 'zebra'.");
  check_text("tpye", "x",
             "wherry.yaml:14:7: connection lake has no word 'tpye'. Did you mean 'type'?");
  check_text("path", "x",
             "wherry.yaml:14:7: connection lake: 'path' is given twice, first in line 14");
  check_text("versioning", "ture",
             "wherry.yaml:9:12: connection lake: versioning: expected true or false, found 'ture'");
  check_text("port", "many",
             "wherry.yaml:9:12: connection lake: port: expected a whole number, found 'many'");
  check_text("port", "70000",
             "wherry.yaml:9:12: connection lake: port: must be between 1 and "
             "65535, found '70000'");
  check_text("port", "99999999999999999999",
             "wherry.yaml:9:12: connection lake: port: expected a number of at most 18 digits, "
             "found '99999999999999999999'");
  check_text("limit", "64M",
             "wherry.yaml:9:12: connection lake: limit: expected a size such as "
             "64MiB or 1GB, found '64M'");
  check_text("limit", "1kB",
             "wherry.yaml:9:12: connection lake: limit: must be between 1MiB and "
             "1TiB, found '1kB'");
  check_text("every", "30",
             "wherry.yaml:9:12: connection lake: every: expected a duration such as "
             "500ms, 2s, 5m, 1h or 7d, found '30'");
  check_text("every", "10ms",
             "wherry.yaml:9:12: connection lake: every: must be at least 1s, found '10ms'");
  check_text("mode", "upsrt",
             "wherry.yaml:9:12: connection lake: mode: expected append, upsert or "
             "replace, found 'upsrt'. Did you mean 'upsert'?");
  check_text("accepts", "everything",
             "wherry.yaml:9:12: connection lake: accepts: expected public, internal, personal or "
             "secret, found 'everything'.");
  end();
}

TEST(options_say_what_kind_was_expected) {
  begin();
  wh_node *two = list(2, (wh_node *[]){scalar("a", true), scalar("b", true)});
  CHECK_EQ(parse(map_of(1, (const char *[]){"path"}, (wh_node *[]){two})), WH_ERR_USAGE);
  CHECK_STR(wh_str_of(test_err.text), WH_STR("wherry.yaml:9:12: connection lake: path: expected a "
                                             "single value, found a list"));
  CHECK_EQ(test_err.place.line, 9);
  CHECK_EQ(test_err.place.column, 12);
  wh_node *empty = map_of(0, NULL, NULL);
  CHECK_EQ(parse_one("columns", empty), WH_ERR_USAGE);
  CHECK_ERROR_HAS("wherry.yaml:8:5: connection lake: columns: expected a list, found a map");
  CHECK_EQ(parse_one("columns", list(1, (wh_node *[]){two})), WH_ERR_USAGE);
  CHECK_ERROR_HAS("columns: expected a single value, found a list");
  CHECK_EQ(parse_one("columns", list(1, (wh_node *[]){scalar("~", true)})), WH_ERR_USAGE);
  CHECK_ERROR_HAS("columns: expected a single value, found nothing");
  CHECK_EQ(parse(two), WH_ERR_USAGE);
  CHECK_ERROR_HAS("wherry.yaml:9:12: connection lake: expected a map, found a list");
  end();
}

TEST(options_keep_secrets) {
  begin();
  CHECK_OK(parse_one("password", scalar("${PASSWORD}", true)));
  CHECK_STR(got.password, WH_STR("hunter2"));
  CHECK_EQ(parse_one("port", scalar("${PASSWORD}", true)), WH_ERR_USAGE);
  CHECK_ERROR_HAS("port: expected a whole number, found something else behind ${...}");
  CHECK(!strstr(test_err.text, "hunter2"));
  CHECK_EQ(parse_one("mode", scalar("${PASSWORD}", true)), WH_ERR_USAGE);
  CHECK(!strstr(test_err.text, "hunter2"));
  CHECK_EQ(parse_one("port", scalar("${GONE}", true)), WH_ERR_USAGE);
  CHECK_ERROR_HAS("wherry.yaml:9:12: the environment has no variable GONE");
  end();
}

TEST(options_paths_are_made_relative_to_the_folder) {
  begin();
  CHECK_EQ(parse(map_of(1, (const char *[]){"path"}, (wh_node *[]){scalar("", false)})),
           WH_ERR_USAGE);
  CHECK_ERROR_HAS("path: expected a path, found an empty text");
  CHECK_EQ(parse(map_of(1, (const char *[]){"path"}, (wh_node *[]){scalar("~/lake", true)})),
           WH_ERR_USAGE);
  CHECK_ERROR_HAS("path: '~' has no meaning here. Write ${HOME}/lake");
  end();
}

TEST(options_survive_want_of_memory) {
  begin();
  wh_node *map = map_of(3, (const char *[]){"path", "columns", "title"},
                        (wh_node *[]){scalar("lake", true), scalar("a", true), scalar("t", true)});
  wh_status status = WH_ERR_MEMORY;
  size_t tries = 0;
  for (size_t n = 1; status == WH_ERR_MEMORY && n < 100; n++, tries++) {
    WH_CLEAN_ARENA wh_arena scratch;
    wh_arena_init(&scratch, &test_mem);
    wh_option_context context = {.arena = &scratch, .base_folder = WH_STR("shop")};
    test_mem.fail_at = test_mem.count + n;
    status = wh_options_parse(table, map, NULL, "connection lake", &context, &got, &test_err);
    test_mem.fail_at = 0;
  }
  CHECK_OK(status);
  CHECK(tries > 1);
  end();
}

TEST(sizes) {
  static const struct {
    const char *text;
    int64_t bytes; // -1: refused
  } cases[] = {
      {"0", 0},
      {"4096", 4096},
      {"64MiB", 64 << 20},
      {"1GB", 1000000000},
      {"64 mib", 64 << 20},
      {"1.5KiB", 1536},
      {"0.5B", -1},
      {"1b", 1},
      {"2TB", 2000000000000},
      {"", -1},
      {"MiB", -1},
      {"-1", -1},
      {"1 ", -1},
      {"1  kB", -1},
      {"64M", -1},
      {"1.", -1},
      {".5kB", -1},
      {"1e3", -1},
      {"9223372036854775807", INT64_MAX},
      {"9223372036854775808", -1},
      {"9999999TiB", -1},
      {"1kBx", -1},
      {"1.0000000000001kB", -1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int64_t bytes = -1;
    bool ok = wh_parse_size(wh_str_of(cases[i].text), &bytes);
    if (!CHECK(ok == (cases[i].bytes >= 0) && bytes == cases[i].bytes))
      test_note("%s", cases[i].text);
  }
}

TEST(durations) {
  static const struct {
    const char *text;
    int64_t us; // -1: refused
  } cases[] = {
      {"0", 0},
      {"0s", 0},
      {"500ms", 500000},
      {"2s", 2000000},
      {"5m", 300000000},
      {"1h", 3600000000},
      {"7d", 7 * 86400000000ll},
      {"2w", 14 * 86400000000ll},
      {"1h30m", 5400000000},
      {"1.5s", 1500000},
      {"3us", 3},
      {"0.5us", -1},
      {"5", -1},
      {"", -1},
      {"s", -1},
      {"5 m", -1},
      {"5M", -1},
      {"-5m", -1},
      {"5m ", -1},
      {"5min", -1},
      {"99999999999d", -1},
      {"1h5", -1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int64_t us = -1;
    bool ok = wh_parse_duration(wh_str_of(cases[i].text), &us);
    if (!CHECK(ok == (cases[i].us >= 0) && us == cases[i].us)) test_note("%s", cases[i].text);
  }
}

TEST(bools) {
  bool b = false;
  CHECK(wh_parse_bool(WH_STR("true"), &b) && b);
  CHECK(wh_parse_bool(WH_STR("Off"), &b) && !b);
  CHECK(wh_parse_bool(WH_STR("yes"), &b) && b);
  CHECK(!wh_parse_bool(WH_STR("1"), &b));
  CHECK(!wh_parse_bool(WH_STR(""), &b));
}

static wh_buf told;

static wh_status tell(void *context, wh_error *problem) {
  CHECK(context == &told);
  CHECK_EQ(problem->status, WH_ERR_USAGE);
  wh_buf_printf(&told, "%s\n", problem->text);
  return WH_OK;
}

TEST(all_problems_are_told_and_parsing_goes_on) {
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&told, &test_mem, 0);
  const wh_node *map =
      test_nodes(&arena, "pth: lake\nport: x\ncolums: [a]\nlimit: 2MiB\nmode: upsrt\n"
                         "accepts: [public, x]\nversioning: yes\n");
  wh_option_context context = {
      .arena = &arena, .base_folder = WH_STR("shop"), .problem = tell, .problem_context = &told};
  CHECK_OK(wh_options_parse(table, map, NULL, "lake", &context, &got, &test_err));
  CHECK_STR(
      wh_buf_str(&told),
      WH_STR("test.yaml:1:1: lake has no word 'pth'. Did you mean 'path'?\n"
             "test.yaml:3:1: lake has no word 'colums'. Did you mean 'columns'?\n"
             "test.yaml:2:7: lake: port: expected a whole number, found 'x'\n"
             "test.yaml:5:7: lake: mode: expected append, upsert or replace, found 'upsrt'. Did "
             "you mean 'upsert'?\n"
             "test.yaml:6:19: lake: accepts: expected public, internal, personal or secret, found "
             "'x'.\n"));
  CHECK_EQ(got.limit, 2 << 20);
  CHECK_EQ(got.port, 1433); // its default
  CHECK_EQ(got.mode, 1);
  CHECK(got.versioning);
  wh_buf_clear(&told);
  CHECK_OK(
      wh_options_parse(table, test_nodes(&arena, "[a]"), NULL, "lake", &context, &got, &test_err));
  CHECK_STR(wh_buf_str(&told), WH_STR("test.yaml:1:1: lake: expected a map, found a list\n"));
  wh_buf_free(&told);
  wh_arena_free(&arena);
}

static wh_status never(void *context, const wh_node *node, wh_arena *scratch, wh_str *ret,
                       wh_error *err) {
  (void)context, (void)scratch, (void)err;
  CHECK_STR(node->text, WH_STR("$${X}"));
  *ret = node->text;
  return WH_OK;
}

TEST(lazy_parsing_leaves_references_alone) {
  wh_arena_init(&arena, &test_mem);
  const wh_node *map =
      test_nodes(&arena, "path: ${X}\nport: ${X}\nmode: ${X}\naccepts: [\"${X}\", public]\n"
                         "title: $${X}\n");
  wh_option_context context = {
      .arena = &arena, .base_folder = WH_STR("shop"), .lazy = true, .resolve = never};
  CHECK_OK(wh_options_parse(table, map, NULL, "lake", &context, &got, &test_err));
  CHECK_EQ(got.path.len, 0);
  CHECK_EQ(got.port, 1433);
  CHECK_EQ(got.accepts.count, 2);
  wh_arena_free(&arena);
}
