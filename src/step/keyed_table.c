#include "step/keyed_table.h"

#include "data/deleted.h"
#include "data/keybytes.h"
#include "step/frame.h"

#include <xxhash.h>

// --- failures ------------------------------------------------------------------------------------

// Says which table it is about. What is wrong with it is no word on what the run reads, whose
// reader's failures have a meaning of their own.
static wh_status blame(const wh_keyed_wanted *w, wh_status status, wh_error *err) {
  if (status == WH_OK || status == WH_ERR_MEMORY) return status;
  bool elsewhere = status == WH_ERR_IO || status == WH_ERR_NO_SPACE || status == WH_ERR_DENIED ||
                   status == WH_ERR_UNAVAILABLE || status == WH_ERR_BUSY ||
                   status == WH_ERR_CANCELLED || status == WH_ERR_BUG;
  if (status == WH_ERR_CHANGED)
    status = WH_ERR_UNAVAILABLE; // replaced while it was opened: the next try reads the new one
  else if (!elsewhere)
    status = WH_ERR_USAGE;
  if (!err) return status;
  err->status = status;
  err->retry |= status == WH_ERR_UNAVAILABLE;
  wh_error_prefix(err, "%s:%u:%u: %s: %.*s: ", w->from->file, (unsigned)w->from->line,
                  (unsigned)w->from->column, w->owner, WH_STR_ARG(w->from->text));
  return status;
}

static wh_status fail_no_column(const wh_keyed_wanted *w, const wh_schema *all, const wh_node *name,
                                wh_error *err) {
  wh_str nearest = {0};
  for (size_t i = 0; i < all->count; i++) {
    wh_str pair[2] = {all->fields[i].name, nearest};
    wh_str better = wh_str_nearest(name->text, pair, nearest.data ? 2 : 1);
    if (better.data) nearest = better;
  }
  return wh_node_fail(name, err, "%s: %.*s has no column '%.*s'%s%.*s%s", w->owner,
                      WH_STR_ARG(w->from->text), WH_STR_ARG(name->text),
                      nearest.data ? ". Did you mean '" : "", WH_STR_ARG(nearest),
                      nearest.data ? "'?" : "");
}

// A table of which a row is missing finds the wrong things. What the row says is nobody's business.
static wh_status refuse(const wh_reject *reject, wh_error *err) {
  return wh_fail(err, WH_ERR_USAGE, "row %llu cannot be read (%.*s%s%.*s)",
                 (unsigned long long)reject->place.row, WH_STR_ARG(reject->rule),
                 reject->column.len ? ", column " : "", WH_STR_ARG(reject->column));
}
static wh_status refuse_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                            size_t row, wh_error *err) {
  (void)self, (void)batch, (void)row;
  return refuse(reject, err);
}
static wh_status refuse_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  (void)self, (void)text;
  return refuse(reject, err);
}

// --- reading -------------------------------------------------------------------------------------

static wh_status find_fields(wh_keyed_table *t, const wh_keyed_wanted *w, const wh_schema *all,
                             const wh_node *const *names, size_t count, wh_schema *ret,
                             wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(&t->arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_schema_find(all, names[i]->text);
    if (at < 0) return fail_no_column(w, all, names[i], err);
    fields[i] = all->fields[at];
  }
  wh_schema found = {.count = count, .fields = fields};
  return wh_schema_copy(&found, &t->arena, ret, err);
}

static wh_status check_keys(const wh_keyed_table *t, const wh_keyed_wanted *w, wh_error *err) {
  for (size_t i = 0; i < t->keys.count; i++) {
    wh_kind kind = t->keys.fields[i].type.kind;
    if (kind == WH_LIST || kind == WH_STRUCT)
      return wh_node_fail(w->keys[i], err, "%s: '%.*s' of %.*s holds %ss, which are no keys",
                          w->owner, WH_STR_ARG(w->keys[i]->text), WH_STR_ARG(w->from->text),
                          kind == WH_LIST ? "list" : "struct");
  }
  return WH_OK;
}

// Each column once, though it may be asked for more often.
static wh_status open_reader(wh_keyed_table *t, const wh_keyed_wanted *w, wh_table_input *in,
                             wh_reader **ret, wh_error *err) {
  const wh_schema *schemas[] = {&t->keys, &t->values};
  wh_str *names = WH_NEW_ARRAY(&t->arena, t->keys.count + t->values.count, wh_str);
  if (!names) return wh_fail_memory(err);
  size_t count = 0;
  for (size_t s = 0; s < 2; s++) {
    for (size_t i = 0; i < schemas[s]->count; i++) {
      wh_str name = schemas[s]->fields[i].name;
      size_t k = 0;
      while (k < count && !wh_str_eq(names[k], name))
        k++;
      if (k == count) names[count++] = name;
    }
  }
  return blame(w, in->open(in, names, count, ret, err), err);
}

