// The local store as a queue: files are noticed as they arrive, whoever puts them there. It only
// watches; what is there already, and what was missed (ret_lost), a listing shows. Nothing needs to
// be given back, so extend, done and fail do nothing.
#include "connect/local/watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { NS_PER_US = 1000, US_PER_MS = 1000, CANCEL_LOOK_MS = 200 };

typedef struct local_queue {
  wh_connection *c;
  bool silent; // another operating system than the real one: nothing is ever heard
  wh_local_tree tree;
  int epoll_fd; // readable when inotify is, or
  int ready_fd; // this eventfd: when events wait here to be handed out
  bool ready;
  bool lost;
  wh_arena arena; // of the pattern
  wh_arena keys;  // of the pending events; emptied when all were handed out and let go
  wh_str *pending;
  size_t count;
  size_t cap;
  size_t given; // of the pending
} local_queue;

static local_queue *of(wh_queue_handle *handle) {
  return (local_queue *)handle;
}

// --- pending -------------------------------------------------------------------------------------

static wh_status grow(local_queue *q, wh_error *err) {
  size_t cap = q->cap ? q->cap * 2 : 64;
  wh_str *moved =
      wh_mem_realloc(q->c->mem, q->pending, q->cap * sizeof *moved, cap * sizeof *moved);
  if (!moved) return wh_fail_memory(err);
  q->pending = moved;
  q->cap = cap;
  return WH_OK;
}

// A symbolic link, or something else that is no file, is no object.
static wh_status is_object(local_queue *q, wh_str key, bool *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, q->c->mem);
  char *path = NULL;
  wh_file_info info;
  wh_status status = wh_local_path(q->c, &arena, key, &path, err);
  if (status == WH_OK) status = wh_local_look(q->c, path, &info, err);
  *ret = status == WH_OK;
  bool no = status == WH_ERR_NOT_FOUND || status == WH_ERR_REFUSED;
  return no ? WH_OK : status;
}

static wh_status add_event(void *context, wh_str key, wh_error *err) {
  local_queue *q = context;
  // Creating and closing a file say the same thing twice in a row.
  if (q->count > q->given && wh_str_eq(q->pending[q->count - 1], key)) return WH_OK;
  if (q->count >= WH_LOCAL_WATCH_EVENTS) {
    q->lost = true;
    return WH_OK;
  }
  bool object = false;
  WH_TRY(is_object(q, key, &object, err));
  if (!object) return WH_OK;
  if (q->count == q->cap) WH_TRY(grow(q, err));
  wh_str copy = wh_arena_str(&q->keys, key);
  if (!copy.data) return wh_fail_memory(err);
  q->pending[q->count++] = copy;
  return WH_OK;
}

// Keeps ready_fd readable exactly while something waits here.
static void show_ready(local_queue *q) {
  bool ready = q->given < q->count || q->lost;
  if (ready == q->ready) return;
  uint64_t number = 1;
  ssize_t n = ready ? write(q->ready_fd, &number, sizeof number)
                    : read(q->ready_fd, &number, sizeof number);
  if (n == sizeof number) q->ready = ready;
}

// --- reading inotify -----------------------------------------------------------------------------

static wh_status add_to_epoll(local_queue *q, int fd, wh_error *err) {
  struct epoll_event event = {.events = EPOLLIN};
  if (epoll_ctl(q->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) return WH_OK;
  return wh_os_fail_errno(err, "epoll", errno);
}

static wh_status build(local_queue *q, wh_error *err) {
  wh_status status = wh_local_tree_build(&q->tree, err);
  if (status == WH_OK) status = add_to_epoll(q, q->tree.fd, err);
  if (status != WH_OK) wh_local_tree_free(&q->tree); // so that the next receive builds it again
  return status;
}

// The system dropped events, of new folders perhaps, or the tree is gone: begin again.
static wh_status start_over(local_queue *q, wh_error *err) {
  q->lost = true;
  wh_local_tree_free(&q->tree); // closing the descriptor takes it out of epoll, too
  return build(q, err);
}

static wh_status handle_all(local_queue *q, const char *data, size_t len, wh_error *err) {
  for (size_t at = 0; at < len;) {
    const struct inotify_event *event = (const struct inotify_event *)(data + at);
    if (event->mask & IN_Q_OVERFLOW) return start_over(q, err);
    WH_TRY(wh_local_tree_handle(&q->tree, event, err));
    at += sizeof *event + event->len;
  }
  if (!q->tree.root_gone) return WH_OK;
  wh_str path = wh_local_options_of(q->c)->path;
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s was moved or removed while it was watched",
                 WH_STR_ARG(path));
}

static wh_status read_events(local_queue *q, wh_error *err) {
  void *data = wh_mem_alloc(q->c->mem, WH_LOCAL_WATCH_BYTES);
  if (!data) return wh_fail_memory(err);
  ssize_t n;
  do {
    n = read(q->tree.fd, data, WH_LOCAL_WATCH_BYTES);
  } while (n < 0 && errno == EINTR);
  wh_status status = WH_OK;
  if (n > 0)
    status = handle_all(q, data, (size_t)n, err);
  else if (n < 0 && errno != EAGAIN)
    status = wh_os_fail_errno(err, "inotify", errno);
  wh_mem_free(q->c->mem, data, WH_LOCAL_WATCH_BYTES);
  if (status != WH_OK) { // the rest of what was read is gone, new folders perhaps
    q->lost = true;
    wh_local_tree_free(&q->tree); // the next receive builds it again
  }
  return status;
}

