#include "hdf5_file.h"

#ifdef WHERRY_HDF5
#include "codec-run.h"
#include "codec/json/json.h"

typedef struct noting {
  wh_rejects base;
  hdf5_reading *r;
} noting;

static wh_status note(hdf5_reading *r, const wh_reject *why) {
  wh_buf_printf(&r->rejects, "%.*s @%llu %.*s\n", WH_STR_ARG(why->column),
                (unsigned long long)why->place.row, WH_STR_ARG(why->reason));
  return wh_buf_check(&r->rejects, NULL);
}

static wh_status note_row(wh_rejects *self, const wh_reject *why, const wh_batch *batch, size_t row,
                          wh_error *err) {
  (void)batch, (void)row, (void)err;
  return note(((noting *)self)->r, why);
}

static wh_status note_raw(wh_rejects *self, const wh_reject *why, wh_str text, wh_error *err) {
  (void)text, (void)err;
  return note(((noting *)self)->r, why);
}

void hdf5_reading_init(hdf5_reading *r, wh_mem *mem) {
  *r = (hdf5_reading){.mem = mem};
  r->context = (wh_codec_context){
      .mem = mem, .row_limit_bytes = 1 << 20, .threads = 1, .key = WH_STR("songs/TRAAA.b.h5")};
  for (size_t i = 0; i < HDF5_TABLES_MAX; i++)
    wh_buf_init(&r->rows[i], mem, 0);
  wh_buf_init(&r->rejects, mem, 0);
}

void hdf5_reading_free(hdf5_reading *r) {
  for (size_t i = 0; i < HDF5_TABLES_MAX; i++)
    wh_buf_free(&r->rows[i]);
  wh_buf_free(&r->rejects);
}

static wh_status read_all(hdf5_reading *r, wh_tables_reader *reader, wh_batch *batches,
                          wh_error *err) {
  noting rejects = {.base = {.row = note_row, .raw = note_raw}, .r = r};
  for (;;) {
    size_t table;
    wh_status status = reader->next(reader, &table, batches, &rejects.base, err);
    if (status == WH_ERR_END) return WH_OK;
    WH_TRY(status);
    r->row_count += batches[table].rows;
    WH_TRY(codec_run_write(r->mem, &wh_codec_ndjson, &batches[table], &r->rows[table], err));
    wh_batch_reset(&batches[table]);
    if (r->rows_most && r->row_count >= r->rows_most) return WH_OK;
  }
}

wh_status hdf5_reading_run(hdf5_reading *r, wh_str file, const wh_table_spec *specs, size_t count,
                           wh_error *err) {
  wh_bytes_input in;
  wh_bytes_input_init(&in, file.data, file.len);
  wh_tables_reader *reader;
  WH_TRY(wh_codec_hdf5.open_tables(&r->context, &in.base, specs, count, &reader, err));
  wh_batch batches[HDF5_TABLES_MAX] = {0};
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < count; i++)
    status = wh_batch_init(&batches[i], r->mem, reader->schemas[i], err);
  if (status == WH_OK) status = read_all(r, reader, batches, err);
  for (size_t i = 0; i < count; i++)
    wh_batch_free(&batches[i]);
  wh_tables_reader_close(reader);
  return status;
}
#endif
