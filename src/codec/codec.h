// Codecs: bytes <-> batches. One `const wh_codec_type` each, listed in codec/registry.c.
//
// Reading. A reader gets a schema or infers one. An inferred schema is a promise for the whole
// object: when a later value does not fit, `next` goes on to the end without giving out rows, fails
// with WH_ERR_WIDEN, and `schema` of the failed reader is then one that holds everything it saw,
// with which the engine opens the object again. When the schema was given, a row that does not fit
// goes to `rejects` and the reader goes on. Errors in the framing fail with WH_ERR_DATA and place.
//
// Writing. Rows are encoded into blocks (a row group, a stretch of text), and blocks are appended
// to the file in order.
//
// Threads. A reader, an encoder and a writer are each used by one thread at a time. Where a codec
// can cut its objects into parts (`next_part`), each part's reader may run in a thread of its own,
// beside an encoder of its own; only the appending is done in order, by one thread.
#pragma once

#include "base/option.h"
#include "base/os.h"
#include "base/stream.h"
#include "codec/compression.h"
#include "data/batch.h"
#include "data/reject.h"

typedef struct wh_codec_context {
  wh_os *os;
  wh_mem *mem;
  size_t row_limit_bytes; // a row larger than this is an error; an eighth of `memory`
  size_t batch_rows;      // a reader closes its batches at so many; 0: WH_BATCH_ROWS_DEFAULT
  size_t batch_bytes;     // or at about so many; 0: as the codec likes, WH_BATCH_BYTES_DEFAULT
  int threads;            // that the codec may use inside
  bool schema_may_widen;  // the given schema was inferred from earlier objects: what does not fit
                          // it is WH_ERR_WIDEN, as if it had been inferred here
  // The only columns that are wanted, by name; NULL: all. The schema of a reader that can leave
  // columns out has then no others; names that the object has not are passed over. Borrowed while
  // the reader is opened.
  const wh_str *wanted;
  size_t wanted_count;
  // About how much of a file one part, or one block, should be: rows at most, and bytes in memory
  // at most. 0: as the codec likes.
  size_t part_rows, part_bytes;
  wh_str key; // of the object, for codecs that can give its name as a column; empty: not known
} wh_codec_context;

// Where a part's reader begins and ends, and how much stood between.
typedef struct wh_part {
  uint64_t index; // counts from 0
  uint64_t from;  // position of its first row, in units of the codec that grow
  uint64_t to;    // behind its last row; known once `next` has met the end
  uint64_t rows;  // that it has seen so far, rejected ones too
  uint64_t lines; // that it has passed so far; 0 where there are no lines
} wh_part;

typedef struct wh_reader wh_reader;
struct wh_reader {
  const wh_schema *schema; // of the batches; owned by the reader
  bool schema_inferred;
  // What was found out about how the object is written, for a person: "delimiter ';', 98% sure".
  // Empty: there was nothing to find out. Owned by the reader.
  wh_str found;
  uint64_t bytes_read; // of the input, so far
  bool paused;         // by `next`: there is more, though the batch may have no rows (see there)
  // Fills the batch, which the caller initialised with `schema` and has reset. Leaves it with no
  // rows only at the end, or where so much was rejected that it has to go on first
  // (WH_BATCH_BYTES_DEFAULT): then `paused` is set.
  wh_status (*next)(wh_reader *reader, wh_batch *batch, wh_rejects *rejects, wh_error *err);
  void (*close)(wh_reader *reader); // frees it, not the input

  // Opens a reader over the next part of the object; WH_ERR_END: there are no more. NULL: it can
  // only be read from its start. For a reader whose `next` was not called, and is not from then on.
  // A part's reader has the same schema, counts rows (and lines, where there are) from 1, and is
  // closed before this one. It reads through the input's read_at.
  wh_status (*next_part)(wh_reader *reader, wh_reader **ret, wh_error *err);
  wh_part part; // of a part's reader
  // Where a part begins may be a guess, which holds when it is where the part before it ended.
  // Where it was wrong, this makes the part begin at `from`, afresh. NULL: it is no guess.
  wh_status (*restart_part)(wh_reader *part, uint64_t from, wh_error *err);
};

// Rows, encoded. Belongs to whoever holds it; freed with wh_block_free.
typedef struct wh_block wh_block;
struct wh_block {
  uint64_t rows;
  size_t bytes; // that it will add to the file, about
  void (*free)(wh_block *block);
};

