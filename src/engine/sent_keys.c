#include "engine/sent_keys.h"

#include "data/keybytes.h"
#include "engine/key_list.h"

enum {
  STAGED_AT_ONCE = 32,       // ranges
  AHEAD_BYTES = 1024 * 1024, // of keys that are held to see whether a range has changed
};

// Where the first range begins: no key is lower.
#define LOWEST wh_str_n("", 1)

// What one of the two sorters gives next.
typedef struct feed {
  wh_sorter *sorter; // NULL: nothing
  wh_str key;
  bool has_key, begun;
} feed;

// A key of this run: where it is.
typedef struct item {
  wh_str key;
  bool in_source, in_sent;
} item;

struct wh_sent_keys {
  wh_sent_options options;
  feed source, sent;
  bool known;
  bool at_end; // of the ranges
  // the range in hand
  wh_arena arena;
  wh_key_range range;
  bool is_new;  // the ledger does not have it
  wh_buf upper; // where the next one begins
  bool has_upper;
  wh_buf before; // `first` of the range before it, for asking for its keys
  // its keys of this run, as far as they were looked at: with a flag each
  wh_key_list ahead;
  wh_buf flags;
  wh_key_cursor again;
  size_t taken; // of `ahead`
  item current;
  bool has_current;
  wh_key_cursor old;
  wh_str old_key;
  bool has_old;
  // what it becomes: two lists, so that the last range of several is not a small one
  wh_key_list full, rest;
  wh_buf bound; // where the next range to be written begins
  bool wrote;
  wh_key_list gone;
  wh_key_cursor out;
  // changes that were not staged yet
  wh_arena staged_arena;
  wh_key_range staged[STAGED_AT_ONCE];
  size_t staged_count;
};

// --- What this run knows -------------------------------------------------------------------------

static wh_status feed_peek(feed *f, wh_error *err) {
  if (f->has_key || !f->sorter) return WH_OK;
  wh_status status = wh_sorter_next(f->sorter, &f->key, err);
  if (status == WH_ERR_END) {
    f->sorter = NULL;
    return WH_OK;
  }
  f->has_key = status == WH_OK;
  return status;
}

static bool is_below(const wh_sent_keys *k, wh_str key) {
  return !k->has_upper || wh_key_bytes_compare(key, wh_buf_str(&k->upper)) < 0;
}

// The lowest key of both, if it is of the range. It stays the feeds' until drop_lowest.
static wh_status peek_lowest(wh_sent_keys *k, item *ret, bool *ret_found, wh_error *err) {
  feed *a = &k->source, *b = &k->sent;
  WH_TRY(feed_peek(a, err));
  WH_TRY(feed_peek(b, err));
  *ret_found = false;
  if (!a->has_key && !b->has_key) return WH_OK;
  int order = !a->has_key ? 1 : !b->has_key ? -1 : wh_key_bytes_compare(a->key, b->key);
  *ret = (item){order <= 0 ? a->key : b->key, order <= 0, order >= 0};
  *ret_found = is_below(k, ret->key);
  return WH_OK;
}

static void drop_lowest(wh_sent_keys *k, const item *i) {
  if (i->in_source) k->source.has_key = false;
  if (i->in_sent) k->sent.has_key = false;
}

// Takes keys of the range until there are more than it had. *ret_all: these are all.
static wh_status look_ahead(wh_sent_keys *k, bool *ret_all, wh_error *err) {
  wh_key_list_clear(&k->ahead);
  wh_buf_clear(&k->flags);
  for (;;) {
    item i;
    bool found;
    WH_TRY(peek_lowest(k, &i, &found, err));
    *ret_all = !found;
    if (!found || k->ahead.count > k->range.count || k->ahead.bytes.len > AHEAD_BYTES) return WH_OK;
    wh_key_list_add(&k->ahead, i.key);
    wh_buf_add_char(&k->flags, (char)(i.in_source | i.in_sent << 1));
    WH_TRY(wh_buf_check(&k->ahead.bytes, err));
    WH_TRY(wh_buf_check(&k->ahead.last, err));
    WH_TRY(wh_buf_check(&k->flags, err));
    drop_lowest(k, &i);
  }
}

