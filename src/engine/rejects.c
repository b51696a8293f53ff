#include "engine/rejects.h"

#include "data/value.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_BYTES = 64 * 1024 };

// --- lines -------------------------------------------------------------------------------------

static void write_head(wh_reject_lines *l, const wh_reject *reject, wh_place place) {
  wh_buf *out = &l->lines;
  wh_buf_add_c(out, "{\"rule\":");
  wh_buf_add_json(out, reject->rule);
  wh_buf_add_c(out, ",\"column\":");
  wh_buf_add_json(out, reject->column);
  wh_buf_add_c(out, ",\"reason\":");
  wh_buf_add_json(out, reject->reason);
  wh_reject_number number = {.at = out->len, .row = place.row, .line = place.line};
  wh_buf_add(&l->numbers, &number, sizeof number);
  wh_buf_printf(out, ",\"at\":%llu,\"byte\":%llu,", (unsigned long long)place.column,
                (unsigned long long)place.byte);
}

static bool write_row(wh_buf *out, const wh_batch *batch, size_t row) {
  wh_buf_add_char(out, '{');
  for (size_t i = 0; i < batch->schema->count; i++) {
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, batch->schema->fields[i].name);
    wh_buf_add_char(out, ':');
    if (wh_column_is_null(&batch->columns[i], row))
      wh_buf_add_c(out, "null");
    else
      wh_column_write_json(&batch->columns[i], row, out);
  }
  return wh_buf_add_char(out, '}');
}

// The row of `rows` with this number, or rows->rows. Numbers ascend.
static size_t find_row(const wh_batch *rows, uint64_t number) {
  size_t low = 0, high = rows->rows;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (wh_batch_place(rows, middle).row < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low < rows->rows && wh_batch_place(rows, low).row == number ? low : rows->rows;
}

static wh_status lines_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                           size_t row, wh_error *err) {
  wh_reject_lines *l = (wh_reject_lines *)self;
  wh_place place = wh_batch_place(batch, row);
  if (reject->place.line) place = reject->place;
  if (!place.row) place.row = reject->place.row;
  if (place.row > l->last_row) l->last_row = place.row;
  if (place.row && place.row <= l->skip_through) return WH_OK;
  // Quarantine the row as it was read, if it is still at hand (a step may have held it back).
  if (l->rows && l->rows != batch) {
    size_t at = find_row(l->rows, wh_batch_place(batch, row).row);
    if (at < l->rows->rows) {
      batch = l->rows;
      row = at;
    }
  }
  if (l->window && l->rows == batch) {
    bool known;
    WH_TRY(wh_window_reject(l->window, batch, row, &known, err));
    l->known += known;
    if (known) return WH_OK;
  }
  write_head(l, reject, place);
  wh_buf_add_c(&l->lines, "\"data\":");
  write_row(&l->lines, batch, row);
  wh_buf_add_c(&l->lines, "}\n");
  l->count++;
  WH_TRY(wh_buf_check(&l->numbers, err));
  return wh_buf_check(&l->lines, err);
}

static wh_status lines_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  wh_reject_lines *l = (wh_reject_lines *)self;
  if (reject->place.row > l->last_row) l->last_row = reject->place.row;
  if (reject->place.row && reject->place.row <= l->skip_through) return WH_OK;
  write_head(l, reject, reject->place);
  wh_buf_add_c(&l->lines, "\"text\":");
  wh_buf_add_json(&l->lines, wh_str_sub(text, 0, wh_utf8_cut(text, l->text_max)));
  wh_buf_add_c(&l->lines, "}\n");
  l->count++;
  WH_TRY(wh_buf_check(&l->numbers, err));
  return wh_buf_check(&l->lines, err);
}

void wh_reject_lines_init(wh_reject_lines *l, wh_mem *mem, size_t text_max) {
  *l = (wh_reject_lines){.rejects = {.row = lines_row, .raw = lines_raw}, .text_max = text_max};
  wh_buf_init(&l->lines, mem, 0);
  wh_buf_init(&l->numbers, mem, 0);
}

void wh_reject_lines_clear(wh_reject_lines *l, const wh_batch *rows) {
  if (l->lines.cap > WH_BATCH_KEEP_BYTES) wh_buf_free(&l->lines);
  wh_buf_clear(&l->lines);
  wh_buf_clear(&l->numbers);
  l->count = 0;
  l->window = NULL;
  l->known = 0;
  l->last_row = 0;
  l->rows = rows;
}

