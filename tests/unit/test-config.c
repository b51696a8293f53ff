#include "config/config.h"
#include "fake_registry.h"
#include "sim_os.h"
#include "test.h"

#include <dirent.h>
#include <jansson.h>
#include <pthread.h>

// A configuration in a simulated system whose files are its text and what `put` added.
static wh_os *os;
static wh_config *config;

static void begin(void) {
  os = sim_os_new(&test_mem, 1);
  config = NULL;
}

static void put(const char *path, const char *text) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  CHECK_OK(wh_os_make_path(os, wh_path_folder(&arena, path), &test_err));
  CHECK_OK(wh_os_write_file(os, path, wh_str_of(text), false, &test_err));
}

static const char *environment(void *context, const char *name) {
  (void)context;
  if (strcmp(name, "HOST") == 0) return "db.internal";
  if (strcmp(name, "PORT") == 0) return "6543";
  if (strcmp(name, "EMPTY") == 0) return "";
  if (strcmp(name, "WORD") == 0) return "wrong";
  if (strcmp(name, "HOME") == 0) return "/home/somebody";
  return NULL;
}

static wh_status load_file(const char *path, const char *env) {
  wh_config_source source = {
      .os = os, .mem = &test_mem, .path = path, .environment = env, .getenv = environment};
  test_err = (wh_error){0};
  return wh_config_load(&source, &config, &test_err);
}

static bool load(const char *text) {
  put("wherry.yaml", text);
  bool loaded = CHECK_OK(load_file(NULL, NULL));
  for (size_t i = 0; loaded && i < config->problem_count; i++)
    test_note("%s", config->problems[i].text);
  return loaded && CHECK_EQ(config->error_count, 0);
}

static void end(void) {
  wh_config_free(config);
  config = NULL;
  sim_os_free(os);
}

// --- golden files --------------------------------------------------------------------------------

static char *read_text(const char *path, size_t *ret_len) {
  FILE *f = fopen(path, "rb");
  if (!f) return NULL;
  char *text = malloc(1 << 20);
  size_t len = fread(text, 1, (1 << 20) - 1, f);
  text[len] = 0;
  fclose(f);
  *ret_len = len;
  return text;
}

static void describe(wh_status status, wh_buf *out) {
  if (status != WH_OK) {
    wh_buf_printf(out, "fails: %s\n", test_err.text);
    return;
  }
  for (size_t i = 0; i < config->problem_count; i++) {
    wh_buf_printf(out, "%s%s\n", config->problems[i].warning ? "warning: " : "",
                  config->problems[i].text);
  }
  if (config->problem_count == 0) wh_buf_add_c(out, "no problems\n");
}

static bool put_golden(const char *folder, const char *name, const char *ending, const char *as) {
  char path[2048];
  size_t len;
  snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
  char *text = read_text(path, &len);
  if (!text) return false;
  CHECK_OK(wh_os_write_file(os, as, wh_str_n(text, len), false, &test_err));
  free(text);
  return true;
}

// NAME.yaml, with NAME.prod.yaml over it where that exists, must have the problems in NAME.txt.
static void check_golden(const char *folder, const char *name) {
  begin();
  WH_CLEAN_BUF wh_buf got;
  wh_buf_init(&got, &test_mem, 0);
  CHECK(put_golden(folder, name, ".yaml", "wherry.yaml"));
  bool prod = put_golden(folder, name, ".prod.yaml", "wherry.prod.yaml");
  describe(load_file(NULL, prod ? "prod" : NULL), &got);
  char path[2048];
  snprintf(path, sizeof path, "%s/%s.txt", folder, name);
  if (getenv("WHERRY_WRITE_GOLDEN")) {
    FILE *f = fopen(path, "wb");
    if (CHECK(f)) {
      fwrite(got.data, 1, got.len, f);
      fclose(f);
    }
  }
  size_t len = 0;
  char *want = read_text(path, &len);
  if (!CHECK(want && wh_str_eq(wh_buf_str(&got), wh_str_n(want, len)))) {
    test_note("%s gives:\n%.*s", name, WH_STR_ARG(wh_buf_str(&got)));
  }
  free(want);
  end();
}

