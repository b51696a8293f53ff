// The ledger in SQLite: one connection, its cached statements, a lock file for each name held.
#pragma once

#include "ledger/database.h"
#include "ledger/migrations.h"

#include <sqlite3.h>

enum {
  SQLITE_LEDGER_CACHE_KIB = 2048, // pages kept in memory
  SQLITE_LEDGER_BUSY_MS = 5000,   // how long another process may hold the database
  // A larger write-ahead log is cut back at the next checkpoint.
  SQLITE_LEDGER_WAL_BYTES_KEPT = 8 << 20,
};

typedef struct sqlite_statement {
  const char *sql; // identity: each text is one literal
  sqlite3_stmt *stmt;
} sqlite_statement;

typedef struct sqlite_ledger {
  ledger base;    // first
  wh_arena arena; // the paths
  const char *lock_folder;
  sqlite3 *db;
  sqlite3_stmt *rollback;
  sqlite_statement statements[LEDGER_STATEMENTS_MAX];
  size_t statement_count;
  int64_t ahead_us; // what the ledger's clock is ahead of the machine's
} sqlite_ledger;

// The ledger's clock.
static inline int64_t sqlite_now_us(const sqlite_ledger *l) {
  return wh_now_us(l->base.os) + l->ahead_us;
}

// From nothing to today's tables, wherever the pages are kept.
#define SQLITE_LEDGER_MIGRATIONS                                                                   \
  &wh_ledger_migration_1, &wh_ledger_migration_2, &wh_ledger_migration_3, &wh_ledger_migration_4,  \
      &wh_ledger_migration_5, &wh_ledger_migration_6, &wh_ledger_migration_7

// What a ledger's tables are made by: migration i leads from version i to version i + 1.
typedef struct sqlite_schema {
  const wh_str *const *migrations;
  int version;
} sqlite_schema;

extern const ledger_driver sqlite_driver;

// What SQLite's last failure on the connection means: no space, busy, damaged, ...
wh_status sqlite_fail(sqlite_ledger *l, int rc, wh_error *err);
wh_status sqlite_exec(sqlite_ledger *l, const char *sql, wh_error *err);
wh_status sqlite_begin(ledger *l, wh_error *err);
wh_status sqlite_end(ledger *l, wh_status status, wh_error *err);
// Makes the schema what this program knows. WH_ERR_REFUSED: it is something else's, or newer.
wh_status sqlite_migrate(sqlite_ledger *l, const sqlite_schema *known, wh_error *err);
// The clock for the SQL of the verbs, and what rolling back needs: after that verbs may come.
wh_status sqlite_get_ready(sqlite_ledger *l, wh_error *err);
void sqlite_close_database(sqlite_ledger *l); // half-built is fine

// A locked file NAME.lock, gone with the process.
wh_status sqlite_hold(ledger *l, ledger_lease *lease, wh_error *err);
wh_status sqlite_renew(ledger *l, const ledger_lease *lease, wh_error *err);
void sqlite_give_back(ledger *l, ledger_lease *lease);
wh_status sqlite_is_held(ledger *l, wh_str name, bool *ret, wh_error *err);