wh_status wh_reject_lines_move(wh_reject_lines *to, wh_reject_lines *from, wh_error *err) {
  const wh_reject_number *numbers = (const wh_reject_number *)from->numbers.data;
  for (uint64_t i = 0; i < from->count; i++) {
    wh_reject_number number = numbers[i];
    number.at += to->lines.len;
    wh_buf_add(&to->numbers, &number, sizeof number);
  }
  wh_buf_add(&to->lines, from->lines.data, from->lines.len);
  to->count += from->count;
  wh_reject_lines_clear(from, NULL);
  WH_TRY(wh_buf_check(&to->numbers, err));
  return wh_buf_check(&to->lines, err);
}

wh_status wh_reject_lines_write(const wh_reject_lines *l, wh_buf *out, wh_error *err) {
  const wh_reject_number *numbers = (const wh_reject_number *)l->numbers.data;
  size_t from = 0;
  if (l->count == 0) return WH_OK;
  for (uint64_t i = 0; i < l->count; i++) {
    const wh_reject_number *n = &numbers[i];
    wh_buf_add(out, l->lines.data + from, n->at - from);
    from = n->at;
    wh_buf_printf(out, ",\"row\":%llu,\"line\":%llu",
                  (unsigned long long)(n->row ? n->row + l->base_row : 0),
                  (unsigned long long)(n->line ? n->line + l->base_line : 0));
  }
  wh_buf_add(out, l->lines.data + from, l->lines.len - from);
  return wh_buf_check(out, err);
}

void wh_reject_lines_free(wh_reject_lines *l) {
  wh_buf_free(&l->lines);
  wh_buf_free(&l->numbers);
}

// --- part files --------------------------------------------------------------------------------

char *wh_reject_folder(const wh_engine *engine, wh_str folder, wh_arena *arena) {
  return (char *)wh_arena_printf(arena, "%.*s/quarantine/%.*s",
                                 WH_STR_ARG(engine->config->state_folder), WH_STR_ARG(folder))
      .data;
}

wh_status wh_reject_file_init(wh_reject_file *f, wh_engine *engine, wh_str folder,
                              const wh_schema *schema, wh_str pipeline, wh_str run, wh_str object,
                              int64_t order, wh_arena *arena, wh_error *err) {
  *f = (wh_reject_file){.engine = engine, .arena = arena};
  wh_buf_init(&f->header, engine->mem, 0);
  f->folder = wh_arena_str(arena, folder);
  if (!f->folder.data) return wh_fail_memory(err);
  wh_buf_add_c(&f->header, "{\"wherry\":1,\"pipeline\":");
  wh_buf_add_json(&f->header, pipeline);
  wh_buf_add_c(&f->header, ",\"run\":");
  wh_buf_add_json(&f->header, run);
  wh_buf_add_c(&f->header, ",\"object\":");
  wh_buf_add_json(&f->header, object);
  wh_buf_printf(&f->header, ",\"order\":%lld,\"schema\":", (long long)order);
  wh_schema_write_json(schema, &f->header);
  wh_buf_add_c(&f->header, "}\n");
  return wh_buf_check(&f->header, err);
}

static wh_status open_part(wh_reject_file *f, wh_error *err) {
  const wh_engine *e = f->engine;
  char *folder = wh_reject_folder(e, f->folder, f->arena);
  if (!folder) return wh_fail_memory(err);
  WH_TRY(wh_os_make_path(e->os, folder, err));
  char name[48];
  snprintf(name, sizeof name, "part-%llu.ndjson", (unsigned long long)f->part);
  char *path = wh_path_join(f->arena, folder, name);
  if (!path) return wh_fail_memory(err);
  WH_TRY(wh_os_open(e->os, path, WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_PRIVATE,
                    &f->file, err));
  WH_TRY(f->file->type->truncate(f->file, 0, err)); // a part that did not commit is written anew
  WH_TRY(f->file->type->write_at(f->file, 0, f->header.data, f->header.len, err));
  f->at = f->header.len;
  return WH_OK;
}

wh_status wh_reject_file_add(wh_reject_file *f, const wh_reject_lines *l, wh_error *err) {
  if (l->count == 0) return WH_OK;
  if (!f->file) WH_TRY(open_part(f, err));
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, f->engine->mem, 0);
  WH_TRY(wh_reject_lines_write(l, &text, err));
  WH_TRY(f->file->type->write_at(f->file, f->at, text.data, text.len, err));
  f->at += text.len;
  f->rows += l->count;
  return WH_OK;
}

