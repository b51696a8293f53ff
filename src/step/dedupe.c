// dedupe: of rows that are equal, or have an equal key, one stays; within one run. The others are
// filtered: left out on purpose, and counted.
//
// Keys are compared exactly and kept in bounded memory (data/seen.h). With `keep: last` a row can
// only go on when all have come: the rows wait in a spool (memory, then a file), the set remembers
// the number of the last row of each key, and at the end a row goes on if it is that one, in the
// order of those last rows.
//
// A row whose key has a NULL equals no other: what is not known is no reason to leave a row out.
// In whole rows a NULL equals a NULL.
#include "data/deleted.h"
#include "data/seen.h"

#include "step/frame.h"
#include "step/rowbytes.h"
#include "step/spool.h"
#include "step/steps.h"

static const char *const dedupe_words[] = {"key", "keep", NULL};

typedef struct dedupe_step {
  wh_frame frame;
  bool whole_row;
  bool keep_last;
  size_t *key;
  size_t key_count;
  ptrdiff_t deleted; // the column that says that a row is gone, or -1: such rows all go on
  wh_seen *seen;
  wh_spool *spool; // keep_last
  wh_buf bytes;    // a key, then a row
  uint64_t pushed; // rows, which number them
  uint64_t popped;
} dedupe_step;

// The bytes of the row's key into self->bytes. *ret_known is false when it has a NULL.
static wh_status make_key(dedupe_step *self, const wh_batch *batch, size_t row, bool *ret_known,
                          wh_error *err) {
  wh_buf_clear(&self->bytes);
  *ret_known = true;
  for (size_t i = 0; i < self->key_count; i++) {
    const wh_column *column = &batch->columns[self->key[i]];
    if (!self->whole_row && wh_column_is_null(column, row)) *ret_known = false;
    wh_row_bytes_add(column, row, true, &self->bytes);
  }
  return wh_buf_check(&self->bytes, err);
}

static wh_status push_first(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                            wh_error *err) {
  (void)rejects;
  dedupe_step *self = (dedupe_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->frame.schema.count; i++)
    wh_column_borrow(&out->columns[i], &in->columns[i]);
  for (size_t row = 0; row < in->rows; row++) {
    if (wh_row_is_deleted(in, self->deleted, row)) continue;
    bool known = false, is_new = true;
    uint64_t first = 0;
    WH_TRY(make_key(self, in, row, &known, err));
    if (known)
      WH_TRY(wh_seen_add(self->seen, wh_buf_str(&self->bytes), self->pushed, &is_new, &first, err));
    self->pushed++;
    if (is_new) continue;
    wh_frame_drop(&self->frame, row);
    step->rows_filtered++;
  }
  return wh_frame_end(&self->frame, out, err);
}

static wh_status hold_back(dedupe_step *self, const wh_batch *in, size_t row, wh_error *err) {
  wh_buf_clear(&self->bytes);
  wh_place place = wh_batch_place(in, row);
  wh_buf_add(&self->bytes, &place, sizeof place);
  for (size_t i = 0; i < self->frame.schema.count; i++)
    wh_row_bytes_add(&in->columns[i], row, false, &self->bytes);
  WH_TRY(wh_buf_check(&self->bytes, err));
  return wh_spool_add(self->spool, wh_buf_str(&self->bytes), err);
}

static wh_status push_last(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                           wh_error *err) {
  (void)rejects;
  dedupe_step *self = (dedupe_step *)step;
  wh_batch_reset(out);
  for (size_t row = 0; row < in->rows; row++) {
    bool known = false, is_new = true;
    if (!wh_row_is_deleted(in, self->deleted, row)) WH_TRY(make_key(self, in, row, &known, err));
    if (known)
      WH_TRY(wh_seen_put(self->seen, wh_buf_str(&self->bytes), self->pushed, &is_new, err));
    if (!is_new) step->rows_filtered++; // the one before it
    WH_TRY(hold_back(self, in, row, err));
    self->pushed++;
  }
  return WH_OK;
}

// Appends a record to `out` unless a later row has its key.
static wh_status take_back(dedupe_step *self, wh_str record, wh_batch *out, wh_error *err) {
  wh_place place;
  if (record.len < sizeof place) return wh_fail(err, WH_ERR_BUG, "dedupe: a row is too short");
  memcpy(&place, record.data, sizeof place);
  record = wh_str_sub(record, sizeof place, record.len);
  for (size_t i = 0; i < self->frame.schema.count; i++)
    WH_TRY(wh_row_bytes_read(&out->columns[i], &record, err));
  bool known = false, found = false;
  uint64_t last = self->popped;
  if (!wh_row_is_deleted(out, self->deleted, out->rows))
    WH_TRY(make_key(self, out, out->rows, &known, err));
  if (known) WH_TRY(wh_seen_find(self->seen, wh_buf_str(&self->bytes), &found, &last, err));
  if (last == self->popped) {
    WH_TRY(wh_batch_set_place(out, place, err));
    wh_batch_row_end(out);
  } else {
    wh_batch_row_undo(out);
  }
  self->popped++;
  return WH_OK;
}

