#include "serve/forwarder.h"

#include "base/log.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { US_PER_MS = 1000, NS_PER_US = 1000 };

struct wh_forwarder {
  wh_os *os;
  wh_mem *mem;
  const wh_ingest *ingest;
  size_t number;
  wh_committer *committer;
  wh_connection *queue;
  wh_ingest_log *log; // to read
  wh_gather *gather;  // of what comes
  wh_arena arena;     // of what is being sent
  int64_t next, told; // request to be sent; and what the committer knows
  size_t sent;        // events of that request which the queue has
  int64_t told_ns, logged_ns;
  unsigned failures; // in a row

  pthread_t thread;
  bool has_thread;
  atomic_bool stopping;
  int stop_fd;
};

static int64_t now_ns(const wh_forwarder *f) {
  return f->os->type->monotonic_ns(f->os);
}

static void tell(wh_forwarder *f) {
  if (f->told == f->next) return;
  wh_committer_sent(f->committer, f->number, f->next);
  f->told = f->next;
  f->told_ns = now_ns(f);
}

static void tell_now_and_then(wh_forwarder *f) {
  if (now_ns(f) - f->told_ns >= WH_FORWARDER_TELL_US * (int64_t)NS_PER_US) tell(f);
}

static void log_failure(wh_forwarder *f, const wh_error *err) {
  int64_t now = now_ns(f);
  if (f->failures++ && now - f->logged_ns < WH_FORWARDER_LOG_SECONDS * 1000000000LL) return;
  f->logged_ns = now;
  char topic[WH_CONFIG_NAME_MAX + 16];
  snprintf(topic, sizeof topic, "ingest %.*s", WH_STR_ARG(f->ingest->endpoint->name));
  wh_log_error(WH_LOG_WARN, topic, err);
}

// --- sending -------------------------------------------------------------------------------------

// What is sent together, and where that ends: what is remembered on disk is a request, so one that
// is sent in parts counts when it is through.
typedef struct parcel {
  wh_posts posts;
  size_t bytes;
  int64_t next;
  size_t sent; // events of that request which are in the parcel, or were sent before
} parcel;

// The lines from `first` on that the parcel has room for, one at least where it is empty.
static wh_str cut(const parcel *p, wh_str lines, size_t first, size_t *ret_count) {
  size_t at = 0, end, count = 0;
  for (; first && at < lines.len; first--)
    at = wh_str_find(lines, at, '\n') + 1;
  for (end = at; end < lines.len; count++) {
    size_t line_end = wh_str_find(lines, end, '\n') + 1;
    size_t events = p->posts.count + count, bytes = p->bytes + line_end - at;
    if (events && (events == WH_FORWARDER_EVENTS || bytes > WH_FORWARDER_BYTES)) break;
    end = line_end;
  }
  *ret_count = count;
  return wh_str_sub(lines, at, end);
}

static wh_status fill(wh_forwarder *f, parcel *ret, wh_error *err) {
  wh_arena_reset(&f->arena);
  *ret = (parcel){.next = f->next, .sent = f->sent};
  for (;;) {
    bool found;
    wh_ingest_receipt r;
    wh_str lines;
    size_t count;
    WH_TRY(wh_ingest_log_read(f->log, ret->next, INT64_MAX, &found, &r, &lines, err));
    if (!found) return WH_OK;
    wh_str piece = wh_arena_str(&f->arena, cut(ret, lines, ret->sent, &count));
    wh_str id = wh_arena_str(&f->arena, wh_str_of(r.id));
    if (!piece.data || !id.data) return wh_fail_memory(err);
    WH_TRY(
        wh_posts_add(&ret->posts, id, ret->sent, f->ingest->endpoint->name, piece, &f->arena, err));
    ret->bytes += piece.len;
    ret->sent += count;
    if (ret->sent < r.events) return WH_OK; // the parcel is full
    ret->next = r.first + (int64_t)r.events;
    ret->sent = 0;
  }
}

static wh_status collect(wh_forwarder *f, parcel *ret, wh_error *err) {
  wh_status status = fill(f, ret, err);
  wh_ingest_log_rest(f->log); // the queue may take long
  return status;
}

static void wait_for(wh_forwarder *f, int64_t us, bool for_events) {
  struct pollfd fds[] = {{.fd = f->stop_fd, .events = POLLIN},
                         {.fd = f->gather->fd, .events = POLLIN}};
  uint64_t ignored;
  int ms = us < 0 ? -1 : (int)((us + US_PER_MS - 1) / US_PER_MS);
  if (poll(fds, for_events ? 2 : 1, ms) > 0 && for_events && fds[1].revents) {
    ssize_t got = read(f->gather->fd, &ignored, sizeof ignored);
    (void)got;
  }
}