TEST(golden_problems) {
  char folder[1024];
  snprintf(folder, sizeof folder, "%s/tests/golden/config", test_root());
  DIR *dir = opendir(folder);
  REQUIRE(dir);
  size_t count = 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    wh_str file = wh_str_of(entry->d_name);
    if (!wh_str_ends(file, ".yaml") || wh_str_ends(file, ".prod.yaml")) continue;
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)(file.len - 5), file.data);
    check_golden(folder, name);
    count++;
  }
  closedir(dir);
  CHECK(count >= 40);
}

// --- loading -------------------------------------------------------------------------------------

static const char example[] =
    "version: 1\n"
    "connections:\n"
    "  erp: { type: server, host: \"${HOST}\", port: \"${PORT}\", user: w, password: "
    "\"${secret:erp}\" }\n"
    "  lake: { type: local, path: lake }\n"
    "  website: { type: sqlite, path: /srv/website.db, accepts: [public, internal, personal] }\n"
    "masks:\n"
    "  proof: { normalize: alphanumeric-upper, hmac: \"${secret:proof}\" }\n"
    "  tail: { partial: { last: 4 } }\n"
    "pipelines:\n"
    "  export-orders:\n"
    "    when: { every: 5m }\n"
    "    from: erp:sales_order\n"
    "    read: { cursor: updated_at }\n"
    "    columns:\n"
    "      OrderNumber: order_number\n"
    "      Proof: { from: postcode, class: personal, mask: proof, type: text }\n"
    "    to: lake:in/{year}/orders-{run}.json\n"
    "  import-orders:\n"
    "    when: new\n"
    "    from: lake:in/**/*.json\n"
    "    columns: all\n"
    "    to: website:orders\n"
    "    write: { mode: upsert, key: OrderNumber, newest_by: UpdatedAt }\n"
    "  report:\n"
    "    when: { cron: '0 6 * * *', catch_up: none }\n"
    "    from: erp\n"
    "    read: { query: \"${file:sql/report.sql}\" }\n"
    "    columns: all\n"
    "    to: website:report\n"
    "serve:\n"
    "  listen: 127.0.0.1:${PORT}\n"
    "  lookups:\n"
    "    order-status:\n"
    "      from: website:orders\n"
    "      by: OrderNumber\n"
    "      proof: { PostcodeProof: proof }\n"
    "      show: [OrderStatus]\n";

TEST(loading_fills_the_structs) {
  begin();
  if (load(example)) {
    CHECK_EQ(config->memory_bytes, 64 << 20);
    CHECK_STR(config->folder, WH_STR("."));
    CHECK_STR(config->state_folder, WH_STR(".wherry"));
    CHECK_STR(config->ledger_path, WH_STR(".wherry/ledger.db"));
    CHECK_EQ(config->pipeline_count, 3);
    const wh_pipeline *p = wh_config_pipeline(config, WH_STR("export-orders"));
    REQUIRE(p);
    CHECK_EQ(p->when.kind, WH_WHEN_EVERY);
    CHECK_EQ(p->when.every_us, 300000000);
    CHECK_STR(p->from.connection, WH_STR("erp"));
    CHECK_STR(p->from.thing, WH_STR("sales_order"));
    CHECK_STR(p->read.cursor, WH_STR("updated_at"));
    CHECK_EQ(p->read.overlap_us, 600000000);
    CHECK_EQ(p->attempts, 5);
    CHECK_EQ(p->batch_rows, 0);
    CHECK_EQ(p->chunk_rows, 100000);
    CHECK_EQ(p->gate.count, 2);
    CHECK_STR(p->gate.columns[1].from, WH_STR("postcode"));
    CHECK(p->gate.columns[1].has_type && p->gate.columns[1].type.kind == WH_STRING);
    CHECK(p->gate.columns[1].has_privacy && p->gate.columns[1].privacy == WH_PERSONAL);
    CHECK_STR(p->gate.columns[1].mask->name, WH_STR("proof"));
    CHECK(!p->gate.columns[0].has_privacy && p->gate.columns[0].privacy == WH_INTERNAL);
    p = wh_config_pipeline(config, WH_STR("import-orders"));
    REQUIRE(p);
    CHECK_EQ(p->when.kind, WH_WHEN_NEW);
    CHECK(p->gate.all);
    CHECK_EQ(p->write.mode, WH_WRITE_UPSERT);
    CHECK_EQ(p->write.key.count, 1);
    CHECK_STR(p->write.newest_by, WH_STR("UpdatedAt"));
    p = wh_config_pipeline(config, WH_STR("report"));
    REQUIRE(p);
    CHECK_EQ(p->when.kind, WH_WHEN_CRON);
    CHECK_EQ(p->when.catch_up, WH_CATCH_UP_NONE);
    CHECK_EQ(p->when.timezone.len, 0);
    CHECK_EQ(wh_config_connection_count(config), 3);
    const wh_connection_info *info = wh_config_find_connection(config, WH_STR("website"));
    REQUIRE(info);
    CHECK(info->accepts[WH_PERSONAL] && !info->accepts[WH_SECRET]);
    CHECK_STR(wh_str_of(info->type->name), WH_STR("sqlite"));
  }
  end();
}

