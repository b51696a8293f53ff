#include "cut_line.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINES_MAX = 32, ANSWER_MS = 5000 };

typedef struct line {
  int client, server; // -1: none
} line;

static int listener, stop_pipe[2], port, to_port;
static line lines[LINES_MAX];
static pthread_t thread;
static atomic_uint_fast64_t left; // messages until the cut; 0: none
static atomic_bool after, was_cut;

static struct sockaddr_in address_of(int number) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)number),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void hang_up(line *l) {
  if (l->client >= 0) close(l->client);
  if (l->server >= 0) close(l->server);
  *l = (line){-1, -1};
}

static void take_call(void) {
  int client = accept(listener, NULL, NULL);
  if (client < 0) return;
  struct sockaddr_in address = address_of(to_port);
  int server = socket(AF_INET, SOCK_STREAM, 0);
  line *free_line = lines;
  while (free_line < lines + LINES_MAX && free_line->client >= 0)
    free_line++;
  if (free_line == lines + LINES_MAX ||
      connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
    close(client);
    close(server);
    return;
  }
  *free_line = (line){client, server};
}

static bool pass(int from, int to) {
  char bytes[65536];
  ssize_t n = recv(from, bytes, sizeof bytes, 0);
  for (ssize_t at = 0; at < n;) {
    ssize_t sent = send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
  }
  return n > 0;
}

// True when this message is the one that is cut.
static bool is_last(void) {
  uint_fast64_t now = atomic_load(&left);
  if (now == 0) return false;
  atomic_store(&left, now - 1);
  return now == 1;
}

static void serve(line *l, const struct pollfd *client, const struct pollfd *server) {
  if (server->revents && !pass(l->server, l->client)) {
    hang_up(l);
    return;
  }
  if (!client->revents) return;
  if (!is_last()) {
    if (!pass(l->client, l->server)) hang_up(l);
    return;
  }
  if (atomic_load(&after) && pass(l->client, l->server)) {
    struct pollfd answer = {.fd = l->server, .events = POLLIN};
    poll(&answer, 1, ANSWER_MS);
  }
  atomic_store(&was_cut, true); // before anybody can know
  hang_up(l);
}

static void *run(void *context) {
  (void)context;
  for (;;) {
    struct pollfd fds[2 + 2 * LINES_MAX] = {{.fd = stop_pipe[0], .events = POLLIN},
                                            {.fd = listener, .events = POLLIN}};
    for (int i = 0; i < LINES_MAX; i++) {
      fds[2 + 2 * i] = (struct pollfd){.fd = lines[i].client, .events = POLLIN};
      fds[3 + 2 * i] = (struct pollfd){.fd = lines[i].server, .events = POLLIN};
    }
    if (poll(fds, 2 + 2 * LINES_MAX, -1) < 0) continue;
    if (fds[0].revents) return NULL;
    for (int i = 0; i < LINES_MAX; i++)
      if (lines[i].client >= 0) serve(&lines[i], &fds[2 + 2 * i], &fds[3 + 2 * i]);
    if (fds[1].revents) take_call();
  }
}

bool cut_line_start(int server_port) {
  struct sockaddr_in address = address_of(0);
  socklen_t len = sizeof address;
  to_port = server_port;
  for (int i = 0; i < LINES_MAX; i++)
    lines[i] = (line){-1, -1};
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, LINES_MAX) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &len) != 0 || pipe(stop_pipe) != 0)
    return false;
  port = ntohs(address.sin_port);
  cut_line_at(0, false);
  return pthread_create(&thread, NULL, run, NULL) == 0;
}

void cut_line_stop(void) {
  ssize_t ignored = write(stop_pipe[1], "x", 1);
  (void)ignored;
  pthread_join(thread, NULL);
  for (int i = 0; i < LINES_MAX; i++)
    hang_up(&lines[i]);
  close(listener);
  close(stop_pipe[0]);
  close(stop_pipe[1]);
}

int cut_line_port(void) {
  return port;
}

void cut_line_at(uint64_t n, bool after_the_answer) {
  atomic_store(&was_cut, false);
  atomic_store(&after, after_the_answer);
  atomic_store(&left, n);
}

bool cut_line_was_cut(void) {
  return atomic_load(&was_cut);
}