// Waits until something can be read; false when the time is over, or somebody wants us to stop.
static bool wait_readable(local_queue *q, int64_t until_ns) {
  for (;;) {
    if (q->c->cancel && atomic_load(q->c->cancel)) return false;
    int64_t left_us = (until_ns - q->c->os->type->monotonic_ns(q->c->os)) / NS_PER_US;
    int64_t left_ms = left_us <= 0 ? 0 : (left_us + US_PER_MS - 1) / US_PER_MS;
    struct pollfd poll_fd = {.fd = q->epoll_fd, .events = POLLIN};
    int n = poll(&poll_fd, 1, left_ms > CANCEL_LOOK_MS ? CANCEL_LOOK_MS : (int)left_ms);
    if (n > 0) return true;
    if (n < 0 || left_ms == 0) return false; // a signal: let the caller see what it was about
  }
}

// --- the verbs -----------------------------------------------------------------------------------

static wh_status receive_silent(local_queue *q, int64_t wait_us, size_t *ret_count,
                                bool *ret_lost) {
  if (wait_us > 0) q->c->os->type->sleep_ns(q->c->os, wait_us * NS_PER_US);
  *ret_count = 0;
  *ret_lost = false;
  return WH_OK;
}

static size_t hand_out(local_queue *q, wh_event *events, size_t max) {
  size_t n = q->count - q->given;
  if (n > max) n = max;
  for (size_t i = 0; i < n; i++)
    events[i] = (wh_event){.store_key = q->pending[q->given + i]};
  q->given += n;
  return n;
}

static wh_status local_receive(wh_queue_handle *handle, wh_event *events, size_t max,
                               int64_t wait_us, size_t *ret_count, bool *ret_lost, wh_error *err) {
  local_queue *q = of(handle);
  const int64_t wait_max_us = INT64_MAX / (2 * NS_PER_US);
  if (wait_us > wait_max_us) wait_us = wait_max_us;
  if (q->silent) return receive_silent(q, wait_us, ret_count, ret_lost);
  if (q->given == q->count) {
    q->given = q->count = 0;
    wh_arena_reset(&q->keys);
  }
  int64_t until = q->c->os->type->monotonic_ns(q->c->os) + wait_us * NS_PER_US;
  wh_status status = q->tree.fd < 0 ? start_over(q, err) : WH_OK; // after a failure

  // Much of what inotify tells matches nothing, so look again while there is time.
  while (status == WH_OK && q->count == 0 && !q->lost && wait_readable(q, until))
    status = read_events(q, err);
  if (status == WH_OK) {
    *ret_count = hand_out(q, events, max);
    *ret_lost = q->lost;
    q->lost = false;
  }
  show_ready(q);
  return wh_store_say(q->c, status, err);
}

static wh_status local_extend(wh_queue_handle *handle, uint64_t receipt, int64_t hidden_us,
                              wh_error *err) {
  (void)handle, (void)receipt, (void)hidden_us, (void)err;
  return WH_OK;
}

static wh_status local_done(wh_queue_handle *handle, uint64_t receipt, wh_error *err) {
  (void)handle, (void)receipt, (void)err;
  return WH_OK;
}

static int local_fd(wh_queue_handle *handle) {
  return of(handle)->epoll_fd;
}

static void local_close(wh_queue_handle *handle) {
  local_queue *q = of(handle);
  if (!q) return;
  wh_local_tree_free(&q->tree);
  if (q->epoll_fd >= 0) close(q->epoll_fd);
  if (q->ready_fd >= 0) close(q->ready_fd);
  wh_mem_free(q->c->mem, q->pending, q->cap * sizeof *q->pending);
  wh_arena_free(&q->keys);
  wh_arena_free(&q->arena);
  wh_mem_free(q->c->mem, q, sizeof *q);
}

static wh_status start(local_queue *q, wh_str pattern, wh_error *err) {
  q->tree.pattern = wh_arena_str(&q->arena, pattern);
  char *root = wh_arena_cstr(&q->arena, wh_local_options_of(q->c)->path);
  if (!q->tree.pattern.data || !root) return wh_fail_memory(err);
  WH_TRY(wh_os_make_path(q->c->os, root, err));
  q->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (q->epoll_fd < 0) return wh_os_fail_errno(err, "epoll", errno);
  q->ready_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (q->ready_fd < 0) return wh_os_fail_errno(err, "eventfd", errno);
  WH_TRY(add_to_epoll(q, q->ready_fd, err));
  return build(q, err);
}

static wh_status local_open(wh_connection *c, wh_str pattern, wh_queue_handle **ret,
                            wh_error *err) {
  local_queue *q = wh_mem_alloc_zero(c->mem, sizeof *q);
  if (!q) return wh_store_say(c, wh_fail_memory(err), err);
  q->c = c;
  q->epoll_fd = q->ready_fd = -1;
  q->tree = (wh_local_tree){.c = c, .fd = -1, .announce = add_event, .context = q};
  wh_arena_init(&q->arena, c->mem);
  wh_arena_init(&q->keys, c->mem);
  q->silent = strcmp(c->os->type->name, "real") != 0;
  wh_status status = q->silent ? WH_OK : start(q, pattern, err);
  if (status != WH_OK)
    local_close((wh_queue_handle *)q);
  else
    *ret = (wh_queue_handle *)q;
  return wh_store_say(c, status, err);
}

const wh_queue_type wh_local_queue = {
    .open = local_open,
    .receive = local_receive,
    .extend = local_extend,
    .done = local_done,
    .fail = local_done,
    .fd = local_fd,
    .close = local_close,
};