TEST(loading_fills_the_lookups) {
  begin();
  if (load(example)) {
    const wh_serve *serve = &config->serve;
    CHECK(serve->given);
    REQUIRE(serve->lookup_count == 1);
    const wh_lookup *l = &serve->lookups[0];
    CHECK_STR(l->name, WH_STR("order-status"));
    CHECK_STR(l->title, WH_STR("Order status"));
    CHECK_STR(l->by_label, WH_STR("Order number"));
    CHECK_STR(l->proofs[0].label, WH_STR("Postcode"));
    CHECK_STR(l->proofs[0].mask_name, WH_STR("proof"));
    CHECK(!l->proofs[0].mask);
    CHECK_EQ(l->rate_by_address, 30);
    CHECK_EQ(l->rate_by_key, 10);
  }
  end();
  begin();
  if (load("version: 1\n")) {
    CHECK(!config->serve.given);
    CHECK_STR(config->serve.listen, WH_STR("127.0.0.1:8080"));
  }
  end();
}

TEST(a_missing_file_says_what_to_do) {
  begin();
  CHECK_FAILS(load_file(NULL, NULL), WH_ERR_NOT_FOUND);
  CHECK_STR(
      wh_str_of(test_err.text),
      WH_STR("there is no wherry.yaml. Make a project with: wherry init, or name the file with "
             "-c"));
  put("wherry.yaml", "version: 1\n");
  CHECK_FAILS(load_file(NULL, "prod"), WH_ERR_NOT_FOUND);
  CHECK_STR(wh_str_of(test_err.text), WH_STR("there is no wherry.prod.yaml, which --env prod lays "
                                             "over the configuration"));
  CHECK_FAILS(load_file(NULL, "../x"), WH_ERR_USAGE);
  CHECK_FAILS(load_file(NULL, ""), WH_ERR_USAGE);
  end();
}

TEST(a_file_has_a_limit) {
  begin();
  char *text = malloc(WH_CONFIG_BYTES_MAX + 2);
  memset(text, '#', WH_CONFIG_BYTES_MAX + 1);
  text[WH_CONFIG_BYTES_MAX + 1] = 0;
  put("wherry.yaml", text);
  free(text);
  CHECK_FAILS(load_file(NULL, NULL), WH_ERR_LIMIT);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("wherry.yaml is larger than the 4 MiB a configuration may have"));
  end();
}

