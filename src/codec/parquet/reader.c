#include "codec/parquet/reader.h"

#include "codec/parquet/plan_read.h"
#include "codec/parquet/scan.h"

static const char *const int96_choices[] = {"us", "ns", NULL};

const wh_option pq_read_table[] = {
    {.name = "where",
     .type = WH_OPTION_NODE,
     .offset = offsetof(pq_read_options, where),
     .shape = "{ column: [from, to] }",
     .help = "only rows whose values lie in these ranges, ends included, null for no end; what "
             "cannot match is not read"},
    {.name = "int96",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(pq_read_options, int96),
     .choices = int96_choices,
     .def = "us",
     .help = "the unit of legacy INT96 timestamps; nanoseconds reach only from 1677 to 2262"},
    {0}};

enum {
  PART_ROWS_DEFAULT = 1 << 17,
  PART_BYTES_DEFAULT = 32 << 20,
};

typedef struct reader {
  wh_reader base;
  wh_mem *mem;
  pq_file file;
  pq_plan plan;
  wh_arena arena; // of the plan
  pq_scan *scan;  // of all rows, once `next` is called
  bool widen;     // the schema given is too narrow: plan.schema is what holds it and the file's
  // Where the next part begins.
  uint64_t part_index;
  size_t part_group;
  uint64_t part_row; // of the file
  uint64_t slice;    // rows of each part that the group is cut into; 0: it was not begun
} reader;

static wh_status reader_next(wh_reader *base, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  reader *r = (reader *)base;
  if (r->widen) {
    return wh_fail(err, WH_ERR_WIDEN, "the file's columns do not fit the schema that was known");
  }
  if (!r->scan) WH_TRY(pq_scan_open(&r->plan, 0, r->file.rows, &r->scan, err));
  wh_status status = r->scan->base.next(&r->scan->base, batch, rejects, err);
  base->paused = r->scan->base.paused;
  base->bytes_read = r->file.footer_bytes + r->scan->base.bytes_read;
  return status;
}

static void reader_close(wh_reader *base) {
  reader *r = (reader *)base;
  if (r->scan) wh_reader_close(&r->scan->base);
  pq_file_close(&r->file);
  wh_arena_free(&r->arena);
  wh_mem_free(r->mem, r, sizeof *r);
}

// Rows of the first data page of the group's first column; 0: it is not known. What is wrong with
// the column is found by whoever reads it.
static uint64_t first_page_rows(reader *r, const pq_column_chunk *chunk) {
  const pq_column_meta *m = &chunk->meta;
  uint64_t end = r->file.footer_at, rows = 0;
  pq_pages pages;
  if (!PQ_HAS(chunk, PQ_CHUNK_META) || m->data_page < PQ_MAGIC_BYTES ||
      (uint64_t)m->data_page >= end)
    return 0;
  pq_pages_init(&pages, r->mem, r->file.in, NULL, NULL, PQ_WINDOW_BYTES_MIN);
  pq_pages_open(&pages, (uint64_t)m->data_page, end, end, m->compression);
  pages.peeking = true;
  for (int i = 0; i < 2 && rows == 0 && pq_pages_next(&pages, NULL) == WH_OK; i++)
    if (pages.header.type != PQ_DICTIONARY_PAGE) rows = (uint64_t)pq_pages_values(&pages);
  pq_pages_free(&pages);
  return rows;
}

// Without an index of the pages, a part decompresses what is in front of it in its pages, too: so
// that parts are not smaller than these.
static wh_status least_slice(reader *r, size_t group, uint64_t *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  pq_chunk_walk walk = {0};
  pq_column_chunk chunk;
  const pq_group *g = &r->file.groups[group];
  wh_arena_init(&arena, r->mem);
  *ret = 1;
  if (r->plan.count == 0) return WH_OK;
  do
    WH_TRY(pq_chunk_next(&r->file, group, &walk, &arena, &chunk, err));
  while (walk.leaf <= r->plan.nodes[0]->first_leaf);
  if (r->file.tree.leaves[walk.leaf - 1]->slot_rep || PQ_HAS(&chunk, PQ_CHUNK_OFFSET_INDEX))
    return WH_OK;
  uint64_t rows = first_page_rows(r, &chunk);
  *ret = rows < g->rows ? rows : r->file.group_count > 1 ? g->rows : (g->rows + 1) / 2;
  return WH_OK;
}

// Whether a part may begin inside the group: rows of flat columns can be found in any, those of
// nested ones only by the index of the pages.
static wh_status can_slice(reader *r, size_t group, bool *ret, wh_error *err) {
  const pq_plan *plan = &r->plan;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, r->mem);
  *ret = true;
  bool *nested = WH_NEW_ARRAY(&arena, r->file.tree.leaf_count, bool);
  if (!nested) return wh_fail_memory(err);
  size_t count = 0;
  for (size_t i = 0; i < plan->count; i++) {
    for (uint32_t l = 0; l < plan->nodes[i]->leaf_count; l++) {
      uint32_t leaf = plan->nodes[i]->first_leaf + l;
      nested[leaf] = r->file.tree.leaves[leaf]->slot_rep > 0;
      count += nested[leaf];
    }
  }
  pq_chunk_walk walk = {0};
  for (uint32_t l = 0; count && l < r->file.tree.leaf_count; l++) {
    pq_column_chunk chunk;
    WH_TRY(pq_chunk_next(&r->file, group, &walk, &arena, &chunk, err));
    if (nested[l] && !PQ_HAS(&chunk, PQ_CHUNK_OFFSET_INDEX)) *ret = false;
  }
  return WH_OK;
}

