// One SFTP channel with many requests of many threads under way. No thread belongs to it: whoever
// waits for an answer takes in what comes, for everybody; the others wait for that one. libssh is
// only called under the mutex, and never blocks; the one who waits polls the socket without it, and
// is woken (an eventfd) when there is something to write for it.
#include "connect/sftp/sftp.h"

#include "base/thread.h"

#include <libssh/libssh.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
  SLICE_MS = 100,
  IN_BYTES = WH_SFTP_PACKET_BYTES_MAX + 4, // at least one packet
  OUT_KEEP_BYTES = 1 << 20,                // of memory between two writes
  PROTOCOL = 3,
  LIMIT_BYTES = 1 << 10, // of a packet, around the bytes of a file
};

// A request under way; without `request` nobody waits for it any more.
typedef struct slot {
  uint32_t id;
  wh_sftp_request *request;
} slot;

struct wh_sftp_line {
  wh_connection *c;
  ssh_session session;
  ssh_channel channel;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool is_pumping; // somebody polls
  int wake;
  wh_status broken;
  wh_error why;
  uint32_t last_id;
  slot *slots; // in the order of their sending
  size_t count, cap;
  wh_buf out;
  size_t sent; // of out
  char *in;
  size_t in_len;
  int64_t heard_ns;
  wh_sftp_request *hello; // INIT has no id
  wh_sftp_server server;
};

// --- requests ------------------------------------------------------------------------------------

void wh_sftp_request_init(wh_sftp_request *r, wh_mem *mem) {
  *r = (wh_sftp_request){.mem = mem};
  wh_buf_init(&r->answer, mem, WH_SFTP_PACKET_BYTES_MAX);
}

void wh_sftp_request_free(wh_sftp_line *line, wh_sftp_request *r) {
  if (line && r->id) { // it may be under way, or being filled
    pthread_mutex_lock(&line->mutex);
    for (size_t i = 0; i < line->count; i++)
      if (line->slots[i].request == r) line->slots[i].request = NULL;
    pthread_mutex_unlock(&line->mutex);
  }
  wh_buf_free(&r->answer);
  *r = (wh_sftp_request){.mem = r->mem};
}

// --- a line that broke ---------------------------------------------------------------------------

static wh_status fail_broken(wh_sftp_line *line, wh_error *err) {
  if (err) *err = line->why;
  return line->broken;
}

__attribute__((format(printf, 3, 4))) static void break_line(wh_sftp_line *line, bool retry,
                                                             const char *fmt, ...) {
  if (line->broken != WH_OK) return;
  char text[256];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  line->broken = wh_fail(&line->why, retry ? WH_ERR_UNAVAILABLE : WH_ERR_DATA, "%s", text);
  line->why.retry = retry;
  pthread_cond_broadcast(&line->changed);
}

// --- what comes ----------------------------------------------------------------------------------

static void take_data(wh_sftp_request *r, wh_sftp_reader *in) {
  wh_str data = wh_sftp_take_text(in);
  r->got = data.len;
  if (in->bad || data.len > r->cap)
    r->type = 0; // more than was asked for: no answer of this protocol
  else if (data.len)
    memcpy(r->data, data.data, data.len);
}

static void take_answer(wh_sftp_line *line, uint8_t type, wh_sftp_request *r, wh_sftp_reader *in) {
  r->type = type;
  r->is_done = true;
  r->is_pending = false;
  if (type == WH_SFTP_DATA && r->data) {
    take_data(r, in);
  } else {
    wh_buf_add(&r->answer, in->at, (size_t)(in->end - in->at));
    r->no_memory = r->answer.failed;
  }
  pthread_cond_broadcast(&line->changed);
}

static void take_packet(wh_sftp_line *line, wh_str packet) {
  wh_sftp_reader in = wh_sftp_reader_of(packet);
  uint8_t type = wh_sftp_take_u8(&in);
  if (line->hello) {
    wh_sftp_request *hello = line->hello;
    line->hello = NULL;
    take_answer(line, type, hello, &in);
    return;
  }
  uint32_t id = wh_sftp_take_u32(&in);
  size_t i = 0;
  while (i < line->count && line->slots[i].id != id)
    i++;
  if (in.bad || i == line->count) {
    break_line(line, false, "the server answers what nobody asked");
    return;
  }
  wh_sftp_request *r = line->slots[i].request;
  line->count--;
  memmove(&line->slots[i], &line->slots[i + 1], (line->count - i) * sizeof *line->slots);
  if (r) take_answer(line, type, r, &in);
}

