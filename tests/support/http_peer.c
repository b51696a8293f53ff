#include "http_peer.h"

#include "test.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINES_MAX = 256, REQUEST_MAX = 64 << 20 };

struct http_peer_line {
  http_peer *peer;
  pthread_t thread;
  int fd, number;
  SSL *ssl;
  bool started;
};

struct http_peer {
  http_peer_answer answer;
  void *context;
  int fd, port;
  SSL_CTX *tls;
  pthread_t thread;
  pthread_mutex_t mutex; // of the calls of `answer`, and of the counts
  _Atomic bool stopping;
  _Atomic int requests, connections;
  http_peer_line lines[LINES_MAX];
};

// --- lines ---------------------------------------------------------------------------------------

static bool wait_readable(http_peer_line *line) {
  struct pollfd p = {.fd = line->fd, .events = POLLIN};
  if (line->ssl && SSL_pending(line->ssl)) return true;
  while (!line->peer->stopping) {
    int n = poll(&p, 1, 20);
    if (n != 0) return n > 0;
  }
  return false;
}

static long read_some(http_peer_line *line, char *data, size_t cap) {
  if (!wait_readable(line)) return 0;
  return line->ssl ? SSL_read(line->ssl, data, (int)cap) : recv(line->fd, data, cap, 0);
}

void http_peer_write(http_peer_line *line, const char *data, size_t len) {
  while (len && !line->peer->stopping) {
    long n =
        line->ssl ? SSL_write(line->ssl, data, (int)len) : send(line->fd, data, len, MSG_NOSIGNAL);
    if (n <= 0) return;
    data += n;
    len -= (size_t)n;
  }
}

void http_peer_printf(http_peer_line *line, const char *fmt, ...) {
  char text[4096];
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  http_peer_write(line, text, (size_t)n);
}

void http_peer_reply(http_peer_line *line, int code, const char *fields, const char *body) {
  http_peer_printf(line, "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n%s\r\n", code, strlen(body),
                   fields);
  http_peer_write(line, body, strlen(body));
}

void http_peer_stall(http_peer_line *line) {
  char byte;
  pthread_mutex_unlock(&line->peer->mutex); // others are answered meanwhile
  while (read_some(line, &byte, 1) > 0)
    continue;
  pthread_mutex_lock(&line->peer->mutex);
}

wh_str http_peer_field(const http_peer_request *request, const char *name) {
  wh_str rest = request->head, line, want = wh_str_of(name);
  while (wh_str_split(&rest, '\n', &line)) {
    if (line.len > want.len && line.data[want.len] == ':' &&
        wh_str_eq_nocase(wh_str_sub(line, 0, want.len), want))
      return wh_str_trim(wh_str_sub(line, want.len + 1, line.len));
  }
  return (wh_str){0};
}

// --- requests ------------------------------------------------------------------------------------

typedef struct gathered {
  char *data;
  size_t len, cap, head;
} gathered;

static bool more(http_peer_line *line, gathered *g) {
  if (g->cap - g->len < 65536) {
    g->cap += g->cap + 65536;
    g->data = realloc(g->data, g->cap);
  }
  long n = g->len < REQUEST_MAX ? read_some(line, g->data + g->len, g->cap - g->len) : 0;
  if (n <= 0) return false;
  g->len += (size_t)n;
  return true;
}

static bool read_request(http_peer_line *line, gathered *g, http_peer_request *r) {
  const char *end = NULL;
  while (!end) {
    if (g->len) end = memmem(g->data, g->len, "\r\n\r\n", 4);
    if (!end && !more(line, g)) return false;
  }
  g->head = (size_t)(end - g->data) + 4;
  r->head = wh_str_n(g->data, g->head);
  uint64_t length = 0;
  wh_str_to_u64(http_peer_field(r, "content-length"), &length);
  while (g->len < g->head + length)
    if (!more(line, g)) return false;
  r->head = wh_str_n(g->data, g->head);
  r->body = wh_str_n(g->data + g->head, length);
  size_t first = wh_str_find(r->head, 0, ' '), second = wh_str_find(r->head, first + 1, ' ');
  r->method = wh_str_sub(r->head, 0, first);
  r->target = wh_str_sub(r->head, first + 1, second);
  return true;
}

