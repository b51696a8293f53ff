// The index of a dataset: what one version of it is. A dataset is a folder of objects that are
// published as one thing. Its versions count from 1; each has an index, one JSON document, and the
// highest version there is is the present one. A version is published by putting its index where
// none is, so of two who would follow the same version one finds it taken.
//
//   PREFIX_versions/000000000012.json   the index of version 12
//   PREFIX_current.json                 a copy of the newest, for programs that follow one name
//   PREFIXyear=2026/{run}-00001.parquet a file, named in every index that it belongs to
//
//   {"dataset": 1, "version": 12, "operation": "append", "of": 11, "run": "01jd...",
//    "pipeline": "keep-orders", "order": 1795251600000000, "source_order": 1795251600000000,
//    "created": "2026-11-21T09:00:00.123Z", "format": "parquet", "rows": 100000, "bytes": 14200000,
//    "row_hash": "<16 hex digits>", "partition_by": ["year"], "schema": [...],
//    "files": [{"path": "year=2026/01jd...-00001.parquet", "partition": ["2026"],
//               "sorted_by": ["id"], "rows": 100000, "bytes": 14200000,
//               "row_hash": "<16 hex digits>", "sha256": "<64 hex digits>"}]}
//
// "dataset" is the version of the form. `order` grows with every version; `source_order` is that of
// the newest that was published of a source, and stays when files are rewritten or a version comes
// back. `of` is the version that one was made from: 0 for none. The columns of the partition are in
// the schema and not in the files; their values are the canonical texts of data/value.h, null for
// NULL. A model that is run by partitions also has, before "files":
//
//    "origin": {"model": "<64 hex digits>", "sources": [{"address": "lake:warehouse/orders/",
//               "version": 7, "object": "1234-567-89"}]}
#pragma once

#include "base/buf.h"
#include "base/option.h"
#include "connect/store.h"
#include "data/type.h"

#define WH_DATASET_CURRENT "_current.json"
#define WH_CODEC_DATASET   "dataset" // the codec that the manifest of an index names

enum {
  WH_DATASET_VERSION = 1,
  WH_DATASET_INDEX_BYTES_MAX = 16 << 20,
  WH_DATASET_FILES_MAX = 32768,
  WH_DATASET_VERSION_DIGITS = 12,
};

typedef enum wh_dataset_operation {
  WH_DATASET_APPEND,
  WH_DATASET_REPLACE,
  WH_DATASET_COMPACT,
  WH_DATASET_ROLLBACK,
} wh_dataset_operation;
const char *wh_dataset_operation_name(wh_dataset_operation operation);

typedef struct wh_dataset_file {
  wh_str path;             // below the dataset's prefix
  const wh_str *partition; // a value for each column of partition_by; without data: NULL
  wh_str_list sorted_by;
  uint64_t rows, bytes, row_hash;
  wh_str sha256;
} wh_dataset_file;

// What a model's version was made of, where the model is run by partitions (engine/model_scope.h).
typedef struct wh_dataset_source_version {
  wh_str address;   // as the model names it: "lake:warehouse/orders/"
  uint64_t version; // of a dataset; 0: these are objects
  wh_str object;    // the identity of the version's index, or a digest of all the objects
} wh_dataset_source_version;
typedef struct wh_dataset_origin {
  wh_str model; // a digest of the model and its pipeline; empty: nothing is known
  const wh_dataset_source_version *sources; // in the model's order
  size_t count;
} wh_dataset_origin;
enum { WH_DATASET_SOURCES_MAX = 1000 };

typedef struct wh_dataset_index wh_dataset_index;
struct wh_dataset_index {
  uint64_t version, of;
  wh_dataset_operation operation;
  wh_str run, pipeline;
  int64_t order, source_order;
  int64_t created_us;
  wh_str format; // name of the files' codec
  wh_str_list partition_by;
  wh_schema schema;
  const wh_dataset_file *files;
  size_t file_count;
  uint64_t rows, bytes, row_hash; // sums over the files
  wh_dataset_origin origin;
};

// Adds the files up; false, and out->failed, without memory.
bool wh_dataset_write(const wh_dataset_index *index, wh_buf *out);
// Strict about what it knows: sums that do not add up, a path that leads out of the dataset, or a
// partition that is no column are WH_ERR_DATA. Strings live in the arena.
wh_status wh_dataset_parse(wh_str json, wh_arena *arena, wh_dataset_index *ret, wh_error *err);
// "PREFIX_versions/000000000012.json"; an empty .data without memory.
wh_str wh_dataset_key(wh_str prefix, uint64_t version, wh_arena *arena);
// The version that such a key is of; 0: it is none.
uint64_t wh_dataset_key_version(wh_str prefix, wh_str key);
