// Patterns over tables, and the pipelines that they make.
#include "config/config.h"
#include "sim_os.h"
#include "test.h"

static bool fits(const char *pattern, const char *schema, const char *table, bool is_home) {
  return wh_table_matches(wh_str_of(pattern), wh_str_of(schema), wh_str_of(table), is_home);
}

TEST(tables_match_by_stars_alone) {
  CHECK(fits("sale_*", "", "sale_order", true));
  CHECK(fits("*", "public", "order", true));
  CHECK(fits("*_o*r", "public", "sale_order", true));
  CHECK(fits("**", "", "", true));
  CHECK(!fits("sale_*", "", "sale", true));
  CHECK(!fits("sale_*", "", "Sale_order", true));
  CHECK(!fits("sale_*_x", "", "sale_order", true));
  CHECK(fits("a?[b]*", "", "a?[b]c", true));
  CHECK(!fits("a?*", "", "abc", true));
}

TEST(tables_match_by_schema) {
  CHECK(fits("sales.*", "sales", "order", false));
  CHECK(fits("sales.*", "sales", "order", true));
  CHECK(fits("*.order", "sales", "order", false));
  CHECK(fits("s*.o*", "sales", "order.x", false));
  CHECK(!fits("sales.*", "sales2", "order", false));
  CHECK(!fits("sales.*", "hr", "sales.order", false));
  CHECK(!fits("*", "sales", "order", false));
  CHECK(fits("sales.*", "public", "sales.order", true)); // its whole name
  CHECK(!fits(".*", "sales", "order", false));
}

static wh_pipeline many_of(const wh_table_gate *tables, size_t count) {
  return (wh_pipeline){.name = WH_STR("export"),
                       .many = true,
                       .tables = tables,
                       .table_count = count,
                       .from = {.connection = WH_STR("erp"), .thing = WH_STR("*")}};
}

TEST(tables_make_pipelines_of_their_own) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_pipeline many = many_of(NULL, 0), one;
  REQUIRE_OK(wh_pipeline_member(&many, WH_STR("odd/na%me\n"), &arena, &one, &test_err));
  CHECK_STR(one.name, WH_STR("export:odd%2Fna%25me%0A"));
  CHECK_STR(one.from.thing, WH_STR("odd/na%me\n"));
  CHECK_STR(wh_pipeline_member_table(wh_str_sub(one.name, 7, one.name.len), &arena),
            one.from.thing);
  CHECK(one.is_member && !one.many && one.gate.all);
  CHECK_STR(wh_pipeline_member_table(WH_STR("100%2"), &arena), WH_STR("100%2"));
  char name[201];
  memset(name, 'x', sizeof name);
  CHECK_EQ(wh_pipeline_member(&many, wh_str_n(name, sizeof name), &arena, &one, &test_err),
           WH_ERR_LIMIT);
}

TEST(tables_that_are_not_listed_stay_home) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_gate_column id = {.name = WH_STR("Id"), .from = WH_STR("id")};
  wh_table_gate tables[] = {{.table = WH_STR("order"), .gate = {.columns = &id, .count = 1}},
                            {.table = WH_STR("line"), .gate = {.all = true}}};
  wh_pipeline many = many_of(tables, 2), one;
  CHECK(wh_pipeline_lets_cross(&many, WH_STR("order")));
  CHECK(!wh_pipeline_lets_cross(&many, WH_STR("orders")));
  REQUIRE_OK(wh_pipeline_member(&many, WH_STR("order"), &arena, &one, &test_err));
  CHECK(!one.gate.all);
  CHECK_EQ(one.gate.count, 1);
  REQUIRE_OK(wh_pipeline_member(&many, WH_STR("line"), &arena, &one, &test_err));
  CHECK(one.gate.all);
  // Made all the same (its runs are known), it lets nothing cross.
  REQUIRE_OK(wh_pipeline_member(&many, WH_STR("other"), &arena, &one, &test_err));
  CHECK(!one.gate.all && one.gate.count == 0);
}

TEST(tables_are_found_by_the_names_of_their_pipelines) {
  static const char text[] = "version: 1\n"
                             "connections:\n"
                             "  erp: { type: sqlite, path: erp.db }\n"
                             "  lake: { type: local, path: lake }\n"
                             "pipelines:\n"
                             "  export:\n"
                             "    from: erp:a*\n"
                             "    columns: { ab: all, a/b: { Id: id } }\n"
                             "    to: lake:{source}-{run}.json\n";
  wh_os *os = sim_os_new(&test_mem, 1);
  wh_config *config = NULL;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  REQUIRE_OK(wh_os_write_file(os, "wherry.yaml", wh_str_of(text), false, &test_err));
  wh_config_source source = {.os = os, .mem = &test_mem};
  REQUIRE_OK(wh_config_load(&source, &config, &test_err));
  CHECK_EQ(config->error_count, 0);
  const wh_pipeline *p;
  CHECK_OK(wh_config_find_any(config, WH_STR("export"), &arena, &p, &test_err));
  CHECK(p->many);
  if (CHECK_OK(wh_config_find_any(config, WH_STR("export:a%2Fb"), &arena, &p, &test_err)))
    CHECK_STR(p->from.thing, WH_STR("a/b"));
  CHECK_EQ(wh_config_find_any(config, WH_STR("export:ac"), &arena, &p, &test_err), WH_ERR_USAGE);
  CHECK_EQ(wh_config_find_any(config, WH_STR("exprt:ab"), &arena, &p, &test_err), WH_ERR_USAGE);
  for (size_t n = 1;; n++) {
    WH_CLEAN_ARENA wh_arena own;
    wh_arena_init(&own, &test_mem);
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status = wh_config_find_any(config, WH_STR("export:ab"), &own, &p, &test_err);
    bool refused = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.fail_at, 0);
    if (!CHECK_EQ(status, refused ? WH_ERR_MEMORY : WH_OK) || !refused) break;
  }
  wh_config_free(config);
  sim_os_free(os);
}
