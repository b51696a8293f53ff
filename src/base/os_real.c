#include "base/os.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

// --- errors --------------------------------------------------------------------------------------

// The words for what people meet; NULL for the rest.
static const char *plain_words(int errnum) {
  switch (errnum) {
  case ENOENT:
    return "no such file or folder";
  case ENOTDIR:
    return "a part of the path is not a folder";
  case EISDIR:
    return "is a folder";
  case EEXIST:
    return "the name is taken";
  case ENOTEMPTY:
    return "the folder is not empty";
  case EACCES:
    return "no permission";
  case EPERM:
    return "the system does not permit it";
  case EROFS:
    return "the file system is read-only";
  case ENOSPC:
    return "no space left on the device";
  case EDQUOT:
    return "the disk quota is used up";
  case EIO:
    return "the device reported an error";
  case EMFILE:
    return "this process has too many files open";
  case ENFILE:
    return "the system has too many files open";
  case ENAMETOOLONG:
    return "the name is too long";
  case ELOOP:
    return "too many symbolic links";
  case EFBIG:
    return "the file would become too large";
  case EXDEV:
    return "the two names are on different file systems";
  case ESPIPE:
    return "is not a file that can be read at a position";
  default:
    return NULL;
  }
}

wh_status wh_os_fail_errno(wh_error *err, const char *path, int errnum) {
  char words[128];
  const char *plain = plain_words(errnum);
  if (plain) {
    snprintf(words, sizeof words, "%s", plain);
  } else {
    char buffer[128];
    snprintf(words, sizeof words, "%s", strerror_r(errnum, buffer, sizeof buffer));
    // "Bad address" begins a sentence; here it continues one.
    if (islower((unsigned char)words[1])) words[0] = (char)tolower((unsigned char)words[0]);
  }
  wh_status status = wh_fail(err, wh_status_from_errno(errnum), "%s: %s", path, words);
  bool passes = status == WH_ERR_NO_SPACE || status == WH_ERR_BUSY || errnum == EMFILE;
  if (err) err->retry = passes || errnum == ENFILE;
  return status;
}

// Two names were concerned; the sentence begins with the one that was to be made.
static wh_status fail_pair(wh_error *err, const char *from, const char *to, int errnum) {
  // Only what is missing is the first one's matter, and that may be the other's folder.
  return wh_os_fail_errno(err, errnum == ENOENT && access(from, F_OK) != 0 ? from : to, errnum);
}

// --- files ---------------------------------------------------------------------------------------

typedef struct real_file {
  wh_file base;
  wh_mem *mem;
  int fd;
  uint64_t grown_to, handed_on; // where the last write ended; up to where the disk was told of it
  char path[];                  // for messages
} real_file;

static wh_file_kind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return WH_FILE_REGULAR;
  if (S_ISDIR(mode)) return WH_FILE_FOLDER;
  if (S_ISLNK(mode)) return WH_FILE_LINK;
  return WH_FILE_OTHER;
}

static wh_file_info info_of(const struct stat *st) {
  return (wh_file_info){
      .kind = kind_of(st->st_mode),
      .size = (uint64_t)st->st_size,
      .modified_ns = (int64_t)st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec,
      .changed_ns = (int64_t)st->st_ctim.tv_sec * NS_PER_S + st->st_ctim.tv_nsec,
      .inode = st->st_ino,
      .device = st->st_dev,
      .mode = st->st_mode & 07777,
  };
}