TEST(problems_have_a_limit) {
  begin();
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_add_c(&text, "version: 1\nconnections:\n");
  for (int i = 0; i < 300; i++)
    wh_buf_printf(&text, "  c%d: { type: server, host: h, user: u, password: p, wrong: x }\n", i);
  put("wherry.yaml", text.data);
  CHECK_OK(load_file(NULL, NULL));
  REQUIRE(config);
  CHECK_EQ(config->problem_count, WH_CONFIG_PROBLEMS_MAX);
  CHECK(config->error_count >= WH_CONFIG_PROBLEMS_MAX / 2);
  for (size_t i = 0; i < config->problem_count; i++)
    CHECK_EQ(config->problems[i].warning, i >= config->error_count);
  end();
}

TEST(paths_are_relative_to_the_folder_of_the_file) {
  begin();
  put("shop/wherry.yaml", example);
  CHECK_OK(load_file("shop/wherry.yaml", NULL));
  REQUIRE(config);
  CHECK_STR(config->state_folder, WH_STR("shop/.wherry"));
  wh_connection *lake = NULL, *website = NULL;
  CHECK_OK(wh_config_connect(config, WH_STR("lake"), &lake, &test_err));
  CHECK_OK(wh_config_connect(config, WH_STR("website"), &website, &test_err));
  if (lake) CHECK_STR(((const fake_store_options *)lake->options)->path, WH_STR("shop/lake"));
  if (website) {
    CHECK_STR(((const fake_database_options *)website->options)->path, WH_STR("/srv/website.db"));
  }
  end();
}

TEST(pipelines_are_found_by_name) {
  begin();
  if (load(example)) {
    const wh_pipeline *p = NULL;
    CHECK_OK(wh_config_find_pipeline(config, WH_STR("report"), &p, &test_err));
    CHECK(p == &config->pipelines[2]);
    CHECK_FAILS(wh_config_find_pipeline(config, WH_STR("reprot"), &p, &test_err), WH_ERR_USAGE);
    CHECK_STR(wh_str_of(test_err.text), WH_STR("no pipeline 'reprot'. Did you mean 'report'?"));
  }
  end();
}

// --- references ----------------------------------------------------------------------------------

static void set_secret(const char *name, const char *value) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_keyring keyring;
  CHECK_OK(wh_config_keyring(config, &arena, &keyring, &test_err));
  CHECK_STR(wh_str_of(keyring.path), WH_STR(".wherry/keyring"));
  CHECK_STR(wh_str_of(keyring.key_path), WH_STR("/home/somebody/.config/wherry/key"));
  CHECK_OK(wh_keyring_set(&keyring, wh_str_of(name), wh_str_of(value), &test_err));
}

TEST(references_are_resolved_when_somebody_connects) {
  begin();
  if (load(example)) {
    wh_connection *erp = NULL, *again = NULL;
    CHECK_FAILS(wh_config_connect(config, WH_STR("erp"), &erp, &test_err), WH_ERR_NOT_FOUND);
    CHECK_STR(
        wh_str_of(test_err.text),
        WH_STR("wherry.yaml:3:77: ${secret:erp}: the keyring has no secret 'erp'. Set it with: "
               "wherry secret set erp"));
    set_secret("erp", "hunter2");
    CHECK_OK(wh_config_connect(config, WH_STR("erp"), &erp, &test_err));
    CHECK_OK(wh_config_connect(config, WH_STR("erp"), &again, &test_err));
    REQUIRE(erp);
    CHECK(erp == again);
    const fake_server_options *o = erp->options;
    CHECK_STR(o->host, WH_STR("db.internal"));
    CHECK_EQ(o->port, 6543);
    CHECK_STR(o->password, WH_STR("hunter2"));
    CHECK_STR(erp->name, WH_STR("erp"));
    CHECK(erp->os == os && erp->type == &fake_server);
    CHECK_EQ(erp->row_limit_bytes, 8 << 20);
    CHECK_FAILS(wh_config_connect(config, WH_STR("nowhere"), &erp, &test_err), WH_ERR_NOT_FOUND);
  }
  end();
}

