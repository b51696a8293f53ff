// The rights that a user of a database server must have for what pipelines and lookups do there.
#pragma once

#include "base/node.h"
#include "connect/sink.h"

// What one pipeline or lookup does at a connection: it reads a table or a query, or it loads into a
// table.
typedef struct wh_need {
  wh_str who; // "export-orders"
  bool loads;
  wh_str table;
  wh_str query; // reading; then no table
  // Reading: which columns.
  bool every_column;
  const wh_str *columns;
  size_t column_count;
  bool by_key;          // also the first column of its primary key
  const wh_node *words; // options whose words may be columns, too; NULL: none
  // Loading.
  wh_write_mode mode;
  bool has_key;
  bool side_table;
  bool erases;       // rows that are gone at the source may come
  bool adds_columns; // to a table that lacks them
} wh_need;

typedef struct wh_grant {
  wh_str sql; // one statement, without a semicolon; empty: a remark
  wh_str why; // "export-orders, import-orders"; of a remark, the sentence
} wh_grant;
typedef wh_status (*wh_grant_visit)(void *context, const wh_grant *grant, wh_error *err);

typedef struct wh_grants_request {
  const wh_need *needs;
  size_t count;
  wh_str user; // who gets the rights; empty: the connection's
} wh_grants_request;
