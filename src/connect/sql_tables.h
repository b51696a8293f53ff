// What a query in SQL reads besides what a database has: places outside it, each like a table. Made
// by engine/, which knows stores, codecs and manifests; read by connect/duckdb.
#pragma once

#include "codec/codec.h"

#include <stdatomic.h>

// Nothing of it changes once it is found. Threads: any may open it, several at once.
typedef struct wh_sql_table wh_sql_table;
struct wh_sql_table {
  wh_schema schema;
  uint64_t rows; // WH_SIZE_UNKNOWN: nobody has counted them
  // From its beginning. `columns` are indexes into the schema; the reader's schema has these, in
  // that order. A reader belongs to one thread at a time.
  wh_status (*open)(const wh_sql_table *table, const size_t *columns, size_t count, wh_reader **ret,
                    wh_error *err);
};

typedef struct wh_sql_tables wh_sql_tables;
struct wh_sql_tables {
  const wh_str *functions; // FROM lake('warehouse/**/*.parquet'): "lake"
  size_t function_count;
  const atomic_bool *stop; // set: what is under way is to end; may be NULL
  // `argument` is "warehouse/**/*.parquet". The same table each time; lives as long as this does.
  // One thread at a time.
  wh_status (*find)(wh_sql_tables *tables, wh_str function, wh_str argument,
                    const wh_sql_table **ret, wh_error *err);
};