static wh_status finish_last(wh_step *step, wh_batch *out, wh_rejects *rejects, wh_error *err) {
  (void)rejects;
  dedupe_step *self = (dedupe_step *)step;
  wh_batch_reset(out);
  while (!wh_batch_full(out, WH_BATCH_ROWS_DEFAULT, WH_BATCH_BYTES_DEFAULT)) {
    wh_str record;
    wh_status status = wh_spool_next(self->spool, &record, err);
    if (status == WH_ERR_END) return WH_OK;
    WH_TRY(status);
    WH_TRY(take_back(self, record, out, err));
  }
  return WH_OK;
}

static void dedupe_close(wh_step *step) {
  dedupe_step *self = (dedupe_step *)step;
  wh_seen_close(self->seen);
  wh_spool_close(self->spool);
  wh_buf_free(&self->bytes);
  wh_frame_free(&self->frame);
}

static wh_status key_is_row(dedupe_step *self, wh_error *err) {
  self->whole_row = true;
  self->key_count = self->frame.schema.count;
  self->key = WH_NEW_ARRAY(&self->frame.arena, self->key_count, size_t);
  if (!self->key) return wh_fail_memory(err);
  for (size_t i = 0; i < self->key_count; i++)
    self->key[i] = i;
  return WH_OK;
}

static wh_status read_key(dedupe_step *self, const wh_node *node, wh_error *err) {
  size_t count = wh_node_count(node);
  if (count == 0) return wh_node_fail(node, err, "dedupe: key needs at least one column");
  self->key = WH_NEW_ARRAY(&self->frame.arena, count, size_t);
  if (!self->key) return wh_fail_memory(err);
  for (; self->key_count < count; self->key_count++) {
    WH_TRY(wh_column_by_node(&self->frame.schema, wh_node_item(node, self->key_count), "dedupe",
                             &self->key[self->key_count], err));
  }
  return WH_OK;
}

static wh_status read_keep(dedupe_step *self, const wh_node *node, wh_error *err) {
  static const char *const choices[] = {"first", "last", NULL};
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, "dedupe", "first or last", err));
  self->keep_last = wh_str_is(node->text, "last");
  if (self->keep_last || wh_str_is(node->text, "first")) return WH_OK;
  return wh_fail_word(node, "dedupe: keep", choices, err);
}

static wh_status read_options(dedupe_step *self, const wh_node *options, wh_error *err) {
  if (options->kind == WH_NODE_SCALAR && wh_str_is(options->text, "row"))
    return key_is_row(self, err);
  WH_TRY(wh_node_expect(options, WH_NODE_MAP, "dedupe", "row or { key: [column, ...] }", err));
  for (size_t i = 0; i < options->count; i++) {
    const wh_node *word = options->entries[i].key, *value = options->entries[i].value;
    if (wh_str_is(word->text, "key"))
      WH_TRY(read_key(self, value, err));
    else if (wh_str_is(word->text, "keep"))
      WH_TRY(read_keep(self, value, err));
    else
      return wh_fail_word(word, "dedupe", dedupe_words, err);
  }
  if (self->key_count) return WH_OK;
  return wh_node_fail(options, err, "dedupe: needs a key, or the word row to compare whole rows");
}

// The set gets half of the step's memory, the rows that wait the other half.
static wh_status open_state(dedupe_step *self, const wh_step_context *context, wh_error *err) {
  size_t limit = context->state_limit_bytes;
  if (self->keep_last) {
    limit /= 2;
    WH_TRY(wh_spool_open(context->os, context->mem, context->scratch, limit, &self->spool, err));
    self->frame.step.push = push_last;
    self->frame.step.finish = finish_last;
  } else {
    self->frame.step.push = push_first;
  }
  return wh_seen_open(context->os, context->mem, context->scratch, limit, &self->seen, err);
}

static wh_status dedupe_bind(const wh_step_context *context, const wh_node *options,
                             const wh_schema *in, wh_step **ret, wh_error *err) {
  dedupe_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.close = dedupe_close;
  self->frame.step.remembers = true;
  self->deleted = wh_deleted_column(&self->frame.schema);
  wh_buf_init(&self->bytes, context->mem, WH_SPOOL_RECORD_MAX);
  wh_status status = read_options(self, options, err);
  if (status == WH_OK && !context->dry) status = open_state(self, context, err);
  if (status != WH_OK) {
    dedupe_close(&self->frame.step);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_dedupe = {
    .name = "dedupe",
    .shape = "row | { key: [column, ...], keep: first | last }",
    .help = "of rows that are equal, or have an equal key, keeps one; within one run",
    .example = "dedupe: { key: order_number, keep: last }",
    .bind = dedupe_bind,
};
