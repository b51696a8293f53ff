#include "codec/json/writer.h"

#include "codec/json/encode.h"
#include "codec/text_block.h"

// --- The writer ----------------------------------------------------------------------------------

// What stands around the rows of an array.
#define FIRST_ROW WH_STR("[\n")
#define LAST_ROW  WH_STR("\n]\n")
#define NO_ROWS   WH_STR("[]\n")

typedef struct json_writer {
  wh_writer base;
  json_encoder encoder;
  bool begun;
} json_writer;

// What stands before the next row of the array.
static wh_status begin_rows(json_writer *w, wh_error *err) {
  if (w->encoder.lines) return WH_OK;
  bool first = !w->begun;
  w->begun = true;
  return json_encode_bytes(&w->encoder, first ? FIRST_ROW : WH_STR(",\n"), err);
}

static wh_status writer_write(wh_writer *writer, const wh_batch *batch, wh_error *err) {
  json_writer *w = (json_writer *)writer;
  if (batch->rows == 0) return WH_OK;
  WH_TRY(begin_rows(w, err));
  return json_encode_rows(&w->encoder, batch, true, err);
}

static wh_status writer_append(wh_writer *writer, wh_block *block, wh_error *err) {
  json_writer *w = (json_writer *)writer;
  const wh_buf *text = &((wh_text_block *)block)->text;
  if (block->rows == 0) return WH_OK;
  WH_TRY(begin_rows(w, err));
  WH_TRY(json_encode_end(&w->encoder, err)); // what goes before it
  return wh_output_write(w->encoder.out, text->data, text->len, err);
}

static wh_status writer_append_file(wh_writer *writer, wh_input *file, wh_error *err) {
  json_writer *w = (json_writer *)writer;
  json_encoder *e = &w->encoder;
  wh_str none = WH_STR("");
  if (e->lines) return wh_text_append(file, none, none, e->out, e->mem, err);
  if (file->size == NO_ROWS.len) return wh_text_append(file, NO_ROWS, none, e->out, e->mem, err);
  WH_TRY(begin_rows(w, err));
  WH_TRY(json_encode_end(e, err)); // what goes before it
  return wh_text_append(file, FIRST_ROW, LAST_ROW, e->out, e->mem, err);
}

static wh_status writer_finish(wh_writer *writer, wh_error *err) {
  json_writer *w = (json_writer *)writer;
  if (!w->encoder.lines) WH_TRY(json_encode_bytes(&w->encoder, w->begun ? LAST_ROW : NO_ROWS, err));
  return json_encode_end(&w->encoder, err);
}

static void writer_close(wh_writer *writer) {
  json_writer *w = (json_writer *)writer;
  wh_mem *mem = w->encoder.mem;
  json_encoder_close(&w->encoder);
  wh_mem_free(mem, w, sizeof *w);
}

static wh_status open_writer(const wh_codec_context *context, wh_output *out, const void *options,
                             const wh_schema *schema, bool lines, wh_writer **ret, wh_error *err) {
  json_writer *w = wh_mem_alloc_zero(context->mem, sizeof *w);
  if (!w) return wh_fail_memory(err);
  w->base = (wh_writer){.write = writer_write,
                        .append = writer_append,
                        .append_file = writer_append_file,
                        .finish = writer_finish,
                        .close = writer_close};
  wh_status status = json_encoder_open(context, options, lines, schema, out, &w->encoder, err);
  if (status != WH_OK) {
    wh_mem_free(context->mem, w, sizeof *w);
    return status;
  }
  *ret = &w->base;
  return WH_OK;
}

wh_status json_open_writer(const wh_codec_context *context, wh_output *out, const void *options,
                           const wh_schema *schema, wh_writer **ret, wh_error *err) {
  return open_writer(context, out, options, schema, false, ret, err);
}

wh_status json_open_lines_writer(const wh_codec_context *context, wh_output *out,
                                 const void *options, const wh_schema *schema, wh_writer **ret,
                                 wh_error *err) {
  return open_writer(context, out, options, schema, true, ret, err);
}

// --- The encoder ---------------------------------------------------------------------------------

typedef struct block_encoder {
  wh_encoder base;
  json_encoder encoder;
  uint64_t rows; // since the last block
  size_t block_rows, block_bytes;
} block_encoder;

static wh_status encoder_add(wh_encoder *encoder, const wh_batch *batch, wh_error *err) {
  block_encoder *b = (block_encoder *)encoder;
  json_encoder *e = &b->encoder;
  WH_TRY(json_encode_rows(e, batch, b->rows == 0, err));
  b->rows += batch->rows;
  b->base.full = e->used >= b->block_bytes || (b->block_rows && b->rows >= b->block_rows);
  return WH_OK;
}

static wh_status encoder_take(wh_encoder *encoder, wh_block **ret, wh_error *err) {
  block_encoder *b = (block_encoder *)encoder;
  json_encoder *e = &b->encoder;
  *ret = NULL;
  b->base.full = false;
  if (b->rows == 0) return WH_OK;
  wh_text_block *block;
  WH_TRY(wh_text_block_new(e->mem, &block, err));
  WH_TRY(json_encode_end(e, err));
  block->text = e->text;
  block->base.rows = b->rows;
  block->base.bytes = e->used + 2; // with what goes between blocks
  wh_buf_init(&e->text, e->mem, 0);
  e->used = e->cap = 0;
  b->rows = 0;
  *ret = &block->base;
  return WH_OK;
}

static void encoder_close(wh_encoder *encoder) {
  block_encoder *b = (block_encoder *)encoder;
  wh_mem *mem = b->encoder.mem;
  json_encoder_close(&b->encoder);
  wh_mem_free(mem, b, sizeof *b);
}

static wh_status open_encoder(const wh_codec_context *context, const void *options,
                              const wh_schema *schema, bool lines, wh_encoder **ret,
                              wh_error *err) {
  block_encoder *b = wh_mem_alloc_zero(context->mem, sizeof *b);
  if (!b) return wh_fail_memory(err);
  b->base = (wh_encoder){.add = encoder_add, .take = encoder_take, .close = encoder_close};
  b->block_rows = context->part_rows;
  b->block_bytes = wh_text_block_bytes(context->part_bytes);
  wh_status status = json_encoder_open(context, options, lines, schema, NULL, &b->encoder, err);
  if (status != WH_OK) {
    wh_mem_free(context->mem, b, sizeof *b);
    return status;
  }
  *ret = &b->base;
  return WH_OK;
}

wh_status json_open_encoder(const wh_codec_context *context, const void *options,
                            const wh_schema *schema, wh_encoder **ret, wh_error *err) {
  return open_encoder(context, options, schema, false, ret, err);
}

wh_status json_open_lines_encoder(const wh_codec_context *context, const void *options,
                                  const wh_schema *schema, wh_encoder **ret, wh_error *err) {
  return open_encoder(context, options, schema, true, ret, err);
}
