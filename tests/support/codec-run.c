#include "codec-run.h"

#include "data/rowhash.h"
#include "data/value.h"

static wh_status dribble_read(wh_input *in, void *data, size_t cap, size_t *ret_len,
                              wh_error *err) {
  dribble_input *d = (dribble_input *)in;
  (void)err;
  size_t n = d->bytes.len - d->bytes.at;
  if (n > cap) n = cap;
  if (d->most && n > d->most) n = d->most;
  if (n) memcpy(data, d->bytes.data + d->bytes.at, n);
  d->bytes.at += n;
  *ret_len = n;
  return WH_OK;
}

void dribble_input_init(dribble_input *in, wh_str text, size_t most) {
  wh_bytes_input_init(&in->bytes, text.data, text.len);
  in->bytes.base.read = dribble_read;
  in->most = most;
}

static wh_status buf_write(wh_output *out, const void *data, size_t len, wh_error *err) {
  buf_output *b = (buf_output *)out;
  if (!wh_buf_add(b->buf, data, len)) return wh_fail_memory(err);
  out->written += len;
  return WH_OK;
}

void buf_output_init(buf_output *out, wh_buf *buf) {
  *out = (buf_output){.base = {.write = buf_write}, .buf = buf};
}

void codec_run_init(codec_run *run, wh_mem *mem, const wh_codec_type *codec) {
  *run = (codec_run){.mem = mem, .codec = codec};
  wh_buf_init(&run->rows, mem, 0);
  wh_buf_init(&run->rejects, mem, 0);
  wh_buf_init(&run->schema, mem, 0);
  wh_buf_init(&run->copy, mem, 0);
  wh_arena_init(&run->arena, mem);
}

void codec_run_free(codec_run *run) {
  wh_buf_free(&run->rows);
  wh_buf_free(&run->rejects);
  wh_buf_free(&run->schema);
  wh_buf_free(&run->copy);
  wh_arena_free(&run->arena);
}

bool codec_write_schema(const wh_schema *schema, wh_buf *out) {
  bool ok = true;
  for (size_t i = 0; i < schema->count; i++) {
    const wh_field *f = &schema->fields[i];
    ok = ok && (i == 0 || wh_buf_add_c(out, ", ")) && wh_buf_add_str(out, f->name) &&
         wh_buf_add_c(out, ": ") && wh_type_write(&f->type, out) &&
         (!f->nullable || wh_buf_add_char(out, '?'));
  }
  return ok;
}

static bool write_place(const codec_run *run, wh_place p, wh_buf *out) {
  p.row += run->base_row;
  p.line += run->base_line;
  return wh_buf_printf(out, "@%llu:%llu:%llu:%llu ", (unsigned long long)p.row,
                       (unsigned long long)p.line, (unsigned long long)p.column,
                       (unsigned long long)p.byte);
}

typedef struct run_rejects {
  wh_rejects base;
  codec_run *run;
} run_rejects;

static wh_status reject_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  codec_run *run = ((run_rejects *)self)->run;
  wh_buf *out = &run->rejects;
  run->reject_count++;
  bool ok = wh_buf_add_str(out, reject->rule) && wh_buf_add_char(out, ' ') &&
            wh_buf_add_str(out, reject->column) && wh_buf_add_char(out, ' ') &&
            write_place(run, reject->place, out) && wh_buf_add_str(out, reject->reason) &&
            wh_buf_add_c(out, ": ") && wh_buf_add_str(out, text) && wh_buf_add_char(out, '\n');
  return ok ? WH_OK : wh_fail_memory(err);
}

static bool write_rows(codec_run *run, const wh_batch *batch) {
  wh_buf *out = &run->rows;
  bool ok = true;
  for (size_t row = 0; row < batch->rows; row++) {
    if (run->places) ok = ok && write_place(run, wh_batch_place(batch, row), out);
    ok = ok && wh_buf_add_char(out, '{');
    for (size_t i = 0; i < batch->schema->count; i++) {
      ok = ok && (i == 0 || wh_buf_add_char(out, ',')) &&
           wh_buf_add_json(out, batch->schema->fields[i].name) && wh_buf_add_char(out, ':') &&
           wh_column_write_json(&batch->columns[i], row, out);
    }
    ok = ok && wh_buf_add_c(out, "}\n");
  }
  return ok;
}

// Where the copy goes.
typedef struct copier {
  wh_writer *writer;
  wh_encoder *encoder; // NULL: without blocks
} copier;

static wh_status copy_block(const copier *to, wh_error *err) {
  wh_block *block;
  WH_TRY(to->encoder->take(to->encoder, &block, err));
  wh_status status = block ? to->writer->append(to->writer, block, err) : WH_OK;
  wh_block_free(block);
  return status;
}

static wh_status copy_batch(const copier *to, const wh_batch *batch, wh_error *err) {
  if (!to->writer) return WH_OK;
  if (!to->encoder) return to->writer->write(to->writer, batch, err);
  WH_TRY(to->encoder->add(to->encoder, batch, err));
  return to->encoder->full ? copy_block(to, err) : WH_OK;
}

