#include "codec/tables.h"

typedef struct one_table {
  wh_reader base;
  wh_mem *mem;
  wh_tables_reader *tables;
} one_table;

static wh_status one_next(wh_reader *base, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  one_table *self = (one_table *)base;
  size_t table;
  wh_status status = self->tables->next(self->tables, &table, batch, rejects, err);
  base->bytes_read = self->tables->bytes_read;
  base->paused = status == WH_OK && batch->rows == 0; // all of them were rejected
  return status == WH_ERR_END ? WH_OK : status;
}

static void one_close(wh_reader *base) {
  one_table *self = (one_table *)base;
  wh_tables_reader_close(self->tables);
  wh_mem_free(self->mem, self, sizeof *self);
}

wh_status wh_table_reader_open(const wh_codec_type *codec, const wh_codec_context *context,
                               wh_input *in, const wh_table_spec *spec, wh_reader **ret,
                               wh_error *err) {
  one_table *self = wh_mem_alloc_zero(context->mem, sizeof *self);
  if (!self) return wh_fail_memory(err);
  self->mem = context->mem;
  wh_status status = codec->open_tables(context, in, spec, 1, &self->tables, err);
  if (status != WH_OK) {
    wh_mem_free(context->mem, self, sizeof *self);
    return status;
  }
  self->base =
      (wh_reader){.schema = self->tables->schemas[0], .next = one_next, .close = one_close};
  *ret = &self->base;
  return WH_OK;
}
