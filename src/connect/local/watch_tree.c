// Which folders are watched. inotify watches one folder at a time and tells names, not paths, so
// every folder that can hold a matching key has a watch, and a table tells whose it is. Between the
// making of a folder and our watch on it files may arrive: so a new folder is watched first and
// listed afterwards. Some are announced twice that way, none is missed.
#include "connect/local/watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

// IN_CREATE: a hard link (how Wherry publishes) brings no other event. A file that is still being
// written brings IN_CREATE now and IN_CLOSE_WRITE at its end; whoever works on events waits until
// the file has been still for a while.
static const uint32_t folder_events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_MOVED_FROM |
                                      IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK;

// --- the table -----------------------------------------------------------------------------------

// Index of the watch, or of where it would be.
static size_t find_wd(const wh_local_tree *tree, int wd) {
  size_t low = 0, high = tree->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (tree->watches[middle].wd < wd)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static wh_local_watch *watch_of(const wh_local_tree *tree, int wd) {
  size_t at = find_wd(tree, wd);
  return at < tree->count && tree->watches[at].wd == wd ? &tree->watches[at] : NULL;
}

static void free_folder(const wh_local_tree *tree, wh_str folder) {
  wh_mem_free(tree->c->mem, (char *)folder.data, folder.len + 1);
}

static void forget_at(wh_local_tree *tree, size_t at) {
  free_folder(tree, tree->watches[at].folder);
  tree->count--;
  memmove(&tree->watches[at], &tree->watches[at + 1], (tree->count - at) * sizeof *tree->watches);
}

static wh_status make_room(wh_local_tree *tree, wh_error *err) {
  if (tree->count < tree->cap) return WH_OK;
  if (tree->count >= WH_LOCAL_WATCH_FOLDERS) {
    return wh_fail(
        err, WH_ERR_LIMIT,
        "more than %d folders to watch; a pattern with a longer fixed beginning has fewer",
        (int)WH_LOCAL_WATCH_FOLDERS);
  }
  size_t cap = tree->cap ? tree->cap * 2 : 16, size = sizeof *tree->watches;
  wh_local_watch *moved = wh_mem_realloc(tree->c->mem, tree->watches, tree->cap * size, cap * size);
  if (!moved) return wh_fail_memory(err);
  tree->watches = moved;
  tree->cap = cap;
  return WH_OK;
}

// Enters the folder under its wd. A folder that was moved keeps its wd; then only its name is new.
static wh_status enter(wh_local_tree *tree, int wd, wh_str folder, wh_error *err) {
  char *copy = wh_mem_alloc_zero(tree->c->mem, folder.len + 1);
  if (!copy) return wh_fail_memory(err);
  if (folder.len) memcpy(copy, folder.data, folder.len);
  wh_str name = wh_str_n(copy, folder.len);
  wh_local_watch *known = watch_of(tree, wd);
  if (known) {
    free_folder(tree, known->folder);
    known->folder = name;
    return WH_OK;
  }
  wh_status status = make_room(tree, err);
  if (status != WH_OK) {
    free_folder(tree, name);
    return status;
  }
  size_t at = find_wd(tree, wd);
  memmove(&tree->watches[at + 1], &tree->watches[at], (tree->count - at) * sizeof *tree->watches);
  tree->watches[at] = (wh_local_watch){wd, name};
  tree->count++;
  return WH_OK;
}

// A folder left: neither it nor what is in it is the store's any more.
static void forget_below(wh_local_tree *tree, wh_str folder) {
  for (size_t i = tree->count; i-- > 0;) {
    wh_local_watch watch = tree->watches[i];
    if (!wh_str_eq(wh_str_sub(watch.folder, 0, folder.len), folder)) continue;
    inotify_rm_watch(tree->fd, watch.wd); // what it still says comes under an unknown wd
    forget_at(tree, i);
  }
}

// --- watching ------------------------------------------------------------------------------------

static wh_status fail_watch(const char *path, int errnum, wh_error *err) {
  if (errnum != ENOSPC) return wh_os_fail_errno(err, path, errnum);
  return wh_fail(err, WH_ERR_LIMIT,
                 "%s: cannot be watched: the system's limit of watches is reached; raise "
                 "fs.inotify.max_user_watches",
                 path);
}

// <path>/<folder>, without '/' at the end, in the arena.
static char *path_of(const wh_local_tree *tree, wh_arena *arena, wh_str folder) {
  wh_str root = wh_local_options_of(tree->c)->path;
  if (folder.len) folder.len--;
  size_t size = root.len + folder.len + 2;
  char *path = wh_arena_alloc(arena, size);
  if (path && folder.len)
    snprintf(path, size, "%.*s/%.*s", WH_STR_ARG(root), WH_STR_ARG(folder));
  else if (path)
    snprintf(path, size, "%.*s", WH_STR_ARG(root));
  return path;
}

// *ret_watched is false when the folder went away meanwhile.
static wh_status watch_one(wh_local_tree *tree, const char *path, wh_str folder, bool *ret_watched,
                           wh_error *err) {
  uint32_t events = folder_events;
  if (folder.len == 0) { // the store's own folder: may be a link, and is missed when it goes
    events = (events & ~(uint32_t)IN_DONT_FOLLOW) | IN_DELETE_SELF | IN_MOVE_SELF;
  }
  int wd = inotify_add_watch(tree->fd, path, events);
  if (wd < 0) {
    bool gone = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
    if (!gone || folder.len == 0) return fail_watch(path, errno, err);
    *ret_watched = false;
    return WH_OK;
  }
  *ret_watched = true;
  return enter(tree, wd, folder, err);
}

typedef struct descent {
  wh_local_tree *tree;
  wh_str folder;
  bool announce; // files, too
} descent;

static wh_status watch_folder(wh_local_tree *tree, wh_str folder, bool announce, wh_error *err);

// Of Wherry's own only what the pattern asks for by name.
static bool is_wanted(const wh_local_tree *tree, wh_str key) {
  if (key.len > WH_KEY_MAX) return false;
  return !wh_str_starts(key, WH_OWN_PREFIX) || wh_str_starts(tree->pattern, WH_OWN_PREFIX);
}

static wh_status announce(wh_local_tree *tree, wh_str key, wh_error *err) {
  if (!is_wanted(tree, key) || !wh_glob_match(tree->pattern, key)) return WH_OK;
  return tree->announce(tree->context, key, err);
}

static wh_status visit(void *context, const wh_local_entry *entry, wh_error *err) {
  descent *d = context;
  if (!entry->is_folder && !d->announce) return WH_OK;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, d->tree->c->mem);
  wh_str key = wh_arena_printf(&arena, "%.*s%.*s%s", WH_STR_ARG(d->folder), WH_STR_ARG(entry->name),
                               entry->is_folder ? "/" : "");
  if (!key.data) return wh_fail_memory(err);
  if (entry->is_folder) return watch_folder(d->tree, key, d->announce, err);
  return announce(d->tree, key, err);
}

