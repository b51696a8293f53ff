#include "sim_disk.h"

#include <errno.h>
#include <stdlib.h>

typedef struct bytes {
  unsigned char *data;
  size_t len, cap;
} bytes;

// A write, or a truncation (to `offset`), that is not safe yet.
typedef struct change {
  struct change *next;
  bool truncation;
  uint64_t offset;
  size_t len;
  unsigned char data[];
} change;

typedef struct entry {
  char *name;
  sim_inode *inode;
} entry;

typedef struct entries {
  entry *items;
  size_t count, cap;
} entries;

struct sim_inode {
  size_t refs; // from names (live and safe), waiting name changes, and handles
  uint64_t number;
  wh_file_kind kind;
  uint32_t mode;
  int64_t modified_ns, safe_modified_ns;
  void *lock;
  bytes live, safe; // of a file
  change *first, **last;
  entries names, safe_names; // of a folder
  uint64_t settled;          // the power failure that was applied last
};

// A name that was made, removed or moved, and is not safe yet. Made: `from` is NULL; removed: `to`.
typedef struct name_change {
  struct name_change *next;
  sim_inode *from, *to; // folders
  char *from_name, *to_name;
  sim_inode *inode;
} name_change;

struct sim_disk {
  uint64_t choices; // state of the random generator
  uint64_t seed;
  uint64_t failures;
  sim_inode *root;
  name_change *first, **last;
  uint64_t next_number;
  uint64_t *free_numbers;
  size_t free_count, free_cap;
};

// --- small things --------------------------------------------------------------------------------

static void *must(void *ptr) {
  if (!ptr) abort();
  return ptr;
}

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

uint64_t sim_disk_choose(sim_disk *disk, uint64_t below) {
  disk->choices += 0x9E3779B97F4A7C15ull;
  return mix(disk->choices) % below;
}

static void bytes_resize(bytes *b, size_t len) {
  if (len > b->cap) {
    size_t cap = b->cap * 2 > len ? b->cap * 2 : len;
    b->data = must(realloc(b->data, cap));
    b->cap = cap;
  }
  if (len > b->len) memset(b->data + b->len, 0, len - b->len);
  b->len = len;
}

static void bytes_write(bytes *b, uint64_t offset, const void *data, size_t len) {
  if (len == 0) return;
  if (offset + len > b->len) bytes_resize(b, offset + len);
  memcpy(b->data + offset, data, len);
}

static void bytes_copy(bytes *to, const bytes *from) {
  bytes_resize(to, from->len);
  if (from->len) memcpy(to->data, from->data, from->len);
}

static entry *entries_find(const entries *list, const char *name) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i].name, name) == 0) return &list->items[i];
  return NULL;
}

// --- inodes --------------------------------------------------------------------------------------

static sim_inode *inode_new(sim_disk *disk, wh_file_kind kind, uint32_t mode, int64_t now_ns) {
  sim_inode *inode = must(calloc(1, sizeof *inode));
  int64_t modified = now_ns - now_ns % SIM_TIME_STEP_NS;
  *inode = (sim_inode){
      .kind = kind, .mode = mode, .modified_ns = modified, .safe_modified_ns = modified};
  inode->last = &inode->first;
  inode->number = disk->free_count ? disk->free_numbers[--disk->free_count] : ++disk->next_number;
  return inode;
}

static void forget_changes(sim_inode *inode) {
  while (inode->first) {
    change *next = inode->first->next;
    free(inode->first);
    inode->first = next;
  }
  inode->last = &inode->first;
}

static void entries_clear(sim_disk *disk, entries *list) {
  for (size_t i = 0; i < list->count; i++) {
    free(list->items[i].name);
    sim_disk_drop(disk, list->items[i].inode);
  }
  free(list->items);
  *list = (entries){0};
}

static void free_number(sim_disk *disk, uint64_t number) {
  if (disk->free_count == disk->free_cap) {
    disk->free_cap = disk->free_cap ? disk->free_cap * 2 : 16;
    disk->free_numbers =
        must(realloc(disk->free_numbers, disk->free_cap * sizeof *disk->free_numbers));
  }
  disk->free_numbers[disk->free_count++] = number;
}

