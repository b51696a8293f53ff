#include "engine/rejects.h"

#include "data/value.h"

// --- lines -------------------------------------------------------------------------------------

static void note_first(wh_reject_lines *l, const wh_reject *reject) {
  size_t most = sizeof l->first - 1;
  wh_str column = wh_str_sub(reject->column, 0, wh_utf8_cut(reject->column, most / 4));
  int len =
      snprintf(l->first, sizeof l->first, "%.*s%s", WH_STR_ARG(column), column.len ? ": " : "");
  wh_str reason = reject->reason;
  reason = wh_str_sub(reason, 0, wh_utf8_cut(reason, most - (size_t)len));
  snprintf(l->first + len, sizeof l->first - (size_t)len, "%.*s", WH_STR_ARG(reason));
}

static void write_head(wh_reject_lines *l, const wh_reject *reject, wh_place place) {
  if (l->count == 0) note_first(l, reject);
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
  if (to->count == 0) memcpy(to->first, from->first, sizeof to->first);
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

// What is saved: how many there are, the bytes of the lines, the numbers, the lines. All numbers as
// the machine has them: it is read by a worker of the same version.
typedef struct saved_head {
  uint64_t count, bytes;
} saved_head;

wh_status wh_reject_lines_save(const wh_reject_lines *l, wh_output *out, wh_error *err) {
  saved_head head = {.count = l->count, .bytes = l->lines.len};
  if (l->count == 0) return WH_OK;
  WH_TRY(wh_output_write(out, &head, sizeof head, err));
  WH_TRY(wh_output_write(out, l->numbers.data, l->numbers.len, err));
  return wh_output_write(out, l->lines.data, l->lines.len, err);
}

static wh_status fail_saved(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "the rejected rows of a range are damaged");
}

// Grows as it is read, whatever it says of its size.
static wh_status load_bytes(wh_input *in, uint64_t bytes, wh_buf *into, wh_error *err) {
  enum { STEP = 64 << 10 };
  while (bytes) {
    size_t n = bytes < STEP ? (size_t)bytes : STEP;
    if (!wh_buf_reserve(into, n)) return wh_buf_check(into, err);
    WH_TRY(wh_input_read(in, into->data + into->len, n, &n, err));
    if (n == 0) return fail_saved(err);
    into->len += n;
    bytes -= n;
  }
  return WH_OK;
}

static wh_status check_numbers(const wh_reject_lines *l, wh_error *err) {
  const wh_reject_number *numbers = (const wh_reject_number *)(const void *)l->numbers.data;
  size_t before = 0;
  for (uint64_t i = 0; i < l->count; i++) {
    if (numbers[i].at < before || numbers[i].at > l->lines.len) return fail_saved(err);
    before = numbers[i].at;
  }
  return WH_OK;
}

wh_status wh_reject_lines_load(wh_reject_lines *l, wh_input *in, wh_error *err) {
  saved_head head;
  wh_reject_lines_clear(l, NULL);
  wh_status status = load_bytes(in, sizeof head, &l->lines, err);
  if (status == WH_ERR_DATA && l->lines.len == 0) return WH_ERR_END;
  WH_TRY(status);
  memcpy(&head, l->lines.data, sizeof head);
  wh_buf_clear(&l->lines);
  if (head.count == 0 || head.count > head.bytes || head.count > UINT32_MAX) // a line has some
    return fail_saved(err);
  WH_TRY(load_bytes(in, head.count * sizeof(wh_reject_number), &l->numbers, err));
  WH_TRY(load_bytes(in, head.bytes, &l->lines, err));
  l->count = head.count;
  return check_numbers(l, err);
}

void wh_reject_lines_free(wh_reject_lines *l) {
  wh_buf_free(&l->lines);
  wh_buf_free(&l->numbers);
}

// --- part files --------------------------------------------------------------------------------

wh_status wh_reject_file_init(wh_reject_file *f, wh_engine *engine, wh_str folder,
                              const wh_reject_source *source, wh_arena *arena, wh_error *err) {
  *f = (wh_reject_file){.engine = engine};
  wh_buf_init(&f->header, engine->mem, 0);
  f->folder = wh_arena_str(arena, folder);
  if (!f->folder.data) return wh_fail_memory(err);
  wh_buf_add_c(&f->header, "{\"wherry\":1,\"pipeline\":");
  wh_buf_add_json(&f->header, source->pipeline);
  wh_buf_add_c(&f->header, ",\"run\":");
  wh_buf_add_json(&f->header, source->run);
  wh_buf_add_c(&f->header, ",\"object\":");
  wh_buf_add_json(&f->header, source->object);
  if (source->table.len) wh_buf_add_c(&f->header, ",\"table\":");
  if (source->table.len) wh_buf_add_json(&f->header, source->table);
  wh_buf_printf(&f->header, ",\"order\":%lld,\"schema\":", (long long)source->order);
  wh_schema_write_json(source->schema, &f->header);
  wh_buf_add_c(&f->header, "}\n");
  return wh_buf_check(&f->header, err);
}

wh_status wh_reject_file_resume(wh_reject_file *f, uint64_t rows_done, wh_error *err) {
  f->number = rows_done;
  return wh_reject_parts_remove(f->engine, f->folder, rows_done, err);
}

wh_status wh_reject_file_add(wh_reject_file *f, const wh_reject_lines *l, wh_error *err) {
  if (l->count == 0) return WH_OK;
  if (!f->part) {
    WH_TRY(wh_reject_part_open(f->engine, f->folder, f->number, &f->part, err));
    WH_TRY(wh_reject_part_write(f->part, wh_buf_str(&f->header), err));
  }
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, f->engine->mem, 0);
  WH_TRY(wh_reject_lines_write(l, &text, err));
  return wh_reject_part_write(f->part, wh_buf_str(&text), err);
}

wh_status wh_reject_file_next_part(wh_reject_file *f, uint64_t rows_done, wh_error *err) {
  f->number = rows_done;
  if (!f->part) return WH_OK;
  WH_TRY(wh_reject_part_seal(f->part, err));
  wh_reject_part_close(f->part);
  f->part = NULL;
  return WH_OK;
}

void wh_reject_file_close(wh_reject_file *f) {
  wh_reject_part_close(f->part);
  f->part = NULL;
  wh_buf_free(&f->header);
}
