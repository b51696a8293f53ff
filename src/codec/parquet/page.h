// Finishes pages: levels and values encoded, compressed, and put behind their header.
#pragma once

#include "codec/parquet/chunk.h"

// The chunk's values and levels as one data page more of chunk->out.
wh_status pq_page_write(pq_chunk *chunk, pq_work *work, wh_error *err);
wh_status pq_page_write_dictionary(pq_chunk *chunk, pq_work *work, wh_error *err);
// The values, as they would stand in a page, behind what work->page holds.
wh_status pq_page_encode(const pq_chunk *chunk, pq_mode mode, const pq_values *values,
                         const int32_t *lengths, pq_store *page, wh_error *err);
