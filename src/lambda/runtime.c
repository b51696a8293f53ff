#include "lambda/runtime.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define API "/2018-06-01/runtime/"

enum { READ_BYTES = 64 * 1024 };

void wh_runtime_init(wh_runtime *r, wh_mem *mem, wh_str api, const atomic_bool *cancel,
                     int wake_fd) {
  *r = (wh_runtime){.api = api, .cancel = cancel, .wake_fd = wake_fd};
  wh_buf_init(&r->answer, mem, WH_RUNTIME_ANSWER_BYTES_MAX);
}

void wh_runtime_free(wh_runtime *r) {
  wh_buf_free(&r->answer);
  *r = (wh_runtime){0};
}

// --- a connection --------------------------------------------------------------------------------

static wh_status fail_io(const wh_runtime *r, const char *what, wh_error *err) {
  return wh_fail(err, WH_ERR_UNAVAILABLE, "Lambda's Runtime API at %.*s: %s: %s",
                 WH_STR_ARG(r->api), what, strerror(errno));
}

static wh_status connect_api(const wh_runtime *r, int *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, r->answer.mem);
  size_t colon = wh_str_find(r->api, 0, ':');
  char *host = wh_arena_cstr(&arena, wh_str_sub(r->api, 0, colon));
  char *port = wh_arena_cstr(&arena, wh_str_sub(r->api, colon + 1, r->api.len));
  if (!host || !port) return wh_fail_memory(err);
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
  int problem = getaddrinfo(host, *port ? port : "80", &hints, &found);
  if (problem)
    return wh_fail(err, WH_ERR_UNAVAILABLE, "Lambda's Runtime API at %.*s: %s", WH_STR_ARG(r->api),
                   gai_strerror(problem));
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool connected = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  if (connected) {
    *ret = fd;
    return WH_OK;
  }
  wh_status status = fail_io(r, "cannot connect", err);
  if (fd >= 0) close(fd);
  return status;
}

static wh_status send_all(const wh_runtime *r, int fd, wh_str text, wh_error *err) {
  while (text.len) {
    ssize_t sent = send(fd, text.data, text.len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return fail_io(r, "cannot send", err);
    text = wh_str_sub(text, (size_t)sent, text.len);
  }
  return WH_OK;
}

static wh_status wait_readable(const wh_runtime *r, int fd, wh_error *err) {
  struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = r->wake_fd, .events = POLLIN}};
  for (;;) {
    uint64_t ignored;
    if (atomic_load(r->cancel)) return wh_fail(err, WH_ERR_CANCELLED, "asked to stop");
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return fail_io(r, "cannot wait", err);
    if (fds[0].revents) return WH_OK;
    // An invocation whose time was over, perhaps.
    if (fds[1].revents && read(r->wake_fd, &ignored, sizeof ignored) < 0 && errno != EAGAIN)
      return fail_io(r, "cannot wait", err);
  }
}

