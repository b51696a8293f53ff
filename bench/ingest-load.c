// Sends events to an endpoint as fast as it answers them, for bench/ingest.py: over so many
// connections that are kept, each with one request at a time.
//
//   ingest-load PORT PATH CONNECTIONS SECONDS BYTES [keys]
//
// 127.0.0.1 only. `keys`: each request has an Idempotency-Key of its own. A warm-up of a fifth of
// the time is not counted. Prints one JSON object: requests, seconds, per_second, refused (answers
// that are not 2xx), and the 50th and 99th percentile of the time to an answer in milliseconds.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, BYTES_MAX = 1 << 20, ANSWER_MAX = 8192, SAMPLES_MAX = 1 << 23 };

typedef struct line {
  int fd;
  size_t got;
  int64_t sent_ns;
  char answer[ANSWER_MAX];
} line;

static line lines[CONNECTIONS_MAX];
static char request[BYTES_MAX + 1024];
static uint32_t *samples; // microseconds
static size_t sample_count, refused;
static const char *path;
static size_t bytes;
static bool keys;
static uint64_t number;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static size_t write_request(void) {
  char body[256], key[64] = "";
  int head = snprintf(body, sizeof body, "{\"event_id\":\"%016llx\",\"amount\":%llu.25,\"note\":\"",
                      (unsigned long long)number, (unsigned long long)number % 100000);
  if (keys)
    snprintf(key, sizeof key, "Idempotency-Key: %d-%llu\r\n", getpid(), (unsigned long long)number);
  number++;
  size_t fill = bytes > (size_t)head + 2 ? bytes - (size_t)head - 2 : 0;
  int n = snprintf(request, 1024,
                   "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   "%sContent-Length: %zu\r\n\r\n",
                   path, key, (size_t)head + fill + 2);
  memcpy(request + n, body, (size_t)head);
  memset(request + n + head, 'x', fill);
  memcpy(request + n + head + fill, "\"}", 2);
  return (size_t)n + (size_t)head + fill + 2;
}

static void send_next(line *l) {
  size_t len = write_request(), at = 0;
  l->got = 0;
  l->sent_ns = now_ns();
  while (at < len) { // the socket's buffer holds more than one request
    ssize_t n = send(l->fd, request + at, len - at, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) continue;
    if (n < 0) die("send");
    at += (size_t)n;
  }
}

static void open_line(line *l, int port, int poll_fd) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int on = 1;
  l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
  setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
  if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, l->fd, &event) != 0) die("epoll_ctl");
}

// Whether the answer is whole.
static bool is_whole(line *l) {
  l->answer[l->got] = 0;
  char *end = strstr(l->answer, "\r\n\r\n");
  char *length = end ? strcasestr(l->answer, "\r\nContent-Length:") : NULL;
  if (!length || length > end) return false;
  return l->got >= (size_t)(end + 4 - l->answer) + strtoul(length + 17, NULL, 10);
}

static void take_answer(line *l, bool counts) {
  ssize_t n = recv(l->fd, l->answer + l->got, ANSWER_MAX - 1 - l->got, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    fprintf(stderr, "the server has closed a connection\n");
    exit(1);
  }
  l->got += (size_t)n;
  if (!is_whole(l)) return;
  if (counts) {
    if (memcmp(l->answer + 9, "20", 2) != 0) refused++;
    if (sample_count < SAMPLES_MAX)
      samples[sample_count++] = (uint32_t)((now_ns() - l->sent_ns) / 1000);
  }
  send_next(l);
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc < 6)
    return fprintf(stderr, "ingest-load PORT PATH CONNECTIONS SECONDS BYTES [keys]\n"), 2;
  int port = (int)strtol(argv[1], NULL, 10), count = (int)strtol(argv[3], NULL, 10);
  double seconds = strtod(argv[4], NULL);
  path = argv[2];
  bytes = strtoul(argv[5], NULL, 10);
  keys = argc > 6;
  if (count < 1 || count > CONNECTIONS_MAX || bytes > BYTES_MAX || seconds <= 0) return 2;
  samples = malloc(SAMPLES_MAX * sizeof *samples);
  int poll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (!samples || poll_fd < 0) die("starting");
  number = (uint64_t)now_ns();
  for (int i = 0; i < count; i++)
    open_line(&lines[i], port, poll_fd);
  for (int i = 0; i < count; i++)
    send_next(&lines[i]);
  int64_t begin = now_ns(), counted = begin + (int64_t)(seconds * 0.2e9);
  int64_t end = counted + (int64_t)(seconds * 1e9), now = begin;
  struct epoll_event events[256];
  while (now < end) {
    int n = epoll_wait(poll_fd, events, 256, 1000);
    now = now_ns();
    for (int i = 0; i < n; i++)
      take_answer(events[i].data.ptr, now >= counted);
  }
  qsort(samples, sample_count, sizeof *samples, by_size);
  double p50 = sample_count ? samples[sample_count / 2] / 1e3 : 0;
  double p99 = sample_count ? samples[sample_count * 99 / 100] / 1e3 : 0;
  printf("{\"requests\":%zu,\"seconds\":%.2f,\"per_second\":%.0f,\"refused\":%zu,\"p50_ms\":%.3f,"
         "\"p99_ms\":%.3f}\n",
         sample_count, seconds, (double)sample_count / seconds, refused, p50, p99);
  return 0;
}