void sim_disk_keep(sim_inode *inode) {
  inode->refs++;
}

void sim_disk_drop(sim_disk *disk, sim_inode *inode) {
  if (!inode || --inode->refs > 0) return;
  forget_changes(inode);
  free(inode->live.data);
  free(inode->safe.data);
  entries_clear(disk, &inode->names);
  entries_clear(disk, &inode->safe_names);
  free_number(disk, inode->number);
  free(inode);
}

// Sets a name, dropping what had it.
static void entries_set(sim_disk *disk, entries *list, const char *name, sim_inode *inode) {
  sim_disk_keep(inode);
  entry *there = entries_find(list, name);
  if (there) {
    sim_disk_drop(disk, there->inode);
    there->inode = inode;
    return;
  }
  if (list->count == list->cap) {
    list->cap = list->cap ? list->cap * 2 : 8;
    list->items = must(realloc(list->items, list->cap * sizeof *list->items));
  }
  list->items[list->count++] = (entry){must(strdup(name)), inode};
}

// Removes a name, if it is that inode's.
static void entries_remove(sim_disk *disk, entries *list, const char *name,
                           const sim_inode *inode) {
  entry *there = entries_find(list, name);
  if (!there || there->inode != inode) return;
  entry gone = *there;
  *there = list->items[--list->count];
  free(gone.name);
  sim_disk_drop(disk, gone.inode);
}

sim_disk *sim_disk_new(uint64_t seed) {
  sim_disk *disk = must(calloc(1, sizeof *disk));
  disk->choices = mix(seed);
  disk->seed = seed;
  disk->last = &disk->first;
  disk->root = inode_new(disk, WH_FILE_FOLDER, 0755, 0);
  sim_disk_keep(disk->root);
  return disk;
}

static void name_change_free(sim_disk *disk, name_change *c) {
  sim_disk_drop(disk, c->from);
  sim_disk_drop(disk, c->to);
  sim_disk_drop(disk, c->inode);
  free(c->from_name);
  free(c->to_name);
  free(c);
}

void sim_disk_free(sim_disk *disk) {
  if (!disk) return;
  while (disk->first) {
    name_change *next = disk->first->next;
    name_change_free(disk, disk->first);
    disk->first = next;
  }
  sim_disk_drop(disk, disk->root);
  free(disk->free_numbers);
  free(disk);
}

// --- paths ---------------------------------------------------------------------------------------

typedef struct spot {
  sim_inode *folder; // NULL for the root and for paths that end in ".."
  char name[SIM_NAME_MAX + 1];
  sim_inode *inode; // NULL: the name is free
} spot;

// The next part of a path into `name`; 0, or an errno. Empty at the end.
static int next_part(const char **rest, char name[SIM_NAME_MAX + 1]) {
  const char *at = *rest;
  while (*at == '/')
    at++;
  size_t len = strcspn(at, "/");
  if (len > SIM_NAME_MAX) return ENAMETOOLONG;
  memcpy(name, at, len);
  name[len] = 0;
  at += len;
  while (*at == '/')
    at++;
  *rest = at;
  return 0;
}

static int find_spot(sim_disk *disk, const char *path, spot *ret) {
  enum { DEPTH_MAX = 64 };
  sim_inode *stack[DEPTH_MAX] = {disk->root};
  size_t depth = 0;
  if (!*path) return ENOENT;
  for (const char *rest = path; *rest;) {
    spot s = {0};
    int errnum = next_part(&rest, s.name);
    if (errnum) return errnum;
    s.folder = stack[depth];
    if (s.folder->kind != WH_FILE_FOLDER) return ENOTDIR;
    if (s.name[0] == 0 || strcmp(s.name, ".") == 0) continue;
    if (strcmp(s.name, "..") == 0) {
      depth -= depth > 0;
      continue;
    }
    const entry *there = entries_find(&s.folder->names, s.name);
    s.inode = there ? there->inode : NULL;
    if (!*rest) {
      *ret = s;
      return 0;
    }
    if (!s.inode) return ENOENT;
    if (depth + 1 == DEPTH_MAX) return ENAMETOOLONG;
    stack[++depth] = s.inode;
  }
  *ret = (spot){.inode = stack[depth]};
  return 0;
}

