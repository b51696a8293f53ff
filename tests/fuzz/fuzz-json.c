// Any bytes through the JSON readers and the writer.
//
// The first byte says how (bit 0: lines; bit 1: a tiny window, which also makes the sample of
// inference tiny; bit 2: the allocation numbered by the second byte fails; bit 6: flatten; bit 7:
// explode "a"), the rest is the text.
// What must hold: no crash, no leak; a text that is not JSON is not read without a word; a pass
// after WH_ERR_WIDEN does not fail with it again; the inferred schema, given as pinned, reads the
// same rows; rows that were read, written and read again are the same; and rows that are guessed
// at, or read in parts, are what the index says.
#include "codec-run.h"
#include "codec/json/fast.h"
#include "codec/json/json.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TINY_ROWS = 192, USUAL_ROWS = 1 << 14 };

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static bool is_json(wh_mem *mem, wh_str text) {
  dribble_input in;
  wh_error err;
  dribble_input_init(&in, text, 0);
  wh_status status = wh_json_validate(mem, &in.bytes.base, USUAL_ROWS, &err);
  must(status == WH_OK || err.text[0], "an error has a text");
  return status == WH_OK;
}

// Reads what was written with the schema of the rows: nothing may be lost.
static void check_copy(wh_mem *mem, const codec_run *first, const wh_schema *schema) {
  wh_error err;
  codec_run again;
  codec_run_init(&again, mem, first->copy_codec);
  again.given = schema;
  must(codec_run_read(&again, wh_buf_str(&first->copy), &err) == WH_OK, "what was written is read");
  must(again.reject_count == 0, "what was written is not rejected");
  must(again.sum == first->sum, "what was written has the same hashes");
  must(wh_str_eq(wh_buf_str(&again.rows), wh_buf_str(&first->rows)), "the same rows");
  codec_run_free(&again);
}

// The second pass, with the schema of the first.
static void check_pinned(wh_mem *mem, codec_run *first, wh_status status, wh_str text) {
  wh_error err;
  codec_run second;
  codec_run_init(&second, mem, first->codec);
  second.given = &first->wider;
  second.may_widen = true;
  second.places = true;
  second.row_limit = first->row_limit;
  second.options = first->options;
  second.copy_codec = &wh_codec_json;
  wh_status again = codec_run_read(&second, text, &err);
  if (again != WH_OK) fprintf(stderr, "%s\n", err.text);
  must(again == WH_OK, "the pass with the schema found succeeds");
  if (status == WH_OK) {
    must(wh_str_eq(wh_buf_str(&second.rows), wh_buf_str(&first->rows)), "pinned: the same rows");
    must(second.reject_count == first->reject_count, "pinned: the same rejects");
  } else {
    must(second.row_count > first->row_count, "the wider schema takes more rows");
  }
  second.places = false;
  must(codec_run_read(&second, text, &err) == WH_OK, "once more");
  check_copy(mem, &second, &first->wider);
  codec_run_free(&second);
}

// By the index alone, and in parts.
static void check_ways(wh_mem *mem, const codec_run *first, wh_status status, wh_str text) {
  wh_error err;
  codec_run other;
  codec_run_init(&other, mem, first->codec);
  other.row_limit = first->row_limit;
  other.options = first->options;
  other.places = true;
  for (int parts = 0; parts < 2; parts++) {
    other.part_bytes = parts ? 50 : 0;
    json_fast_off = !parts;
    wh_status got = codec_run_read(&other, text, &err);
    json_fast_off = false;
    must(got == status, "the same end each way");
    if (status != WH_OK) continue;
    must(wh_str_eq(wh_buf_str(&other.rows), wh_buf_str(&first->rows)), "each way: the same rows");
    must(wh_str_eq(wh_buf_str(&other.rejects), wh_buf_str(&first->rejects)),
         "each way: the same rejects");
  }
  codec_run_free(&other);
}

static void run_out(wh_mem *mem, const wh_codec_type *codec, size_t limit, wh_str text, size_t n) {
  wh_error err;
  codec_run run;
  codec_run_init(&run, mem, codec);
  run.row_limit = limit;
  atomic_store(&mem->count, 0);
  atomic_store(&mem->fail_at, n);
  wh_status status = codec_run_read(&run, text, &err);
  must(status == WH_ERR_MEMORY || atomic_load(&mem->failed) == 0, "no memory is an error");
  atomic_store(&mem->fail_at, 0);
  codec_run_free(&run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  uint8_t how = data[0];
  wh_mem mem;
  wh_error err;
  wh_mem_init(&mem, 0);
  wh_str text = wh_str_n((const char *)data + 1, size - 1);
  const wh_codec_type *codec = how & 1 ? &wh_codec_ndjson : &wh_codec_json;
  size_t limit = how & 2 ? TINY_ROWS : USUAL_ROWS;
  wh_json_read_options options = {.flatten = how & 64};
  if (how & 128) options.explode = WH_STR("a");
  if (how & 4) {
    run_out(&mem, codec, limit, wh_str_sub(text, 1, text.len), data[1]);
  } else {
    codec_run run;
    codec_run_init(&run, &mem, codec);
    run.row_limit = limit;
    run.options = &options;
    run.places = true;
    run.keep_schema = true;
    wh_status status = codec_run_read(&run, text, &err);
    must(status == WH_OK || err.text[0], "an error has a text");
    if (!(how & 1) && !is_json(&mem, text)) {
      must(status != WH_OK || run.reject_count > 0, "what is not JSON is not taken silently");
    }
    check_ways(&mem, &run, status, text);
    if (status == WH_OK || status == WH_ERR_WIDEN) check_pinned(&mem, &run, status, text);
    codec_run_free(&run);
  }
  must(atomic_load(&mem.used) == 0, "all memory is given back");
  return 0;
}
