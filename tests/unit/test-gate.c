#include "test.h"

#include "nodes.h"
#include "rows.h"

#include "step/gate.h"

static const wh_mask proof = {.name = WH_STR_INIT("proof"),
                              .kind = WH_MASK_HMAC,
                              .normalize = WH_NORMALIZE_ALPHANUMERIC_UPPER,
                              .key = WH_STR_INIT("0123456789abcdef")};
static const wh_mask ends = {
    .name = WH_STR_INIT("ends"), .kind = WH_MASK_PARTIAL, .keep_first = 1, .keep_last = 1};
static const wh_mask gone = {.name = WH_STR_INIT("gone"), .kind = WH_MASK_NULL};
static const wh_mask weak = {.name = WH_STR_INIT("weak"), .kind = WH_MASK_HMAC};

// The gate from YAML, near to what wherry.yaml says: { name: from | { from, type, class, mask } },
// `...: all` stands for all.
static wh_gate make_gate(wh_arena *arena, const char *yaml) {
  static const wh_mask *const masks[] = {&proof, &ends, &gone, &weak};
  const wh_node *root = test_nodes(arena, yaml);
  wh_gate gate = {0};
  wh_gate_column *columns = WH_NEW_ARRAY(arena, root->count, wh_gate_column);
  for (size_t i = 0; i < root->count; i++) {
    const wh_node *key = root->entries[i].key, *value = root->entries[i].value;
    if (wh_str_is(key->text, "...")) {
      gate.all = true;
      continue;
    }
    wh_gate_column *c = &columns[gate.count++];
    *c = (wh_gate_column){.name = key->text, .from = value->text, .node = key};
    if (value->kind != WH_NODE_MAP) continue;
    const wh_node *from = wh_node_get(value, "from"), *type = wh_node_get(value, "type");
    const wh_node *class = wh_node_get(value, "class"), *mask = wh_node_get(value, "mask");
    c->from = from ? from->text : key->text;
    c->has_type = type != NULL;
    if (type) CHECK_OK(wh_type_parse(type->text, arena, &c->type, &test_err));
    c->has_privacy = class != NULL;
    if (class) CHECK(wh_class_parse(class->text, &c->privacy));
    for (size_t m = 0; mask && m < 4; m++) {
      if (wh_str_eq(mask->text, masks[m]->name)) c->mask = masks[m];
    }
  }
  gate.columns = columns;
  return gate;
}

static void check_gate(const char *yaml, const char *fields, const char *rows, const char *schema,
                       const char *want, const char *rejects) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, fields);
  test_table_add(&table, rows);
  wh_step_context context;
  test_context_init(&context, 1 << 20);
  for (size_t size = 1; size <= 3; size++) {
    // What binding is given may be gone afterwards.
    WH_CLEAN_ARENA wh_arena brief;
    wh_arena_init(&brief, &test_mem);
    wh_gate gate = make_gate(&brief, yaml);
    wh_step *step = NULL;
    if (!CHECK_OK(wh_gate_bind(&context, &gate, &table.schema, &step, &test_err))) break;
    wh_arena_free(&brief);
    test_run run;
    CHECK_OK(test_run_step(&run, step, &table, size, &test_err));
    CHECK_STR(wh_buf_str(&run.rows), wh_str_of(want));
    CHECK_STR(wh_buf_str(&run.rejects), wh_str_of(rejects));
    test_run_free(&run);
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, &test_mem, 0);
    test_write_schema(step->schema, &text);
    CHECK_STR(wh_buf_str(&text), wh_str_of(schema));
    wh_step_close(step);
  }
  test_context_free(&context);
  test_table_free(&table);
}

static void check_refused(const char *yaml, const char *fields, const char *error) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, fields);
  wh_step_context context;
  test_context_init(&context, 1 << 20);
  wh_gate gate = make_gate(&arena, yaml);
  wh_step *step = NULL;
  CHECK_FAILS(wh_gate_bind(&context, &gate, &table.schema, &step, &test_err), WH_ERR_USAGE);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(error));
  test_context_free(&context);
  test_table_free(&table);
}

#define ORDERS "order_number: string, status: string?, margin: decimal(10,2), postcode: string?"
#define ROWS   "A1|Open|1.50|ab1 2cd\nA2|~|2.00|~\nA3|Shut|3.25| - \n"

