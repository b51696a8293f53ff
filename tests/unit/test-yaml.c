#include "config/overlay.h"
#include "config/yaml.h"
#include "test.h"

static wh_arena arena;
static wh_problems problems;

static wh_status parse(const char *text, wh_node **ret) {
  wh_arena_init(&arena, &test_mem);
  wh_problems_init(&problems, &arena, NULL);
  *ret = NULL;
  test_err = (wh_error){0};
  return wh_yaml_parse(wh_str_of(text), "f.yaml", &arena, &problems, ret, &test_err);
}

static void end(void) {
  wh_arena_free(&arena);
}

// One line that describes a tree: {a: "x", b: [y, ~]}
static void draw(const wh_node *node, wh_buf *out) {
  if (node->kind == WH_NODE_SCALAR) {
    if (wh_node_is_null(node))
      wh_buf_add_char(out, '~');
    else
      wh_buf_add_json(out, node->text);
    return;
  }
  bool map = node->kind == WH_NODE_MAP;
  wh_buf_add_char(out, map ? '{' : '[');
  for (size_t i = 0; i < node->count; i++) {
    if (i) wh_buf_add_c(out, ", ");
    if (map) wh_buf_printf(out, "%.*s: ", WH_STR_ARG(node->entries[i].key->text));
    draw(map ? node->entries[i].value : node->items[i], out);
  }
  wh_buf_add_char(out, map ? '}' : ']');
}

static void check_drawn(const wh_node *node, const char *want) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  if (node) draw(node, &out);
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
}

static void check_tree(const char *text, const char *want) {
  wh_node *root;
  if (CHECK_OK(parse(text, &root))) check_drawn(root, want);
  CHECK_EQ(problems.count, 0);
  end();
}

static void check_fails(const char *text, const char *want) {
  wh_node *root;
  if (CHECK_FAILS(parse(text, &root), WH_ERR_USAGE)) {
    CHECK_STR(wh_str_of(test_err.text), wh_str_of(want));
  } else {
    test_note("for: %s", text);
  }
  end();
}

static void check_problem(const char *text, const char *tree, const char *want) {
  wh_node *root;
  if (CHECK_OK(parse(text, &root))) check_drawn(root, tree);
  CHECK_EQ(problems.count, 1);
  if (problems.count) CHECK_STR(wh_str_of(problems.entries[0].text), wh_str_of(want));
  end();
}

TEST(yaml_trees) {
  check_tree("a: 1\nb:\n  - x\n  - 'y'\nc: {d: e, f: [g]}\n",
             "{a: \"1\", b: [\"x\", \"y\"], c: {d: \"e\", f: [\"g\"]}}");
  check_tree("", "~");
  check_tree("# nothing\n", "~");
  check_tree("a:\nb: ~\nc: null\nd: ''\n", "{a: ~, b: ~, c: ~, d: \"\"}");
  check_tree("q: |\n  SELECT 1\n  FROM t\n", "{q: \"SELECT 1\\nFROM t\\n\"}");
  check_tree("a: yes\nb: 0o12\nc: 012\n", "{a: \"yes\", b: \"0o12\", c: \"012\"}");
  check_tree("\xEF\xBB\xBF"
             "a: b\n",
             "{a: \"b\"}");
  check_tree("%YAML 1.2\n---\na: b\n...\n", "{a: \"b\"}");
}

TEST(yaml_positions_count_from_one_in_characters) {
  wh_node *root;
  REQUIRE_OK(parse("a: 1\n\xC3\xA4\xC3\xB6: { b: c }\n", &root));
  const wh_node *map = root->entries[1].value;
  CHECK_EQ(map->line, 2);
  CHECK_EQ(map->column, 5);
  CHECK_EQ(map->entries[0].value->column, 10);
  CHECK_STR(wh_str_of(map->file), WH_STR("f.yaml"));
  CHECK(root->entries[0].value->plain);
  end();
}

TEST(yaml_aliases_share_their_anchor) {
  wh_node *root;
  REQUIRE_OK(parse("a: &x { b: c }\nd: *x\n", &root));
  CHECK(root->entries[0].value == root->entries[1].value);
  CHECK_EQ(root->entries[1].value->line, 1);
  end();
  // The later of two anchors of one name counts.
  check_tree("a: &x 1\nb: &x 2\nc: *x\n", "{a: \"1\", b: \"2\", c: \"2\"}");
}

TEST(yaml_billion_laughs_are_refused) {
  check_fails("a: &a [x,x,x,x,x,x,x,x,x,x]\n"
              "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
              "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
              "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
              "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
              "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
              "f.yaml:6:11: the file stands for more than 250000 values, counting each alias in "
              "full");
  check_fails("a: &a [*a]\n", "f.yaml:1:8: *a stands inside what it names");
}

