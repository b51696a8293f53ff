// The ledger in a table of DynamoDB, for workers that keep nothing: a SQLite database in memory
// whose pages are kept in items. Many ledgers can share a table. Its key is ledger (S), part (N):
//
//   ledger NAME, part 0     the head, one item:
//       format N   1
//       commit N   how many transactions there were
//       id     S   of the last one: 16 hex digits by chance
//       recent B   the ids of the last DYNAMO_IDS_MAX, newest first, 8 bytes each
//       log    B   what leads from no pages to those of now: entries (dynamo_entry), oldest first
//   ledger NAME, part C R I  a piece of an entry that is too long for the head, in `data` (B). The
//       part is a decimal number: the commit that wrote it, 9 digits by chance, 4 of the piece
//
// A transaction works on the pages in memory. Its commit is one PutItem of the head, under the
// condition that the head's id is the one that the pages came from: whoever was slower does it
// again, on the pages of now. So each commit is atomic, and each is built on the one before.
//
// Of an answer that is lost nobody knows whether it was a yes. The same request is sent again: a no
// and our id among the recent ones mean that the first had done it.
//
// When the log gets long, the commit puts one entry with all pages in its place. After it, pieces
// that were written for this commit or an earlier one and that the head does not name can be wanted
// by nobody any more, and are deleted: a writer whose head would name them is refused, a reader
// that misses them begins with the new head.
//
// Reading sees what was committed DYNAMO_FRESH_US ago, or later. What changes something is built on
// the last commit, whatever it read, and so is a no because of what another worker did.
//
// Actions of the API, for policies, all on the one table:
//   opening, reading     GetItem; Query where an entry is in pieces
//   opening, once        DescribeTable, CreateTable, where the table is missing
//   changing something   PutItem, GetItem; Query, DeleteItem after a commit with all pages
//   check --connect      DescribeTable
#pragma once

#include "connect/dynamodb/ledger_place.h"
#include "ledger/dynamodb/pages.h"
#include "ledger/lease_rows.h"
#include "ledger/sqlite_ledger.h"

enum {
  DYNAMO_FORMAT = 1,
  DYNAMO_IDS_MAX = 32,
  DYNAMO_ID_HEX = 16,
  DYNAMO_TRIES_MAX = 100,          // of a transaction that others are in the way of
  DYNAMO_FRESH_US = 1000000,       // how old what a verb reads may be
  DYNAMO_PATIENCE_US = 15000000,   // how long a verb waits for a service that does not answer
  DYNAMO_RETRY_US = 250000,        // between two tries to reach it
  DYNAMO_PAUSE_US_MIN = 1000,      // behind somebody else's commit: doubled each time,
  DYNAMO_PAUSE_DOUBLINGS_MAX = 8,  // so often
  DYNAMO_INLINE_BYTES_MAX = 8192,  // of an entry in the head
  DYNAMO_PIECE_BYTES = 300 * 1024, // of a longer one, in one item
  DYNAMO_PIECES_MAX = 1000,
  DYNAMO_LOG_BYTES_MIN = 16 * 1024, // the log's length that brings an entry with all pages
  DYNAMO_LOG_BYTES_MAX = 256 * 1024,
  DYNAMO_FAR_BYTES_MIN = 64 * 1024, // the same of what its entries have in pieces
  DYNAMO_RELOADS_MAX = 5,           // pieces were deleted while they were being read
  DYNAMO_RENEWALS = 3,              // of a lease, before it is over
};

typedef struct dynamo_head {
  uint64_t commit;
  uint64_t ids[DYNAMO_IDS_MAX];
  size_t id_count;
  wh_buf log;
} dynamo_head;

// As it stands in the log: 32 bytes, little-endian, in this order, then `stored` where pieces is 0.
typedef struct dynamo_entry {
  uint64_t commit; // that it leads to
  uint64_t hash;   // as dynamo_pages_differ
  uint32_t plain_bytes;
  uint32_t stored_bytes; // compressed with zstd
  uint32_t pieces;       // 0: in the head
  uint32_t chance;       // of the pieces' numbers
  wh_str stored;         // empty where it is in pieces
} dynamo_entry;
enum { DYNAMO_ENTRY_BYTES = 32 };

