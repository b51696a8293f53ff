#include "row_text.h"

static void parse_field(wh_str text, wh_arena *arena, wh_field *ret) {
  size_t space = wh_str_find(text, 0, ' ');
  wh_str type = wh_str_sub(text, space + 1, text.len);
  bool required = wh_str_ends(type, "!");
  if (required) type.len--;
  *ret = (wh_field){
      .name = wh_arena_str(arena, wh_str_sub(text, 0, space)),
      .nullable = !required,
      .privacy = WH_INTERNAL,
  };
  CHECK_OK(wh_type_parse(type, arena, &ret->type, &test_err));
}

void rows_schema(const char *text, wh_arena *arena, wh_schema *ret) {
  wh_field *fields = WH_NEW_ARRAY(arena, WH_COLUMNS_MAX / 64, wh_field);
  size_t count = 0;
  wh_str rest = wh_str_of(text), piece;
  while (wh_str_split(&rest, ';', &piece))
    parse_field(wh_str_trim(piece), arena, &fields[count++]);
  *ret = (wh_schema){.count = count, .fields = fields};
}

static void add_value(wh_batch *batch, size_t i, wh_str text) {
  wh_column *column = &batch->columns[i];
  if (wh_str_is(text, "~")) {
    CHECK_OK(wh_column_add_null(column, &test_err));
    return;
  }
  wh_value value;
  if (CHECK_OK(wh_value_parse(text, &column->type, &batch->arena, &value, &test_err)))
    CHECK_OK(wh_value_add(column, &value, &test_err));
  else
    CHECK_OK(wh_column_add_null(column, &test_err));
}

void rows_add(wh_batch *batch, const char *text) {
  wh_str rest = wh_str_of(text), line;
  if (wh_str_ends(rest, "\n")) rest.len--;
  if (rest.len == 0) return;
  while (wh_str_split(&rest, '\n', &line)) {
    size_t at = 0;
    for (size_t i = 0; i < batch->schema->count; i++) {
      size_t end = wh_str_find(line, at, '|');
      add_value(batch, i, wh_str_sub(line, at, end));
      at = end + 1;
    }
    wh_batch_row_end(batch);
  }
}

void rows_write(const wh_batch *batch, wh_buf *out) {
  for (size_t row = 0; row < batch->rows; row++) {
    for (size_t i = 0; i < batch->schema->count; i++) {
      if (i) wh_buf_add_char(out, '|');
      if (wh_column_is_null(&batch->columns[i], row))
        wh_buf_add_char(out, '~');
      else
        wh_column_write(&batch->columns[i], row, out);
    }
    wh_buf_add_char(out, '\n');
  }
}

void rows_write_schema(const wh_schema *schema, wh_buf *out) {
  for (size_t i = 0; i < schema->count; i++) {
    const wh_field *f = &schema->fields[i];
    wh_buf_printf(out, "%s%.*s ", i ? "; " : "", WH_STR_ARG(f->name));
    wh_type_write(&f->type, out);
    if (!f->nullable) wh_buf_add_char(out, '!');
  }
}

static int compare_lines(const void *a, const void *b) {
  return wh_str_cmp(*(const wh_str *)a, *(const wh_str *)b);
}

void rows_sort(wh_buf *text) {
  size_t count = 0;
  for (size_t i = 0; i < text->len; i++)
    count += text->data[i] == '\n';
  if (count < 2) return;
  wh_str *lines = malloc(count * sizeof *lines);
  char *copy = malloc(text->len);
  memcpy(copy, text->data, text->len);
  wh_str rest = wh_str_n(copy, text->len);
  for (size_t i = 0; i < count; i++)
    wh_str_split(&rest, '\n', &lines[i]);
  qsort(lines, count, sizeof *lines, compare_lines);
  wh_buf_clear(text);
  for (size_t i = 0; i < count; i++) {
    wh_buf_add_str(text, lines[i]);
    wh_buf_add_char(text, '\n');
  }
  free(copy);
  free(lines);
}

static void add_reject(rows_rejects *r, const wh_reject *reject) {
  wh_buf_printf(&r->text, "%.*s|%.*s|%.*s|%llu", WH_STR_ARG(reject->rule),
                WH_STR_ARG(reject->column), WH_STR_ARG(reject->reason),
                (unsigned long long)reject->place.row);
  r->count++;
}

static wh_status take_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                          size_t row, wh_error *err) {
  (void)err;
  CHECK(row < batch->rows);
  add_reject((rows_rejects *)self, reject);
  wh_buf_add_char(&((rows_rejects *)self)->text, '\n');
  return WH_OK;
}

static wh_status take_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  (void)err;
  rows_rejects *r = (rows_rejects *)self;
  add_reject(r, reject);
  wh_buf_printf(&r->text, "|%.*s\n", WH_STR_ARG(text));
  return WH_OK;
}

static wh_mem unlimited; // what tests collect is not what they measure

void rows_rejects_init(rows_rejects *r) {
  *r = (rows_rejects){.base = {.row = take_row, .raw = take_raw}};
  wh_buf_init(&r->text, &unlimited, 0);
}

void rows_rejects_free(rows_rejects *r) {
  wh_buf_free(&r->text);
}

wh_status rows_read(wh_reader *reader, rows_rejects *rejects, wh_buf *out, wh_error *err) {
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, &test_mem, reader->schema, err));
  wh_status status;
  do {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, rejects ? &rejects->base : NULL, err);
    if (status == WH_OK) rows_write(&batch, out);
  } while (status == WH_OK && batch.rows);
  wh_batch_free(&batch);
  return status;
}