TEST(gate_lets_only_the_listed_cross) {
  check_gate("{ OrderStatus: status, OrderNumber: order_number }", ORDERS, ROWS,
             "OrderStatus: string?, OrderNumber: string", "Open|A1\n~|A2\nShut|A3\n", "");
  check_gate("{ a: status, b: status }", ORDERS, ROWS, "a: string?, b: string?",
             "Open|Open\n~|~\nShut|Shut\n", "");
}

TEST(gate_borrows_what_it_does_not_change) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, ORDERS);
  test_table_add(&table, ROWS);
  wh_step_context context;
  test_context_init(&context, 1 << 20);
  wh_gate gates[2] = {make_gate(&arena, "{ s: status, o: order_number }"),
                      make_gate(&arena, "{ s: status, m: { from: postcode, mask: ends } }")};
  for (int i = 0; i < 2; i++) {
    wh_step *step = NULL;
    REQUIRE_OK(wh_gate_bind(&context, &gates[i], &table.schema, &step, &test_err));
    wh_batch out;
    REQUIRE_OK(wh_batch_init(&out, &test_mem, step->schema, &test_err));
    CHECK_OK(step->push(step, &table.batch, &out, NULL, &test_err));
    CHECK(out.columns[0].bytes == table.batch.columns[1].bytes);
    CHECK_EQ(out.rows, 3);
    wh_batch_free(&out);
    wh_step_close(step);
  }
  test_context_free(&context);
  test_table_free(&table);
}

TEST(gate_casts) {
  check_gate("{ n: { from: a, type: int64 }, b: { type: string } }", "a: string?, b: int32",
             "1|5\nx|6\n~|7\n2|8\n", "n: int64?, b: string", "1|5\n~|7\n2|8\n",
             "type n row 2: 'x' is not a whole number\n");
  // One reject a row; the type that is there already costs nothing.
  check_gate("{ n: { from: a, type: int64 }, m: { from: a, type: date }, a: { type: text } }",
             "a: string", "x\n", "n: int64, m: date, a: string", "",
             "type n row 1: 'x' is not a whole number\n");
  check_gate("{ l: { from: a, type: 'list<int64>' } }", "a: null", "~\n", "l: list<int64>", "~\n",
             "");
}

TEST(gate_masks) {
  check_gate("{ p: { from: postcode, class: personal, mask: proof } }", ORDERS, ROWS, "p: string?",
             // HMAC-SHA-256 of AB12CD; NULL stays NULL, and so does what has nothing to prove.
             "62926857c06d2a0f19008655f16a079fd1d1f079cb4aa439b9021b19c8968f3a\n~\n~\n", "");
  check_gate("{ p: { from: postcode, mask: ends }, n: { from: order_number, mask: gone } }", ORDERS,
             ROWS, "p: string?, n: string?", "a*****d|~\n~|~\n * |~\n", "");
}

TEST(gate_masks_the_canonical_text_of_other_types) {
  check_gate("{ m: { from: margin, mask: ends }, d: { mask: ends } }",
             "margin: decimal(10,2), d: date?", "1234.50|2026-11-21\n1.00|~\n",
             "m: string?, d: string?", "1*****0|2********1\n1**0|~\n", "");
  // Cast first, then mask.
  check_gate("{ a: { type: int64, mask: ends } }", "a: string", "123456\n0x1\n 7\n", "a: string?",
             "1****6\n",
             "type a row 2: the value does not fit the type\n"
             "type a row 3: the value does not fit the type\n");
}

TEST(gate_keeps_private_values_out_of_reasons) {
  check_gate("{ a: { type: int64, class: personal }, b: { type: int64 } }", "a: string, b: string",
             "secret|1\n1|open\n", "a: int64 personal, b: int64", "",
             "type a row 1: the value does not fit the type\n"
             "type b row 2: 'open' is not a whole number\n");
}