static wh_status read_to_end(wh_runtime *r, int fd, wh_error *err) {
  wh_buf_clear(&r->answer);
  for (;;) {
    if (!wh_buf_reserve(&r->answer, READ_BYTES)) return wh_buf_check(&r->answer, err);
    WH_TRY(wait_readable(r, fd, err));
    ssize_t got = recv(fd, r->answer.data + r->answer.len, READ_BYTES, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_io(r, "cannot read", err);
    if (got == 0) return WH_OK;
    r->answer.len += (size_t)got;
  }
}

// --- an answer -----------------------------------------------------------------------------------

// Of a field, in any case of letters; empty where there is none.
static wh_str field(wh_str head, const char *name) {
  wh_str rest = head, line;
  while (wh_str_split(&rest, '\n', &line)) {
    size_t colon = wh_str_find(line, 0, ':');
    if (wh_str_eq_nocase(wh_str_sub(line, 0, colon), wh_str_of(name)))
      return wh_str_trim(wh_str_sub(line, colon + 1, line.len));
  }
  return (wh_str){0};
}

// Puts the chunks' content together, in place. False: it is cut, or no chunk.
static bool join_chunks(char *data, size_t len, wh_str *ret) {
  wh_str rest = wh_str_n(data, len), line;
  size_t joined = 0;
  while (wh_str_split(&rest, '\n', &line) && rest.data) {
    uint64_t size = 0;
    size_t digits = 0;
    for (int digit; digits < line.len && (digit = wh_hex_digit(line.data[digits])) >= 0; digits++)
      size = size >> 32 ? size : size * 16 + (uint64_t)digit;
    if (digits == 0 || size > rest.len) return false;
    *ret = wh_str_n(data, joined);
    if (size == 0) return true;
    memmove(data + joined, rest.data, size);
    joined += size;
    rest = wh_str_sub(rest, size + 2, rest.len); // the line's end, too
  }
  return false;
}

bool wh_runtime_parse(char *text, size_t len, wh_runtime_said *ret) {
  const char *end = memmem(text, len, "\r\n\r\n", 4);
  size_t head = end ? (size_t)(end - text) : 0;
  if (head < 12 || memcmp(text, "HTTP/1.", 7) != 0) return false;
  *ret = (wh_runtime_said){.head = wh_str_n(text, head),
                           .body = wh_str_n(text + head + 4, len - head - 4)};
  if (!wh_str_to_u64(wh_str_n(text + 9, 3), &ret->code)) return false;
  if (field(ret->head, "Transfer-Encoding").len)
    return join_chunks(text + head + 4, ret->body.len, &ret->body);
  wh_str length = field(ret->head, "Content-Length");
  uint64_t said = ret->body.len;
  if (length.len && (!wh_str_to_u64(length, &said) || said > ret->body.len)) return false;
  ret->body.len = said;
  return true;
}

static wh_status exchange(wh_runtime *r, const wh_buf *request, wh_runtime_said *ret,
                          wh_error *err) {
  int fd;
  WH_TRY(wh_buf_check(request, err));
  WH_TRY(connect_api(r, &fd, err));
  wh_status status = send_all(r, fd, wh_buf_str(request), err);
  if (status == WH_OK) status = read_to_end(r, fd, err);
  close(fd);
  WH_TRY(status);
  if (!wh_runtime_parse(r->answer.data, r->answer.len, ret))
    return wh_fail(err, WH_ERR_UNAVAILABLE, "Lambda's Runtime API at %.*s: its answer is cut",
                   WH_STR_ARG(r->api));
  if (ret->code / 100 == 2) return WH_OK;
  return wh_fail(err, WH_ERR_UNAVAILABLE, "Lambda's Runtime API at %.*s says %llu: %.*s",
                 WH_STR_ARG(r->api), (unsigned long long)ret->code,
                 (int)wh_utf8_cut(ret->body, 200), ret->body.data);
}

// --- what is said --------------------------------------------------------------------------------

wh_status wh_runtime_next(wh_runtime *r, wh_invocation *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf request;
  wh_buf_init(&request, r->answer.mem, 0);
  wh_buf_printf(&request,
                "GET " API "invocation/next HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n\r\n",
                WH_STR_ARG(r->api));
  wh_runtime_said a;
  WH_TRY(exchange(r, &request, &a, err));
  int64_t deadline_ms = 0;
  if (!wh_str_to_i64(field(a.head, "Lambda-Runtime-Deadline-Ms"), &deadline_ms)) deadline_ms = 0;
  *ret = (wh_invocation){.id = field(a.head, "Lambda-Runtime-Aws-Request-Id"),
                         .deadline_us = deadline_ms * 1000,
                         .event = a.body};
  if (ret->id.len) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "Lambda's Runtime API gave an invocation without an id");
}

// `id` may be of the last answer, which this one takes the place of.
static wh_status post(wh_runtime *r, const char *what, wh_str id, const char *error_type,
                      wh_str body, wh_error *err) {
  WH_CLEAN_BUF wh_buf request;
  wh_buf_init(&request, r->answer.mem, 0);
  wh_buf_printf(&request, "POST " API "%s%.*s%s HTTP/1.1\r\nHost: %.*s\r\n",
                id.len ? "invocation/" : "", WH_STR_ARG(id), what, WH_STR_ARG(r->api));
  if (error_type) wh_buf_printf(&request, "Lambda-Runtime-Function-Error-Type: %s\r\n", error_type);
  wh_buf_printf(&request,
                "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                "Connection: close\r\n\r\n",
                body.len);
  wh_buf_add_str(&request, body);
  wh_runtime_said ignored;
  return exchange(r, &request, &ignored, err);
}

wh_status wh_runtime_answer(wh_runtime *r, wh_str id, wh_str json, wh_error *err) {
  return post(r, "/response", id, NULL, json, err);
}

wh_status wh_runtime_fail(wh_runtime *r, wh_str id, const wh_error *why, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, r->answer.mem, 0);
  const char *type = wh_status_name(why->status);
  wh_buf_add_c(&body, "{\"errorMessage\":");
  wh_buf_add_json(&body, wh_str_of(why->text));
  wh_buf_printf(&body, ",\"errorType\":\"%s\",\"stackTrace\":[]}", type);
  WH_TRY(wh_buf_check(&body, err));
  return post(r, id.len ? "/error" : "init/error", id, type, wh_buf_str(&body), err);
}