// Makes blocks of rows.
typedef struct wh_encoder wh_encoder;
struct wh_encoder {
  bool full; // the rows so far make a block of the size that files of this kind should have
  wh_status (*add)(wh_encoder *encoder, const wh_batch *batch, wh_error *err);
  // The rows since the last one as a block; NULL when there were none.
  wh_status (*take)(wh_encoder *encoder, wh_block **ret, wh_error *err);
  void (*close)(wh_encoder *encoder); // frees it
};

typedef struct wh_writer wh_writer;
struct wh_writer {
  wh_status (*write)(wh_writer *writer, const wh_batch *batch, wh_error *err);
  // Appends a block that an encoder of the same codec, options and schema made; `write` is not
  // called on such a writer. The block stays the caller's.
  wh_status (*append)(wh_writer *writer, wh_block *block, wh_error *err);
  // Appends what is in a file that a writer of the same codec, options and schema wrote, without
  // decoding it; `write` is not called on such a writer. The size of `file` is known. It is read to
  // its end by `read`, besides what is looked at by `read_at`. WH_ERR_DATA where it is no such
  // file; what its rows are is not looked at. WH_ERR_USAGE where rows were to be compared
  // (Parquet's `sort`). After a failure the writer is only closed.
  wh_status (*append_file)(wh_writer *writer, wh_input *file, wh_error *err);
  wh_status (*finish)(wh_writer *writer, wh_error *err); // footer; nothing is complete before
  void (*close)(wh_writer *writer);                      // frees it, not the output
};

struct wh_table_spec; // codec/tables.h
struct wh_tables_reader;

typedef struct wh_codec_type {
  const char *name; // "json"
  const char *help;
  const char *const *extensions; // ".json", NULL-terminated
  bool compresses;               // by itself: nothing is compressed around it
  const wh_option *read_options; // NULL: none
  const wh_option *write_options;
  size_t read_options_size; // of the struct the table fills
  size_t write_options_size;
  // What cannot be told option by option: words that exclude each other. NULL: nothing.
  wh_status (*check_read)(const void *options, wh_error *err);
  wh_status (*check_write)(const void *options, wh_error *err);
  // What a part should have so that it makes one good block; 0: any number of blocks will do.
  size_t block_rows, block_bytes;
  // `given` NULL: infer. `options` NULL: the defaults.
  wh_status (*open_reader)(const wh_codec_context *context, wh_input *in, const void *options,
                           const wh_schema *given, wh_reader **ret, wh_error *err);
  wh_status (*open_writer)(const wh_codec_context *context, wh_output *out, const void *options,
                           const wh_schema *schema, wh_writer **ret, wh_error *err);
  // NULL, like open_writer and write_options: the codec only reads.
  wh_status (*open_encoder)(const wh_codec_context *context, const void *options,
                            const wh_schema *schema, wh_encoder **ret, wh_error *err);
  // Objects that hold several tables (codec/tables.h): what can be said of one table. NULL, like
  // open_tables: an object is one table. What is wanted and given is in the specs, not in the
  // context. `specs` are borrowed until the reader is closed.
  const wh_option *table_options;
  size_t table_options_size;
  wh_status (*check_table)(const void *options, wh_error *err);
  wh_status (*open_tables)(const wh_codec_context *context, wh_input *in,
                           const struct wh_table_spec *specs, size_t count,
                           struct wh_tables_reader **ret, wh_error *err);
  size_t reserve_bytes; // memory that libraries behind it take past the accountant
} wh_codec_type;

extern const wh_codec_type *const wh_codecs[]; // NULL-terminated
const wh_codec_type *wh_codec_by_name(wh_str name);
// By the extension of an object's key or file name; with that of a compression behind it, where the
// codec does not compress by itself.
const wh_codec_type *wh_codec_by_key(wh_str key);
// How an object is compressed that the codec reads or writes under the key.
wh_compression wh_codec_compression(const wh_codec_type *codec, wh_str key);

static inline void wh_reader_close(wh_reader *r) {
  if (r) r->close(r);
}
static inline void wh_writer_close(wh_writer *w) {
  if (w) w->close(w);
}
static inline void wh_encoder_close(wh_encoder *e) {
  if (e) e->close(e);
}
static inline void wh_block_free(wh_block *b) {
  if (b) b->free(b);
}