TEST(gate_all_adjusts_what_is_listed) {
  check_gate(
      "{ ...: all, State: status, Margin: { from: margin, class: secret } }", ORDERS, ROWS,
      "order_number: string, State: string?, Margin: decimal(10,2) secret, postcode: string?",
      "A1|Open|1.50|ab1 2cd\nA2|~|2.00|~\nA3|Shut|3.25| - \n", "");
  check_gate("{ ...: all, a: margin, b: margin }", "x: int64, margin: int64, z: int64", "1|2|3\n",
             "x: int64, a: int64, b: int64, z: int64", "1|2|2|3\n", "");
  check_gate("{ ...: all }", "x: int64", "1\n", "x: int64", "1\n", "");
}

TEST(gate_keeps_the_higher_class) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_field fields[] = {
      {.name = WH_STR("open"), .type = wh_type_of(WH_INT64), .privacy = WH_PUBLIC},
      {.name = WH_STR("own"), .type = wh_type_of(WH_INT64), .privacy = WH_PERSONAL},
      {.name = WH_STR("down"), .type = wh_type_of(WH_INT64), .privacy = WH_SECRET},
  };
  wh_schema schema = {3, fields};
  wh_step_context context;
  test_context_init(&context, 1 << 20);
  wh_gate gate = make_gate(&arena, "{ open: open, own: own, down: { class: public } }");
  wh_step *step = NULL;
  REQUIRE_OK(wh_gate_bind(&context, &gate, &schema, &step, &test_err));
  CHECK_EQ(step->schema->fields[0].privacy, WH_INTERNAL);
  CHECK_EQ(step->schema->fields[1].privacy, WH_PERSONAL);
  CHECK_EQ(step->schema->fields[2].privacy, WH_PUBLIC); // somebody said so
  wh_step_close(step);
  test_context_free(&context);
}

TEST(gate_refuses) {
  check_refused("{ S: statsu }", ORDERS,
                "test.yaml:1:3: columns: no column 'statsu' at this point. Did you mean 'status'?");
  check_refused("{ ...: all, S: iban }", "a: int64, b: int64",
                "test.yaml:1:13: columns: no column 'iban' at this point; there are: a, b");
  check_refused("{ a: status, b: margin, a: postcode }", ORDERS,
                "test.yaml:1:25: columns: two columns would cross as 'a', from 'status' and "
                "'postcode'");
  check_refused("{ ...: all, margin: status }", ORDERS,
                "test.yaml:1:13: columns: two columns would cross as 'margin', from 'status' and "
                "'margin'");
  check_refused("{ }", ORDERS,
                "columns: nothing would cross; list at least one column, or say all");
  check_refused("{ l: { mask: ends } }", "l: list<int64>",
                "test.yaml:1:3: columns: 'l' is a list and cannot be masked; leave it out");
  check_refused("{ p: { from: postcode, mask: weak } }", ORDERS,
                "test.yaml:1:3: mask weak: its key has 0 bytes, a keyed hash needs at least 16. A "
                "good one: openssl rand -base64 32");
  check_refused("{ b: { type: date } }", "b: bool",
                "test.yaml:1:3: columns: 'b' is bool, which cannot become date");
}

TEST(gate_without_memory) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  test_table table;
  test_table_init(&table, "a: string?, b: string, c: int64, d: string");
  test_table_add(&table, "x|1|5|2026-01-01\n~|y|6|2026-01-02\nlonger|3|7|2026-01-03\n");
  wh_step_context context;
  test_context_init(&context, 1 << 20);
  wh_gate gate = make_gate(&arena, "{ ...: all, A: { from: a, mask: proof }, B: { from: b, type: "
                                   "int64 }, C: { from: c, mask: ends }, D: { from: d, type: date, "
                                   "mask: ends } }");
  size_t before = atomic_load(&test_mem.used);
  for (size_t n = 1;; n++) {
    wh_step *step = NULL;
    test_run run = {0};
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    wh_status status = wh_gate_bind(&context, &gate, &table.schema, &step, &test_err);
    if (status == WH_OK) status = test_run_step(&run, step, &table, 2, &test_err);
    test_mem.fail_at = 0;
    test_run_free(&run);
    wh_step_close(step);
    CHECK_EQ(atomic_load(&test_mem.used), before);
    if (status == WH_OK) break;
    CHECK_EQ(status, WH_ERR_MEMORY);
    REQUIRE(n < 1000);
  }
  test_context_free(&context);
  test_table_free(&table);
}
