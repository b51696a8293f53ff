#ifdef WHERRY_MYSQL
#include "mariadb_server.h"

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <mysql.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_SECONDS = 60 };

static char folder[64];
static int port;
static pid_t server_pid, owner_pid;
static unsigned databases;

const char *mariadb_file(const char *name) {
  static char path[8][160];
  static unsigned next;
  char *out = path[next++ % 8];
  snprintf(out, sizeof path[0], "%s/%s", folder, name);
  return out;
}

int mariadb_port(void) {
  return port;
}

// --- Programs ------------------------------------------------------------------------------------

static struct passwd *unprivileged(void) {
  struct passwd *user = getpwnam("mysql");
  return user ? user : getpwnam("nobody");
}

static void become_unprivileged(void) {
  struct passwd *user = unprivileged();
  if (geteuid() != 0) return;
  if (!user || setgroups(0, NULL) || setgid(user->pw_gid) || setuid(user->pw_uid)) _exit(126);
}

// Runs it as an unprivileged user, with its output in the folder's log.
static pid_t spawn(const char *const *argv) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  int log = open(mariadb_file("log"), O_WRONLY | O_CREAT | O_APPEND, 0666);
  become_unprivileged();
  prctl(PR_SET_PDEATHSIG, SIGKILL); // whatever becomes of the test
  if (log >= 0) {
    dup2(log, 1);
    dup2(log, 2);
  }
  // A server that starts removes what others have in its temporary folder.
  if (chdir("/") || setenv("TMPDIR", folder, 1)) _exit(126);
  execvp(argv[0], (char *const *)(uintptr_t)argv);
  _exit(127);
}