TEST(what_a_reference_stands_for_is_checked_but_not_shown) {
  begin();
  if (load("version: 1\nconnections:\n  a: { type: server, host: h, port: \"${WORD}\" }\n"
           "  b: { type: server, host: h, password: \"${WORD}\" }\n"
           "  c: { type: server, host: \"${NOBODY}\" }\n")) {
    wh_connection *c;
    CHECK_FAILS(wh_config_connect(config, WH_STR("a"), &c, &test_err), WH_ERR_USAGE);
    CHECK_ERROR_HAS(
        "wherry.yaml:3:37: connection a: port: expected a whole number, found something "
        "else behind ${...}");
    CHECK(!strstr(test_err.text, "wrong"));
    CHECK_FAILS(wh_config_connect(config, WH_STR("b"), &c, &test_err), WH_ERR_USAGE);
    CHECK_STR(wh_str_of(test_err.text),
              WH_STR("wherry.yaml:4:6: connection b: a password needs a user"));
    CHECK_FAILS(wh_config_connect(config, WH_STR("c"), &c, &test_err), WH_ERR_NOT_FOUND);
    CHECK_STR(wh_str_of(test_err.text), WH_STR("wherry.yaml:5:28: ${NOBODY}: the environment "
                                               "variable NOBODY is not set"));
  }
  end();
}

static void check_resolved(const char *text, const char *want) {
  wh_node node = {.file = "f", .line = 1, .column = 2, .text = wh_str_of(text)};
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_str got = {0};
  if (CHECK_OK(wh_config_resolve(config, &node, &arena, &got, &test_err))) {
    CHECK_STR(got, wh_str_of(want));
  }
}

static void check_unresolved(const char *text, wh_status status, const char *want) {
  wh_node node = {.file = "f", .line = 1, .column = 2, .text = wh_str_of(text)};
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_str got;
  CHECK_FAILS(wh_config_resolve(config, &node, &arena, &got, &test_err), status);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(want));
}

TEST(references_resolve) {
  begin();
  put("token", "abc\n");
  put("windows", "abc\r\n");
  put("lines", "a\nb\n\n");
  put("none", "");
  if (load("version: 1\n")) {
    check_resolved("", "");
    check_resolved("a ${HOST}:${PORT} b", "a db.internal:6543 b");
    check_resolved("${EMPTY}", "");
    check_resolved("$${HOST} $HOST $ 5$", "${HOST} $HOST $ 5$");
    check_resolved("$$${PORT}", "$${PORT}");
    check_resolved("${file:token}${file:./windows}", "abcabc");
    check_resolved("${file:lines}", "a\nb\n");
    check_resolved("${file:/none}", "");
    check_unresolved("${file:gone}", WH_ERR_NOT_FOUND,
                     "f:1:2: ${file:gone}: gone: no such file or folder");
    check_unresolved("${HOST", WH_ERR_USAGE,
                     "f:1:2: a '${' that no '}' closes. For a literal one write $${");
    check_unresolved("${vault:/erp/password}", WH_ERR_USAGE,
                     "f:1:2: ${vault:...} names no source of values. There are ${NAME} for an "
                     "environment variable, ${file:PATH}, ${secret:NAME}, ${ssm:/PATH} and "
                     "${secretsmanager:NAME}");
    check_unresolved(
        "${secret:no such}", WH_ERR_USAGE,
        "f:1:2: ${secret:no such}: the name of a secret is 1 to 128 letters, digits, '-', "
        "'_', '.' and '/'");
  }
  end();
}

TEST(files_behind_references_have_a_limit_and_no_zero_bytes) {
  begin();
  char *big = malloc(WH_REFERENCE_FILE_MAX + 2);
  memset(big, 'x', WH_REFERENCE_FILE_MAX + 1);
  big[WH_REFERENCE_FILE_MAX + 1] = 0;
  put("big", big);
  free(big);
  CHECK_OK(wh_os_write_file(os, "zero", wh_str_n("a\0b", 3), false, &test_err));
  if (load("version: 1\n")) {
    check_unresolved(
        "${file:big}", WH_ERR_LIMIT,
        "f:1:2: ${file:big}: big: larger than the 1048576 bytes that are allowed here");
    check_unresolved("${file:zero}", WH_ERR_USAGE,
                     "f:1:2: ${file:zero}: zero holds a zero byte, which no option takes");
  }
  end();
}

