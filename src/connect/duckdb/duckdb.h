// SQL models: the rows that a SELECT in a file gives, run by an embedded DuckDB.
//
//   from: models/car_owners.sql
//
// In the SQL each connection that holds objects is a table function with its name, whose argument
// is a pattern of keys:
//
//   SELECT o.name, c.model FROM lake('warehouse/cars/**/*.parquet') AS c JOIN ...
//
// Its rows come through Wherry's own stores and codecs (connect/sql_tables.h), so that it does not
// matter where the objects are, or whether they are encrypted. DuckDB itself reaches nothing: no
// files, no network, no extensions, and no setting can be changed by the SQL.
//
// Types, both ways: docs/guide/models.md. A result's type that Wherry does not have (interval, map,
// uuid, ...) is refused by its column's name; so is a value that does not fit.
//
// Nobody declares a connection of this type: config/ makes one of each model, named by its path.
// `wh_source_query.query` is the SQL, and `wh_source_query.tables` what it may read.
#pragma once

#include "connect/connect.h"

extern const wh_connector wh_connector_duckdb;

typedef struct wh_duckdb_options {
  int64_t memory_bytes; // of DuckDB, which is beside `memory`; past it DuckDB spills to disk
  int64_t threads;      // 0: as many as there are processors
  wh_str scratch;       // folder that it spills into; made when it is needed
} wh_duckdb_options;
