// How a schema's columns become Parquet's: leaves, which hold values, and schema elements, which
// name and nest them. Lists have the three levels that the specification of LogicalTypes asks for.
//
//   bool BOOLEAN; int8..int32, uint8..uint32 INT32, int64 and uint64 INT64, with INTEGER where the
//   width or sign differs; float32 FLOAT; float64 DOUBLE; decimal INT32 to 9 digits, INT64 to 18,
//   else FIXED of the fewest bytes; date INT32; time[s, ms] INT32, in ms; time[us, ns] INT64;
//   timestamp INT64, in ms (from s, too), us or ns; string, binary BYTE_ARRAY; null INT32 (NULL)
//
// Parquet has no seconds; the file then carries our schema (PQ_SCHEMA_KEY), from which our reader
// restores them.
#pragma once

#include "codec/parquet/metadata.h"
#include "data/batch.h"

#define PQ_SCHEMA_KEY "wherry.schema"

// A column, a struct's field, or a list's item, on the way to a leaf.
typedef struct pq_node {
  const wh_field *field;
  uint32_t child;  // its index among its parent's children
  uint8_t defined; // definition level of what lies in it, when it is not NULL
} pq_node;

typedef struct pq_leaf {
  size_t column; // of the schema
  const pq_node *nodes;
  size_t node_count; // nodes[0] is the column
  const wh_type *type;
  pq_type physical;
  uint32_t width; // bytes of a value as pages hold it; of a boolean, 1 before packing; text: 0
  int64_t factor; // that values are multiplied with: 1000 for seconds
  bool unsigned_order;
  uint8_t max_definition, max_repetition;
  pq_texts path;
} pq_leaf;

typedef struct pq_layout {
  const wh_schema *schema; // borrowed
  pq_leaf *leaves;
  size_t count;
  pq_structs elements; // of pq_schema_element
  bool has_seconds;
} pq_layout;

// Into the arena. WH_ERR_TYPE for what Parquet cannot hold: a struct without fields, no columns.
wh_status pq_layout_make(const wh_schema *schema, wh_arena *arena, pq_layout *ret, wh_error *err);

// Neither lists nor structs are in the way: levels are the validity bits.
static inline bool pq_leaf_is_flat(const pq_leaf *leaf) {
  return leaf->node_count == 1;
}
