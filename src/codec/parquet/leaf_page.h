// What the files of a leaf share: private to leaf_*.c.
#pragma once

#include "codec/parquet/leaf_read.h"

// Puts row group, column and, if `page`, the page in front of an error of the data. Returns status.
wh_status pq_leaf_blame(const pq_leaf_reader *leaf, bool page, wh_status status, wh_error *err);
// Goes to the next data page that has values; WH_ERR_END behind the last. Reads a dictionary that
// stands in between.
wh_status pq_leaf_next_header(pq_leaf_reader *leaf, wh_error *err);
// Takes up the page whose header was read last.
wh_status pq_leaf_load_page(pq_leaf_reader *leaf, wh_error *err);
// Goes to the page that holds the row, which is none that was read, by the index of the pages.
wh_status pq_leaf_seek(pq_leaf_reader *leaf, uint64_t row, wh_error *err);

// leaf_carry.c: takes up to `rows` of the rows given back to the column.
wh_status pq_leaf_take_carry(pq_leaf_reader *leaf, size_t rows, wh_column *column, wh_error *err);
wh_status pq_leaf_drop_carry(pq_leaf_reader *leaf, size_t rows, wh_error *err);
wh_status pq_levels_reserve(pq_levels *levels, wh_mem *mem, size_t extra, wh_error *err);
