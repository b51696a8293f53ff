// Rows into the files of a dataset: split by the columns of the partition, sorted where that is
// asked for, each file put under a name of the run's own, which nobody reads before an index names
// it (ledger/dataset.h).
//
//   PREFIXyear=2026/month=11/{run}-00001.parquet
//
// The folders are named as Hive names them: every byte of a name or value but letters, digits, '-',
// '_' and '.' is %XX, and NULL is __HIVE_DEFAULT_PARTITION__. The columns of the partition are not
// in the files.
//
// Memory: at most WH_DATASET_OPEN_MAX files are open at once, fewer where `memory` is small, and
// one where the store holds what it sends (connect.h: reserve_bytes); rows of other partitions wait
// in a sorter (data/sorter.h), on disk where they are many, and become files one after the other at
// the end. So do all rows where they are sorted. A row that waits may have about
// WH_SORTER_RECORD_MAX bytes.
#pragma once

#include "engine/engine.h"
#include "ledger/dataset.h"

enum {
  WH_DATASET_OPEN_MAX = 32,
  WH_DATASET_OPEN_MEMORY = 16 << 20, // of `memory` that an open file should have
  WH_DATASET_SEGMENT_MAX = 255,      // bytes of one folder's name
};
#define WH_DATASET_NULL "__HIVE_DEFAULT_PARTITION__"

typedef struct wh_dataset_shape {
  wh_str prefix, run;
  wh_format format; // with a codec
  wh_schema schema; // of the rows
  wh_str_list partition_by, sort_by;
  uint64_t file_bytes;
  uint64_t numbered; // files of the run that have names already
} wh_dataset_shape;

typedef struct wh_dataset_files wh_dataset_files;

// Everything in `shape` outlives it, and so does `arena`, in which the list of files is made.
wh_status wh_dataset_files_open(wh_engine *engine, wh_connection *c, const wh_dataset_shape *shape,
                                wh_arena *arena, wh_dataset_files **ret, wh_error *err);
wh_status wh_dataset_files_add(wh_dataset_files *files, const wh_batch *batch, wh_error *err);
// Ends every file; they are durable then.
wh_status wh_dataset_files_finish(wh_dataset_files *files, const wh_dataset_file **ret,
                                  size_t *ret_count, wh_error *err);
void wh_dataset_files_close(wh_dataset_files *files); // NULL is fine; what was put stays
