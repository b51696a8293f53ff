// Codecs: bytes <-> batches. One `const wh_codec_type` each, listed in codec/registry.c.
//
// A reader gets a schema or infers one. An inferred schema is a promise for the whole object: when
// a later value does not fit, `next` fails with WH_ERR_WIDEN, and `schema` of the failed reader is
// already the wider one with which the engine opens the object again. When the schema was given, a
// row that does not fit goes to `rejects` and the reader goes on.
// Errors in the framing fail with WH_ERR_DATA and place.
#pragma once

#include "base/option.h"
#include "base/os.h"
#include "base/stream.h"
#include "data/batch.h"
#include "data/reject.h"

typedef struct wh_codec_context {
  wh_os *os;
  wh_mem *mem;
  size_t row_limit_bytes; // a row larger than this is an error; an eighth of `memory`
  size_t batch_rows;      // a reader closes its batches at so many; 0: WH_BATCH_ROWS_DEFAULT
  int threads;            // that the codec may use inside
  bool schema_may_widen;  // the given schema was inferred from earlier objects: what does not fit
                          // it is WH_ERR_WIDEN, as if it had been inferred here
} wh_codec_context;

typedef struct wh_reader wh_reader;
struct wh_reader {
  const wh_schema *schema; // of the batches; owned by the reader
  bool schema_inferred;
  uint64_t bytes_read; // of the input, so far
  bool paused;         // by `next`: there is more, though the batch may have no rows (see there)
  // Fills the batch, which the caller initialised with `schema` and has reset. Leaves it with no
  // rows only at the end, or where so much was rejected that it has to go on first
  // (WH_BATCH_BYTES_DEFAULT): then `paused` is set.
  wh_status (*next)(wh_reader *reader, wh_batch *batch, wh_rejects *rejects, wh_error *err);
  void (*close)(wh_reader *reader); // frees it, not the input
};

typedef struct wh_writer wh_writer;
struct wh_writer {
  wh_status (*write)(wh_writer *writer, const wh_batch *batch, wh_error *err);
  wh_status (*finish)(wh_writer *writer, wh_error *err); // footer; nothing is complete before
  void (*close)(wh_writer *writer);                      // frees it, not the output
};

typedef struct wh_codec_type {
  const char *name; // "json"
  const char *help;
  const char *const *extensions; // ".json", NULL-terminated
  const wh_option *read_options; // NULL: none
  const wh_option *write_options;
  size_t read_options_size; // of the struct the table fills
  size_t write_options_size;
  // `given` NULL: infer. `options` NULL: the defaults.
  wh_status (*open_reader)(const wh_codec_context *context, wh_input *in, const void *options,
                           const wh_schema *given, wh_reader **ret, wh_error *err);
  wh_status (*open_writer)(const wh_codec_context *context, wh_output *out, const void *options,
                           const wh_schema *schema, wh_writer **ret, wh_error *err);
} wh_codec_type;

extern const wh_codec_type *const wh_codecs[]; // NULL-terminated
const wh_codec_type *wh_codec_by_name(wh_str name);
const wh_codec_type *
wh_codec_by_key(wh_str key); // by the extension of an object's key or file name

static inline void wh_reader_close(wh_reader *r) {
  if (r) r->close(r);
}
static inline void wh_writer_close(wh_writer *w) {
  if (w) w->close(w);
}