static void take_packets(wh_sftp_line *line) {
  size_t at = 0;
  while (line->in_len - at >= 4 && line->broken == WH_OK) {
    wh_sftp_reader in = wh_sftp_reader_of(wh_str_n(line->in + at, 4));
    uint32_t len = wh_sftp_take_u32(&in);
    if (len == 0 || len > WH_SFTP_PACKET_BYTES_MAX) {
      break_line(line, false, "the server sends a packet of %u bytes, which is none of SFTP", len);
      return;
    }
    if (line->in_len - at - 4 < len) break;
    take_packet(line, wh_str_n(line->in + at + 4, len));
    at += 4 + (size_t)len;
  }
  line->in_len -= at;
  if (at && line->in_len) memmove(line->in, line->in + at, line->in_len);
}

static bool read_some(wh_sftp_line *line) {
  int got = ssh_channel_read_nonblocking(line->channel, line->in + line->in_len,
                                         (uint32_t)(IN_BYTES - line->in_len), 0);
  if (got > 0) {
    line->in_len += (size_t)got;
    line->heard_ns = line->c->os->type->monotonic_ns(line->c->os);
    take_packets(line);
    return true;
  }
  if (got == SSH_ERROR)
    break_line(line, true, "the connection broke: %s", ssh_get_error(line->session));
  else if (got == SSH_EOF || ssh_channel_is_eof(line->channel) ||
           ssh_channel_is_closed(line->channel))
    break_line(line, true, "the server closed the connection");
  return false;
}

static bool write_some(wh_sftp_line *line) {
  if (line->sent == line->out.len) return false;
  int put = ssh_channel_write(line->channel, line->out.data + line->sent,
                              (uint32_t)(line->out.len - line->sent));
  if (put == SSH_ERROR) {
    break_line(line, true, "the connection broke: %s", ssh_get_error(line->session));
    return false;
  }
  if (put <= 0) return false; // the server's window is full
  line->sent += (size_t)put;
  if (line->sent == line->out.len) {
    line->sent = 0;
    wh_buf_clear(&line->out);
    if (line->out.cap > OUT_KEEP_BYTES) wh_buf_free(&line->out);
  }
  return true;
}

// All that goes without waiting.
static void pump(wh_sftp_line *line) {
  bool moved = true;
  while (moved && line->broken == WH_OK) {
    moved = write_some(line);
    moved = line->broken == WH_OK && (read_some(line) || moved);
  }
}

// --- sending -------------------------------------------------------------------------------------

static wh_status reserve(wh_sftp_line *line, size_t size, wh_error *err) {
  enum { FIRST = 32 };
  if (line->count == line->cap) {
    size_t cap = line->cap ? 2 * line->cap : FIRST;
    slot *moved =
        wh_mem_realloc(line->c->mem, line->slots, line->cap * sizeof *moved, cap * sizeof *moved);
    if (!moved) return wh_fail_memory(err);
    line->slots = moved;
    line->cap = cap;
  }
  if (wh_buf_reserve(&line->out, size)) return WH_OK;
  line->out.failed = false; // what is in it already goes off all the same
  return wh_fail_memory(err);
}

static bool is_held_up(const wh_sftp_line *line) {
  return line->sent < line->out.len || ssh_get_poll_flags(line->session) & SSH_WRITE_PENDING;
}

static void wake(wh_sftp_line *line) {
  uint64_t one = 1;
  if (write(line->wake, &one, sizeof one) < 0) return; // it is awake already
}

static wh_status start(wh_sftp_line *line, const wh_sftp_message *m, wh_sftp_request *r,
                       wh_error *err) {
  if (line->broken != WH_OK) return fail_broken(line, err);
  size_t size = wh_sftp_message_size(m);
  WH_TRY(reserve(line, size, err));
  uint32_t id = ++line->last_id;
  wh_sftp_message_write(m, id, line->out.data + line->out.len);
  line->out.len += size;
  line->slots[line->count++] = (slot){id, r};
  if (r) {
    wh_buf_clear(&r->answer);
    r->id = id;
    r->is_pending = true;
    r->is_done = r->no_memory = false;
    r->got = 0;
  }
  pump(line);
  if (line->is_pumping && is_held_up(line)) wake(line);
  return WH_OK; // a break shows in the wait
}

