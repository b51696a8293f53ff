// The ledger in PostgreSQL: a schema that any number of workers share.
//
// Sessions. The verbs have one; the keeper (keeper.c) has another, in a thread of its own, so that
// leases are renewed whatever the verbs wait for.
//
// A lost connection. A statement by itself is done again over a new one: the verbs that are one
// statement may happen twice. A transaction that was not committed is done again from its start;
// where nobody knows whether it was, only if it may happen twice (LEDGER_TRANSACTION).
//
// Others in the way. What the server ended because two waited for each other (40P01), or because of
// what another committed meanwhile (40001), did nothing and is done again, LEDGER_TRIES_MAX times
// in all. Transactions lock what they need in this order: lease, run, pipeline, all else.
#pragma once

#include "base/buf.h"
#include "connect/postgres/session.h"
#include "ledger/lease_rows.h"

enum {
  PG_LEDGER_PATIENCE_US = 15 * 1000000, // how long a verb waits for a server that went away
  PG_LEDGER_RETRY_US = 500 * 1000,      // between two tries to reach it
  // After which a server that says nothing counts as gone, and the server ends the transaction of a
  // worker that does. At most two thirds of the lease: it is noticed before that runs out, and a
  // worker that is stopped keeps others from what it had locked no longer than from its pipelines.
  PG_LEDGER_SILENCE_MS = 10 * 1000,
  PG_LEDGER_RENEWALS = 3,         // of a lease, before it is over
  PG_LEDGER_PAGE = 100,           // rows of a listing in one journey to the server
  PG_LEDGER_HEARD_MAX = 64 << 10, // bytes of names that wait to be taken
};

typedef struct pg_keeper {
  pthread_t thread;
  bool runs;
  wh_connection connection; // the ledger's, but with a cancel flag
  wh_pg_session *session;
  int wake_fd;  // something changed for the keeper
  int heard_fd; // something was heard
  pthread_mutex_t heard_mutex;
  bool has_mutex;
  wh_buf heard;         // names, each with a NUL behind it; an empty one means all
  atomic_bool stopping; // also the connection's cancel flag
  atomic_bool listens;  // somebody wants to hear
  atomic_int own_pid;   // of the verbs' session at the server: what it tells is no news
} pg_keeper;

typedef struct pg_ledger {
  ledger base;    // first
  wh_arena arena; // the texts
  wh_connection connection;
  wh_pg_options options;
  ledger_holder holder;
  wh_pg_session *session;                      // NULL: lost
  const char *prepared[LEDGER_STATEMENTS_MAX]; // in this session, each as "w" and its number
  size_t prepared_count;
  bool has_held;   // something, once
  bool is_closing; // waits for no server any more
  bool in_transaction;
  bool lost;        // the transaction that failed had not been committed: its connection is gone
  bool in_the_way;  // the same, but others were in the way
  bool is_doubtful; // the connection was lost while it was being committed
  wh_arena scratch; // of one statement
  pg_keeper keeper;
} pg_ledger;

extern const ledger_driver pg_driver;

// Opens a session for the ledger, with its schema in front: the verbs' (c is l's), or the keeper's.
// WH_ERR_REFUSED: the database is not in UTF-8.
wh_status pg_ledger_connect(const pg_ledger *l, wh_connection *c, wh_pg_session **ret,
                            wh_error *err);
// Makes the schema what this program knows.
wh_status pg_ledger_migrate(pg_ledger *l, wh_error *err);

// Runs one statement; its rows are in binary and the caller clears them. One without data is NULL.
// Reconnects as said above.
wh_status pg_ledger_run(pg_ledger *l, const char *sql, const wh_str *params, size_t count,
                        PGresult **ret, wh_error *err);
void pg_ledger_drop_session(pg_ledger *l);

// As PostgreSQL's text can hold it, and back: a byte that is not UTF-8, and NUL, as \xHH, a
// backslash as two. Without data when there is no memory.
wh_str pg_text_escape(wh_str text, wh_arena *arena);
wh_str pg_text_unescape(wh_str text, wh_arena *arena);

// --- names held (keeper.c)

wh_status pg_hold(ledger *l, ledger_lease *lease, wh_error *err);
wh_status pg_renew(ledger *l, const ledger_lease *lease, wh_error *err);
void pg_give_back(ledger *l, ledger_lease *lease);

wh_status pg_lock_queue(ledger *l, wh_str pipeline, wh_error *err);
wh_status pg_put_block(ledger *l, wh_str pipeline, const wh_put *puts, size_t count,
                       uint64_t *ret_new, wh_error *err);
wh_status pg_tell(ledger *l, wh_str pipeline, wh_error *err);

// The thread that renews what is held, and listens.
wh_status pg_keeper_init(pg_ledger *l, wh_error *err); // starts nothing
wh_status pg_keeper_start(pg_ledger *l, wh_error *err);
void pg_keeper_stop(pg_ledger *l); // half-built is fine
wh_status pg_listen(wh_ledger *l, int *ret_fd, wh_error *err);
void pg_heard(wh_ledger *l, void (*visit)(void *context, wh_str pipeline), void *context);