TEST(yaml_nesting_is_bounded) {
  char text[200] = "a: ";
  for (size_t i = 0; i < 70; i++)
    text[3 + i] = '[';
  wh_node *root;
  CHECK_FAILS(parse(text, &root), WH_ERR_USAGE);
  CHECK_ERROR_HAS("f.yaml:1:68: nested more than 64 deep");
  end();
}

TEST(yaml_refused_parts_are_problems_and_the_rest_goes_on) {
  check_problem("a: 1\nb: 2\na: 3\n", "{a: \"1\", b: \"2\"}",
                "f.yaml:3:1: 'a' is given twice, first in line 1");
  check_problem(
      "x: &x {a: 1}\ny:\n  <<: *x\n  b: 2\n", "{x: {a: \"1\"}, y: {b: \"2\"}}",
      "f.yaml:3:3: merge keys (<<) are not taken. Write the words out, or repeat the whole "
      "map with an alias.");
  check_problem("a: !!int 1\n", "{a: \"1\"}",
                "f.yaml:1:4: YAML tags have no meaning here. Leave it out.");
  check_problem("a: !in x\n", "{a: \"x\"}",
                "f.yaml:1:4: this needs quotes: YAML reads !in as a tag. Write \"!in x\".");
  check_problem("? [a]\n: b\nc: d\n", "{c: \"d\"}",
                "f.yaml:1:3: a word was expected here, found a list");
  check_problem("'': b\nc: d\n", "{c: \"d\"}",
                "f.yaml:1:1: a word was expected in front of the colon");
}

TEST(yaml_says_what_needs_quotes) {
  check_fails("a:\n  to: {run}.json\n",
              "f.yaml:2:7: this needs quotes: YAML reads {run} as a map. Write \"{run}.json\".");
  check_fails("a:\n  to: {run}\n",
              "f.yaml:2:7: this needs quotes: YAML reads {run} as a map. Write \"{run}\".");
  check_fails("a: { to: {run}.json, b: c }\n",
              "f.yaml:1:10: this needs quotes: YAML reads {run} as a map. Write \"{run}.json\".");
  check_fails("a: {year}/{month}/x.json # each month\n",
              "f.yaml:1:4: this needs quotes: YAML reads {year} as a map. Write "
              "\"{year}/{month}/x.json\".");
  check_fails("a: [0-9]*.json\n",
              "f.yaml:1:4: this needs quotes: YAML reads [0-9] as a list. Write \"[0-9]*.json\".");
  check_fails("a: *.json\n",
              "f.yaml:1:4: this needs quotes: YAML reads *.json as an alias. Write \"*.json\".");
  check_fails("a: **/x.json\n",
              "f.yaml:1:4: this needs quotes: YAML reads **/x.json as an alias. Write "
              "\"**/x.json\".");
  check_fails("a: *all\n",
              "f.yaml:1:4: this needs quotes: YAML reads *all as an alias. Write \"*all\".");
  check_fails("- *\n", "f.yaml:1:3: this needs quotes: YAML reads * as an alias. Write \"*\".");
  check_fails("a: { cron: @daily }\n", "f.yaml:1:12: this needs quotes: YAML reads @ as a sign it "
                                       "keeps for itself. Write \"@daily\".");
  check_fails("a: %d\n",
              "f.yaml:1:4: this needs quotes: YAML reads % as a directive. Write \"%d\".");
  check_fails("a: `x`\n", "f.yaml:1:4: this needs quotes: YAML reads ` as a sign it keeps for "
                          "itself. Write \"`x`\".");
  check_fails("a:\n  title: Orders: all\n",
              "f.yaml:2:10: this needs quotes: YAML reads Orders: as a word of a map. Write "
              "\"Orders: all\".");
  check_fails("a: { b: ${X}, c: d }\n",
              "f.yaml:1:9: this needs quotes: YAML reads {X} as a map. Write \"${X}\".");
  check_fails("a: [ in/{run}.json ]\n",
              "f.yaml:1:6: this needs quotes: YAML reads {run} as a map. Write \"in/{run}.json\".");
  check_fails("a: {x}\\\"y\"\n",
              "f.yaml:1:4: this needs quotes: YAML reads {x} as a map. Write '{x}\\\"y\"'.");
}