wh_status wh_reject_file_next_part(wh_reject_file *f, uint64_t rows_done, wh_error *err) {
  f->part = rows_done;
  if (!f->file) return WH_OK;
  WH_TRY(f->file->type->sync(f->file, err));
  wh_file_close(f->file);
  f->file = NULL;
  char *folder = wh_reject_folder(f->engine, f->folder, f->arena);
  if (!folder) return wh_fail_memory(err);
  return f->engine->os->type->sync_dir(f->engine->os, folder, err);
}

void wh_reject_file_close(wh_reject_file *f) {
  wh_file_close(f->file);
  f->file = NULL;
  wh_buf_free(&f->header);
}

// --- reading them back --------------------------------------------------------------------------

typedef struct part_list {
  uint64_t *parts;
  size_t count, cap;
  wh_arena *arena;
} part_list;

static wh_status add_part(void *context, const wh_dir_entry *entry, wh_error *err) {
  part_list *l = context;
  uint64_t number;
  if (!wh_str_starts(entry->name, "part-") || !wh_str_ends(entry->name, ".ndjson")) return WH_OK;
  if (!wh_str_to_u64(wh_str_sub(entry->name, 5, entry->name.len - 7), &number)) return WH_OK;
  if (l->count == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 16;
    uint64_t *grown = WH_NEW_ARRAY(l->arena, cap, uint64_t);
    if (!grown) return wh_fail_memory(err);
    if (l->count) memcpy(grown, l->parts, l->count * sizeof *grown);
    l->parts = grown;
    l->cap = cap;
  }
  l->parts[l->count++] = number;
  return WH_OK;
}

static int compare_parts(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static wh_status read_lines(wh_os *os, wh_mem *mem, const char *path, wh_reject_line_visit visit,
                            void *context, wh_error *err) {
  wh_file *f;
  WH_TRY(wh_os_open(os, path, WH_OPEN_READ, &f, err));
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, mem, 0);
  wh_status status = WH_OK;
  uint64_t at = 0;
  for (;;) {
    if (!wh_buf_reserve(&line, READ_BYTES)) {
      status = wh_buf_check(&line, err);
      break;
    }
    size_t n;
    status = f->type->read_some(f, at, line.data + line.len, READ_BYTES, &n, err);
    if (status != WH_OK || n == 0) break;
    at += n;
    line.len += n;
    size_t from = 0, end;
    while (status == WH_OK && (end = wh_str_find(wh_buf_str(&line), from, '\n')) < line.len) {
      status = visit(context, wh_str_n(line.data + from, end - from), err);
      from = end + 1;
    }
    if (status != WH_OK) break;
    memmove(line.data, line.data + from, line.len - from);
    line.len -= from;
  }
  wh_file_close(f);
  return status;
}

static wh_status remove_part(wh_reject_file *f, const char *folder, uint64_t number,
                             wh_error *err) {
  wh_str path =
      wh_arena_printf(f->arena, "%s/part-%llu.ndjson", folder, (unsigned long long)number);
  if (!path.data) return wh_fail_memory(err);
  return f->engine->os->type->remove(f->engine->os, path.data, err);
}

wh_status wh_reject_file_resume(wh_reject_file *f, uint64_t rows_done, wh_error *err) {
  f->part = rows_done;
  char *folder = wh_reject_folder(f->engine, f->folder, f->arena);
  if (!folder) return wh_fail_memory(err);
  part_list parts = {.arena = f->arena};
  wh_error inner = {0};
  wh_status status = f->engine->os->type->list(f->engine->os, folder, add_part, &parts, &inner);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  bool any = false;
  for (size_t i = 0; i < parts.count; i++) {
    if (parts.parts[i] < rows_done) continue;
    WH_TRY(remove_part(f, folder, parts.parts[i], err));
    any = true;
  }
  return any ? f->engine->os->type->sync_dir(f->engine->os, folder, err) : WH_OK;
}

// Every line of every part, in order; each part begins with its header.
wh_status wh_reject_folder_lines(wh_engine *engine, wh_str folder, wh_reject_line_visit visit,
                                 void *context, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  char *path = wh_reject_folder(engine, folder, &arena);
  if (!path) return wh_fail_memory(err);
  part_list parts = {.arena = &arena};
  WH_TRY(engine->os->type->list(engine->os, path, add_part, &parts, err));
  if (parts.count) qsort(parts.parts, parts.count, sizeof *parts.parts, compare_parts);
  for (size_t i = 0; i < parts.count; i++) {
    wh_str file =
        wh_arena_printf(&arena, "%s/part-%llu.ndjson", path, (unsigned long long)parts.parts[i]);
    if (!file.data) return wh_fail_memory(err);
    WH_TRY(read_lines(engine->os, engine->mem, file.data, visit, context, err));
  }
  return WH_OK;
}