int sim_disk_find(sim_disk *disk, const char *path, sim_inode **ret) {
  spot s;
  int errnum = find_spot(disk, path, &s);
  if (errnum) return errnum;
  if (!s.inode) return ENOENT;
  *ret = s.inode;
  return 0;
}

// --- names ---------------------------------------------------------------------------------------

static void remember(sim_disk *disk, const spot *from, const spot *to, sim_inode *inode) {
  name_change *c = must(calloc(1, sizeof *c));
  c->inode = inode;
  sim_disk_keep(inode);
  if (from) {
    c->from = from->folder;
    c->from_name = must(strdup(from->name));
    sim_disk_keep(c->from);
  }
  if (to) {
    c->to = to->folder;
    c->to_name = must(strdup(to->name));
    sim_disk_keep(c->to);
  }
  *disk->last = c;
  disk->last = &c->next;
}

int sim_disk_create(sim_disk *disk, const char *path, wh_file_kind kind, uint32_t mode,
                    int64_t now_ns, sim_inode **ret) {
  spot s;
  int errnum = find_spot(disk, path, &s);
  if (errnum) return errnum;
  if (s.inode) return EEXIST;
  sim_inode *inode = inode_new(disk, kind, mode, now_ns);
  entries_set(disk, &s.folder->names, s.name, inode);
  remember(disk, NULL, &s, inode);
  if (ret) *ret = inode;
  return 0;
}

int sim_disk_link(sim_disk *disk, const char *from, const char *to) {
  spot a, b;
  int errnum = find_spot(disk, from, &a);
  if (!errnum && !a.inode) errnum = ENOENT;
  if (!errnum) errnum = find_spot(disk, to, &b);
  if (errnum) return errnum;
  if (b.inode) return EEXIST;
  if (a.inode->kind == WH_FILE_FOLDER) return EPERM;
  entries_set(disk, &b.folder->names, b.name, a.inode);
  remember(disk, NULL, &b, a.inode);
  return 0;
}

// Whether `inode` may take the place of what is at `to`.
static int may_replace(const sim_inode *inode, const spot *to) {
  if (!to->inode) return 0;
  bool folder = inode->kind == WH_FILE_FOLDER, other = to->inode->kind == WH_FILE_FOLDER;
  if (other && !folder) return EISDIR;
  if (folder && !other) return ENOTDIR;
  return to->inode->names.count ? ENOTEMPTY : 0;
}

static bool holds(const sim_inode *folder, const sim_inode *inode) {
  if (folder == inode) return true;
  for (size_t i = 0; i < folder->names.count; i++)
    if (holds(folder->names.items[i].inode, inode)) return true;
  return false;
}

int sim_disk_rename(sim_disk *disk, const char *from, const char *to) {
  spot a, b;
  int errnum = find_spot(disk, from, &a);
  if (!errnum && !a.inode) errnum = ENOENT;
  if (!errnum) errnum = find_spot(disk, to, &b);
  if (errnum) return errnum;
  if (!a.folder || !b.folder) return EBUSY;
  // In Linux's order.
  if (holds(a.inode, b.folder)) return EINVAL;
  if (b.inode && holds(b.inode, a.folder)) return ENOTEMPTY;
  if (a.inode == b.inode) return 0;
  errnum = may_replace(a.inode, &b);
  if (errnum) return errnum;
  sim_inode *inode = a.inode;
  sim_disk_keep(inode);
  remember(disk, &a, &b, inode);
  entries_remove(disk, &a.folder->names, a.name, inode);
  entries_set(disk, &b.folder->names, b.name, inode);
  sim_disk_drop(disk, inode);
  return 0;
}

