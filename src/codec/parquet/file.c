#include "codec/parquet/file.h"

#include "codec/parquet/restore.h"

static wh_status not_parquet(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA,
                 "this is no Parquet file, or not all of it: it does not begin and end with PAR1");
}

// Reads the end of the file, and all of the footer that it shows.
static wh_status read_tail(pq_file *f, uint64_t size, wh_error *err) {
  uint8_t head[PQ_MAGIC_BYTES], tail[PQ_TAIL_BYTES];
  if (size < PQ_MAGIC_BYTES + PQ_TAIL_BYTES) return not_parquet(err);
  WH_TRY(f->in->read_at(f->in, 0, head, sizeof head, err));
  WH_TRY(f->in->read_at(f->in, size - PQ_TAIL_BYTES, tail, sizeof tail, err));
  if (memcmp(tail + 4, PQ_MAGIC_ENCRYPTED, PQ_MAGIC_BYTES) == 0)
    return wh_fail(err, WH_ERR_DATA, "the file is encrypted, which Wherry cannot read");
  if (memcmp(tail + 4, PQ_MAGIC, PQ_MAGIC_BYTES) != 0 ||
      memcmp(head, PQ_MAGIC, PQ_MAGIC_BYTES) != 0) {
    return not_parquet(err);
  }
  uint32_t len;
  memcpy(&len, tail, sizeof len);
  if (len > size - PQ_MAGIC_BYTES - PQ_TAIL_BYTES) {
    return wh_fail(err, WH_ERR_DATA, "the footer says that it has %u bytes, the file has %llu", len,
                   (unsigned long long)size);
  }
  if (len > PQ_FOOTER_BYTES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "the footer has %u bytes; at most %d can be read", len,
                   PQ_FOOTER_BYTES_MAX);
  }
  f->footer_at = size - PQ_TAIL_BYTES - len;
  f->footer = wh_mem_alloc(f->mem, len);
  if (!f->footer) return wh_fail_memory(err);
  f->footer_bytes = len;
  return f->in->read_at(f->in, f->footer_at, f->footer, len, err);
}

static wh_status bad_group(size_t group, const char *what, long long value, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "row group %zu: the footer says that it has %lld %s", group + 1,
                 value, what);
}

static wh_status read_group(pq_file *f, pq_cursor *cursor, size_t i, wh_error *err) {
  pq_row_group group;
  WH_TRY(pq_thrift_read(cursor, &pq_rule_row_group, &f->arena, &group, err));
  if (group.rows < 0) return bad_group(i, "rows", group.rows, err);
  if (group.bytes < 0) group.bytes = 0; // only an estimate hangs on it
  if (group.columns.count != f->tree.leaf_count) {
    return wh_fail(err, WH_ERR_DATA, "row group %zu: it has %zu columns, the schema has %u", i + 1,
                   group.columns.count, f->tree.leaf_count);
  }
  f->groups[i] = (pq_group){.first_row = f->rows,
                            .rows = (uint64_t)group.rows,
                            .bytes = (uint64_t)group.bytes,
                            .columns = group.columns};
  if (f->groups[i].rows > f->footer_at * PQ_ROWS_PER_BYTE_MAX)
    return bad_group(i, "rows, more than the file can hold", group.rows, err);
  f->rows += f->groups[i].rows;
  return WH_OK;
}

static wh_status read_groups(pq_file *f, wh_error *err) {
  pq_raw raw = f->meta.row_groups;
  uint64_t base = f->footer_at + (uint64_t)((const uint8_t *)raw.bytes.data - f->footer);
  pq_cursor cursor = pq_cursor_over(raw.bytes, base, "the footer");
  f->groups = WH_NEW_ARRAY(&f->arena, raw.count, pq_group);
  if (!f->groups) return wh_fail_memory(err);
  f->group_count = raw.count;
  for (size_t i = 0; i < raw.count; i++)
    WH_TRY(read_group(f, &cursor, i, err));
  // Some writers leave the sum at 0.
  if (f->meta.rows && f->rows != (uint64_t)f->meta.rows) {
    return wh_fail(err, WH_ERR_DATA,
                   "the footer says that the file has %lld rows, but its row groups have %llu",
                   (long long)f->meta.rows, (unsigned long long)f->rows);
  }
  return WH_OK;
}

static wh_status read_footer(pq_file *f, const pq_schema_options *options, wh_error *err) {
  WH_TRY(read_tail(f, f->in->size, err));
  wh_str bytes = wh_str_n((const char *)f->footer, f->footer_bytes);
  pq_cursor cursor = pq_cursor_over(bytes, f->footer_at, "the footer");
  WH_TRY(pq_thrift_read(&cursor, &pq_rule_file, &f->arena, &f->meta, err));
  if (f->meta.rows < 0 || (uint64_t)f->meta.rows > f->footer_at * PQ_ROWS_PER_BYTE_MAX) {
    return wh_fail(err, WH_ERR_DATA,
                   "the footer says that the file has %lld rows, more than %llu bytes can hold",
                   (long long)f->meta.rows, (unsigned long long)f->footer_at);
  }
  WH_TRY(pq_tree_make(&f->meta.schema, options, &f->arena, &f->tree, err));
  WH_TRY(pq_restore_types(&f->meta.key_values, &f->tree, &f->arena, err));
  return read_groups(f, err);
}