static int64_t pause_of(unsigned failures) {
  int64_t us = WH_FORWARDER_AGAIN_US;
  for (unsigned i = 1; i < failures && us < WH_FORWARDER_AGAIN_US_MAX; i++)
    us *= 2;
  return us < WH_FORWARDER_AGAIN_US_MAX ? us : WH_FORWARDER_AGAIN_US_MAX;
}

// Until the queue has all of them. False: asked to stop before.
static bool deliver(wh_forwarder *f, wh_posts *posts) {
  while (!atomic_load(&f->stopping)) {
    wh_error err = {0};
    if (f->ingest->post->send(f->queue, posts->items, posts->count, &f->stopping, &err) == WH_OK) {
      f->failures = 0;
      return true;
    }
    if (err.status != WH_ERR_CANCELLED) log_failure(f, &err);
    tell_now_and_then(f);
    wait_for(f, pause_of(f->failures), false);
  }
  return false;
}

// All that wait.
static wh_status forward(wh_forwarder *f, wh_error *err) {
  for (;;) {
    parcel p;
    WH_TRY(collect(f, &p, err));
    if (!p.posts.count || !deliver(f, &p.posts)) return WH_OK;
    f->next = p.next;
    f->sent = p.sent;
    tell_now_and_then(f);
  }
}

// --- the thread ----------------------------------------------------------------------------------

static void *loop(void *context) {
  wh_forwarder *f = context;
  while (!atomic_load(&f->stopping)) {
    wh_error err = {0};
    f->gather->begin(f->gather);
    wh_status status = forward(f, &err); // fails where the log cannot be read
    tell_now_and_then(f);
    if (status != WH_OK) {
      log_failure(f, &err);
      wait_for(f, pause_of(f->failures), false);
    } else if (f->gather->due_us(f->gather) == INT64_MAX) {
      wait_for(f, f->told == f->next ? -1 : WH_FORWARDER_TELL_US, true);
    }
  }
  tell(f);
  return NULL;
}

// --- opening -------------------------------------------------------------------------------------

static wh_status open_forwarder(wh_forwarder *f, wh_config *config, wh_connection *events,
                                wh_error *err) {
  static const wh_gather_limits at_once = {.rows = 1, .bytes = 1};
  const wh_ingest_endpoint *e = f->ingest->endpoint;
  if (f->stop_fd < 0)
    return wh_fail(err, wh_status_from_errno(errno), "eventfd failed: %s", strerror(errno));
  WH_TRY(wh_config_connect(config, f->ingest->to, &f->queue, err));
  WH_TRY(wh_ingest_log_open_reader(f->os, f->mem, e->log, &f->log, err));
  WH_TRY(wh_ingest_log_sent(f->log, &f->next, err));
  f->told = f->next;
  WH_TRY(events->type->source->gather(events, e->name, &at_once, &f->gather, err));
  WH_TRY(wh_thread_start(&f->thread, loop, f, err));
  f->has_thread = true;
  return WH_OK;
}

wh_status wh_forwarder_start(wh_os *os, wh_mem *mem, wh_config *config, wh_connection *events,
                             size_t number, wh_committer *committer, wh_forwarder **ret,
                             wh_error *err) {
  wh_forwarder *f = wh_mem_alloc_zero(mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->os = os;
  f->mem = mem;
  f->ingest = &config->serve.ingests[number];
  f->number = number;
  f->committer = committer;
  f->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  wh_arena_init(&f->arena, mem);
  wh_status status = open_forwarder(f, config, events, err);
  if (status == WH_OK)
    *ret = f;
  else
    wh_forwarder_stop(f);
  return status;
}

void wh_forwarder_ask_to_stop(wh_forwarder *f) {
  if (!f) return;
  uint64_t one = 1;
  atomic_store(&f->stopping, true);
  ssize_t ignored = f->stop_fd >= 0 ? write(f->stop_fd, &one, sizeof one) : 0;
  (void)ignored;
}

void wh_forwarder_stop(wh_forwarder *f) {
  if (!f) return;
  wh_forwarder_ask_to_stop(f);
  if (f->has_thread) pthread_join(f->thread, NULL);
  if (f->gather) f->gather->close(f->gather);
  if (f->stop_fd >= 0) close(f->stop_fd);
  wh_ingest_log_close(f->log);
  wh_arena_free(&f->arena);
  wh_mem_free(f->mem, f, sizeof *f);
}