int sim_disk_remove(sim_disk *disk, const char *path) {
  spot s;
  int errnum = find_spot(disk, path, &s);
  if (errnum) return errnum;
  if (!s.inode) return ENOENT;
  if (!s.folder) return EBUSY;
  if (s.inode->names.count) return ENOTEMPTY;
  remember(disk, &s, NULL, s.inode);
  entries_remove(disk, &s.folder->names, s.name, s.inode);
  return 0;
}

static void apply_name(sim_disk *disk, name_change *c) {
  if (c->from) entries_remove(disk, &c->from->safe_names, c->from_name, c->inode);
  if (c->to) entries_set(disk, &c->to->safe_names, c->to_name, c->inode);
}

// True when the change is over; false when it waits on.
static bool sync_name(sim_disk *disk, name_change *c, const sim_inode *folder) {
  if (c->from != folder && c->to != folder) return false;
  if (!c->from || !c->to || c->from == folder) {
    apply_name(disk, c);
    return true;
  }
  // The new name of a move between folders is safe; the old one may still come back.
  entries_set(disk, &c->to->safe_names, c->to_name, c->inode);
  sim_disk_drop(disk, c->to);
  free(c->to_name);
  c->to = NULL;
  c->to_name = NULL;
  return false;
}

int sim_disk_sync_names(sim_disk *disk, const char *path) {
  sim_inode *folder;
  int errnum = sim_disk_find(disk, path, &folder);
  if (errnum) return errnum;
  if (folder->kind != WH_FILE_FOLDER) return ENOTDIR;
  for (name_change **at = &disk->first; *at;) {
    name_change *c = *at;
    if (sync_name(disk, c, folder)) {
      *at = c->next;
      name_change_free(disk, c);
    } else {
      at = &c->next;
    }
  }
  disk->last = &disk->first;
  while (*disk->last)
    disk->last = &(*disk->last)->next;
  return 0;
}

static _Thread_local uint64_t sort_seed;

static uint64_t name_rank(const char *name) {
  uint64_t h = sort_seed;
  for (; *name; name++)
    h = mix(h ^ (unsigned char)*name);
  return h;
}

static int by_rank(const void *a, const void *b) {
  uint64_t x = name_rank(((const entry *)a)->name), y = name_rank(((const entry *)b)->name);
  return x < y ? -1 : x > y;
}

const char *sim_disk_name(sim_disk *disk, sim_inode *folder, size_t at, wh_file_kind *ret_kind) {
  if (at >= folder->names.count) return NULL;
  sort_seed = disk->seed;
  if (at == 0) qsort(folder->names.items, folder->names.count, sizeof(entry), by_rank);
  *ret_kind = folder->names.items[at].inode->kind;
  return folder->names.items[at].name;
}

// --- contents ------------------------------------------------------------------------------------

wh_file_info sim_disk_info(const sim_inode *inode) {
  return (wh_file_info){.kind = inode->kind,
                        .size = inode->live.len,
                        .modified_ns = inode->modified_ns,
                        .changed_ns = inode->modified_ns,
                        .inode = inode->number,
                        .device = 1,
                        .mode = inode->mode};
}

size_t sim_disk_read(const sim_inode *inode, uint64_t offset, void *data, size_t cap) {
  if (offset >= inode->live.len) return 0;
  size_t n = inode->live.len - (size_t)offset;
  if (n > cap) n = cap;
  if (n) memcpy(data, inode->live.data + offset, n);
  return n;
}

static void change_add(sim_inode *inode, uint64_t offset, const void *data, size_t len,
                       bool truncation) {
  change *c = must(malloc(sizeof *c + len));
  *c = (change){.truncation = truncation, .offset = offset, .len = len};
  if (len) memcpy(c->data, data, len);
  *inode->last = c;
  inode->last = &c->next;
}

void sim_disk_write(sim_inode *inode, uint64_t offset, const void *data, size_t len,
                    int64_t now_ns) {
  if (len == 0) return;
  bytes_write(&inode->live, offset, data, len);
  change_add(inode, offset, data, len, false);
  inode->modified_ns = now_ns - now_ns % SIM_TIME_STEP_NS;
}