// The next key of the range: of those that were looked at, then of the feeds.
static wh_status take_item(wh_sent_keys *k, wh_error *err) {
  k->has_current = false;
  if (k->taken < k->ahead.count) {
    WH_TRY(wh_key_cursor_next(&k->again, &k->current.key, err));
    char flags = k->flags.data[k->taken++];
    k->current.in_source = flags & 1;
    k->current.in_sent = flags & 2;
    k->has_current = true;
    return WH_OK;
  }
  item i;
  WH_TRY(peek_lowest(k, &i, &k->has_current, err));
  if (!k->has_current) return WH_OK;
  wh_buf_clear(&k->again.key); // a copy: the feeds go on
  wh_buf_add_str(&k->again.key, i.key);
  WH_TRY(wh_buf_check(&k->again.key, err));
  drop_lowest(k, &i);
  i.key = wh_buf_str(&k->again.key);
  k->current = i;
  return WH_OK;
}

// --- What is written -----------------------------------------------------------------------------

static wh_status send_staged(wh_sent_keys *k, wh_error *err) {
  if (k->staged_count == 0) return WH_OK;
  wh_ledger *l = k->options.ledger;
  WH_TRY(l->type->keys_stage(l, k->options.run, k->staged, k->staged_count, err));
  k->staged_count = 0;
  wh_arena_reset(&k->staged_arena);
  return WH_OK;
}

static wh_status stage(wh_sent_keys *k, const wh_key_range *range, wh_error *err) {
  wh_key_range *r = &k->staged[k->staged_count];
  *r = *range;
  r->first = wh_arena_str(&k->staged_arena, range->first);
  r->keys = wh_arena_str(&k->staged_arena, range->keys);
  if (!r->first.data || !r->keys.data) return wh_fail_memory(err);
  k->staged_count++;
  return k->staged_count == STAGED_AT_ONCE ? send_staged(k, err) : WH_OK;
}

// `full` becomes a range, and the next one begins with `next`.
static wh_status write_full(wh_sent_keys *k, wh_str next, wh_error *err) {
  wh_key_range r = {.first = wh_buf_str(&k->bound),
                    .count = k->full.count,
                    .checksum = k->full.checksum,
                    .keys = wh_buf_str(&k->full.bytes)};
  WH_TRY(stage(k, &r, err));
  k->wrote = true;
  wh_key_list_clear(&k->full);
  wh_buf_clear(&k->bound);
  wh_buf_add_str(&k->bound, next);
  return wh_buf_check(&k->bound, err);
}

static bool is_full(const wh_key_list *list) {
  return list->count >= WH_SENT_RANGE_KEYS || list->bytes.len >= WH_SENT_RANGE_BYTES;
}

static wh_status keep(wh_sent_keys *k, wh_str key, wh_error *err) {
  if (is_full(&k->rest)) {
    WH_TRY(write_full(k, wh_key_list_first(&k->rest), err));
    wh_key_list other = k->full;
    k->full = k->rest;
    k->rest = other;
  }
  wh_key_list *list = is_full(&k->full) ? &k->rest : &k->full;
  if (wh_key_list_add(list, key)) return WH_OK;
  return wh_fail_memory(err);
}

static wh_status end_range(wh_sent_keys *k, wh_error *err) {
  if (k->rest.count) { // its first key shares nothing with the one before it
    wh_buf_add_str(&k->full.bytes, wh_buf_str(&k->rest.bytes));
    WH_TRY(wh_buf_check(&k->full.bytes, err));
    k->full.count += k->rest.count;
    k->full.checksum += k->rest.checksum;
  }
  wh_key_list_clear(&k->rest);
  if (k->full.count) return write_full(k, WH_STR(""), err);
  if (k->wrote || k->is_new) return WH_OK;
  return stage(k, &(wh_key_range){.first = k->range.first}, err);
}

// --- One range -----------------------------------------------------------------------------------

static wh_status decide(wh_sent_keys *k, wh_str key, bool in_old, const item *i, wh_error *err) {
  bool in_source = !k->options.source || (i && i->in_source);
  bool in_sent = i && i->in_sent;
  bool was_sent = in_old || (!k->known && k->options.assume);
  if (in_sent || (was_sent && in_source)) return keep(k, key, err);
  if (!in_old) return WH_OK;
  return wh_key_list_add(&k->gone, key) ? WH_OK : wh_fail_memory(err);
}

static wh_status take_old(wh_sent_keys *k, wh_error *err) {
  wh_status status = wh_key_cursor_next(&k->old, &k->old_key, err);
  k->has_old = status == WH_OK;
  return status == WH_ERR_END ? WH_OK : status;
}