static bool run(const char *const *argv) {
  int status = 1;
  pid_t pid = spawn(argv);
  return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

#define RUN(...) run((const char *[]){__VA_ARGS__, NULL})

// --- The server ----------------------------------------------------------------------------------

static int free_port(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  if (bind(fd, (struct sockaddr *)&a, len) || getsockname(fd, (struct sockaddr *)&a, &len))
    a.sin_port = 0;
  close(fd);
  return ntohs(a.sin_port);
}

static bool make_authority(const char *name) {
  char key[32], cert[32];
  snprintf(key, sizeof key, "%s.key", name);
  snprintf(cert, sizeof cert, "%s.pem", name);
  return RUN("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=Test authority", "-keyout", mariadb_file(key),
             "-out", mariadb_file(cert));
}

// A certificate for "localhost", not for its address.
static bool make_certificates(void) {
  FILE *names = fopen(mariadb_file("names"), "w");
  if (!names) return false;
  fputs("subjectAltName=DNS:localhost\n", names);
  fclose(names);
  return make_authority("ca") && make_authority("other-ca") &&
         RUN("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", "/CN=localhost", "-keyout", mariadb_file("server.key"), "-out",
             mariadb_file("server.csr")) &&
         RUN("openssl", "x509", "-req", "-in", mariadb_file("server.csr"), "-CA",
             mariadb_file("ca.pem"), "-CAkey", mariadb_file("ca.key"), "-CAcreateserial", "-days",
             "2", "-extfile", mariadb_file("names"), "-out", mariadb_file("server.pem"));
}

static MYSQL *administer(const char *database) {
  MYSQL *h = mysql_init(NULL);
  if (!h) return NULL;
  mysql_optionsv(h, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (mysql_real_connect(h, NULL, "root", "", database, 0, mariadb_file("socket"),
                         CLIENT_MULTI_STATEMENTS))
    return h;
  mysql_close(h);
  return NULL;
}

static bool wait_for_server(void) {
  for (int i = 0; i < START_SECONDS * 20; i++) {
    MYSQL *h = administer(NULL);
    if (h) {
      mysql_close(h);
      return true;
    }
    if (waitpid(server_pid, NULL, WNOHANG) == server_pid) break;
    usleep(50000);
  }
  return false;
}

static void show_log(void) {
  char line[512];
  FILE *log = fopen(mariadb_file("log"), "r");
  while (log && fgets(line, sizeof line, log)) {
    line[strcspn(line, "\n")] = 0;
    test_note("%s", line);
  }
  if (log) fclose(log);
}

static const char *launch(void) {
  static char data[128], sock[128], number[32], ca[128], cert[128], key[128], pid_file[128];
  snprintf(data, sizeof data, "--datadir=%s/data", folder);
  snprintf(sock, sizeof sock, "--socket=%s/socket", folder);
  snprintf(pid_file, sizeof pid_file, "--pid-file=%s/pid", folder);
  snprintf(ca, sizeof ca, "--ssl-ca=%s/ca.pem", folder);
  snprintf(cert, sizeof cert, "--ssl-cert=%s/server.pem", folder);
  snprintf(key, sizeof key, "--ssl-key=%s/server.key", folder);
  snprintf(number, sizeof number, "--port=%d", port);
  server_pid = spawn((const char *[]){
      "mariadbd", "--no-defaults", data, sock, pid_file, ca, cert, key, number,
      "--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=2",
      "--innodb-flush-method=nosync", "--innodb-buffer-pool-size=64M", "--local-infile=1",
      "--performance-schema=OFF", "--max-connections=50", NULL});
  if (wait_for_server()) return NULL;
  show_log();
  return "the MariaDB server does not start";
}

static void remove_all(void) {
  if (getpid() != owner_pid) return;
  mariadb_kill();
  char remove[] = "rm", all[] = "-rf";
  char *argv[] = {remove, all, folder, NULL};
  pid_t pid = fork();
  if (pid == 0) {
    execvp(argv[0], argv);
    _exit(127);
  }
  waitpid(pid, NULL, 0);
}

static const char *install(void) {
  static char data[128];
  struct passwd *user = unprivileged();
  snprintf(folder, sizeof folder, "/tmp/wherry-mariadb-XXXXXX");
  if (!mkdtemp(folder)) return "no temporary folder";
  owner_pid = getpid();
  atexit(remove_all);
  if (geteuid() == 0 && (!user || chown(folder, user->pw_uid, user->pw_gid)))
    return "there is no unprivileged user to run a server as";
  if (chmod(folder, 0755)) return "no temporary folder";
  int log = open(mariadb_file("log"), O_WRONLY | O_CREAT, 0666);
  if (log >= 0) {
    if (fchmod(log, 0666)) test_note("the log stays private");
    close(log);
  }
  snprintf(data, sizeof data, "--datadir=%s/data", folder);
  if (!make_certificates()) return "openssl makes no certificates";
  if (!RUN("mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal",
           "--skip-test-db", "--skip-name-resolve")) {
    show_log();
    return "mariadb-install-db fails";
  }
  port = free_port();
  return NULL;
}

const char *mariadb_start(void) {
  static const char *reason;
  if (server_pid > 0 || reason) return reason;
  if (system("command -v mariadbd mariadb-install-db openssl >/dev/null 2>&1"))
    return reason = "no MariaDB server is installed (scripts/install-deps test)";
  bool is_new = folder[0] == 0;
  if (is_new) reason = install();
  if (!reason) reason = launch();
  if (reason) test_check(false, __FILE__, __LINE__, reason); // installed, so it has to run
  if (!reason && is_new) {
    wh_connection none = {0};
    mariadb_sql(&none, "CREATE USER wherry@'%' IDENTIFIED BY 'ship''s \\\\ secret';"
                       "GRANT ALL ON *.* TO wherry@'%'");
  }
  return reason;
}

void mariadb_kill(void) {
  if (server_pid <= 0) return;
  kill(server_pid, SIGKILL);
  waitpid(server_pid, NULL, 0);
  server_pid = 0;
}

// --- Databases -----------------------------------------------------------------------------------

static const char *database_of(const wh_connection *c) {
  return c->options ? ((const wh_mysql_options *)c->options)->server.database.data : NULL;
}

void mariadb_open(wh_connection *c, wh_mysql_options *o, wh_os *os, wh_mem *mem) {
  static char names[64][24];
  char *name = names[databases % 64], sql[160];
  snprintf(name, sizeof names[0], "base_%u", ++databases);
  *o = (wh_mysql_options){
      .server = {.host = WH_STR("localhost"),
                 .port = port,
                 .database = wh_str_of(name),
                 .user = WH_STR("wherry"),
                 .password = WH_STR("ship's \\ secret"),
                 .tls = WH_TLS_VERIFY,
                 .tls_ca = wh_str_of(mariadb_file("ca.pem")),
                 .connect_timeout_us = 10000000,
                 .lock_timeout_us = 1000000},
      .booleans = true,
  };
  // The path's buffer is used again.
  static char ca[160];
  snprintf(ca, sizeof ca, "%s", o->server.tls_ca.data);
  o->server.tls_ca = wh_str_of(ca);
  *c = (wh_connection){.name = WH_STR("place"),
                       .type = &wh_connector_mysql,
                       .options = o,
                       .os = os,
                       .mem = mem,
                       .row_limit_bytes = 8 << 20};
  // Another set than ours, so that nothing leans on the default.
  snprintf(sql, sizeof sql, "CREATE DATABASE %s CHARACTER SET latin1 COLLATE latin1_swedish_ci",
           name);
  wh_connection none = {0};
  mariadb_sql(&none, sql);
}

static bool drain(MYSQL *h) {
  for (;;) {
    MYSQL_RES *result = mysql_store_result(h);
    if (result) mysql_free_result(result);
    int more = mysql_next_result(h);
    if (more) return more < 0;
  }
}

void mariadb_sql(const wh_connection *c, const char *text) {
  MYSQL *h = administer(database_of(c));
  if (!CHECK(h != NULL)) return;
  mysql_query(h, "SET time_zone = '+00:00'");
  if (!CHECK(mysql_query(h, text) == 0 && drain(h))) test_note("%s", mysql_error(h));
  mysql_close(h);
}

const char *mariadb_ask(const wh_connection *c, const char *text) {
  static char answer[4096];
  answer[0] = 0;
  MYSQL *h = administer(database_of(c));
  if (!CHECK(h != NULL)) return answer;
  mysql_query(h, "SET time_zone = '+00:00', sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'");
  MYSQL_RES *result = mysql_query(h, text) ? NULL : mysql_store_result(h);
  if (!CHECK(result != NULL)) test_note("%s", mysql_error(h));
  MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
  if (row) snprintf(answer, sizeof answer, "%s", row[0] ? row[0] : "~");
  if (result) mysql_free_result(result);
  mysql_close(h);
  return answer;
}
#else
typedef int mariadb_server_is_left_out;
#endif
