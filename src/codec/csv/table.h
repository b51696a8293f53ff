// Which fields of a file are which columns.
#pragma once

#include "codec/csv/decode.h"

typedef struct csv_table {
  uint32_t fields;     // of a row of the file
  wh_str *names;       // of the fields, unique
  csv_column *columns; // those of the schema first, then those of the file that it should have
  uint32_t count;      // of all
  uint32_t known;      // of the schema
} csv_table;

// The names of the fields of the record at `start`, made unique as csv.h says; all in the arena.
// WH_ERR_DATA for a header that is wrong, WH_ERR_LIMIT for too many columns.
wh_status csv_table_name(csv_table *table, csv_decoder *d, size_t start, size_t end,
                         const uint32_t *ends, wh_arena *arena, wh_error *err);
// Makes the columns: those of `given` (NULL: of the file), as far as they are wanted. WH_ERR_DATA
// where the file does not have what the schema requires.
wh_status csv_table_match(csv_table *table, const csv_dialect *dialect,
                          const wh_codec_context *context, const wh_schema *given, wh_arena *arena,
                          wh_error *err);
// The schema of the first `count` columns; inferred ones have the types that their shapes say.
wh_status csv_table_schema(const csv_table *table, uint32_t count, wh_arena *arena, wh_schema *ret,
                           wh_error *err);