TEST(texts_that_hold_references_are_known) {
  CHECK(wh_config_has_reference(WH_STR("a${b}")));
  CHECK(wh_config_has_reference(WH_STR("${")));
  CHECK(wh_config_has_reference(WH_STR("$${a} ${b}")));
  CHECK(!wh_config_has_reference(WH_STR("$${a}")));
  CHECK(!wh_config_has_reference(WH_STR("$a {b} $")));
  CHECK(!wh_config_has_reference(WH_STR("")));
}

TEST(a_literal_brace_is_no_reference) {
  begin();
  if (load("version: 1\nconnections:\n  a: { type: sqlite, path: \"a$${b}.db\" }\n")) {
    wh_connection *a = NULL;
    CHECK_OK(wh_config_connect(config, WH_STR("a"), &a, &test_err));
    if (a) CHECK_STR(((const fake_database_options *)a->options)->path, WH_STR("a${b}.db"));
  }
  end();
}

TEST(queries_come_from_files) {
  begin();
  put("sql/report.sql", "SELECT 1\n");
  if (load(example)) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    wh_str query = {0};
    CHECK_OK(wh_config_query(config, &config->pipelines[2], &arena, &query, &test_err));
    CHECK_STR(query, WH_STR("SELECT 1"));
    CHECK_OK(wh_config_query(config, &config->pipelines[0], &arena, &query, &test_err));
    CHECK_EQ(query.len, 0);
  }
  end();
}

// --- masks and the gate --------------------------------------------------------------------------

TEST(masks_get_their_keys_when_they_are_asked_for) {
  begin();
  if (load(example)) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    const wh_mask *mask = NULL;
    wh_gate gate = {0};
    CHECK_OK(wh_config_mask(config, WH_STR("tail"), &mask, &test_err));
    CHECK(mask && mask->kind == WH_MASK_PARTIAL && mask->keep_last == 4 && mask->keep_first == 0);
    CHECK_FAILS(wh_config_gate(config, &config->pipelines[0], &arena, &gate, &test_err),
                WH_ERR_NOT_FOUND);
    set_secret("proof", "short");
    CHECK_FAILS(wh_config_mask(config, WH_STR("proof"), &mask, &test_err), WH_ERR_USAGE);
    CHECK_ERROR_HAS("wherry.yaml:7:49: mask proof: its key has 5 bytes");
    set_secret("proof", "long enough to be a key");
    CHECK_OK(wh_config_gate(config, &config->pipelines[0], &arena, &gate, &test_err));
    REQUIRE(gate.count == 2);
    CHECK(!gate.columns[0].mask);
    CHECK_STR(gate.columns[1].mask->key, WH_STR("long enough to be a key"));
    CHECK_EQ(gate.columns[1].mask->normalize, WH_NORMALIZE_ALPHANUMERIC_UPPER);
    CHECK_EQ(config->pipelines[0].gate.columns[1].mask->key.len, 0);
    CHECK_OK(wh_config_serve(config, &test_err));
    CHECK(config->serve.lookups[0].proofs[0].mask == gate.columns[1].mask);
    CHECK_STR(config->serve.listen, WH_STR("127.0.0.1:6543"));
    CHECK_FAILS(wh_config_mask(config, WH_STR("none"), &mask, &test_err), WH_ERR_NOT_FOUND);
  }
  end();
}

TEST(what_serve_resolves_to_is_checked) {
  begin();
  if (load("version: 1\nserve:\n  listen: \"${WORD}\"\n")) {
    CHECK_FAILS(wh_config_serve(config, &test_err), WH_ERR_USAGE);
    CHECK_ERROR_HAS("wherry.yaml:3:11: serve: listen: expected an address and a port");
    CHECK(!strstr(test_err.text, "wrong"));
  }
  end();
}

