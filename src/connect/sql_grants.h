// Grants in database servers: which rights on which tables follow from what pipelines do is the
// same in each of them and stands in sql_grants.c; how a server spells rights, and what else it
// wants (schemas, databases), is its dialect's.
#pragma once

#include "connect/grants.h"
#include "connect/sql.h"

enum {
  WH_SQL_MAY_SELECT = 1,
  WH_SQL_MAY_INSERT = 2,
  WH_SQL_MAY_UPDATE = 4,
  WH_SQL_MAY_DELETE = 8,
  WH_SQL_MAY_CREATE = 16,
  WH_SQL_MAY_DROP = 32,
  WH_SQL_MAY_ALTER = 64,
  WH_SQL_MAY_CHANGE = WH_SQL_MAY_SELECT | WH_SQL_MAY_INSERT | WH_SQL_MAY_UPDATE,
};

// What is known of a table, or, where a pipeline reads a query, of a table that the query names.
typedef enum wh_sql_presence {
  WH_SQL_THERE,
  WH_SQL_OWNED,   // there, and the user's own: nothing has to be granted
  WH_SQL_MISSING, // or not to be seen by who asked
  WH_SQL_UNKNOWN, // nobody could be asked
} wh_sql_presence;

typedef struct wh_sql_table_grant {
  wh_str schema, table; // as the server spells them
  wh_sql_presence presence;
  unsigned rights;
  bool every_column; // SELECT is for the whole table
  wh_str *columns;   // else for these
  size_t column_count;
  wh_str who; // "export-orders, import-orders"
} wh_sql_table_grant;

struct wh_sql_dialect;

typedef struct wh_sql_grants {
  const struct wh_sql_dialect *dialect;
  wh_connection *connection;
  wh_sql_session *session; // NULL: nobody could be asked
  wh_arena *arena;
  wh_str user;
  wh_str home; // schema of names without one
  wh_sql_table_grant *tables;
  size_t count, cap;
  wh_str temporary; // who makes tables of the session's own; empty: nobody
  wh_str who;       // everybody
  wh_grant_visit visit;
  void *context;
} wh_sql_grants;

typedef struct wh_sql_dialect {
  const wh_sql_driver *driver;
  unsigned to_append; // rights on a table that is only appended to
  // Where names without a schema lie, and who logs in, when nobody could be asked.
  wh_str (*home)(const wh_connection *c);
  // Whether the table is the user's own. NULL: owners have no rights by themselves.
  wh_status (*owns)(wh_sql_grants *g, wh_str schema, wh_str table, bool *ret, wh_error *err);
  // Adds the tables of a query (wh_sql_grants_add). NULL: the server cannot tell them.
  wh_status (*add_query)(wh_sql_grants *g, const wh_need *need, wh_error *err);
  // Says all the grants, in an order in which they can be run.
  wh_status (*say)(wh_sql_grants *g, wh_error *err);
} wh_sql_dialect;

// The verb of connectors.
wh_status wh_sql_grants_visit(const wh_sql_dialect *dialect, wh_connection *c,
                              const wh_grants_request *request, wh_arena *arena,
                              wh_grant_visit visit, void *context, wh_error *err);

// For dialects. The table's entry, made when there is none; its presence is that of the first call.
wh_status wh_sql_grants_add(wh_sql_grants *g, wh_str schema, wh_str table, wh_str who,
                            wh_sql_presence presence, wh_sql_table_grant **ret, wh_error *err);
wh_status wh_sql_grants_add_column(wh_sql_grants *g, wh_sql_table_grant *t, wh_str column,
                                   wh_error *err);
wh_status wh_sql_grants_say(wh_sql_grants *g, const wh_buf *sql, wh_str why, wh_error *err);
__attribute__((format(printf, 3, 4))) wh_status
wh_sql_grants_remark(wh_sql_grants *g, wh_error *err, const char *fmt, ...);
// `SELECT ("a", "b"), INSERT` of the rights that have a name in `rights`; the columns where
// `columns` allows them here.
bool wh_sql_add_rights(wh_buf *sql, const wh_sql_grants *g, const wh_sql_table_grant *t,
                       unsigned rights, bool columns);
// `"a", "b"`
bool wh_sql_add_grant_columns(wh_buf *sql, const wh_sql_grants *g, const wh_sql_table_grant *t);
// "export-orders" behind "import-orders, "; each once. Empty without memory.
wh_str wh_sql_join_who(wh_arena *arena, wh_str all, wh_str who);
