// A folder on an SFTP server as a store of objects: the object with key "outbox/x.csv" is the file
// <path>/outbox/x.csv there. This header is the folder's own; outside it only wh_connector_sftp
// matters.
//
// SSH (RFC 4251 to 4254) is libssh's; the SFTP protocol over it (version 3, draft-ietf-secsh-
// filexfer-02, with OpenSSH's extensions) is written here, so that many requests of many threads
// are under way on one line.
//
// A version is "<size>-<seconds since 1970>", of the last modification: all that version 3 of the
// protocol tells. What cannot be told apart: two contents of the same size written within one
// second.
//
// Names. A server can send any: those that could not be a part of a key are not seen, so that no
// name leads out of the folder. Symbolic links below <path> are not followed: a key that leads over
// one is refused, a listing skips it. (<path> itself may be one.)
//
// Writing goes to a temporary name: put() beside the object, under WH_TEMPORARY_PREFIX; attempts
// under _wherry/attempts/. Then the file gets its name in one step. Where nothing may be replaced
// that is RENAME, which by the protocol never replaces; else OpenSSH's posix-rename.
#pragma once

#include "base/arena.h"
#include "connect/connect.h"
#include "connect/sftp/packet.h"

#include <pthread.h>

typedef struct wh_sftp_options {
  wh_str host;
  int64_t port;
  wh_str user, path; // path: as the server takes it; empty: where it puts who logs in
  wh_str private_key, private_key_file, passphrase, password;
  wh_str_list host_key;
  wh_str known_hosts;
  int64_t connections;
  int64_t connect_timeout_us, answer_timeout_us;
  int64_t settle_us;
} wh_sftp_options;

extern const wh_connector wh_connector_sftp;
extern const wh_store_type wh_sftp_store;

#define WH_SFTP_ATTEMPTS     WH_OWN_PREFIX "attempts/"
#define WH_SFTP_ABANDONED_US INT64_C(86400000000) // a temporary file that old is nobody's any more
#define WH_SFTP_STILL_US     INT64_C(86400000000) // a file that old is not watched for changes
#define WH_SFTP_IDLE_US      INT64_C(30000000)    // a line that rested longer is not used again

enum {
  WH_SFTP_NAME_MAX = 255,             // bytes of one part of a key
  WH_SFTP_LINES_MAX = 16,             // connections to one server
  WH_SFTP_TRIES = 4,                  // of what a broken line interrupted, without progress
  WH_SFTP_READ_BYTES = 32768,         // of one request, where the server tells no limit
  WH_SFTP_READ_BYTES_MAX = 256 << 10, // where it does
  WH_SFTP_READS = 64,                 // requests of one input under way, at most
  WH_SFTP_READ_AHEAD_BYTES = 2 << 20, // that they ask for, at most
  WH_SFTP_WRITES = 64,
  WH_SFTP_WRITE_AHEAD_BYTES = 2 << 20,
  WH_SFTP_READDIRS = 4,
  WH_SFTP_PARTS_MAX = WH_KEY_MAX / 2 + 1, // of a key
  WH_SFTP_LINE_BYTES = 1 << 20,           // what libssh and OpenSSL take for a line, about
  WH_SFTP_RESERVE_BYTES = 4 * WH_SFTP_LINE_BYTES,
};

static inline const wh_sftp_options *wh_sftp_options_of(const wh_connection *c) {
  return c->options;
}

// --- line.c: a connection to the server ----------------------------------------------------------

// One SSH connection with one SFTP channel in it. Threads share it: whoever waits for an answer
// carries what comes for the others, too.
typedef struct wh_sftp_line wh_sftp_line;

// What was asked and what came of it. Zeroed with wh_sftp_request_init, freed in any case with
// wh_sftp_request_free, which also forgets one that is still under way.
typedef struct wh_sftp_request {
  uint32_t id;
  bool is_pending, is_done;
  uint8_t type;    // of the answer
  bool no_memory;  // for it
  char *data;      // READ: where the bytes go
  size_t cap, got; // of data
  wh_buf answer;   // what stands behind the id, but for DATA
  wh_mem *mem;
} wh_sftp_request;

void wh_sftp_request_init(wh_sftp_request *r, wh_mem *mem);
void wh_sftp_request_free(wh_sftp_line *line, wh_sftp_request *r);

// Connects, checks the host key, logs in, starts SFTP.
wh_status wh_sftp_line_open(wh_connection *c, wh_sftp_line **ret, wh_error *err);
void wh_sftp_line_close(wh_sftp_line *line); // NULL is fine
// Sends it, or as much as goes off at once. `r` NULL: the answer matters to nobody.
wh_status wh_sftp_start(wh_sftp_line *line, const wh_sftp_message *message, wh_sftp_request *r,
                        wh_error *err);
// Waits for the answer. WH_ERR_UNAVAILABLE: the line is broken.
wh_status wh_sftp_wait(wh_sftp_line *line, wh_sftp_request *r, wh_error *err);
// Both.
wh_status wh_sftp_ask(wh_sftp_line *line, const wh_sftp_message *message, wh_sftp_request *r,
                      wh_error *err);