static wh_status read_batches(codec_run *run, wh_reader *reader, const copier *to, wh_batch *batch,
                              wh_error *err) {
  run_rejects rejects = {.base = {.raw = reject_raw}, .run = run};
  for (;;) {
    wh_batch_reset(batch);
    WH_TRY(reader->next(reader, batch, &rejects.base, err));
    if (batch->rows == 0 && !reader->paused) return to->encoder ? copy_block(to, err) : WH_OK;
    WH_TRY(copy_batch(to, batch, err));
    run->row_count += batch->rows;
    if (!run->quiet) run->sum += wh_batch_hash_sum(batch);
    if (!run->quiet && !write_rows(run, batch)) return wh_fail_memory(err);
  }
}

static wh_status keep_wider(codec_run *run, const wh_reader *reader, wh_error *err) {
  return wh_schema_copy(reader->schema, &run->arena, &run->wider, err);
}

// As the engine does it, but one part after the other.
static wh_status read_parts(codec_run *run, wh_reader *whole, const copier *to, wh_batch *batch,
                            wh_error *err) {
  uint64_t expected = 0;
  for (wh_reader *part;;) {
    wh_status status = whole->next_part(whole, &part, err);
    if (status == WH_ERR_END) return WH_OK;
    if (status != WH_OK) return status;
    if (run->part_count++ && part->part.from != expected)
      status = wh_fail(err, WH_ERR_BUG, "a part does not begin where the one before it ended");
    if (status == WH_OK) status = read_batches(run, part, to, batch, err);
    expected = part->part.to;
    run->base_row += part->part.rows;
    run->base_line += part->part.lines;
    wh_error copying;
    if (status == WH_ERR_WIDEN && keep_wider(run, part, &copying) != WH_OK) status = WH_ERR_MEMORY;
    wh_reader_close(part);
    if (status != WH_OK) return status;
  }
}

static wh_status read_all(codec_run *run, wh_reader *reader, const copier *to, wh_error *err) {
  wh_batch batch = {0};
  wh_status status = wh_batch_init(&batch, run->mem, reader->schema, err);
  if (status == WH_OK && !codec_write_schema(reader->schema, &run->schema)) {
    status = wh_fail_memory(err);
  }
  bool parts = run->part_bytes && reader->next_part;
  if (status == WH_OK)
    status = parts ? read_parts(run, reader, to, &batch, err)
                   : read_batches(run, reader, to, &batch, err);
  if (status == WH_OK && to->writer) status = to->writer->finish(to->writer, err);
  wh_batch_free(&batch);
  if ((status == WH_ERR_WIDEN && !parts) || (status == WH_OK && run->keep_schema)) {
    wh_error copying;
    if (keep_wider(run, reader, &copying) != WH_OK) {
      if (err) *err = copying;
      status = copying.status;
    }
  }
  return status;
}

wh_status codec_run_read(codec_run *run, wh_str text, wh_error *err) {
  wh_codec_context context = {.mem = run->mem,
                              .row_limit_bytes = run->row_limit ? run->row_limit : 1 << 20,
                              .threads = 1,
                              .schema_may_widen = run->may_widen,
                              .wanted = run->wanted,
                              .wanted_count = run->wanted_count,
                              .part_bytes = run->part_bytes};
  wh_buf_clear(&run->rows);
  wh_buf_clear(&run->rejects);
  wh_buf_clear(&run->schema);
  wh_buf_clear(&run->copy);
  run->row_count = run->reject_count = run->part_count = 0;
  run->base_row = run->base_line = 0;
  run->sum = 0;
  dribble_input in;
  dribble_input_init(&in, text, run->most);
  wh_reader *reader;
  WH_TRY(run->codec->open_reader(&context, &in.bytes.base, run->options, run->given, &reader, err));
  buf_output output;
  buf_output_init(&output, &run->copy);
  copier to = {0};
  const wh_codec_type *codec = run->copy_codec;
  wh_status status = WH_OK;
  if (codec)
    status = codec->open_writer(&context, &output.base, run->copy_options, reader->schema,
                                &to.writer, err);
  context.part_bytes = run->block_bytes;
  if (status == WH_OK && codec && run->block_bytes)
    status = codec->open_encoder(&context, run->copy_options, reader->schema, &to.encoder, err);
  if (status == WH_OK) status = read_all(run, reader, &to, err);
  wh_encoder_close(to.encoder);
  wh_writer_close(to.writer);
  wh_reader_close(reader);
  return status;
}

wh_status codec_run_write(wh_mem *mem, const wh_codec_type *codec, const wh_batch *batch,
                          wh_buf *out, wh_error *err) {
  wh_codec_context context = {.mem = mem, .row_limit_bytes = 1 << 20, .threads = 1};
  buf_output output;
  buf_output_init(&output, out);
  wh_writer *writer;
  WH_TRY(codec->open_writer(&context, &output.base, NULL, batch->schema, &writer, err));
  wh_status status = writer->write(writer, batch, err);
  if (status == WH_OK) status = writer->finish(writer, err);
  wh_writer_close(writer);
  return status;
}