static void *connect_all(void *unused) {
  (void)unused;
  wh_error err;
  wh_connection *c = NULL;
  for (int i = 0; i < 100; i++)
    WH_IGNORE(wh_config_connect(config, i % 2 ? WH_STR("lake") : WH_STR("website"), &c, &err));
  WH_IGNORE(wh_config_connect(config, WH_STR("lake"), &c, &err));
  return c;
}

TEST(threads_get_the_same_connection) {
  begin();
  if (load(example)) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    void *got[THREADS];
    for (int i = 0; i < THREADS; i++)
      CHECK_EQ(pthread_create(&threads[i], NULL, connect_all, NULL), 0);
    for (int i = 0; i < THREADS; i++)
      pthread_join(threads[i], &got[i]);
    for (int i = 0; i < THREADS; i++)
      CHECK(got[i] && got[i] == got[0]);
  }
  end();
}

// --- overlay, schema, sections -------------------------------------------------------------------

TEST(the_environment_lies_over_the_file) {
  begin();
  put("wherry.yaml", example);
  put("wherry.prod.yaml", "connections:\n  website: { path: /prod.db }\n"
                          "pipelines: { report: ~ }\nserve: ~\n");
  CHECK_OK(load_file(NULL, "prod"));
  REQUIRE(config);
  CHECK_EQ(config->error_count, 0);
  CHECK_EQ(config->pipeline_count, 2);
  CHECK(!config->serve.given);
  wh_connection *website = NULL;
  CHECK_OK(wh_config_connect(config, WH_STR("website"), &website, &test_err));
  if (website) {
    CHECK_STR(((const fake_database_options *)website->options)->path, WH_STR("/prod.db"));
  }
  end();
}

TEST(every_word_has_its_help) {
  size_t count = 0;
  for (const wh_option_section *s = wh_option_sections; s->name; s++, count++) {
    CHECK(s->help && s->help[0]);
    for (const wh_option *o = s->table; o->name; o++) {
      bool good = o->help && o->help[0] && o->help[strlen(o->help) - 1] != '.' &&
                  (o->type != WH_OPTION_NODE || o->shape);
      if (!CHECK(good)) test_note("%s: %s", s->name, o->name);
    }
  }
  CHECK(count >= 10);
}

TEST(the_schema_is_json_and_has_every_word) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  REQUIRE(wh_config_schema_json(&out));
  json_error_t error;
  json_t *root = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, &error);
  if (!root) test_note("%s at %d", error.text, error.position);
  REQUIRE(root);
  json_t *defs = json_object_get(root, "$defs");
  for (const wh_option_section *s = wh_option_sections; s->name; s++) {
    bool top = strcmp(s->name, "wherry.yaml") == 0, shared = strcmp(s->name, "connection") == 0;
    json_t *object = top ? root : json_object_get(defs, shared ? "connection-local" : s->name);
    json_t *words = json_object_get(object, "properties");
    for (const wh_option *o = s->table; o->name; o++)
      if (!CHECK(json_object_get(words, o->name))) test_note("%s: %s", s->name, o->name);
  }
  CHECK(json_object_get(json_object_get(json_object_get(defs, "connection-server"), "properties"),
                        "password"));
  json_decref(root);
}

// --- without memory ------------------------------------------------------------------------------

TEST(loading_fails_cleanly_without_memory) {
  for (size_t n = 1;; n++) {
    wh_mem_init(&test_mem, 0);
    os = sim_os_new(&test_mem, 1);
    put("wherry.yaml", example);
    put("wherry.prod.yaml", "pipelines:\n  report: { attempts: 3, wrong: x }\n");
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    wh_status status = load_file(NULL, "prod");
    wh_connection *c;
    if (status == WH_OK) status = wh_config_connect(config, WH_STR("lake"), &c, &test_err);
    if (status != WH_OK) CHECK_FAILS(status, WH_ERR_MEMORY);
    atomic_store(&test_mem.fail_at, 0);
    end();
    if (status == WH_OK) break;
    REQUIRE(n < 5000);
  }
  CHECK_EQ(atomic_load(&test_mem.used), 0);
}
