// The schema of a file: Parquet's elements as a tree of nodes and as Wherry's types.
//
// How physical and logical types are taken (LogicalTypes.md):
//   boolean                          bool
//   int32, int64 (INTEGER)           int8..int64, uint8..uint64
//   float, double; FLOAT16           float32, float64; float32
//   DECIMAL on any physical type     decimal(p,s), p up to 38
//   DATE, TIME, TIMESTAMP            date, time[u], timestamp[u] or timestamp[u,UTC]
//   int96                            timestamp without zone, [us], or [ns] on request
//   byte array: STRING, ENUM, JSON   string
//   byte array otherwise, BSON       binary
//   fixed length byte array          binary; UUID: string, 8-4-4-4-12 lower-case digits
//   INTERVAL                         binary, the 12 bytes as they stand
//   UNKNOWN (null)                   null
//   LIST and its legacy forms        list
//   repeated, without LIST           list; neither it nor its items are NULL
//   MAP                              list<struct<key, value>>, named as in the file
//   a map without values             list of its keys
//   other groups                     struct
//   GEOMETRY, VARIANT, what is new   their physical type
#pragma once

#include "codec/parquet/metadata.h"
#include "data/type.h"

enum { PQ_FIXED_BYTES_MAX = 1 << 20 }; // of a value of fixed length

typedef enum pq_shape { PQ_LEAF, PQ_STRUCT, PQ_LIST } pq_shape;

// What becomes of a leaf's values.
typedef enum pq_convert {
  PQ_AS_IS,        // fixed width, the same in memory
  PQ_NARROW,       // int32 to 8 or 16 bits
  PQ_TIME,         // int32 or int64 to int64, within a day
  PQ_DECIMAL,      // int32, int64 or big-endian bytes to 128 bit
  PQ_INT96_TIME,   // int96 to the unit
  PQ_HALF,         // 2 bytes to float
  PQ_UUID_TEXT,    // 16 bytes to text
  PQ_BIT,          // booleans
  PQ_TEXT,         // byte array, checked to be UTF-8
  PQ_BYTES,        // byte array or fixed length
  PQ_NOTHING,      // only NULLs
  PQ_UNIT_SECONDS, // milliseconds to seconds: restored from our own schema
} pq_convert;

typedef struct pq_tree_node pq_tree_node;
struct pq_tree_node {
  wh_field field;
  pq_shape shape;
  uint8_t slot_rep; // a level with rep <= slot_rep and def >= slot_def begins a slot of this node:
  uint8_t slot_def; // a row, or an item of the list around it
  uint8_t def;      // from which on the slot is not NULL
  uint32_t first_leaf, leaf_count; // of the file; those of a node stand together
  size_t child_count;
  pq_tree_node *children; // list: one, the item
  const pq_schema_element *element;
  pq_convert convert;   // leaf
  uint32_t value_bytes; // leaf: width of a physical value; 0 for byte arrays and booleans
  const char *refused;  // leaf: why it cannot be read, as a phrase; NULL: it can
};

typedef struct pq_tree {
  size_t count; // columns
  pq_tree_node *columns;
  uint32_t leaf_count;
  pq_tree_node **leaves;
} pq_tree;

typedef struct pq_schema_options {
  bool int96_ns;
} pq_schema_options;

// In the arena; the elements must outlive the tree. WH_ERR_DATA where they are no schema. What
// cannot be held (a decimal of more than 38 digits) is only marked, in `refused`.
wh_status pq_tree_make(const pq_structs *elements, const pq_schema_options *options,
                       wh_arena *arena, pq_tree *ret, wh_error *err);

// The leaf's path with dots: "a.list.element".
wh_str pq_leaf_path(const pq_tree *tree, uint32_t leaf, wh_arena *arena);
