// How fast rows become Parquet, in one thread, without reading them:
//   parquet-encode FILE COMPRESSION [LEVEL [ROUNDS [OUT]]]
// FILE is anything there is a codec for; its first row group is encoded again and again. Prints the
// rate in bytes of the source's text. OUT: where the file is written once, to look at.
#include "codec/codec.h"
#include "codec/parquet/parquet.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCHES_MOST = 4096, SECONDS_TO_NANOS = 1000000000 };

typedef struct source {
  wh_input base;
  FILE *file;
} source;

static wh_status source_read(wh_input *base, void *data, size_t cap, size_t *ret, wh_error *err) {
  (void)err;
  *ret = fread(data, 1, cap, ((source *)base)->file);
  return WH_OK;
}

static wh_status source_read_at(wh_input *base, uint64_t at, void *data, size_t len,
                                wh_error *err) {
  FILE *file = ((source *)base)->file;
  long was = ftell(file);
  bool ok = fseek(file, (long)at, SEEK_SET) == 0 && fread(data, 1, len, file) == len;
  return fseek(file, was, SEEK_SET) == 0 && ok ? WH_OK : wh_fail(err, WH_ERR_IO, "cannot read");
}

static void source_close(wh_input *base) {
  (void)base;
}

typedef struct target {
  wh_output base;
  FILE *file;
} target;

static wh_status target_write(wh_output *base, const void *data, size_t len, wh_error *err) {
  base->written += len;
  FILE *file = ((target *)base)->file;
  return !file || fwrite(data, 1, len, file) == len ? WH_OK
                                                    : wh_fail(err, WH_ERR_IO, "cannot write");
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / SECONDS_TO_NANOS;
}

static void must(wh_status status, const wh_error *err) {
  if (status == WH_OK) return;
  fprintf(stderr, "%s\n", err->text);
  exit(1);
}

static wh_status no_row(wh_rejects *rejects, const wh_reject *reject, const wh_batch *batch,
                        size_t row, wh_error *err) {
  (void)rejects, (void)batch, (void)row;
  return wh_fail(err, WH_ERR_DATA, "%.*s", WH_STR_ARG(reject->reason));
}

static wh_status no_raw(wh_rejects *rejects, const wh_reject *reject, wh_str text, wh_error *err) {
  (void)rejects, (void)text;
  return wh_fail(err, WH_ERR_DATA, "%.*s", WH_STR_ARG(reject->reason));
}

static wh_batch batches[BATCHES_MOST];
static size_t batch_count;

static void encode(wh_encoder *encoder, wh_writer *writer, wh_error *err) {
  wh_block *block = NULL;
  for (size_t i = 0; i < batch_count; i++) {
    must(encoder->add(encoder, &batches[i], err), err);
    if (!encoder->full && i + 1 < batch_count) continue;
    must(encoder->take(encoder, &block, err), err);
    must(writer->append(writer, block, err), err);
    wh_block_free(block);
  }
}

int main(int argc, char **argv) {
  static const char *const names[] = {"snappy", "zstd", "lz4", "none"};
  const wh_codec_type *codec = argc > 2 ? wh_codec_by_key(wh_str_of(argv[1])) : NULL;
  FILE *file = codec ? fopen(argv[1], "rb") : NULL;
  if (!file) {
    fputs("usage: parquet-encode FILE COMPRESSION [LEVEL [ROUNDS [OUT]]]\n", stderr);
    return 2;
  }
  wh_parquet_write_options options = {.level = argc > 3 ? strtol(argv[3], NULL, 10) : 1,
                                      .row_group_rows = WH_PARQUET_GROUP_ROWS,
                                      .page_index = true,
                                      .crc = true};
  while (options.compression < 3 && strcmp(names[options.compression], argv[2]) != 0)
    options.compression++;
  wh_mem mem;
  wh_error err = {0};
  wh_mem_init(&mem, 0);
  wh_codec_context context = {.mem = &mem, .row_limit_bytes = 1 << 24};
  source in = {.base = {.size = WH_SIZE_UNKNOWN,
                        .read = source_read,
                        .read_at = source_read_at,
                        .close = source_close},
               .file = file};
  fseek(file, 0, SEEK_END);
  in.base.size = (uint64_t)ftell(file);
  rewind(file);
  wh_reader *reader;
  wh_rejects rejects = {.row = no_row, .raw = no_raw};
  must(codec->open_reader(&context, &in.base, NULL, NULL, &reader, &err), &err);
  for (size_t rows = 0; rows < WH_PARQUET_GROUP_ROWS && batch_count < BATCHES_MOST;) {
    wh_batch *batch = &batches[batch_count];
    must(wh_batch_init(batch, &mem, reader->schema, &err), &err);
    must(reader->next(reader, batch, &rejects, &err), &err);
    if (batch->rows == 0) break;
    rows += batch->rows;
    batch_count++;
  }
  double bytes = (double)reader->bytes_read, best = 1e9;
  size_t before = atomic_load(&mem.used);
  atomic_store(&mem.peak, before);
  long rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 5;
  wh_encoder *encoder;
  must(wh_codec_parquet.open_encoder(&context, &options, reader->schema, &encoder, &err), &err);
  target out = {.base = {.write = target_write}};
  for (long i = 0; i < rounds; i++) {
    wh_writer *writer;
    out.base.written = 0;
    out.file = i == 0 && argc > 5 ? fopen(argv[5], "wb") : NULL;
    must(wh_codec_parquet.open_writer(&context, &out.base, &options, reader->schema, &writer, &err),
         &err);
    double start = now();
    encode(encoder, writer, &err);
    best = now() - start < best ? now() - start : best;
    must(writer->finish(writer, &err), &err);
    wh_writer_close(writer);
    if (out.file) fclose(out.file);
  }
  wh_encoder_close(encoder);
  printf("%-8s %6.0f MB/s  %.4f of the text, %.1f MiB\n", argv[2], bytes / best / 1e6,
         (double)out.base.written / bytes, (double)(atomic_load(&mem.peak) - before) / (1 << 20));
  wh_reader_close(reader);
  return 0;
}