void sim_disk_truncate(sim_inode *inode, uint64_t size, int64_t now_ns) {
  bytes_resize(&inode->live, size);
  change_add(inode, size, NULL, 0, true);
  inode->modified_ns = now_ns - now_ns % SIM_TIME_STEP_NS;
}

static void apply_change(bytes *to, const change *c) {
  if (c->truncation)
    bytes_resize(to, c->offset);
  else
    bytes_write(to, c->offset, c->data, c->len);
}

void sim_disk_sync(sim_inode *inode) {
  for (const change *c = inode->first; c; c = c->next)
    apply_change(&inode->safe, c);
  forget_changes(inode);
  inode->safe_modified_ns = inode->modified_ns;
}

void **sim_disk_lock(sim_inode *inode) {
  return &inode->lock;
}

// --- power ---------------------------------------------------------------------------------------

// How a failure deals with what is in doubt: one can be kind, cruel, or anything between.
typedef enum mood { MOOD_LOSES_ALL, MOOD_KEEPS_ALL, MOOD_TEARS, MOOD_MIXED, MOOD_COUNT } mood;

static void tear(sim_disk *disk, bytes *to, const change *c) {
  for (size_t at = 0; at < c->len;) {
    size_t n = SIM_SECTOR_BYTES - (size_t)((c->offset + at) % SIM_SECTOR_BYTES);
    if (n > c->len - at) n = c->len - at;
    if (sim_disk_choose(disk, 2)) bytes_write(to, c->offset + at, c->data + at, n);
    at += n;
  }
}

static void settle_change(sim_disk *disk, mood m, bytes *to, const change *c) {
  enum { LOSE, KEEP, TEAR, GROW };
  uint64_t fate = m == MOOD_LOSES_ALL   ? LOSE
                  : m == MOOD_KEEPS_ALL ? KEEP
                  : m == MOOD_TEARS     ? TEAR
                                        : sim_disk_choose(disk, 4);
  if (c->truncation) {
    if (fate == KEEP || (fate != LOSE && sim_disk_choose(disk, 2))) apply_change(to, c);
    return;
  }
  if (fate == KEEP) apply_change(to, c);
  if (fate == TEAR) tear(disk, to, c);
  if (fate == GROW && c->offset + c->len > to->len) bytes_resize(to, c->offset + c->len);
}

static void settle_file(sim_disk *disk, mood m, sim_inode *inode) {
  if (!inode->first) return;
  for (const change *c = inode->first; c; c = c->next)
    settle_change(disk, m, &inode->safe, c);
  forget_changes(inode);
  bytes_copy(&inode->live, &inode->safe);
  if (m == MOOD_LOSES_ALL) inode->modified_ns = inode->safe_modified_ns;
  inode->safe_modified_ns = inode->modified_ns;
}

static void settle(sim_disk *disk, mood m, sim_inode *inode) {
  if (inode->settled == disk->failures) return; // another name of the same file
  inode->settled = disk->failures;
  if (inode->kind != WH_FILE_FOLDER) {
    settle_file(disk, m, inode);
    return;
  }
  entries old = inode->names;
  inode->names = (entries){0};
  for (size_t i = 0; i < inode->safe_names.count; i++) {
    entry *e = &inode->safe_names.items[i];
    entries_set(disk, &inode->names, e->name, e->inode);
    settle(disk, m, e->inode);
  }
  entries_clear(disk, &old);
}

void sim_disk_lose_power(sim_disk *disk) {
  disk->failures++;
  mood m = (mood)sim_disk_choose(disk, MOOD_COUNT);
  mood names = (mood)sim_disk_choose(disk, MOOD_COUNT);
  name_change *c = disk->first;
  disk->first = NULL;
  disk->last = &disk->first;
  while (c) {
    name_change *next = c->next;
    bool kept = names == MOOD_KEEPS_ALL || (names != MOOD_LOSES_ALL && sim_disk_choose(disk, 2));
    if (kept) apply_name(disk, c);
    name_change_free(disk, c);
    c = next;
  }
  settle(disk, m, disk->root);
}