bool wh_sftp_line_is_broken(wh_sftp_line *line);
// Whether the server still keeps an idle one open, as far as it was heard of.
bool wh_sftp_line_is_alive(wh_sftp_line *line);

typedef struct wh_sftp_server {
  uint32_t version;
  size_t read_bytes, write_bytes; // of one request
  bool has_posix_rename, has_fsync, has_hardlink, has_limits;
} wh_sftp_server;
const wh_sftp_server *wh_sftp_server_of(const wh_sftp_line *line);

// The error of an answer, of type STATUS or none that was expected; `what`: a key, or what was
// asked. WH_ERR_END for the end of a file or folder.
wh_status wh_sftp_judge(const wh_sftp_request *r, uint8_t wanted, wh_str what, wh_error *err);

// --- login.c: the SSH connection -----------------------------------------------------------------

struct ssh_session_struct;
struct ssh_channel_struct;
// A session that is logged in, with its SFTP channel; nothing of it blocks.
wh_status wh_sftp_login(wh_connection *c, struct ssh_session_struct **ret_session,
                        struct ssh_channel_struct **ret_channel, wh_error *err);
void wh_sftp_logout(struct ssh_session_struct *session, struct ssh_channel_struct *channel);
// Waits until the socket can be read (or written, where there is something to write), at most until
// then. WH_ERR_UNAVAILABLE when the time is over.
wh_status wh_sftp_wait_socket(wh_connection *c, struct ssh_session_struct *session,
                              int64_t until_ns, const char *what, wh_error *err);

// --- dial.c, host_key.c, key.c -------------------------------------------------------------------

// A TCP connection to the server.
wh_status wh_sftp_dial(wh_connection *c, int64_t until_ns, int *ret_fd, wh_error *err);
// Whose known hosts are asked; in the arena. Empty: there is none.
wh_str wh_sftp_known_hosts(const wh_connection *c, wh_arena *arena);
// Sets what libssh looks at.
wh_status wh_sftp_set_known_hosts(wh_connection *c, struct ssh_session_struct *session,
                                  wh_error *err);
// Whether the server is who it should be: WH_ERR_DENIED. WH_ERR_CHANGED: another of its host keys
// may be the one that `host_key` names.
wh_status wh_sftp_check_host_key(wh_connection *c, struct ssh_session_struct *session,
                                 wh_error *err);
// Proves who we are.
wh_status wh_sftp_authenticate(wh_connection *c, struct ssh_session_struct *session,
                               int64_t until_ns, wh_error *err);

// --- pool.c: the lines of a connection -----------------------------------------------------------

typedef struct wh_sftp wh_sftp; // connection->own

wh_status wh_sftp_open_pool(wh_connection *c, wh_error *err);
void wh_sftp_close_pool(wh_connection *c);
// A line that is not broken. It may be shared with others; to be released in any case.
wh_status wh_sftp_lease(wh_connection *c, wh_sftp_line **ret, wh_error *err);
void wh_sftp_release(wh_connection *c, wh_sftp_line *line); // NULL is fine

// Before it is tried again: waits. False: the `status` that a try ended with is the last word.
typedef struct wh_sftp_tries {
  int made; // without progress
} wh_sftp_tries;
bool wh_sftp_again(wh_connection *c, wh_sftp_tries *tries, wh_status status, const wh_error *err);

// Does the work on a line, and again on another one where it broke.
typedef wh_status (*wh_sftp_work)(wh_sftp_line *line, void *context, wh_error *err);
wh_status wh_sftp_do(wh_connection *c, wh_sftp_work work, void *context, wh_error *err);

// When a file that looks like this will have been still for long enough, by our clock; 0: it is.
// Remembers what it looked like.
int64_t wh_sftp_settles(wh_connection *c, const wh_object *object);

// --- path.c: keys and paths ----------------------------------------------------------------------

// The path of a key, checked; in the arena.
wh_status wh_sftp_path(wh_connection *c, wh_arena *arena, wh_str key, wh_str *ret, wh_error *err);
// As wh_sftp_path, for keys that may be written: not what the store keeps for itself.
wh_status wh_sftp_writable_path(wh_connection *c, wh_arena *arena, wh_str key, wh_str *ret,
                                wh_error *err);
// The path of a folder below the store's own; empty: that one.
wh_status wh_sftp_folder_path(wh_connection *c, wh_arena *arena, wh_str folder, wh_str *ret,
                              wh_error *err);
// A name in a folder that can be a part of a key and is no temporary file of ours.
bool wh_sftp_is_name(wh_str name);
wh_status wh_sftp_version(wh_arena *arena, const wh_sftp_attrs *attrs, wh_str *ret, wh_error *err);
// In the arena.
wh_status wh_sftp_object(wh_arena *arena, wh_str key, const wh_sftp_attrs *attrs, wh_object *ret,
                         wh_error *err);
static inline int64_t wh_sftp_modified_us(const wh_sftp_attrs *attrs) {
  return (int64_t)attrs->modified * 1000000;
}

// --- look.c: what is there -----------------------------------------------------------------------

