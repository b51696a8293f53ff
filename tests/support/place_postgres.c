#ifdef WHERRY_POSTGRES

#include "place_postgres.h"

#include "connect/postgres/postgres.h"
#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER     "wherry"
#define PASSWORD "a secret 'with' \\ everything"

static char folder[64], data[80], binaries[256];
static pid_t server, owner;
static int port, databases;
static uid_t uid;
static gid_t gid;
static char database[32];
static wh_pg_options options;
static wh_os_real real_os;

// --- the server ----------------------------------------------------------------------------------

static bool find_binaries(void) {
  glob_t found;
  if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0) return false;
  const char *last = found.gl_pathv[found.gl_pathc - 1];
  snprintf(binaries, sizeof binaries, "%.*s", (int)(strlen(last) - strlen("/initdb")), last);
  globfree(&found);
  return true;
}

// PostgreSQL refuses to run as root.
static bool find_user(void) {
  static const char *const names[] = {"postgres", "nobody"};
  uid = getuid();
  gid = getgid();
  for (size_t i = 0; uid == 0 && i < sizeof names / sizeof *names; i++) {
    struct passwd *found = getpwnam(names[i]);
    if (found) uid = found->pw_uid, gid = found->pw_gid;
  }
  return uid != 0;
}

static int free_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  bool bound = bind(fd, (struct sockaddr *)&address, len) == 0 &&
               getsockname(fd, (struct sockaddr *)&address, &len) == 0;
  close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

static _Noreturn void become(const char *const args[]) {
  char log[80];
  snprintf(log, sizeof log, "%s/log", folder);
  int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
  int null = open("/dev/null", O_RDONLY);
  dup2(null, 0);
  dup2(fd, 1);
  dup2(fd, 2);
  if (getuid() == 0 && (setgroups(0, NULL) || setgid(gid) || setuid(uid))) _exit(126);
  // When the tests die, so does the server.
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (chdir(folder)) _exit(126);
  execv(args[0], (char *const *)args);
  _exit(127);
}

static pid_t spawn(const char *const args[]) {
  pid_t pid = fork();
  if (pid == 0) become(args);
  return pid;
}

static bool make_cluster(void) {
  char initdb[300], file[80], password[100];
  snprintf(folder, sizeof folder, "/tmp/wherry-pg-XXXXXX");
  if (!mkdtemp(folder) || chown(folder, uid, gid)) return false;
  snprintf(data, sizeof data, "%s/data", folder);
  snprintf(file, sizeof file, "%s/password", folder);
  FILE *f = fopen(file, "w");
  if (!f) return false;
  fputs(PASSWORD "\n", f);
  fclose(f);
  if (chown(file, uid, gid)) return false;
  snprintf(initdb, sizeof initdb, "%s/initdb", binaries);
  snprintf(password, sizeof password, "--pwfile=%s", file);
  pid_t pid = spawn((const char *[]){initdb, "-D", data, "-U", USER, "-A", "md5", password, "-E",
                                     "UTF8", "--no-locale", "--no-sync", NULL});
  int status = -1;
  return waitpid(pid, &status, 0) == pid && status == 0;
}

static bool is_ready(void) {
  char text[200];
  snprintf(text, sizeof text, "host=127.0.0.1 port=%d dbname=postgres user=x connect_timeout=5",
           port);
  for (int i = 0; i < 3000; i++) {
    int status;
    if (PQping(text) == PQPING_OK) return true;
    if (waitpid(server, &status, WNOHANG) == server) return false;
    usleep(20000);
  }
  return false;
}

static bool start_server(void) {
  char postgres[300], number[16];
  snprintf(postgres, sizeof postgres, "%s/postgres", binaries);
  snprintf(number, sizeof number, "%d", port);
  server = spawn((const char *[]){postgres,
                                  "-D",
                                  data,
                                  "-p",
                                  number,
                                  "-k",
                                  folder,
                                  "-c",
                                  "listen_addresses=127.0.0.1",
                                  "-c",
                                  "fsync=off",
                                  "-c",
                                  "full_page_writes=off",
                                  "-c",
                                  "shared_buffers=32MB",
                                  "-c",
                                  "autovacuum=off",
                                  "-c",
                                  "max_connections=30",
                                  NULL});
  if (is_ready()) return true;
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  server = 0;
  return false;
}