wh_status wh_sftp_start(wh_sftp_line *line, const wh_sftp_message *m, wh_sftp_request *r,
                        wh_error *err) {
  pthread_mutex_lock(&line->mutex);
  wh_status status = start(line, m, r, err);
  pthread_mutex_unlock(&line->mutex);
  return status;
}

// --- waiting -------------------------------------------------------------------------------------

static void poll_socket(wh_sftp_line *line) {
  struct pollfd fds[2] = {{.fd = ssh_get_fd(line->session), .events = POLLIN},
                          {.fd = line->wake, .events = POLLIN}};
  if (ssh_get_poll_flags(line->session) & SSH_WRITE_PENDING) fds[0].events |= POLLOUT;
  line->is_pumping = true;
  pthread_mutex_unlock(&line->mutex);
  poll(fds, 2, SLICE_MS);
  uint64_t woken;
  if (fds[1].revents & POLLIN && read(line->wake, &woken, sizeof woken) < 0) woken = 0;
  pthread_mutex_lock(&line->mutex);
  line->is_pumping = false;
}

static wh_status wait_answer(wh_sftp_line *line, wh_sftp_request *r, wh_error *err) {
  wh_connection *c = line->c;
  int64_t begun_ns = c->os->type->monotonic_ns(c->os);
  int64_t patience_ns = wh_sftp_options_of(c)->answer_timeout_us * 1000;
  for (;;) {
    if (!line->is_pumping) pump(line);
    if (r->is_done) return r->no_memory ? wh_fail_memory(err) : WH_OK;
    if (line->broken != WH_OK) return fail_broken(line, err);
    if (c->cancel && atomic_load(c->cancel)) return wh_fail(err, WH_ERR_CANCELLED, "stopped");
    int64_t now_ns = c->os->type->monotonic_ns(c->os);
    int64_t since_ns = line->heard_ns > begun_ns ? line->heard_ns : begun_ns;
    if (now_ns - since_ns > patience_ns) {
      break_line(line, true, "the server has not answered for %d s",
                 (int)(patience_ns / 1000000000));
    } else if (!line->is_pumping) {
      poll_socket(line);
      pump(line);
      pthread_cond_broadcast(&line->changed); // somebody else may have to poll now
    } else {
      struct timespec until = wh_cond_until(SLICE_MS * 1000);
      pthread_cond_timedwait(&line->changed, &line->mutex, &until);
    }
  }
}

wh_status wh_sftp_wait(wh_sftp_line *line, wh_sftp_request *r, wh_error *err) {
  pthread_mutex_lock(&line->mutex);
  wh_status status = wait_answer(line, r, err);
  pthread_mutex_unlock(&line->mutex);
  return status;
}

wh_status wh_sftp_ask(wh_sftp_line *line, const wh_sftp_message *message, wh_sftp_request *r,
                      wh_error *err) {
  WH_TRY(wh_sftp_start(line, message, r, err));
  return wh_sftp_wait(line, r, err);
}

bool wh_sftp_line_is_broken(wh_sftp_line *line) {
  pthread_mutex_lock(&line->mutex);
  bool broken = line->broken != WH_OK;
  pthread_mutex_unlock(&line->mutex);
  return broken;
}

bool wh_sftp_line_is_alive(wh_sftp_line *line) {
  pthread_mutex_lock(&line->mutex);
  if (!line->is_pumping) pump(line);
  bool alive = line->broken == WH_OK && ssh_is_connected(line->session);
  pthread_mutex_unlock(&line->mutex);
  return alive;
}

const wh_sftp_server *wh_sftp_server_of(const wh_sftp_line *line) {
  return &line->server;
}

// --- beginning and end ---------------------------------------------------------------------------

static void note_extension(wh_sftp_server *server, wh_str name, wh_str version) {
  if (wh_str_is(name, "posix-rename@openssh.com") && wh_str_is(version, "1"))
    server->has_posix_rename = true;
  if (wh_str_is(name, "fsync@openssh.com") && wh_str_is(version, "1")) server->has_fsync = true;
  if (wh_str_is(name, "hardlink@openssh.com") && wh_str_is(version, "1"))
    server->has_hardlink = true;
  if (wh_str_is(name, "limits@openssh.com") && wh_str_is(version, "1")) server->has_limits = true;
}

