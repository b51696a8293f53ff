// Any bytes through the CSV reader.
//
// The first byte says how (bit 0: plain C loops; bit 1: the dialect is found out, otherwise it is
// RFC 4180's; bit 2: with an escape; bit 3: with comments; bit 4: Latin-1; bit 5: blanks do not
// count; bit 6: a delimiter of two bytes; bit 7: the allocation numbered by the second byte fails),
// the rest is the text. What must hold: no crash, no leak; a pass after WH_ERR_WIDEN succeeds; rows
// and rejects are the same in parts of any size, in reads of any size, and by the other loops.
#include "base/cpu.h"
#include "codec-run.h"
#include "codec/csv/csv.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROW_LIMIT = 1 << 16 };

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static wh_status ranged_read_at(wh_input *in, uint64_t offset, void *data, size_t len,
                                wh_error *err) {
  const wh_bytes_input *b = (const wh_bytes_input *)in;
  (void)err;
  must(offset <= b->len && len <= b->len - offset, "reads stay inside the input");
  memcpy(data, b->data + offset, len);
  return WH_OK;
}

// Counts and hashes, which tell as much as the rows.
typedef struct tally {
  wh_rejects base;
  uint64_t rows, sum;
  uint64_t rejects, reject_bytes;
} tally;

static wh_status count_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  tally *t = (tally *)self;
  (void)err;
  must(reject->reason.len > 0, "a reject has a reason");
  t->rejects++;
  t->reject_bytes += text.len + reject->place.byte;
  return WH_OK;
}

static wh_status read_rows(wh_mem *mem, wh_reader *reader, tally *t, wh_error *err) {
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, mem, reader->schema, err));
  wh_status status;
  for (;;) {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, &t->base, err);
    if (status != WH_OK || (batch.rows == 0 && !reader->paused)) break;
    t->rows += batch.rows;
    for (size_t row = 0; row < batch.rows; row++)
      t->sum += wh_batch_place(&batch, row).byte * 31;
  }
  wh_batch_free(&batch);
  return status;
}

static wh_status read_parts(wh_mem *mem, wh_reader *whole, tally *t, wh_error *err) {
  uint64_t expected = 0;
  for (uint64_t index = 0;; index++) {
    wh_reader *part;
    wh_status status = whole->next_part(whole, &part, err);
    if (status != WH_OK) return status == WH_ERR_END ? WH_OK : status;
    if (index && part->part.from != expected) status = part->restart_part(part, expected, err);
    if (status == WH_OK) status = read_rows(mem, part, t, err);
    expected = part->part.to;
    wh_reader_close(part);
    if (status != WH_OK) return status;
  }
}

static wh_status read_text(wh_mem *mem, wh_str text, const wh_csv_read_options *options,
                           size_t part_bytes, size_t batch_rows, tally *t) {
  wh_codec_context context = {
      .mem = mem, .row_limit_bytes = ROW_LIMIT, .batch_rows = batch_rows, .part_bytes = part_bytes};
  wh_error err;
  wh_bytes_input in;
  wh_reader *reader;
  wh_bytes_input_init(&in, text.data, text.len);
  in.base.size = text.len;
  in.base.read_at = ranged_read_at;
  *t = (tally){.base = {.raw = count_raw}};
  wh_status status = wh_codec_csv.open_reader(&context, &in.base, options, NULL, &reader, &err);
  if (status != WH_OK) {
    must(err.text[0], "an error has a text");
    return status;
  }
  status = part_bytes && reader->next_part ? read_parts(mem, reader, t, &err)
                                           : read_rows(mem, reader, t, &err);
  must(status == WH_OK || err.text[0], "an error has a text");
  wh_reader_close(reader);
  return status;
}

static bool same(const tally *a, const tally *b) {
  return a->rows == b->rows && a->sum == b->sum && a->rejects == b->rejects &&
         a->reject_bytes == b->reject_bytes;
}

static void check_ways(wh_mem *mem, wh_str text, const wh_csv_read_options *options) {
  static const size_t parts[] = {1, 7, 64, 1000};
  tally whole, other;
  wh_status status = read_text(mem, text, options, 0, 0, &whole);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    // A million parts of one byte are no use.
    if (text.len / parts[i] > 300) continue;
    must(read_text(mem, text, options, parts[i], 1 + parts[i] % 5, &other) == status,
         "parts end like the whole");
    must(status != WH_OK || same(&whole, &other), "parts hold the rows of the whole");
  }
  wh_cpu_limit(WH_CPU_PLAIN);
  must(read_text(mem, text, options, 0, 3, &other) == status, "the plain loops end alike");
  must(status != WH_OK || same(&whole, &other), "the plain loops read the same rows");
  wh_cpu_limit(WH_CPU_AVX512);
}

// By name, types and all; small reads; once more with the wider schema.
static void check_run(wh_mem *mem, wh_str text, const wh_csv_read_options *options) {
  wh_error err;
  codec_run first, second;
  codec_run_init(&first, mem, &wh_codec_csv);
  codec_run_init(&second, mem, &wh_codec_csv);
  first.options = second.options = options;
  first.keep_schema = true;
  first.row_limit = second.row_limit = ROW_LIMIT;
  wh_status status = codec_run_read(&first, text, &err);
  if (status == WH_OK || status == WH_ERR_WIDEN) {
    second.given = &first.wider;
    second.may_widen = true;
    second.most = 1 + text.len % 7;
    wh_status again = codec_run_read(&second, text, &err);
    if (again != WH_OK) fprintf(stderr, "%s\n", err.text);
    must(again == WH_OK, "the pass with the schema found succeeds");
    if (status == WH_OK) {
      must(wh_str_eq(wh_buf_str(&first.rows), wh_buf_str(&second.rows)), "pinned: the same rows");
      must(first.reject_count == second.reject_count, "pinned: the same rejects");
    }
  }
  codec_run_free(&first);
  codec_run_free(&second);
}

static void run_out(wh_mem *mem, wh_str text, const wh_csv_read_options *options, size_t n) {
  tally t;
  atomic_store(&mem->count, 0);
  atomic_store(&mem->fail_at, n);
  wh_status status = read_text(mem, text, options, n % 2 ? 100 : 0, 0, &t);
  must(status == WH_ERR_MEMORY || atomic_load(&mem->failed) == 0, "no memory is an error");
  atomic_store(&mem->fail_at, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_csv_read_options options = wh_csv_read_defaults;
  if (!(data[0] & 2)) {
    options = (wh_csv_read_options){.delimiter = WH_STR(","),
                                    .quote = WH_STR("\""),
                                    .escape = WH_STR("none"),
                                    .header = WH_CSV_HEADER_YES,
                                    .decimal = WH_STR("."),
                                    .encoding = WH_CSV_UTF8};
  }
  if (data[0] & 4) options.escape = WH_STR("\\");
  if (data[0] & 8) options.comment = WH_STR("#");
  if (data[0] & 16) options.encoding = WH_CSV_LATIN1;
  if (data[0] & 32) options.trim = true;
  if (data[0] & 64) options.delimiter = WH_STR("::");
  wh_str text = wh_str_n((const char *)data + 2, size - 2);
  wh_mem mem;
  wh_mem_init(&mem, 64 << 20);
  if (data[0] & 1) wh_cpu_limit(WH_CPU_PLAIN);
  if (data[0] & 128) {
    run_out(&mem, text, &options, 1 + data[1]);
  } else {
    check_run(&mem, text, &options);
    check_ways(&mem, text, &options);
  }
  wh_cpu_limit(WH_CPU_AVX512);
  must(atomic_load(&mem.used) == 0, "all memory was given back");
  return 0;
}