// The questions that a look sends, one for each part of the key.
typedef struct wh_sftp_look {
  wh_sftp_line *line;
  wh_str key;
  wh_sftp_request *parts;
  size_t count;
  wh_arena arena;
} wh_sftp_look;
// Asks what is on the way to the key and at it. To be ended in any case; zero it first.
wh_status wh_sftp_look_start(wh_connection *c, wh_sftp_line *line, wh_str key, wh_sftp_look *ret,
                             wh_error *err);
// WH_ERR_NOT_FOUND: nothing, or a folder; WH_ERR_REFUSED: a symbolic link, or another thing that is
// no file, is there or on the way.
wh_status wh_sftp_look_file(wh_sftp_look *look, wh_sftp_attrs *ret, wh_error *err);
// The same where a folder is looked for.
wh_status wh_sftp_look_folder(wh_sftp_look *look, wh_error *err);
void wh_sftp_look_end(wh_sftp_look *look);
// All three, for a file.
wh_status wh_sftp_look_at(wh_connection *c, wh_sftp_line *line, wh_str key, wh_sftp_attrs *ret,
                          wh_error *err);

wh_status wh_sftp_stat(wh_connection *c, wh_str key, wh_arena *arena, wh_object *ret,
                       wh_error *err);
wh_status wh_sftp_attributes(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                             wh_attributes *ret, wh_error *err);

// --- folder.c, list.c ----------------------------------------------------------------------------

typedef struct wh_sftp_entry {
  wh_str name;
  wh_sftp_attrs attrs;
  bool is_folder; // else a regular file; nothing else is kept
} wh_sftp_entry;

typedef struct wh_sftp_folder {
  wh_arena arena;
  wh_sftp_entry *entries; // in the byte order of the keys that they stand for
  size_t count, cap;
  // Which to keep; may be NULL.
  bool (*accept)(void *context, const wh_sftp_entry *entry);
  void *context;
} wh_sftp_folder;
// What stands in a folder; one that is not there is empty. `ret` has `accept` and is to be freed in
// any case.
wh_status wh_sftp_read_folder(wh_connection *c, wh_str path, wh_sftp_folder *ret, wh_error *err);
void wh_sftp_folder_free(wh_connection *c, wh_sftp_folder *folder);

wh_status wh_sftp_list(wh_connection *c, wh_str prefix, wh_object_visit visit, void *context,
                       wh_error *err);

// --- read.c --------------------------------------------------------------------------------------

wh_status wh_sftp_open(wh_connection *c, wh_str key, wh_str version, wh_input **ret, wh_error *err);

// --- upload.c: writing under a temporary name ----------------------------------------------------

wh_status wh_sftp_create(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err);
wh_status wh_sftp_put(wh_connection *c, wh_str key, const wh_put_options *options, wh_upload **ret,
                      wh_error *err);

// --- change.c: folders, names --------------------------------------------------------------------

// Makes the folders above a key, the store's own included, and looks at each: WH_ERR_REFUSED where
// one is a link.
wh_status wh_sftp_make_folders(wh_connection *c, wh_str key, wh_error *err);
// Removes the file at a path; missing is fine.
wh_status wh_sftp_remove_path(wh_connection *c, wh_str path, wh_str what, wh_error *err);
// Gives a file, which `attrs` are of, the name of a key. WH_ERR_EXISTS when the name is taken and
// nothing may be replaced. WH_ERR_NOT_FOUND: there is no such file, or no such folder.
wh_status wh_sftp_rename(wh_connection *c, wh_str from, wh_str key, const wh_sftp_attrs *attrs,
                         bool replace, wh_error *err);
// Removes temporary files that nobody will finish from the folder that a key is in; once for each
// folder.
wh_status wh_sftp_clean_folder(wh_connection *c, wh_str key, wh_error *err);
// pool.c: true the first time.
bool wh_sftp_is_first_put(wh_connection *c, wh_str folder);

wh_status wh_sftp_publish(wh_connection *c, wh_str attempt, wh_str key, bool replace,
                          wh_arena *arena, wh_object *ret, wh_error *err);
wh_status wh_sftp_discard(wh_connection *c, wh_str attempt, wh_error *err);
wh_status wh_sftp_attempts(wh_connection *c, wh_object_visit visit, void *context, wh_error *err);
wh_status wh_sftp_remove(wh_connection *c, wh_str key, wh_error *err);
wh_status wh_sftp_withdraw(wh_connection *c, wh_str key, wh_str version, wh_str to, wh_error *err);
wh_status wh_sftp_versions(wh_connection *c, wh_str key, wh_object_visit visit, void *context,
                           wh_error *err);
wh_status wh_sftp_purge(wh_connection *c, wh_str key, int64_t before_us, uint64_t *ret_count,
                        wh_error *err);
wh_status wh_sftp_restore(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                          wh_object *ret, wh_error *err);
// The path of an attempt, its name checked.
wh_status wh_sftp_attempt_path(wh_connection *c, wh_arena *arena, wh_str attempt, wh_str *ret,
                               wh_error *err);
