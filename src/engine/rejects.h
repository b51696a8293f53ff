// The run's collector of rejected rows. The reading stage writes the rejects of a batch into the
// buffer of its slot; the consuming stage appends these buffers, in order, to the current part
// file. A part is made durable before the chunk that it belongs to commits.
//
// Files: part-N.ndjson in the run's folder (engine/reject_parts.h), N being the number of rows that
// earlier parts cover, so that a restarted chunk writes the same part again; of an object with
// several tables, N is the number of the table. The first line is the header (the schema of the
// rows, the object, its order, its table), each other line one row:
//   {"rule":"in","column":"OrderStatus","reason":"...","row":4711,"line":4712,"at":12,"byte":665102,"data":{...}}
// with "text" instead of "data" for what never became a row.
#pragma once

#include "base/buf.h"
#include "data/reject.h"
#include "engine/reject_parts.h"
#include "engine/window.h"

enum { WH_FIRST_REASON_MAX = 200 };

// Rejects of one batch, as lines. `rows` is the batch that was read: a row is quarantined as it was
// read, so that it can be replayed from the beginning.
typedef struct wh_reject_lines {
  wh_rejects rejects; // what codecs, steps and sinks get
  const wh_batch *rows;
  wh_window *window;     // while rows go through the steps: knows what was rejected before; or NULL
  uint64_t known;        // rows that were rejected by an earlier run, as they are: not again
  uint64_t skip_through; // rows up to this number were dealt with before a restart
  size_t text_max;
  char first[WH_FIRST_REASON_MAX]; // why the first of them was rejected: "status: 'x' is not ..."
  wh_buf lines;                    // without the numbers of row and line
  wh_buf numbers;                  // a wh_reject_number a line
  uint64_t count;
  uint64_t last_row;  // highest row number among them, skipped ones too
  uint64_t base_row;  // what to add to their numbers: rows and lines in front of the part of the
  uint64_t base_line; // object that they were read from
} wh_reject_lines;

typedef struct wh_reject_number {
  size_t at; // where in `lines` the numbers belong
  uint64_t row, line;
} wh_reject_number;

// `text_max`: bytes that are kept of what never became a row.
void wh_reject_lines_init(wh_reject_lines *lines, wh_mem *mem, size_t text_max);
void wh_reject_lines_clear(wh_reject_lines *lines, const wh_batch *rows);
// Adds those of `from`, and clears it.
wh_status wh_reject_lines_move(wh_reject_lines *to, wh_reject_lines *from, wh_error *err);
// As they stand in the file: with the numbers.
wh_status wh_reject_lines_write(const wh_reject_lines *lines, wh_buf *out, wh_error *err);
// For another worker: with their numbers, to be added to.
wh_status wh_reject_lines_save(const wh_reject_lines *lines, wh_output *out, wh_error *err);
// The next that were saved, instead of what is there: all but `first`. Believes nothing of it:
// WH_ERR_DATA. WH_ERR_END: no more.
wh_status wh_reject_lines_load(wh_reject_lines *lines, wh_input *in, wh_error *err);
void wh_reject_lines_free(wh_reject_lines *lines);

typedef struct wh_reject_file {
  wh_engine *engine;
  wh_str folder;        // see engine/reject_parts.h
  wh_buf header;        // the first line
  wh_reject_part *part; // NULL: the current one has no rows
  uint64_t number;      // of the current one
} wh_reject_file;

// What the rows were read from: the header of a part.
typedef struct wh_reject_source {
  const wh_schema *schema;
  wh_str pipeline, run, object;
  wh_str table; // of an object that holds several; empty: it holds one
  int64_t order;
} wh_reject_source;

// Nothing is created before the first row comes.
wh_status wh_reject_file_init(wh_reject_file *file, wh_engine *engine, wh_str folder,
                              const wh_reject_source *source, wh_arena *arena, wh_error *err);
// Begins behind what earlier attempts have committed; what they wrote beyond that is removed, since
// the same rows will come again, in parts that may begin elsewhere.
wh_status wh_reject_file_resume(wh_reject_file *file, uint64_t rows_done, wh_error *err);
wh_status wh_reject_file_add(wh_reject_file *file, const wh_reject_lines *lines, wh_error *err);
// Makes the current part durable and begins the next one.
wh_status wh_reject_file_next_part(wh_reject_file *file, uint64_t rows_done, wh_error *err);
void wh_reject_file_close(wh_reject_file *file);