wh_status pq_file_open(pq_file *file, wh_mem *mem, wh_input *in, const pq_schema_options *options,
                       wh_error *err) {
  *file = (pq_file){.mem = mem, .in = in};
  wh_arena_init(&file->arena, mem);
  if (!in->read_at || in->size == WH_SIZE_UNKNOWN) {
    return wh_fail(err, WH_ERR_USAGE,
                   "a Parquet file is read from its end, and this input only from its start");
  }
  wh_status status = read_footer(file, options, err);
  if (status != WH_OK) pq_file_close(file);
  return status;
}

void pq_file_close(pq_file *file) {
  if (!file->mem) return;
  wh_mem_free(file->mem, file->footer, file->footer_bytes);
  wh_arena_free(&file->arena);
  *file = (pq_file){0};
}

wh_status pq_chunk_next(const pq_file *file, size_t group, pq_chunk_walk *walk, wh_arena *arena,
                        pq_column_chunk *ret, wh_error *err) {
  pq_raw raw = file->groups[group].columns;
  if (!walk->cursor.start) {
    uint64_t base = file->footer_at + (uint64_t)((const uint8_t *)raw.bytes.data - file->footer);
    walk->cursor = pq_cursor_over(raw.bytes, base, "the footer");
  }
  if (walk->leaf == raw.count) return WH_ERR_END;
  walk->leaf++;
  return pq_thrift_read(&walk->cursor, &pq_rule_column_chunk, arena, ret, err);
}

// Bytes [at, at + len) of the file as one struct.
static wh_status load(const pq_file *f, int64_t at, int64_t len, const char *what,
                      const pq_rule *rule, wh_arena *arena, void *ret, wh_error *err) {
  if (at < 0 || len < 0 || (uint64_t)at > f->footer_at ||
      (uint64_t)len > f->footer_at - (uint64_t)at)
    return wh_fail(err, WH_ERR_DATA, "%s goes past the file's data", what);
  if (len > PQ_INDEX_BYTES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "%s has %lld bytes; at most %d can be read", what,
                   (long long)len, PQ_INDEX_BYTES_MAX);
  }
  uint8_t *bytes = wh_arena_alloc(arena, (size_t)len);
  if (!bytes) return wh_fail_memory(err);
  WH_TRY(f->in->read_at(f->in, (uint64_t)at, bytes, (size_t)len, err));
  pq_cursor cursor = pq_cursor_over(wh_str_n((char *)bytes, (size_t)len), (uint64_t)at, what);
  return pq_thrift_read(&cursor, rule, arena, ret, err);
}

static wh_status check_locations(const pq_file *f, size_t group, const pq_offset_index *index,
                                 wh_error *err) {
  const pq_page_location *pages = index->pages.items;
  int64_t offset = 0, row = -1;
  for (size_t i = 0; i < index->pages.count; i++) {
    if (pages[i].offset <= offset || (uint64_t)pages[i].offset >= f->footer_at ||
        pages[i].first_row < row || (i == 0 && pages[i].first_row != 0) ||
        (uint64_t)pages[i].first_row > f->groups[group].rows) {
      return wh_fail(err, WH_ERR_DATA, "the index of its pages is wrong at page %zu", i + 1);
    }
    offset = pages[i].offset;
    row = pages[i].first_row;
  }
  return WH_OK;
}

wh_status pq_offset_index_load(const pq_file *file, size_t group, const pq_column_chunk *chunk,
                               wh_arena *arena, pq_offset_index *ret, wh_error *err) {
  *ret = (pq_offset_index){0};
  if (!PQ_HAS(chunk, PQ_CHUNK_OFFSET_INDEX) || !PQ_HAS(chunk, PQ_CHUNK_OFFSET_INDEX_LENGTH) ||
      chunk->offset_index_length == 0) {
    return WH_OK;
  }
  WH_TRY(load(file, chunk->offset_index, chunk->offset_index_length, "the index of its pages",
              &pq_rule_offset_index, arena, ret, err));
  return check_locations(file, group, ret, err);
}

wh_status pq_column_index_load(const pq_file *file, const pq_column_chunk *chunk, size_t pages,
                               wh_arena *arena, bool *ret_found, pq_column_index *ret,
                               wh_error *err) {
  *ret_found = false;
  if (!PQ_HAS(chunk, PQ_CHUNK_COLUMN_INDEX) || !PQ_HAS(chunk, PQ_CHUNK_COLUMN_INDEX_LENGTH) ||
      chunk->column_index_length == 0) {
    return WH_OK;
  }
  WH_TRY(load(file, chunk->column_index, chunk->column_index_length, "the statistics of its pages",
              &pq_rule_column_index, arena, ret, err));
  if (ret->null_pages.count != pages || ret->mins.count != pages || ret->maxs.count != pages) {
    return wh_fail(err, WH_ERR_DATA, "the statistics of its pages are of %zu pages, there are %zu",
                   ret->null_pages.count, pages);
  }
  *ret_found = true;
  return WH_OK;
}