// Watches the folder and those in it. The depth is bounded by the length of a key.
static wh_status watch_folder(wh_local_tree *tree, wh_str folder, bool announce_files,
                              wh_error *err) {
  if (!is_wanted(tree, folder) || !wh_glob_may_match_below(tree->pattern, folder)) return WH_OK;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, tree->c->mem);
  char *path = path_of(tree, &arena, folder);
  if (!path) return wh_fail_memory(err);
  bool watched = false;
  WH_TRY(watch_one(tree, path, folder, &watched, err));
  descent d = {tree, folder, announce_files};
  wh_local_walk walk = {.visit = visit, .context = &d};
  return watched ? wh_local_walk_folder(tree->c, path, &walk, err) : WH_OK;
}

wh_status wh_local_tree_build(wh_local_tree *tree, wh_error *err) {
  tree->root_gone = false;
  tree->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (tree->fd < 0 && errno == EMFILE) {
    return wh_fail(err, WH_ERR_LIMIT,
                   "cannot watch: the system's limit of watchers is reached; raise "
                   "fs.inotify.max_user_instances");
  }
  if (tree->fd < 0) return wh_os_fail_errno(err, "inotify", errno);
  return watch_folder(tree, WH_STR(""), false, err);
}

void wh_local_tree_free(wh_local_tree *tree) {
  while (tree->count)
    forget_at(tree, tree->count - 1);
  wh_mem_free(tree->c->mem, tree->watches, tree->cap * sizeof *tree->watches);
  tree->watches = NULL;
  tree->cap = 0;
  if (tree->fd >= 0) close(tree->fd);
  tree->fd = -1;
}

// --- events --------------------------------------------------------------------------------------

// The watch itself ended: its folder is gone, or the file system.
static void handle_end(wh_local_tree *tree, const struct inotify_event *event) {
  wh_local_watch *watch = watch_of(tree, event->wd);
  if (!watch) return;
  if (watch->folder.len == 0) tree->root_gone = true;
  if (event->mask & IN_IGNORED) forget_at(tree, find_wd(tree, event->wd));
}

static wh_status handle_name(wh_local_tree *tree, wh_str folder, const struct inotify_event *event,
                             wh_error *err) {
  wh_str name = wh_str_of(event->name); // NUL-terminated, and padded with more of them
  if (!wh_local_is_name(name)) return WH_OK;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, tree->c->mem);
  wh_str key = wh_arena_printf(&arena, "%.*s%.*s%s", WH_STR_ARG(folder), WH_STR_ARG(name),
                               event->mask & IN_ISDIR ? "/" : "");
  if (!key.data) return wh_fail_memory(err);
  if (!(event->mask & IN_ISDIR)) {
    return event->mask & IN_MOVED_FROM ? WH_OK : announce(tree, key, err);
  }
  if (event->mask & IN_MOVED_FROM) {
    forget_below(tree, key);
    return WH_OK;
  }
  return event->mask & (IN_CREATE | IN_MOVED_TO) ? watch_folder(tree, key, true, err) : WH_OK;
}

wh_status wh_local_tree_handle(wh_local_tree *tree, const struct inotify_event *event,
                               wh_error *err) {
  if (event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) {
    handle_end(tree, event);
    return WH_OK;
  }
  wh_local_watch *watch = watch_of(tree, event->wd);
  if (!watch || event->len == 0) return WH_OK;
  return handle_name(tree, watch->folder, event, err);
}
