#include "codec/csv/writer.h"

#include "codec/csv/encode.h"
#include "codec/text_block.h"

const wh_csv_write_options wh_csv_write_defaults = {.header = true};

static const char *const quoting_choices[] = {"minimal", "all", "text", "none", NULL};
static const char *const line_choices[] = {"lf", "crlf", NULL};

#define AT(field) .offset = offsetof(wh_csv_write_options, field)

const wh_option wh_csv_write_table[] = {
    {.name = "delimiter",
     .type = WH_OPTION_TEXT,
     AT(delimiter),
     .def = ",",
     .help = "what stands between fields, up to 8 bytes; \"tab\" for a tab"},
    {.name = "quote",
     .type = WH_OPTION_TEXT,
     AT(quote),
     .def = "\"",
     .help = "the character around quoted fields; none to quote nothing"},
    {.name = "quoting",
     .type = WH_OPTION_ENUM,
     AT(quoting),
     .def = "minimal",
     .choices = quoting_choices,
     .help = "what is quoted: what needs it, all but NULL, all text, or nothing"},
    {.name = "header",
     .type = WH_OPTION_BOOL,
     AT(header),
     .def = "true",
     .help = "whether the first line holds the names of the columns"},
    {.name = "null",
     .type = WH_OPTION_TEXT,
     AT(null),
     .def = "",
     .help = "how NULL is spelt; text that is spelt the same is quoted"},
    {.name = "line_ending",
     .type = WH_OPTION_ENUM,
     AT(line_ending),
     .def = "lf",
     .choices = line_choices,
     .help = "the end of a line; crlf is what RFC 4180 says"},
    {.name = "decimal",
     .type = WH_OPTION_TEXT,
     AT(decimal),
     .def = ".",
     .help = "the character before the decimal places"},
    {0},
};

wh_status csv_check_write(const void *options, wh_error *err) {
  csv_encode encode = {0};
  return csv_encode_options(&encode, options, err);
}

// --- Blocks --------------------------------------------------------------------------------------

typedef struct csv_encoder {
  wh_encoder base;
  wh_mem *mem;
  size_t block_rows, block_bytes; // when a block is full
  csv_encode encode;
  wh_text_block *block; // NULL: no rows yet
} csv_encoder;

static wh_status encoder_add(wh_encoder *base, const wh_batch *batch, wh_error *err) {
  csv_encoder *e = (csv_encoder *)base;
  if (!e->block) WH_TRY(wh_text_block_new(e->mem, &e->block, err));
  WH_TRY(csv_encode_batch(&e->encode, batch, &e->block->text, err));
  e->block->base.rows += batch->rows;
  e->block->base.bytes = e->block->text.len;
  base->full = e->block->text.len >= e->block_bytes ||
               (e->block_rows && e->block->base.rows >= e->block_rows);
  return WH_OK;
}

static wh_status encoder_take(wh_encoder *base, wh_block **ret, wh_error *err) {
  csv_encoder *e = (csv_encoder *)base;
  (void)err;
  wh_text_block *block = e->block;
  e->block = NULL;
  base->full = false;
  if (block && block->base.rows == 0) {
    wh_block_free(&block->base);
    block = NULL;
  }
  *ret = block ? &block->base : NULL;
  return WH_OK;
}

static void encoder_close(wh_encoder *base) {
  csv_encoder *e = (csv_encoder *)base;
  csv_encode_free(&e->encode);
  if (e->block) wh_block_free(&e->block->base);
  wh_mem_free(e->mem, e, sizeof *e);
}

wh_status csv_open_encoder(const wh_codec_context *context, const void *options,
                           const wh_schema *schema, wh_encoder **ret, wh_error *err) {
  csv_encoder *e = wh_mem_alloc_zero(context->mem, sizeof *e);
  if (!e) return wh_fail_memory(err);
  e->base = (wh_encoder){.add = encoder_add, .take = encoder_take, .close = encoder_close};
  e->mem = context->mem;
  e->block_rows = context->part_rows;
  e->block_bytes = wh_text_block_bytes(context->part_bytes);
  wh_status status =
      csv_encode_init(&e->encode, e->mem, options ? options : &wh_csv_write_defaults, schema, err);
  if (status != WH_OK) {
    encoder_close(&e->base);
    return status;
  }
  *ret = &e->base;
  return WH_OK;
}

// --- The file ------------------------------------------------------------------------------------

enum { WRITE_BYTES = 256 * 1024 }; // of text, at a time

typedef struct csv_writer {
  wh_writer base;
  wh_mem *mem;
  wh_output *out;
  csv_encode encode;
  wh_buf header; // empty: none
  wh_buf text;   // not yet in the file; at first the header
} csv_writer;

static wh_status flush(csv_writer *w, wh_error *err) {
  if (w->text.len == 0) return WH_OK;
  WH_TRY(wh_output_write(w->out, w->text.data, w->text.len, err));
  wh_buf_clear(&w->text);
  return WH_OK;
}

static wh_status writer_write(wh_writer *base, const wh_batch *batch, wh_error *err) {
  csv_writer *w = (csv_writer *)base;
  WH_TRY(csv_encode_batch(&w->encode, batch, &w->text, err));
  return w->text.len >= WRITE_BYTES ? flush(w, err) : WH_OK;
}

static wh_status writer_append(wh_writer *base, wh_block *block, wh_error *err) {
  csv_writer *w = (csv_writer *)base;
  WH_TRY(flush(w, err));
  const wh_buf *text = &((const wh_text_block *)block)->text;
  return text->len ? wh_output_write(w->out, text->data, text->len, err) : WH_OK;
}

static wh_status writer_append_file(wh_writer *base, wh_input *file, wh_error *err) {
  csv_writer *w = (csv_writer *)base;
  WH_TRY(flush(w, err));
  return wh_text_append(file, wh_buf_str(&w->header), WH_STR(""), w->out, w->mem, err);
}

static wh_status writer_finish(wh_writer *base, wh_error *err) {
  return flush((csv_writer *)base, err);
}

static void writer_close(wh_writer *base) {
  csv_writer *w = (csv_writer *)base;
  csv_encode_free(&w->encode);
  wh_buf_free(&w->header);
  wh_buf_free(&w->text);
  wh_mem_free(w->mem, w, sizeof *w);
}

wh_status csv_open_writer(const wh_codec_context *context, wh_output *out, const void *options,
                          const wh_schema *schema, wh_writer **ret, wh_error *err) {
  const wh_csv_write_options *o = options ? options : &wh_csv_write_defaults;
  csv_writer *w = wh_mem_alloc_zero(context->mem, sizeof *w);
  if (!w) return wh_fail_memory(err);
  w->base = (wh_writer){.write = writer_write,
                        .append = writer_append,
                        .append_file = writer_append_file,
                        .finish = writer_finish,
                        .close = writer_close};
  w->mem = context->mem;
  w->out = out;
  wh_buf_init(&w->header, w->mem, 0);
  wh_buf_init(&w->text, w->mem, 0);
  wh_status status = csv_encode_init(&w->encode, w->mem, o, schema, err);
  if (status == WH_OK && o->header) status = csv_encode_header(&w->encode, schema, &w->header, err);
  if (status == WH_OK && w->header.len && !wh_buf_add_str(&w->text, wh_buf_str(&w->header)))
    status = wh_fail_memory(err);
  if (status != WH_OK) {
    writer_close(&w->base);
    return status;
  }
  *ret = &w->base;
  return WH_OK;
}