static wh_status reserve(wh_keyed_table *t, wh_error *err) {
  enum { CAP_FIRST = 64 };
  if (t->count < t->cap) return WH_OK;
  size_t cap = t->cap ? 2 * t->cap : CAP_FIRST, size = sizeof *t->entries;
  wh_keyed_entry *entries = wh_mem_realloc(t->mem, t->entries, t->cap * size, cap * size);
  if (!entries) return wh_fail_memory(err);
  t->entries = entries;
  t->cap = cap;
  return WH_OK;
}

// Whether the row has a key, which then is behind the others.
static wh_status add_key(wh_keyed_table *t, const wh_batch *batch, const size_t *at, size_t row,
                         bool *ret, wh_error *err) {
  *ret = false;
  for (size_t i = 0; i < t->keys.count; i++)
    if (wh_column_is_null(&batch->columns[at[i]], row)) return WH_OK;
  WH_TRY(reserve(t, err));
  t->entries[t->count] =
      (wh_keyed_entry){.key = t->bytes.len, .row = wh_batch_place(batch, row).row};
  for (size_t i = 0; i < t->keys.count; i++)
    wh_key_bytes_add(&batch->columns[at[i]], row, &t->bytes);
  t->count++;
  *ret = true;
  return wh_buf_check(&t->bytes, err);
}

static wh_status add_rows(wh_keyed_table *t, const wh_batch *batch, const size_t *at,
                          wh_error *err) {
  ptrdiff_t deleted = wh_deleted_column(batch->schema);
  for (size_t row = 0; row < batch->rows; row++) {
    bool has_key;
    if (wh_row_is_deleted(batch, deleted, row)) continue;
    WH_TRY(add_key(t, batch, at, row, &has_key, err));
    for (size_t i = 0; has_key && i < t->values.count; i++)
      WH_TRY(wh_column_add_from(&t->columns[i], &batch->columns[at[t->keys.count + i]], row, err));
  }
  return WH_OK;
}

static size_t bytes_of(const wh_keyed_table *t) {
  size_t bytes = t->bytes.len + t->count * (sizeof *t->entries + 4 * sizeof *t->slots);
  for (size_t i = 0; i < t->values.count; i++)
    bytes += wh_column_size(&t->columns[i]);
  return bytes;
}

static wh_status check_size(const wh_keyed_tables *all, const wh_keyed_table *t,
                            const wh_keyed_wanted *w, wh_error *err) {
  if (all->bytes + bytes_of(t) <= all->limit_bytes) return WH_OK;
  return wh_node_fail(w->from, err,
                      "%s: %.*s is too large to be held: tables of steps take at most %zu KiB "
                      "together, an eighth of `memory`. Raise memory, or load the table and join "
                      "it where the rows go",
                      w->owner, WH_STR_ARG(w->from->text), all->limit_bytes >> 10);
}

static wh_status read_batches(const wh_keyed_tables *all, wh_keyed_table *t,
                              const wh_keyed_wanted *w, wh_reader *reader, const size_t *at,
                              wh_batch *batch, wh_error *err) {
  wh_rejects rejects = {.row = refuse_row, .raw = refuse_raw};
  WH_TRY(wh_batch_init(batch, t->mem, reader->schema, err));
  for (;;) {
    wh_batch_reset(batch);
    WH_TRY(blame(w, reader->next(reader, batch, &rejects, err), err));
    if (batch->rows == 0 && !reader->paused) return WH_OK;
    WH_TRY(blame(w, add_rows(t, batch, at, err), err));
    WH_TRY(check_size(all, t, w, err));
  }
}

static wh_status read_rows(const wh_keyed_tables *all, wh_keyed_table *t, const wh_keyed_wanted *w,
                           wh_reader *reader, wh_error *err) {
  size_t count = t->keys.count + t->values.count;
  size_t *at = WH_NEW_ARRAY(&t->arena, count, size_t);
  t->columns = WH_NEW_ARRAY(&t->arena, t->values.count, wh_column);
  if (!at || !t->columns) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    bool key = i < t->keys.count;
    const wh_field *field = key ? &t->keys.fields[i] : &t->values.fields[i - t->keys.count];
    ptrdiff_t found = wh_schema_find(reader->schema, field->name);
    if (found < 0) return wh_fail(err, WH_ERR_BUG, "a column of the table was not read");
    at[i] = (size_t)found;
    if (!key) wh_column_init(&t->columns[i - t->keys.count], t->mem, &field->type);
  }
  wh_batch batch = {0};
  wh_status status = read_batches(all, t, w, reader, at, &batch, err);
  wh_batch_free(&batch);
  return status;
}