typedef struct dynamo_keeper {
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  bool has_mutex, runs, stopping;
} dynamo_keeper;

typedef struct dynamo_ledger {
  sqlite_ledger sql; // first
  wh_connection connection;
  wh_dynamodb_ledger_options options;
  wh_str table, name;
  ledger_holder holder;
  char vfs_name[48];
  sqlite3_vfs vfs;
  bool has_vfs;
  int locked; // by SQLite, of the file that the pages are: SQLITE_LOCK_*
  dynamo_pages pages;
  dynamo_head head;   // the pages are its
  int64_t seen_ns;    // when it was the last one, monotonic
  int64_t attempt_ns; // when the statement or transaction that goes on began
  bool is_behind;     // another commit is known of
  bool is_closing;    // waits for no service any more
  bool was_committed; // by the statement or transaction that goes on
  bool in_the_way;    // another worker's commit was
  bool has_fault;     // why it could not be committed
  wh_status fault;
  wh_error fault_error;
  unsigned losses; // to others, in a row
  bool is_untidy;  // pieces are left that nobody wants
  dynamo_keeper keeper;
} dynamo_ledger;

extern const ledger_driver dynamo_driver;

static inline void dynamo_head_free(dynamo_head *head) {
  wh_buf_free(&head->log);
}
#define DYNAMO_CLEAN_HEAD __attribute__((cleanup(dynamo_head_free))) dynamo_head

// --- items.c: requests. Each waits for a service that does not answer, as long as a verb may.

// Zeroes where there is no head yet. WH_ERR_NOT_FOUND: there is no such table.
wh_status dynamo_get_head(dynamo_ledger *l, dynamo_head *ret, wh_error *err);
// Where the head's id still is that of l->head. WH_ERR_CHANGED: it is not, which may be because of
// an attempt before the last one.
wh_status dynamo_put_head(dynamo_ledger *l, const dynamo_head *head, int *ret_attempts,
                          wh_error *err);
wh_status dynamo_put_pieces(dynamo_ledger *l, const dynamo_entry *entry, wh_str stored,
                            wh_error *err);
// WH_ERR_NOT_FOUND: not all of them are there.
wh_status dynamo_get_pieces(dynamo_ledger *l, const dynamo_entry *entry, wh_buf *out,
                            wh_error *err);
// Deletes the pieces of l->head's commit and of those before that are not of its first entry.
wh_status dynamo_tidy(dynamo_ledger *l, wh_error *err);
wh_status dynamo_make_table(dynamo_ledger *l, wh_error *err);

// --- log.c: what leads from commit to commit

// The entry at *at, which moves behind it. False at the end, or where the log is damaged
// (*at < log.len).
bool dynamo_log_next(wh_str log, size_t *at, dynamo_entry *ret);
// Brings pages and head to the last commit.
wh_status dynamo_refresh(dynamo_ledger *l, wh_error *err);
// Commits the pages as they are now, unless they are as they were.
wh_status dynamo_commit(dynamo_ledger *l, wh_error *err);

// --- vfs.c: the pages as SQLite's file. Its sync is the commit.

wh_status dynamo_vfs_register(dynamo_ledger *l, wh_error *err);
void dynamo_vfs_unregister(dynamo_ledger *l);

// --- keeper.c: what is held, and the thread that renews it

wh_status dynamo_hold(ledger *l, ledger_lease *lease, wh_error *err);
wh_status dynamo_renew(ledger *l, const ledger_lease *lease, wh_error *err);
void dynamo_give_back(ledger *l, ledger_lease *lease);
wh_status dynamo_keeper_init(dynamo_ledger *l, wh_error *err); // starts nothing
void dynamo_keeper_stop(dynamo_ledger *l);                     // half-built is fine
