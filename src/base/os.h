// The operating system behind one small interface: files, clock, randomness. There are two: the
// real one (wh_os_real), and a simulated one in tests/support that keeps files in memory, loses
// what was not synced when its power fails, and fails any call on demand. Everything that touches
// a file or asks the time goes through here, SQLite too (see sqlite_vfs).
//
// Paths are as the system takes them, relative ones from the working directory. Durability: data
// is safe after wh_file_sync, a name (created, linked, renamed, removed) after wh_os_sync_dir of
// its folder.
//
// Threads: a wh_os may be used by several threads at once; one wh_file by one thread at a time,
// except read_at, which may be called from several.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "base/stream.h"

#include <stdint.h>

typedef struct wh_os wh_os;
typedef struct wh_file wh_file;

typedef enum wh_open_flags {
  WH_OPEN_READ = 1,
  WH_OPEN_WRITE = 2,
  WH_OPEN_CREATE = 4,    // make it if it is missing
  WH_OPEN_EXCLUSIVE = 8, // with CREATE: fail with WH_ERR_EXISTS if it is there
  WH_OPEN_PRIVATE = 16,  // with CREATE: mode 0600 instead of 0666 less umask
} wh_open_flags;

typedef enum wh_file_kind {
  WH_FILE_REGULAR,
  WH_FILE_FOLDER,
  WH_FILE_LINK,
  WH_FILE_OTHER
} wh_file_kind;

typedef struct wh_file_info {
  wh_file_kind kind;
  uint64_t size;
  int64_t modified_ns; // since 1970, UTC; whoever copies a file may set it
  int64_t changed_ns;  // when the system last saw its bytes or its name change, by its own clock
  uint64_t inode;
  uint64_t device;
  uint32_t mode; // permission bits
} wh_file_info;

typedef struct wh_dir_entry {
  wh_str name; // lives as long as the call
  wh_file_kind kind;
} wh_dir_entry;

// Returning anything but WH_OK ends the listing with that status.
typedef wh_status (*wh_dir_visit)(void *context, const wh_dir_entry *entry, wh_error *err);

typedef struct wh_os_type {
  const char *name;
  const char *sqlite_vfs; // the VFS to open SQLite databases with; NULL: SQLite's default

  wh_status (*open)(wh_os *os, const char *path, int flags, wh_file **ret, wh_error *err);
  wh_status (*stat)(wh_os *os, const char *path, wh_file_info *ret,
                    wh_error *err); // no link followed
  // Every entry but "." and "..", in no order.
  wh_status (*list)(wh_os *os, const char *path, wh_dir_visit visit, void *context, wh_error *err);
  wh_status (*mkdir)(wh_os *os, const char *path, wh_error *err); // WH_ERR_EXISTS if there
  // A second name for a file; never replaces: WH_ERR_EXISTS. Where the file system has no hard
  // links, the file moves instead and `from` is gone.
  wh_status (*link)(wh_os *os, const char *from, const char *to, wh_error *err);
  wh_status (*rename)(wh_os *os, const char *from, const char *to, wh_error *err); // replaces
  wh_status (*remove)(wh_os *os, const char *path, wh_error *err); // a file or an empty folder
  wh_status (*sync_dir)(wh_os *os, const char *path, wh_error *err);

  int64_t (*now_ns)(wh_os *os);       // wall clock, since 1970, UTC
  int64_t (*monotonic_ns)(wh_os *os); // for intervals
  // Sleeps at most ns; returns early when somebody woke the sleepers (then true).
  bool (*sleep_ns)(wh_os *os, int64_t ns);
  wh_status (*random)(wh_os *os, void *data, size_t len, wh_error *err); // for secrets and names
} wh_os_type;

enum { WH_OS_KNOWN_NAMES = 512 };

struct wh_os {
  const wh_os_type *type;
  wh_mem *mem;
  // Names that this program has made durable (wh_os_name_is_known): hashes, each in the one slot
  // that it can have. Starts as zeros.
  _Atomic uint64_t known_names[WH_OS_KNOWN_NAMES];
};

