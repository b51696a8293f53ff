// Any bytes as an HDF5 file.
//
// The first byte says how it is read (bit 0: as one table, of which nothing is said; else as two;
// bit 1: in small batches; bit 2: the allocation numbered by the second byte fails); the file
// follows behind the second. What must hold: no crash, no leak, no undefined behaviour; an error
// has a text; memory stays below a ceiling; a file that is read is read the same way again.
#include "hdf5_file.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);
const char *__asan_default_options(void);

// libhdf5 loses some bytes of its own over damaged headers; ours are counted below.
const char *__lsan_default_suppressions(void) {
  return "leak:libhdf5";
}

// It asks for as much memory as a header says before it looks whether the file has that many bytes.
const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}

enum { MEMORY = 64 << 20, ROWS_MOST = 20000, FILE_MOST = 64 << 10 };

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

#define SCALAR(text_)                                                                              \
  { .kind = WH_NODE_SCALAR, .text = WH_STR_INIT(text_) }

// rows: [/songs, /more] and rows: [{ path: /a, start: start }, { path: /b, start: start }]
static wh_node songs = SCALAR("/songs"), more = SCALAR("/more"), a = SCALAR("/a"), b = SCALAR("/b");
static wh_node path = SCALAR("path"), start = SCALAR("start"), value = SCALAR("start");
static wh_node keep = SCALAR("keep"), name = SCALAR("name");
static wh_node *side_by_side[] = {&songs, &more};
static wh_node_entry a_words[] = {{&path, &a}, {&start, &value}};
static wh_node_entry b_words[] = {{&path, &b}, {&start, &value}};
static wh_node_entry parent_words[] = {{&path, &songs}, {&keep, &name}};
static wh_node first = {.kind = WH_NODE_LIST, .items = side_by_side, .count = 2};
static wh_node a_side = {.kind = WH_NODE_MAP, .entries = a_words, .count = 2};
static wh_node b_side = {.kind = WH_NODE_MAP, .entries = b_words, .count = 2};
static wh_node *sliced[] = {&a_side, &b_side};
static wh_node second = {.kind = WH_NODE_LIST, .items = sliced, .count = 2};
static wh_node parent = {.kind = WH_NODE_MAP, .entries = parent_words, .count = 2};
static wh_node title = SCALAR("title"), title_at = SCALAR("/@TITLE");
static wh_node_entry repeated[] = {{&title, &title_at}};
static wh_node repeat = {.kind = WH_NODE_MAP, .entries = repeated, .count = 1};

static const wh_hdf5_table tables[] = {
    {.rows = &first, .index = WH_STR_INIT("i"), .file = WH_STR_INIT("f"), .index_from = 1},
    {.rows = &second, .parent = &parent, .repeat = &repeat, .index_from = 0},
};
static const wh_table_spec specs[] = {{.name = WH_STR_INIT("songs"), .options = &tables[0]},
                                      {.name = WH_STR_INIT("elements"), .options = &tables[1]}};

static wh_status read_one(hdf5_reading *r, wh_str file, wh_error *err) {
  wh_bytes_input in;
  wh_bytes_input_init(&in, file.data, file.len);
  wh_reader *reader;
  wh_rejects none = wh_rejects_none();
  WH_TRY(wh_codec_hdf5.open_reader(&r->context, &in.base, NULL, NULL, &reader, err));
  wh_batch batch;
  wh_status status = wh_batch_init(&batch, r->mem, reader->schema, err);
  while (status == WH_OK) {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, &none, err);
    r->row_count += batch.rows;
    if (batch.rows == 0 || r->row_count > ROWS_MOST) break;
  }
  wh_batch_free(&batch);
  wh_reader_close(reader);
  return status;
}

static wh_status run(wh_mem *mem, wh_str file, uint8_t how, hdf5_reading *r) {
  wh_error err = {0};
  hdf5_reading_init(r, mem);
  r->rows_most = ROWS_MOST;
  r->context.batch_rows = how & 2 ? 3 : 0;
  wh_status status = how & 1 ? read_one(r, file, &err) : hdf5_reading_run(r, file, specs, 2, &err);
  must(status == WH_OK || err.text[0], "an error has a text");
  must(status != WH_ERR_BUG && status != WH_ERR_IO && status != WH_ERR_END, "an error of the file");
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2 || size > FILE_MOST) return 0;
  wh_mem mem;
  hdf5_reading r, again;
  wh_mem_init(&mem, MEMORY);
  wh_str file = wh_str_n((const char *)data + 2, size - 2);
  if (data[0] & 4) atomic_store(&mem.fail_at, 1 + data[1]);
  wh_status status = run(&mem, file, data[0], &r);
  atomic_store(&mem.fail_at, 0);
  if (status == WH_OK && !(data[0] & 4) && r.row_count < ROWS_MOST) {
    must(run(&mem, file, data[0] ^ 2, &again) == WH_OK, "it is read again");
    must(r.row_count == again.row_count, "as many rows");
    must(wh_str_eq(wh_buf_str(&r.rows[1]), wh_buf_str(&again.rows[1])), "the same rows");
    hdf5_reading_free(&again);
  }
  hdf5_reading_free(&r);
  must(atomic_load(&mem.used) == 0, "all memory is given back");
  return 0;
}