static wh_status load_old(wh_sent_keys *k, wh_error *err) {
  k->has_old = false;
  if (k->is_new) return WH_OK;
  wh_key_range r;
  wh_ledger *l = k->options.ledger;
  wh_str before = wh_buf_str(&k->before);
  WH_TRY(l->type->keys_next(l, k->options.run->pipeline, &before, true, &k->arena, &r, err));
  k->old.rest = r.keys;
  wh_buf_clear(&k->old.key);
  return take_old(k, err);
}

static wh_status merge_range(wh_sent_keys *k, wh_error *err) {
  WH_TRY(load_old(k, err));
  k->taken = 0;
  k->again.rest = wh_buf_str(&k->ahead.bytes);
  wh_buf_clear(&k->again.key);
  wh_buf_clear(&k->bound);
  wh_buf_add_str(&k->bound, k->range.first);
  WH_TRY(wh_buf_check(&k->bound, err));
  k->wrote = false;
  WH_TRY(take_item(k, err));
  while (k->has_old || k->has_current) {
    int order = !k->has_old       ? 1
                : !k->has_current ? -1
                                  : wh_key_bytes_compare(k->old_key, k->current.key);
    WH_TRY(decide(k, order <= 0 ? k->old_key : k->current.key, order <= 0,
                  order >= 0 ? &k->current : NULL, err));
    if (order <= 0) WH_TRY(take_old(k, err));
    if (order >= 0) WH_TRY(take_item(k, err));
  }
  return end_range(k, err);
}

// Whether the range is what it was: without a look at the source, when nothing was sent into it.
static bool is_same(const wh_sent_keys *k, bool all) {
  if (!all || k->is_new) return false;
  if (!k->options.source && k->ahead.count == 0) return true;
  return k->ahead.count == k->range.count && k->ahead.checksum == k->range.checksum;
}

static wh_status next_header(wh_sent_keys *k, wh_str after, wh_arena *arena, wh_key_range *ret,
                             bool *ret_found, wh_error *err) {
  wh_ledger *l = k->options.ledger;
  wh_str pipeline = k->options.run->pipeline;
  wh_status status = l->type->keys_next(l, pipeline, &after, false, arena, ret, err);
  *ret_found = status == WH_OK;
  return status == WH_ERR_END ? WH_OK : status;
}

static wh_status set_upper(wh_sent_keys *k, const wh_key_range *next, bool found, wh_error *err) {
  k->has_upper = found;
  k->at_end = !found;
  wh_buf_clear(&k->upper);
  if (found) wh_buf_add_str(&k->upper, next->first);
  return wh_buf_check(&k->upper, err);
}

// The range behind the one in hand, or the first, of which there is always one; *ret_end: no more.
static wh_status next_range(wh_sent_keys *k, bool *ret_end, wh_error *err) {
  *ret_end = k->at_end;
  if (k->at_end) return WH_OK;
  wh_arena_reset(&k->arena);
  wh_key_range range = {0}, next = {0};
  bool found = false, is_first = k->before.len == 0;
  if (k->known) WH_TRY(next_header(k, wh_buf_str(&k->before), &k->arena, &range, &found, err));
  k->is_new = is_first && (!found || !wh_str_eq(range.first, LOWEST));
  if (k->is_new) {
    k->range = (wh_key_range){.first = LOWEST};
    return set_upper(k, &range, found, err);
  }
  k->range = range;
  WH_TRY(next_header(k, range.first, &k->arena, &next, &found, err));
  return set_upper(k, &next, found, err);
}

static wh_status do_range(wh_sent_keys *k, wh_error *err) {
  bool all;
  WH_TRY(look_ahead(k, &all, err));
  if (!is_same(k, all)) WH_TRY(merge_range(k, err));
  wh_buf_clear(&k->before);
  wh_buf_add_str(&k->before, k->range.first);
  return wh_buf_check(&k->before, err);
}

// --- All of them ---------------------------------------------------------------------------------