static wh_status file_read_some(wh_file *base, uint64_t offset, void *data, size_t cap, size_t *ret,
                                wh_error *err) {
  real_file *f = (real_file *)base;
  ssize_t n;
  do {
    n = pread(f->fd, data, cap, (off_t)offset);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return wh_os_fail_errno(err, f->path, errno);
  *ret = (size_t)n;
  return WH_OK;
}

static wh_status file_read_at(wh_file *base, uint64_t offset, void *data, size_t len,
                              wh_error *err) {
  real_file *f = (real_file *)base;
  for (size_t done = 0; done < len;) {
    size_t got = 0;
    WH_TRY(file_read_some(base, offset + done, (char *)data + done, len - done, &got, err));
    if (got == 0) {
      return wh_fail(err, WH_ERR_END, "%s: ends at byte %llu, before the %zu bytes from byte %llu",
                     f->path, (unsigned long long)(offset + done), len, (unsigned long long)offset);
    }
    done += got;
  }
  return WH_OK;
}

// A file that grows starts on its way to the disk in pieces, so that the sync at its end does not
// wait for all of it. Only a hint: that sync is what counts.
static void begin_writeback(real_file *f, uint64_t offset, size_t len) {
  enum { PIECE = 8 << 20 };
  if (offset != f->grown_to) f->handed_on = offset;
  f->grown_to = offset + len;
  if (f->grown_to - f->handed_on < PIECE) return;
  (void)sync_file_range(f->fd, (off_t)f->handed_on, (off_t)(f->grown_to - f->handed_on),
                        SYNC_FILE_RANGE_WRITE);
  f->handed_on = f->grown_to;
}

static wh_status file_write_at(wh_file *base, uint64_t offset, const void *data, size_t len,
                               wh_error *err) {
  real_file *f = (real_file *)base;
  for (size_t done = 0; done < len;) {
    ssize_t n = pwrite(f->fd, (const char *)data + done, len - done, (off_t)(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return wh_os_fail_errno(err, f->path, errno);
    if (n == 0) return wh_os_fail_errno(err, f->path, EIO);
    done += (size_t)n;
  }
  begin_writeback(f, offset, len);
  return WH_OK;
}

static int sync_fd(int fd) {
  int result;
  do {
    result = fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result;
}

static wh_status file_sync(wh_file *base, wh_error *err) {
  real_file *f = (real_file *)base;
  return sync_fd(f->fd) == 0 ? WH_OK : wh_os_fail_errno(err, f->path, errno);
}

static wh_status file_truncate(wh_file *base, uint64_t size, wh_error *err) {
  real_file *f = (real_file *)base;
  int result;
  do {
    result = ftruncate(f->fd, (off_t)size);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? WH_OK : wh_os_fail_errno(err, f->path, errno);
}

static wh_status file_stat(wh_file *base, wh_file_info *ret, wh_error *err) {
  real_file *f = (real_file *)base;
  struct stat st;
  if (fstat(f->fd, &st) != 0) return wh_os_fail_errno(err, f->path, errno);
  *ret = info_of(&st);
  return WH_OK;
}

static wh_status file_lock(wh_file *base, wh_error *err) {
  real_file *f = (real_file *)base;
  int result;
  do {
    result = flock(f->fd, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return WH_OK;
  if (errno != EWOULDBLOCK) return wh_os_fail_errno(err, f->path, errno);
  wh_status status = wh_fail(err, WH_ERR_BUSY, "%s: another process holds its lock", f->path);
  if (err) err->retry = true;
  return status;
}

static void file_close(wh_file *base) {
  real_file *f = (real_file *)base;
  // On Linux the descriptor is gone even where close reports EINTR. What an error could say about
  // the data, file_sync has said.
  close(f->fd);
  wh_mem_free(f->mem, f, sizeof *f + strlen(f->path) + 1);
}

static const wh_file_type real_file_type = {
    .read_at = file_read_at,
    .read_some = file_read_some,
    .write_at = file_write_at,
    .sync = file_sync,
    .truncate = file_truncate,
    .stat = file_stat,
    .lock = file_lock,
    .close = file_close,
};

static int open_flags(int flags) {
  int access = O_RDONLY;
  if (flags & WH_OPEN_WRITE) access = flags & WH_OPEN_READ ? O_RDWR : O_WRONLY;
  if (flags & WH_OPEN_CREATE) access |= O_CREAT;
  if ((flags & WH_OPEN_CREATE) && (flags & WH_OPEN_EXCLUSIVE)) access |= O_EXCL;
  // O_NONBLOCK: a named pipe somebody put there must not hold us up; files do not mind.
  return access | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
}

// The descriptor, or -1 with errno. Opening a folder to read would succeed; here it is no file.
static int open_fd(const char *path, int flags) {
  int fd;
  do {
    fd = open(path, open_flags(flags), flags & WH_OPEN_PRIVATE ? 0600 : 0666);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return -1;
  struct stat st;
  int errnum = fstat(fd, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
  if (errnum == 0) return fd;
  close(fd);
  errno = errnum;
  return -1;
}

static wh_status real_open(wh_os *os, const char *path, int flags, wh_file **ret, wh_error *err) {
  if (!(flags & (WH_OPEN_READ | WH_OPEN_WRITE))) {
    return wh_fail(err, WH_ERR_BUG, "%s: opened neither to read nor to write", path);
  }
  size_t path_size = strlen(path) + 1;
  real_file *f = wh_mem_alloc(os->mem, sizeof *f + path_size);
  if (!f) return wh_fail_memory(err);
  *f = (real_file){.base = {&real_file_type}, .mem = os->mem, .fd = open_fd(path, flags)};
  memcpy(f->path, path, path_size);
  if (f->fd >= 0) {
    *ret = &f->base;
    return WH_OK;
  }
  int errnum = errno;
  wh_mem_free(os->mem, f, sizeof *f + path_size);
  return wh_os_fail_errno(err, path, errnum);
}

// --- names ---------------------------------------------------------------------------------------

static wh_status real_stat(wh_os *os, const char *path, wh_file_info *ret, wh_error *err) {
  (void)os;
  struct stat st;
  if (lstat(path, &st) != 0) return wh_os_fail_errno(err, path, errno);
  *ret = info_of(&st);
  return WH_OK;
}

// False for an entry that went away while the folder was read.
static bool entry_kind(DIR *dir, const struct dirent *entry, wh_file_kind *ret) {
  if (entry->d_type != DT_UNKNOWN) {
    *ret = kind_of(DTTOIF(entry->d_type));
    return true;
  }
  struct stat st;
  if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
  *ret = kind_of(st.st_mode);
  return true;
}

static wh_status visit_entries(DIR *dir, const char *path, wh_dir_visit visit, void *context,
                               wh_error *err) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (!entry) return errno ? wh_os_fail_errno(err, path, errno) : WH_OK;
    wh_dir_entry found = {.name = wh_str_of(entry->d_name)};
    if (wh_str_is(found.name, ".") || wh_str_is(found.name, "..")) continue;
    if (entry_kind(dir, entry, &found.kind)) WH_TRY(visit(context, &found, err));
  }
}

static wh_status real_list(wh_os *os, const char *path, wh_dir_visit visit, void *context,
                           wh_error *err) {
  (void)os;
  DIR *dir = opendir(path);
  if (!dir) return wh_os_fail_errno(err, path, errno);
  wh_status status = visit_entries(dir, path, visit, context, err);
  closedir(dir);
  return status;
}

static wh_status real_mkdir(wh_os *os, const char *path, wh_error *err) {
  (void)os;
  return mkdir(path, 0777) == 0 ? WH_OK : wh_os_fail_errno(err, path, errno);
}

static wh_status real_link(wh_os *os, const char *from, const char *to, wh_error *err) {
  (void)os;
  if (link(from, to) == 0) return WH_OK;
  int errnum = errno;
  bool no_links = errnum == EPERM || errnum == EOPNOTSUPP || errnum == EMLINK;
  struct stat st;
  // A folder gives EPERM too, and must not move.
  if (!no_links || lstat(from, &st) != 0 || S_ISDIR(st.st_mode)) {
    return fail_pair(err, from, to, errnum);
  }
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return WH_OK;
  return fail_pair(err, from, to, errno);
}

static wh_status real_rename(wh_os *os, const char *from, const char *to, wh_error *err) {
  (void)os;
  return rename(from, to) == 0 ? WH_OK : fail_pair(err, from, to, errno);
}

static wh_status real_remove(wh_os *os, const char *path, wh_error *err) {
  (void)os;
  return remove(path) == 0 ? WH_OK : wh_os_fail_errno(err, path, errno);
}

static wh_status real_sync_dir(wh_os *os, const char *path, wh_error *err) {
  (void)os;
  int fd;
  do {
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return wh_os_fail_errno(err, path, errno);
  int errnum = sync_fd(fd) == 0 ? 0 : errno;
  close(fd);
  // EINVAL: a file system whose folders cannot be synced, because they need not be.
  return errnum == 0 || errnum == EINVAL ? WH_OK : wh_os_fail_errno(err, path, errnum);
}

// --- clock, sleep, randomness --------------------------------------------------------------------

static int64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t real_now_ns(wh_os *os) {
  (void)os;
  return clock_ns(CLOCK_REALTIME);
}

static int64_t real_monotonic_ns(wh_os *os) {
  (void)os;
  return clock_ns(CLOCK_MONOTONIC);
}

// The counter is a futex: no descriptor, every sleeper wakes, and a wake between the look at
// `pending` and the wait is seen, because the counter is read before.
static bool real_sleep_ns(wh_os *base, int64_t ns) {
  wh_os_real *os = (wh_os_real *)base;
  uint32_t seen = atomic_load(&os->wakes);
  if (atomic_exchange(&os->pending, false)) return true;
  if (ns <= 0) return false;
  int64_t now = clock_ns(CLOCK_MONOTONIC);
  int64_t end = ns > INT64_MAX - now ? INT64_MAX : now + ns;
  struct timespec until = {.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};
  while (atomic_load(&os->wakes) == seen) {
    long result = syscall(SYS_futex, &os->wakes, FUTEX_WAIT_BITSET_PRIVATE, seen, &until, NULL,
                          FUTEX_BITSET_MATCH_ANY);
    if (result != 0 && errno != EINTR && errno != EAGAIN) return false; // ETIMEDOUT
  }
  atomic_store(&os->pending, false);
  return true;
}

void wh_os_real_wake(wh_os_real *os) {
  int kept = errno; // may run in a signal handler
  atomic_store(&os->pending, true);
  atomic_fetch_add(&os->wakes, 1);
  syscall(SYS_futex, &os->wakes, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  errno = kept;
}

static wh_status real_random(wh_os *os, void *data, size_t len, wh_error *err) {
  (void)os;
  for (size_t done = 0; done < len;) {
    ssize_t n = getrandom((char *)data + done, len - done, 0);
    if (n < 0 && errno != EINTR) return wh_os_fail_errno(err, "randomness", errno);
    if (n > 0) done += (size_t)n;
  }
  return WH_OK;
}

static const wh_os_type real_type = {
    .name = "real",
    .open = real_open,
    .stat = real_stat,
    .list = real_list,
    .mkdir = real_mkdir,
    .link = real_link,
    .rename = real_rename,
    .remove = real_remove,
    .sync_dir = real_sync_dir,
    .now_ns = real_now_ns,
    .monotonic_ns = real_monotonic_ns,
    .sleep_ns = real_sleep_ns,
    .random = real_random,
};

wh_status wh_os_real_init(wh_os_real *os, wh_mem *mem, wh_error *err) {
  (void)err;
  *os = (wh_os_real){.base = {.type = &real_type, .mem = mem}};
  return WH_OK;
}

void wh_os_real_free(wh_os_real *os) {
  (void)os; // nothing is held; the verb is there for the day something is
}
