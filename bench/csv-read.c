// How fast the CSV reader reads a file, one thread, from memory.
//
//   build/bench/csv-read FILE [ROUNDS [BYTES]]
//
// Prints the schema found and MB (10^6 bytes) a second of processor time: as a whole and in parts,
// the best of the rounds. The first BYTES of the file (64 MiB) are read.
#include "base/mem.h"
#include "codec/csv/csv.h"

#include <stdio.h>
#include <time.h>

enum { PART_BYTES = 16 << 20 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static wh_status no_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  (void)self, (void)text;
  return wh_fail_at(err, WH_ERR_DATA, reject->place, "%.*s: %.*s", WH_STR_ARG(reject->column),
                    WH_STR_ARG(reject->reason));
}

typedef struct memory_input {
  wh_bytes_input bytes;
} memory_input;

static wh_status memory_read_at(wh_input *in, uint64_t offset, void *data, size_t len,
                                wh_error *err) {
  const wh_bytes_input *m = (const wh_bytes_input *)in;
  if (offset > m->len || len > m->len - offset) return wh_fail(err, WH_ERR_IO, "beyond the end");
  memcpy(data, m->data + offset, len);
  return WH_OK;
}

static wh_status read_rows(wh_reader *reader, wh_batch *batch, size_t *rows, wh_error *err) {
  wh_rejects rejects = {.raw = no_raw};
  for (;;) {
    wh_batch_reset(batch);
    WH_TRY(reader->next(reader, batch, &rejects, err));
    if (batch->rows == 0) return WH_OK;
    *rows += batch->rows;
  }
}

static wh_status read_parts(wh_reader *reader, wh_batch *batch, size_t *rows, wh_error *err) {
  for (;;) {
    wh_reader *part;
    wh_status status = reader->next_part(reader, &part, err);
    if (status == WH_ERR_END) return WH_OK;
    if (status != WH_OK) return status;
    status = read_rows(part, batch, rows, err);
    wh_reader_close(part);
    if (status != WH_OK) return status;
  }
}

static wh_status read_file(wh_mem *mem, wh_str text, bool parts, bool say, size_t *ret_rows,
                           wh_error *err) {
  wh_codec_context context = {
      .mem = mem, .row_limit_bytes = 8 << 20, .threads = 1, .part_bytes = PART_BYTES};
  wh_bytes_input in;
  wh_bytes_input_init(&in, text.data, text.len);
  in.base.size = text.len;
  in.base.read_at = memory_read_at;
  wh_reader *reader;
  wh_batch batch = {0};
  *ret_rows = 0;
  WH_TRY(wh_codec_csv.open_reader(&context, &in.base, NULL, NULL, &reader, err));
  for (size_t i = 0; say && i < reader->schema->count && i < 24; i++) {
    wh_buf type;
    wh_buf_init(&type, mem, 0);
    wh_type_write(&reader->schema->fields[i].type, &type);
    printf("%.*s %.*s\n", WH_STR_ARG(reader->schema->fields[i].name),
           WH_STR_ARG(wh_buf_str(&type)));
    wh_buf_free(&type);
  }
  wh_status status = wh_batch_init(&batch, mem, reader->schema, err);
  if (status == WH_OK) status = (parts ? read_parts : read_rows)(reader, &batch, ret_rows, err);
  wh_batch_free(&batch);
  wh_reader_close(reader);
  return status;
}

int main(int argc, char **argv) {
  int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
  size_t most = argc > 3 ? strtoull(argv[3], NULL, 10) : 64 << 20;
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  char *text = malloc(most);
  if (!file || !text) return 2;
  size_t len = fread(text, 1, most, file);
  while (len && text[len - 1] != '\n')
    len--;
  fclose(file);
  wh_mem mem;
  wh_error err;
  wh_mem_init(&mem, 0);
  for (int parts = 0; parts < 2; parts++) {
    double best = 1e9;
    size_t rows;
    for (int i = 0; i < rounds; i++) {
      double from = now();
      if (read_file(&mem, wh_str_n(text, len), parts, i + parts == 0, &rows, &err) != WH_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
      }
      double took = now() - from;
      best = took < best ? took : best;
    }
    printf("%s: %zu rows, %.1f MB, %.0f MB/s, %.1f ns a row\n", parts ? "parts" : "whole", rows,
           (double)len / 1e6, (double)len / 1e6 / best, best * 1e9 / (double)rows);
  }
  printf("%.1f MiB of memory at most\n", (double)atomic_load(&mem.peak) / 1048576);
  free(text);
  return 0;
}
