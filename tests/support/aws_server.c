#include "aws_server.h"

#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VALUES_MAX = 8, LINE_MAX_BYTES = 4096 };

typedef struct server {
  const char *kind;
  pid_t pid; // of aws.py, whose server ends with it; 0: it does not run
  FILE *said, *calls;
  char *values[VALUES_MAX]; // NAME=VALUE
  size_t value_count;
  char reason[256]; // why it cannot be had
} server;

static server servers[] = {{.kind = "moto"},     {.kind = "swift"},          {.kind = "versity"},
                           {.kind = "dynalite"}, {.kind = "dynamodb-local"}, {.kind = "sshd"}};
enum { KINDS = sizeof servers / sizeof servers[0] };
static pid_t owner;

static server *find(const char *kind) {
  for (size_t i = 0; i < KINDS; i++)
    if (strcmp(servers[i].kind, kind) == 0) return &servers[i];
  test_note("there is no server '%s'", kind);
  abort();
}

static bool read_line(server *s, char *line) {
  if (!fgets(line, LINE_MAX_BYTES, s->said)) return false;
  line[strcspn(line, "\n")] = 0;
  return true;
}

static void stop(server *s) {
  if (!s->pid) return;
  fclose(s->calls); // aws.py ends with its input, and its server with it
  waitpid(s->pid, NULL, 0);
  fclose(s->said);
  for (size_t i = 0; i < s->value_count; i++)
    free(s->values[i]);
  s->value_count = 0;
  s->pid = 0;
}

static void stop_all(void) {
  if (owner != getpid()) return;
  for (size_t i = 0; i < KINDS; i++)
    stop(&servers[i]);
}

static _Noreturn void become(const char *kind, int in, int out) {
  char python[] = "python3", aws[] = WHERRY_ROOT "/tests/support/aws.py",
       sshd[] = WHERRY_ROOT "/tests/support/sshd.py";
  char *program = strcmp(kind, "sshd") == 0 ? sshd : aws;
  char *args[] = {python, program, (char *)(uintptr_t)kind, NULL};
  dup2(in, 0);
  dup2(out, 1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  execvp(args[0], args);
  _exit(127);
}

static bool spawn(server *s) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) return false;
  s->pid = fork();
  if (s->pid == 0) become(s->kind, in[0], out[1]);
  close(in[0]);
  close(out[1]);
  s->calls = fdopen(in[1], "w");
  s->said = fdopen(out[0], "r");
  return s->pid > 0;
}

// The words up to an empty line, or "skip REASON".
static bool read_values(server *s) {
  char line[LINE_MAX_BYTES];
  while (read_line(s, line)) {
    if (!line[0]) return true;
    if (strncmp(line, "skip ", 5) == 0) {
      snprintf(s->reason, sizeof s->reason, "%.200s", line + 5);
      return false;
    }
    if (s->value_count < VALUES_MAX) s->values[s->value_count++] = strdup(line);
  }
  snprintf(s->reason, sizeof s->reason, "%s does not start", s->kind);
  test_check(false, __FILE__, __LINE__, s->reason); // installed, so it has to run
  return false;
}

const char *aws_server_start(const char *kind) {
  server *s = find(kind);
  if (s->pid) return NULL;
  if (s->reason[0]) return s->reason;
  if (!owner) {
    owner = getpid();
    atexit(stop_all);
  }
  if (!spawn(s)) return "no process can be started";
  if (read_values(s)) return NULL;
  stop(s);
  return s->reason;
}

const char *aws_server_value(const char *kind, const char *name) {
  server *s = find(kind);
  size_t len = strlen(name);
  for (size_t i = 0; i < s->value_count; i++)
    if (strncmp(s->values[i], name, len) == 0 && s->values[i][len] == '=')
      return s->values[i] + len + 1;
  return NULL;
}

int aws_server_port(const char *kind) {
  server *s = find(kind);
  const char *colon = s->value_count ? strrchr(s->values[0], ':') : NULL; // the first is its URL
  return colon ? (int)strtol(colon + 1, NULL, 10) : 0;
}

const char *aws_server_do(const char *kind, const char *call) {
  static char line[LINE_MAX_BYTES];
  server *s = find(kind);
  snprintf(line, sizeof line, "it does not run");
  if (s->pid) {
    fprintf(s->calls, "%s\n", call);
    fflush(s->calls);
    if (read_line(s, line) && strncmp(line, "ok ", 3) == 0) return line + 3;
  }
  test_note("%s: %s", call, line);
  CHECK(!"the server did it");
  return "";
}

void aws_server_stop(const char *kind) {
  stop(find(kind));
}