void test_postgres_stop(void) {
  if (!server || owner != getpid()) return;
  kill(server, SIGQUIT);
  waitpid(server, NULL, 0);
  server = 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

static void clean_up(void) {
  if (owner != getpid()) return;
  test_postgres_stop();
  if (folder[0]) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_postgres_start(void) {
  static const char *reason;
  static bool tried;
  if (!tried) {
    tried = true;
    owner = getpid();
    atexit(clean_up);
    reason = !find_binaries()  ? "PostgreSQL's server is not installed"
             : !find_user()    ? "there is no user without privileges to run PostgreSQL as"
             : !make_cluster() ? "initdb failed"
                               : NULL;
  }
  for (int i = 0; !reason && !server && i < 3; i++) {
    if (!port || i) port = free_port();
    start_server();
  }
  return reason ? reason : server ? NULL : "PostgreSQL's server does not start";
}

const char *test_postgres_folder(void) {
  return folder;
}

int test_postgres_port(void) {
  return port;
}

void test_postgres_own(const char *path) {
  CHECK(chown(path, uid, gid) == 0 && chmod(path, 0600) == 0);
}

// --- databases -----------------------------------------------------------------------------------

static PGconn *connect_to(const char *name) {
  char number[16];
  snprintf(number, sizeof number, "%d", port);
  const char *keys[] = {"host", "port", "dbname", "user", "password", "sslmode", "options", NULL};
  const char *values[] = {"127.0.0.1",
                          number,
                          name,
                          USER,
                          PASSWORD,
                          "disable",
                          "-c timezone=UTC -c client_min_messages=error",
                          NULL};
  PGconn *conn = PQconnectdbParams(keys, values, 0);
  if (!CHECK(PQstatus(conn) == CONNECTION_OK)) test_note("%s", PQerrorMessage(conn));
  return conn;
}

static void run_in(const char *name, const char *text) {
  PGconn *conn = connect_to(name);
  PGresult *result = PQexec(conn, text);
  ExecStatusType status = PQresultStatus(result);
  if (!CHECK(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK))
    test_note("%s: %s", text, PQresultErrorMessage(result));
  PQclear(result);
  PQfinish(conn);
}

void test_postgres_open(wh_connection *c, const char **reason) {
  *reason = test_postgres_start();
  if (*reason) return;
  REQUIRE_OK(wh_os_real_init(&real_os, &test_mem, &test_err));
  char text[100];
  snprintf(database, sizeof database, "test_%d", ++databases);
  snprintf(text, sizeof text, "CREATE DATABASE %s TEMPLATE template0", database);
  run_in("postgres", text);
  options = (wh_pg_options){
      .server = {.host = WH_STR("127.0.0.1"),
                 .port = port,
                 .database = wh_str_of(database),
                 .user = WH_STR(USER),
                 .password = WH_STR(PASSWORD),
                 .tls = WH_TLS_OFF,
                 .connect_timeout_us = 10 * 1000000,
                 .lock_timeout_us = TEST_POSTGRES_LOCK_US},
      .application_name = WH_STR("wherry"),
  };
  *c = (wh_connection){
      .name = WH_STR("place"),
      .type = &wh_connector_postgres,
      .options = &options,
      .os = &real_os.base,
      .mem = &test_mem,
      .row_limit_bytes = 8 << 20,
  };
}

void test_postgres_close(wh_connection *c) {
  (void)c;
  char text[100];
  snprintf(text, sizeof text, "DROP DATABASE %s WITH (FORCE)", database);
  run_in("postgres", text);
  wh_os_real_free(&real_os);
}

void test_postgres_sql(wh_connection *c, const char *text) {
  (void)c;
  run_in(database, text);
}

const char *test_postgres_ask(wh_connection *c, const char *text) {
  (void)c;
  static char answer[4096];
  answer[0] = 0;
  PGconn *conn = connect_to(database);
  PGresult *result = PQexec(conn, text);
  if (!CHECK(PQresultStatus(result) == PGRES_TUPLES_OK))
    test_note("%s: %s", text, PQresultErrorMessage(result));
  else if (PQntuples(result) > 0)
    snprintf(answer, sizeof answer, "%s",
             PQgetisnull(result, 0, 0) ? "~" : PQgetvalue(result, 0, 0));
  PQclear(result);
  PQfinish(conn);
  return answer;
}

#endif