// The set begins with an entry below all ranges: it says that there is a set, and of which shape.
static wh_status read_shape(wh_sent_keys *k, wh_error *err) {
  wh_key_range head;
  wh_ledger *l = k->options.ledger;
  wh_str pipeline = k->options.run->pipeline;
  wh_status status = l->type->keys_next(l, pipeline, NULL, true, &k->arena, &head, err);
  if (status != WH_OK && status != WH_ERR_END) return status;
  k->known = status == WH_OK && head.first.len == 0 && wh_str_eq(head.keys, k->options.shape);
  if (k->known) return WH_OK;
  // Without a look at the source there would never be one for keys that earlier runs have sent.
  k->at_end = !k->options.source;
  if (k->at_end) return WH_OK;
  // One of another shape goes, range by range.
  while (status == WH_OK) {
    WH_TRY(stage(k, &(wh_key_range){.first = head.first}, err));
    status = l->type->keys_next(l, pipeline, &head.first, false, &k->arena, &head, err);
  }
  if (status != WH_ERR_END) return status;
  return stage(k, &(wh_key_range){.count = 1, .keys = k->options.shape}, err);
}

static wh_status open_keys(wh_sent_keys *k, wh_error *err) {
  WH_TRY(read_shape(k, err));
  return send_staged(k, err);
}

wh_status wh_sent_keys_shape(wh_ledger *l, wh_str pipeline, wh_arena *arena, wh_str *ret,
                             wh_error *err) {
  wh_key_range head;
  wh_status status = l->type->keys_next(l, pipeline, NULL, true, arena, &head, err);
  if (status != WH_OK && status != WH_ERR_END) return status;
  *ret = status == WH_OK && head.first.len == 0 ? head.keys : (wh_str){0};
  return WH_OK;
}

wh_status wh_sent_keys_count(wh_ledger *l, wh_str pipeline, wh_mem *mem, uint64_t *ret,
                             wh_error *err) {
  WH_CLEAN_ARENA wh_arena even;
  WH_CLEAN_ARENA wh_arena odd;
  wh_arena_init(&even, mem);
  wh_arena_init(&odd, mem);
  wh_key_range range = {.first = WH_STR("")}; // behind the entry that says there is a set
  uint64_t count = 0;
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK; i++) {
    wh_arena *arena = i % 2 ? &odd : &even; // `first` of the one before is in the other
    wh_arena_reset(arena);
    count += range.count;
    status = l->type->keys_next(l, pipeline, &range.first, false, arena, &range, err);
  }
  if (status != WH_ERR_END) return status;
  *ret = count;
  return WH_OK;
}

wh_status wh_sent_keys_open(const wh_sent_options *options, wh_sent_keys **ret, wh_error *err) {
  wh_mem *mem = options->mem;
  wh_sent_keys *k = wh_mem_alloc_zero(mem, sizeof *k);
  if (!k) return wh_fail_memory(err);
  k->options = *options;
  k->source.sorter = options->source;
  k->sent.sorter = options->sent;
  wh_arena_init(&k->arena, mem);
  wh_arena_init(&k->staged_arena, mem);
  wh_buf *const buffers[] = {&k->upper, &k->before,  &k->flags,  &k->again.key,
                             &k->bound, &k->old.key, &k->out.key};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
    wh_buf_init(buffers[i], mem, 0);
  wh_key_list *const lists[] = {&k->ahead, &k->full, &k->rest, &k->gone};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    wh_key_list_init(lists[i], mem);
  wh_status status = open_keys(k, err);
  if (status != WH_OK) {
    wh_sent_keys_close(k);
    return status;
  }
  *ret = k;
  return WH_OK;
}

bool wh_sent_keys_known(const wh_sent_keys *k) {
  return k->known;
}

wh_status wh_sent_keys_next(wh_sent_keys *k, wh_str *ret, wh_error *err) {
  for (;;) {
    wh_status status = wh_key_cursor_next(&k->out, ret, err);
    if (status != WH_ERR_END) return status;
    wh_key_list_clear(&k->gone);
    bool end;
    WH_TRY(next_range(k, &end, err));
    if (end) {
      WH_TRY(send_staged(k, err));
      return WH_ERR_END;
    }
    WH_TRY(do_range(k, err));
    k->out.rest = wh_buf_str(&k->gone.bytes);
    wh_buf_clear(&k->out.key);
  }
}

void wh_sent_keys_close(wh_sent_keys *k) {
  if (!k) return;
  wh_mem *mem = k->options.mem;
  wh_buf *const buffers[] = {&k->upper, &k->before,  &k->flags,  &k->again.key,
                             &k->bound, &k->old.key, &k->out.key};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
    wh_buf_free(buffers[i]);
  wh_key_list *const lists[] = {&k->ahead, &k->full, &k->rest, &k->gone};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    wh_key_list_free(lists[i]);
  wh_arena_free(&k->arena);
  wh_arena_free(&k->staged_arena);
  wh_mem_free(mem, k, sizeof *k);
}