static uint64_t part_rows(const reader *r, const pq_group *g) {
  const wh_codec_context *c = &r->plan.context;
  uint64_t most = c->part_rows ? c->part_rows : PART_ROWS_DEFAULT;
  uint64_t bytes = c->part_bytes ? c->part_bytes : PART_BYTES_DEFAULT;
  // Of all columns, though not all may be read: an estimate.
  uint64_t each = g->rows ? g->bytes / g->rows : 0;
  if (each && bytes / each < most) most = bytes / each;
  return most ? most : 1;
}

// How the group at hand is cut: into as few parts as may be, of about the same size.
static wh_status begin_group(reader *r, const pq_group *g, wh_error *err) {
  uint64_t most = part_rows(r, g);
  bool slices = true;
  if (g->rows > most) {
    uint64_t least;
    WH_TRY(can_slice(r, r->part_group, &slices, err));
    WH_TRY(least_slice(r, r->part_group, &least, err));
    if (most < least) most = least;
  }
  uint64_t parts = slices ? (g->rows + most - 1) / most : 1;
  r->slice = parts ? (g->rows + parts - 1) / parts : 0;
  return WH_OK;
}

// Small groups go together.
static void join_groups(reader *r, uint64_t *to) {
  const pq_group *g = &r->file.groups[r->part_group];
  uint64_t rows = g->rows, bytes = g->bytes;
  const wh_codec_context *c = &r->plan.context;
  uint64_t most_rows = c->part_rows ? c->part_rows : PART_ROWS_DEFAULT;
  uint64_t most_bytes = c->part_bytes ? c->part_bytes : PART_BYTES_DEFAULT;
  while (r->part_group + 1 < r->file.group_count) {
    g = &r->file.groups[r->part_group + 1];
    if (g->rows > most_rows - rows || bytes >= most_bytes || g->bytes > most_bytes - bytes) break;
    rows += g->rows;
    bytes += g->bytes;
    *to = g->first_row + g->rows;
    r->part_group++;
    if (rows >= most_rows) break;
  }
}

static wh_status next_range(reader *r, uint64_t *from, uint64_t *to, wh_error *err) {
  while (r->part_group < r->file.group_count) {
    const pq_group *g = &r->file.groups[r->part_group];
    uint64_t end = g->first_row + g->rows;
    bool may = g->rows > 0;
    if (r->slice == 0) {
      r->part_row = g->first_row;
      if (may && r->plan.where.count)
        WH_TRY(pq_where_group(&r->plan.where, &r->file, r->part_group, &may, err));
      if (may) WH_TRY(begin_group(r, g, err));
    }
    if (!may || r->part_row >= end) {
      r->part_group++;
      r->slice = 0;
      continue;
    }
    *from = r->part_row;
    *to = end - *from > r->slice ? *from + r->slice : end;
    if (*from == g->first_row && *to == end) join_groups(r, to);
    r->part_row = *to;
    if (*to >= r->file.groups[r->part_group].first_row + r->file.groups[r->part_group].rows) {
      r->part_group++;
      r->slice = 0;
    }
    return WH_OK;
  }
  return WH_ERR_END;
}

static wh_status reader_next_part(wh_reader *base, wh_reader **ret, wh_error *err) {
  reader *r = (reader *)base;
  uint64_t from, to;
  pq_scan *scan;
  if (r->widen) return reader_next(base, NULL, NULL, err);
  wh_status status = next_range(r, &from, &to, err);
  if (status != WH_OK) return status;
  WH_TRY(pq_scan_open(&r->plan, from, to, &scan, err));
  scan->base.part.index = r->part_index++;
  scan->base.part.to = to;
  *ret = &scan->base;
  return WH_OK;
}

static wh_status open(reader *r, const wh_codec_context *context, wh_input *in,
                      const pq_read_options *options, const wh_schema *given, wh_error *err) {
  static const pq_read_options none = {0};
  if (!options) options = &none;
  pq_schema_options schema = {.int96_ns = options->int96 == 1};
  WH_TRY(pq_file_open(&r->file, r->mem, in, &schema, err));
  r->base.bytes_read = r->file.footer_bytes;
  return pq_plan_make(&r->file, context, options, given, &r->arena, &r->plan, &r->widen, err);
}

wh_status pq_open_reader(const wh_codec_context *context, wh_input *in, const void *options,
                         const wh_schema *given, wh_reader **ret, wh_error *err) {
  reader *r = wh_mem_alloc_zero(context->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->mem = context->mem;
  r->base = (wh_reader){.schema = &r->plan.schema,
                        .schema_inferred = !given,
                        .next = reader_next,
                        .next_part = reader_next_part,
                        .close = reader_close};
  wh_arena_init(&r->arena, r->mem);
  wh_status status = open(r, context, in, options, given, err);
  if (status != WH_OK) {
    reader_close(&r->base);
    return status;
  }
  *ret = &r->base;
  return WH_OK;
}