// VERSION says which extensions there are.
static wh_status say_hello(wh_sftp_line *line, wh_sftp_request *r, wh_error *err) {
  static const char init[] = {0, 0, 0, 5, WH_SFTP_INIT, 0, 0, 0, PROTOCOL};
  pthread_mutex_lock(&line->mutex);
  bool ok = wh_buf_add(&line->out, init, sizeof init);
  line->hello = r;
  wh_status status = ok ? wait_answer(line, r, err) : wh_fail_memory(err);
  line->hello = NULL;
  pthread_mutex_unlock(&line->mutex);
  WH_TRY(status);
  wh_sftp_reader in = wh_sftp_reader_of(wh_buf_str(&r->answer));
  line->server.version = wh_sftp_take_u32(&in);
  if (r->type != WH_SFTP_VERSION || in.bad || line->server.version < PROTOCOL) {
    return wh_fail(err, WH_ERR_DATA, "the server does not speak version %d of SFTP", PROTOCOL);
  }
  while (in.at < in.end && !in.bad) {
    wh_str name = wh_sftp_take_text(&in);
    note_extension(&line->server, name, wh_sftp_take_text(&in));
  }
  return WH_OK;
}

static size_t within(uint64_t said) {
  return said == 0 || said > WH_SFTP_READ_BYTES_MAX - LIMIT_BYTES
             ? WH_SFTP_READ_BYTES_MAX - LIMIT_BYTES
             : (size_t)said;
}

static wh_status ask_limits(wh_sftp_line *line, wh_sftp_request *r, wh_error *err) {
  line->server.read_bytes = line->server.write_bytes = WH_SFTP_READ_BYTES;
  if (!line->server.has_limits) return WH_OK;
  wh_sftp_message m = {
      .type = WH_SFTP_EXTENDED, .text_count = 1, .texts = {WH_STR_INIT("limits@openssh.com")}};
  WH_TRY(wh_sftp_ask(line, &m, r, err));
  wh_sftp_reader in = wh_sftp_reader_of(wh_buf_str(&r->answer));
  wh_sftp_take_u64(&in); // of a packet
  uint64_t read_bytes = wh_sftp_take_u64(&in), write_bytes = wh_sftp_take_u64(&in);
  if (r->type != WH_SFTP_EXTENDED_REPLY || in.bad) return WH_OK;
  line->server.read_bytes = within(read_bytes);
  line->server.write_bytes = within(write_bytes);
  return WH_OK;
}

static wh_status begin(wh_sftp_line *line, wh_error *err) {
  line->in = wh_mem_alloc(line->c->mem, IN_BYTES);
  line->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (!line->in) return wh_fail_memory(err);
  if (line->wake < 0) return wh_fail(err, WH_ERR_IO, "no eventfd can be had");
  WH_TRY(wh_sftp_login(line->c, &line->session, &line->channel, err));
  wh_sftp_request r;
  wh_sftp_request_init(&r, line->c->mem);
  wh_status status = say_hello(line, &r, err);
  wh_buf_clear(&r.answer);
  r.is_done = false;
  if (status == WH_OK) status = ask_limits(line, &r, err);
  wh_sftp_request_free(line, &r);
  return status;
}

wh_status wh_sftp_line_open(wh_connection *c, wh_sftp_line **ret, wh_error *err) {
  wh_sftp_line *line = wh_mem_alloc_zero(c->mem, sizeof *line);
  if (!line) return wh_fail_memory(err);
  line->c = c;
  line->wake = -1;
  wh_buf_init(&line->out, c->mem, 0);
  wh_status status = wh_cond_init(&line->changed, err);
  if (status != WH_OK) {
    wh_mem_free(c->mem, line, sizeof *line);
    return status;
  }
  pthread_mutex_init(&line->mutex, NULL);
  status = begin(line, err);
  if (status != WH_OK)
    wh_sftp_line_close(line);
  else
    *ret = line;
  return status;
}

void wh_sftp_line_close(wh_sftp_line *line) {
  if (!line) return;
  wh_mem *mem = line->c->mem;
  wh_sftp_logout(line->session, line->channel);
  if (line->wake >= 0) close(line->wake);
  wh_buf_free(&line->out);
  wh_mem_free(mem, line->slots, line->cap * sizeof *line->slots);
  wh_mem_free(mem, line->in, line->in ? IN_BYTES : 0);
  pthread_cond_destroy(&line->changed);
  pthread_mutex_destroy(&line->mutex);
  wh_mem_free(mem, line, sizeof *line);
}