TEST(yaml_common_slips_have_their_own_words) {
  check_fails("a:\n\tb: c\n", "f.yaml:2:1: YAML takes no tabs for indentation. Use spaces.");
  check_fails("a:\n  type: sqlite\n  path:erp.db\nb: c\n",
              "f.yaml:3:3: a space is missing behind the colon. Write path: erp.db");
  check_fails("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document begins here; a file holds one");
  check_fails("a: \"\\0\"\n", "f.yaml:1:4: a text cannot hold a zero byte");
  check_fails("a: 1\nb: \xFF\n", "f.yaml:2:4: the file is not UTF-8 text");
  check_fails(
      "a: [1, 2\nb: 3\n",
      "f.yaml:2:2: this is not YAML: did not find expected ',' or ']', while parsing a flow "
      "sequence that begins in line 1. Look at the indentation and the quotes of this line "
      "and the one above it.");
}

static void check_overlay(const char *base_text, const char *over_text, const char *want) {
  wh_arena_init(&arena, &test_mem);
  wh_problems_init(&problems, &arena, NULL);
  wh_node *base = NULL, *over = NULL;
  const wh_node *merged = NULL;
  CHECK_OK(wh_yaml_parse(wh_str_of(base_text), "a", &arena, &problems, &base, &test_err));
  CHECK_OK(wh_yaml_parse(wh_str_of(over_text), "b", &arena, &problems, &over, &test_err));
  if (base && over && CHECK_OK(wh_overlay(base, over, &arena, &merged, &test_err))) {
    check_drawn(merged, want);
  }
  end();
}

TEST(overlay_merges_maps_replaces_the_rest_and_removes) {
  check_overlay("a: 1\nb: {c: 2, d: 3}\n", "b: {d: 4, e: 5}\nf: 6\n",
                "{a: \"1\", b: {c: \"2\", d: \"4\", e: \"5\"}, f: \"6\"}");
  check_overlay("a: [1, 2]\n", "a: [3]\n", "{a: [\"3\"]}");
  check_overlay("a: {b: 1}\n", "a: x\n", "{a: \"x\"}");
  check_overlay("a: x\n", "a: {b: 1, c: ~}\n", "{a: {b: \"1\"}}");
  check_overlay("a: 1\nb: 2\n", "a: ~\n", "{b: \"2\"}");
  check_overlay("a: 1\n", "b: ~\n", "{a: \"1\"}");
  check_overlay("a: {b: {c: 1, d: 2}}\n", "a: {b: {c: ~}}\n", "{a: {b: {d: \"2\"}}}");
  check_overlay("a: ~\nb: 1\n", "b: 2\n", "{a: ~, b: \"2\"}");
  check_overlay("a: 1\n", "", "{a: \"1\"}");
  check_overlay("", "a: 1\n", "{a: \"1\"}");
}

TEST(overlay_keeps_positions) {
  wh_arena_init(&arena, &test_mem);
  wh_problems_init(&problems, &arena, NULL);
  wh_node *base = NULL, *over = NULL;
  const wh_node *merged = NULL;
  CHECK_OK(wh_yaml_parse(WH_STR("x: {a: 1, b: 2}\n"), "a", &arena, &problems, &base, &test_err));
  CHECK_OK(wh_yaml_parse(WH_STR("\nx:\n  b: 3\n"), "b", &arena, &problems, &over, &test_err));
  CHECK_OK(wh_overlay(base, over, &arena, &merged, &test_err));
  const wh_node *x = wh_node_get(merged, "x");
  REQUIRE(x);
  CHECK_STR(wh_str_of(x->file), WH_STR("a"));
  CHECK_STR(wh_str_of(wh_node_get(x, "a")->file), WH_STR("a"));
  CHECK_STR(wh_str_of(wh_node_get(x, "b")->file), WH_STR("b"));
  CHECK_EQ(wh_node_get(x, "b")->line, 3);
  CHECK_EQ(wh_node_get(base, "x")->count, 2); // the trees are as they were
  CHECK_STR(wh_node_get(wh_node_get(base, "x"), "b")->text, WH_STR("2"));
  end();
}

TEST(yaml_fails_cleanly_without_memory) {
  for (size_t n = 1;; n++) {
    wh_mem_init(&test_mem, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_node *root;
    wh_status status = parse("a: &x {b: [c, d]}\ne: *x\nf: !t x\na: 2\n", &root);
    bool done = status == WH_OK && !problems.out_of_memory;
    if (status != WH_OK) CHECK_FAILS(status, WH_ERR_MEMORY);
    end();
    CHECK_EQ(atomic_load(&test_mem.used), 0);
    if (done) break;
    REQUIRE(n < 1000);
  }
  atomic_store(&test_mem.fail_at, 0);
}