static bool answer(http_peer_line *line, http_peer_request *r) {
  http_peer *peer = line->peer;
  pthread_mutex_lock(&peer->mutex);
  r->number = ++peer->requests;
  r->connection = line->number;
  bool goes_on = peer->answer(peer->context, r, line);
  pthread_mutex_unlock(&peer->mutex);
  return goes_on;
}

static void *run_line(void *context) {
  http_peer_line *line = context;
  gathered g = {0};
  http_peer_request r = {0};
  bool goes_on = true;
  if (line->peer->tls) {
    line->ssl = SSL_new(line->peer->tls);
    SSL_set_fd(line->ssl, line->fd);
    goes_on = SSL_accept(line->ssl) == 1;
  }
  while (goes_on && read_request(line, &g, &r)) {
    goes_on = answer(line, &r);
    size_t used = g.head + r.body.len;
    memmove(g.data, g.data + used, g.len - used);
    g.len -= used;
  }
  free(g.data);
  SSL_free(line->ssl);
  shutdown(line->fd, SHUT_WR);
  close(line->fd);
  return NULL;
}

static void *accept_lines(void *context) {
  http_peer *peer = context;
  for (;;) {
    int fd = accept(peer->fd, NULL, NULL);
    if (peer->stopping || fd < 0 || peer->connections == LINES_MAX) {
      if (fd >= 0) close(fd);
      return NULL;
    }
    http_peer_line *line = &peer->lines[peer->connections];
    *line = (http_peer_line){.peer = peer, .fd = fd, .number = peer->connections + 1};
    peer->connections++;
    line->started = pthread_create(&line->thread, NULL, run_line, line) == 0;
  }
}

// --- the server ----------------------------------------------------------------------------------

static SSL_CTX *open_tls(const char *certificate) {
  if (!certificate) return NULL;
  SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
  CHECK(SSL_CTX_use_certificate_file(tls, certificate, SSL_FILETYPE_PEM) == 1);
  CHECK(SSL_CTX_use_PrivateKey_file(tls, certificate, SSL_FILETYPE_PEM) == 1);
  return tls;
}

http_peer *http_peer_start(http_peer_answer answers, void *context, const char *certificate) {
  http_peer *peer = calloc(1, sizeof *peer);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  peer->answer = answers;
  peer->context = context;
  peer->tls = open_tls(certificate);
  pthread_mutex_init(&peer->mutex, NULL);
  peer->fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(peer->fd, (struct sockaddr *)&address, len) == 0 && listen(peer->fd, 64) == 0);
  getsockname(peer->fd, (struct sockaddr *)&address, &len);
  peer->port = ntohs(address.sin_port);
  CHECK(pthread_create(&peer->thread, NULL, accept_lines, peer) == 0);
  return peer;
}

void http_peer_stop(http_peer *peer) {
  if (!peer) return;
  peer->stopping = true;
  shutdown(peer->fd, SHUT_RDWR);
  pthread_join(peer->thread, NULL);
  close(peer->fd);
  for (int i = 0; i < peer->connections; i++)
    if (peer->lines[i].started) pthread_join(peer->lines[i].thread, NULL);
  SSL_CTX_free(peer->tls);
  pthread_mutex_destroy(&peer->mutex);
  free(peer);
}

int http_peer_port(const http_peer *peer) {
  return peer->port;
}

int http_peer_requests(const http_peer *peer) {
  return peer->requests;
}

int http_peer_connections(const http_peer *peer) {
  return peer->connections;
}

bool http_peer_certificate(const char *path, const char *host) {
  char command[1024];
  bool is_address = host[strspn(host, "0123456789.")] == 0;
  snprintf(command, sizeof command,
           "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout %s.key -out %s -subj /CN=%s "
           "-addext subjectAltName=%s:%s >/dev/null 2>&1 && cat %s.key >>%s",
           path, path, host, is_address ? "IP" : "DNS", host, path, path);
  return system(command) == 0;
}