// --- finding -------------------------------------------------------------------------------------

static wh_str key_of(const wh_keyed_table *t, size_t i) {
  size_t end = i + 1 < t->count ? t->entries[i + 1].key : t->bytes.len;
  return wh_str_sub(wh_buf_str(&t->bytes), t->entries[i].key, end);
}

// The slot that has the key, or the free one where it would be.
static uint32_t *slot_of(const wh_keyed_table *t, wh_str key) {
  size_t at = (size_t)XXH3_64bits(key.data, key.len) & (t->slot_count - 1);
  while (t->slots[at] && !wh_str_eq(key_of(t, t->slots[at] - 1), key))
    at = (at + 1) & (t->slot_count - 1);
  return &t->slots[at];
}

ptrdiff_t wh_keyed_table_find(const wh_keyed_table *t, wh_str key) {
  return t->count ? (ptrdiff_t)*slot_of(t, key) - 1 : -1;
}

static wh_status fail_double(const wh_keyed_table *t, const wh_keyed_wanted *w, size_t a, size_t b,
                             wh_error *err) {
  bool one = t->keys.count == 1;
  wh_str name = one ? t->keys.fields[0].name : WH_STR("key");
  return wh_node_fail(w->from, err,
                      "%s: %.*s: row %llu has the same %.*s as row %llu. Each must be there once",
                      w->owner, WH_STR_ARG(w->from->text), (unsigned long long)t->entries[b].row,
                      WH_STR_ARG(name), (unsigned long long)t->entries[a].row);
}

static wh_status make_slots(wh_keyed_table *t, const wh_keyed_wanted *w, wh_error *err) {
  if (t->count == 0) return WH_OK;
  size_t count = 1;
  while (count < 2 * t->count)
    count *= 2;
  t->slots = wh_mem_alloc_zero(t->mem, count * sizeof *t->slots);
  if (!t->slots) return wh_fail_memory(err);
  t->slot_count = count;
  for (size_t i = 0; i < t->count; i++) {
    uint32_t *slot = slot_of(t, key_of(t, i));
    if (*slot) return fail_double(t, w, *slot - 1, i, err);
    *slot = (uint32_t)i + 1;
  }
  return WH_OK;
}

// --- outside -------------------------------------------------------------------------------------

static wh_status load(const wh_keyed_tables *all, wh_keyed_table *t, const wh_keyed_wanted *w,
                      wh_table_input *in, wh_error *err) {
  wh_reader *reader;
  WH_TRY(find_fields(t, w, in->all, w->keys, w->key_count, &t->keys, err));
  WH_TRY(find_fields(t, w, in->all, w->values, w->value_count, &t->values, err));
  WH_TRY(check_keys(t, w, err));
  WH_TRY(open_reader(t, w, in, &reader, err));
  WH_TRY(read_rows(all, t, w, reader, err));
  return make_slots(t, w, err);
}

static void free_table(wh_keyed_table *t) {
  for (size_t i = 0; t->columns && i < t->values.count; i++)
    wh_column_free(&t->columns[i]);
  if (t->entries) wh_mem_free(t->mem, t->entries, t->cap * sizeof *t->entries);
  if (t->slots) wh_mem_free(t->mem, t->slots, t->slot_count * sizeof *t->slots);
  wh_buf_free(&t->bytes);
  wh_arena_free(&t->arena);
  wh_mem_free(t->mem, t, sizeof *t);
}

wh_status wh_keyed_table_get(wh_keyed_tables *all, const wh_keyed_wanted *w,
                             const wh_keyed_table **ret, wh_error *err) {
  for (const wh_keyed_table *t = all->first; t; t = t->next) {
    if (t->from != w->from) continue;
    *ret = t;
    return WH_OK;
  }
  wh_table_input *in;
  WH_TRY(blame(w, all->describe(all->context, w->from, &in, err), err));
  wh_keyed_table *t = wh_mem_alloc_zero(all->mem, sizeof *t);
  if (!t) {
    in->close(in);
    return wh_fail_memory(err);
  }
  t->from = w->from;
  t->mem = all->mem;
  wh_arena_init(&t->arena, all->mem);
  wh_buf_init(&t->bytes, all->mem, 0);
  wh_status status = load(all, t, w, in, err);
  in->close(in);
  if (status != WH_OK) {
    free_table(t);
    return status;
  }
  all->bytes += bytes_of(t);
  t->next = all->first;
  all->first = t;
  *ret = t;
  return WH_OK;
}

void wh_keyed_tables_free(wh_keyed_tables *all) {
  while (all->first) {
    wh_keyed_table *t = all->first;
    all->first = t->next;
    free_table(t);
  }
  all->bytes = 0;
}