typedef struct wh_file_type {
  // Exactly len bytes, or WH_ERR_END when the file is shorter.
  wh_status (*read_at)(wh_file *f, uint64_t offset, void *data, size_t len, wh_error *err);
  // Up to cap bytes; 0 at the end.
  wh_status (*read_some)(wh_file *f, uint64_t offset, void *data, size_t cap, size_t *ret,
                         wh_error *err);
  wh_status (*write_at)(wh_file *f, uint64_t offset, const void *data, size_t len, wh_error *err);
  wh_status (*sync)(wh_file *f, wh_error *err);
  wh_status (*truncate)(wh_file *f, uint64_t size, wh_error *err);
  wh_status (*stat)(wh_file *f, wh_file_info *ret, wh_error *err);
  // An exclusive lock on the whole file, gone with the process: WH_ERR_BUSY if somebody has it.
  wh_status (*lock)(wh_file *f, wh_error *err);
  void (*close)(wh_file *f);
} wh_file_type;

struct wh_file {
  const wh_file_type *type;
};

// The real one. `mem` accounts for the handles.
typedef struct wh_os_real {
  wh_os base;
  _Atomic uint32_t wakes; // counts up; sleepers wait for it to change
  _Atomic bool pending;   // a wake that found nobody asleep
} wh_os_real;
wh_status wh_os_real_init(wh_os_real *os, wh_mem *mem, wh_error *err);
void wh_os_real_free(wh_os_real *os);
// Ends the sleep_ns of every thread that is asleep, or the next one when none is; safe in a signal
// handler.
void wh_os_real_wake(wh_os_real *os);

// Shorthands.
wh_status wh_os_open(wh_os *os, const char *path, int flags, wh_file **ret, wh_error *err);
void wh_file_close(wh_file *f); // NULL is fine
wh_status wh_os_exists(wh_os *os, const char *path, bool *ret, wh_error *err);
// Makes the folder and those above it. When it returns, all their names are durable, provided that
// everybody who puts things into such folders calls it first.
wh_status wh_os_make_path(wh_os *os, const char *path, wh_error *err);
// Whether the name of the folder that `info` describes was synced (wh_os_name_know) since this
// program started. It may have been forgotten since; it is never made up, except where somebody
// else removed the folder and made another under the same name, which then got the same number.
bool wh_os_name_is_known(wh_os *os, const char *path, const wh_file_info *info);
void wh_os_name_know(wh_os *os, const char *path, const wh_file_info *info);
void wh_os_name_forget(wh_os *os, const char *path, const wh_file_info *info);
// An input that reads a file from its begin; both are the caller's, close does nothing.
typedef struct wh_file_input {
  wh_input base;
  wh_file *file;
  uint64_t at;
} wh_file_input;
void wh_file_input_init(wh_file_input *in, wh_file *file, uint64_t size); // or WH_SIZE_UNKNOWN
// Whole small files. Reading refuses more than max bytes (WH_ERR_LIMIT).
wh_status wh_os_read_file(wh_os *os, const char *path, size_t max, wh_arena *arena, wh_str *ret,
                          wh_error *err);
// Replaces or creates atomically and durably: temporary name, sync, rename, sync folder.
// What a crash leaves behind is named by WH_TEMPORARY_PREFIX.
#define WH_TEMPORARY_PREFIX ".wherry-tmp-"
wh_status wh_os_write_file(wh_os *os, const char *path, wh_str data, bool is_private,
                           wh_error *err);
// "folder/name" in the arena; an absolute `name` stands alone, and so does one in "" or ".".
// NULL without memory.
[[nodiscard]] char *wh_path_join(wh_arena *arena, const char *folder, const char *name);
// The part before the last '/', "." where there is none, "/" for the root.
[[nodiscard]] char *wh_path_folder(wh_arena *arena, const char *path);
wh_str wh_path_name(wh_str path); // the part behind the last '/'

int64_t wh_now_us(wh_os *os); // wall clock in microseconds, the unit of run times and orders

// For implementations: "path: no such file or folder", with the status (and whether a retry can
// help) that belong to errnum.
wh_status wh_os_fail_errno(wh_error *err, const char *path, int errnum);
