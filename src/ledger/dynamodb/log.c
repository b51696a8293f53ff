// From commit to commit: reading those of others, adding our own.
#include "codec/parquet/compress.h"
#include "ledger/dynamodb/dynamodb.h"

enum { LEVEL = 3 }; // of zstd

// --- entries
// ---------------------------------------------------------------------------------------

static void add_number(wh_buf *out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++)
    wh_buf_add_char(out, (char)(uint8_t)(value >> (8 * i)));
}

static uint64_t take_number(wh_str log, size_t *at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++)
    value |= (uint64_t)(uint8_t)log.data[(*at)++] << (8 * i);
  return value;
}

bool dynamo_log_next(wh_str log, size_t *at, dynamo_entry *ret) {
  size_t now = *at;
  if (log.len - now < DYNAMO_ENTRY_BYTES) return false;
  *ret = (dynamo_entry){.commit = take_number(log, &now, 8)};
  ret->hash = take_number(log, &now, 8);
  ret->plain_bytes = (uint32_t)take_number(log, &now, 4);
  ret->stored_bytes = (uint32_t)take_number(log, &now, 4);
  ret->pieces = (uint32_t)take_number(log, &now, 4);
  ret->chance = (uint32_t)take_number(log, &now, 4);
  if (!ret->pieces) {
    if (log.len - now < ret->stored_bytes) return false;
    ret->stored = wh_str_sub(log, now, now + ret->stored_bytes);
    now += ret->stored_bytes;
  }
  *at = now;
  return true;
}

static void add_entry(wh_buf *log, const dynamo_entry *e, wh_str stored) {
  add_number(log, e->commit, 8);
  add_number(log, e->hash, 8);
  add_number(log, e->plain_bytes, 4);
  add_number(log, e->stored_bytes, 4);
  add_number(log, e->pieces, 4);
  add_number(log, e->chance, 4);
  if (!e->pieces) wh_buf_add_str(log, stored);
}

static wh_status fail_damaged(const dynamo_ledger *l, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA,
                 "%s: the ledger in table %.*s is damaged. Give it another name under `ledger`, "
                 "then rebuild it from the manifests and marks: wherry ledger rebuild",
                 l->sql.base.path, WH_STR_ARG(l->table));
}

// --- refreshing
// ------------------------------------------------------------------------------------

static wh_status unpack(dynamo_ledger *l, const dynamo_entry *entry, wh_str stored, wh_buf *plain,
                        wh_error *err) {
  if (entry->plain_bytes > (DYNAMO_PAGES_MAX + 16) * (DYNAMO_PAGE_BYTES + 4ull))
    return fail_damaged(l, err);
  if (!wh_buf_reserve(plain, entry->plain_bytes)) return wh_buf_check(plain, err);
  pq_decompressor *decompressor;
  WH_TRY(pq_decompressor_open(l->sql.base.mem, &decompressor, err));
  wh_status status = pq_decompress(decompressor, PQ_ZSTD, stored.data, stored.len, plain->data,
                                   entry->plain_bytes, err);
  pq_decompressor_close(decompressor);
  plain->len = entry->plain_bytes;
  return status;
}

static wh_status apply(dynamo_ledger *l, const dynamo_entry *entry, wh_error *err) {
  WH_CLEAN_BUF wh_buf pieces, plain;
  wh_buf_init(&pieces, l->sql.base.mem, 0);
  wh_buf_init(&plain, l->sql.base.mem, 0);
  wh_str stored = entry->stored;
  if (entry->pieces) {
    WH_TRY(dynamo_get_pieces(l, entry, &pieces, err));
    stored = wh_buf_str(&pieces);
  }
  wh_status status = unpack(l, entry, stored, &plain, err);
  if (status == WH_OK) status = dynamo_pages_apply(&l->pages, wh_buf_str(&plain), entry->hash, err);
  return status == WH_ERR_DATA ? fail_damaged(l, err) : status;
}

// Which of the head's ids is that of our commit: our pages are on the way to its.
static bool leads_from_ours(const dynamo_ledger *l, const dynamo_head *head) {
  dynamo_entry first;
  size_t at = 0;
  if (!l->head.commit || head->commit < l->head.commit) return false;
  uint64_t back = head->commit - l->head.commit;
  return back < head->id_count && head->ids[back] == l->head.ids[0] &&
         dynamo_log_next(wh_buf_str(&head->log), &at, &first) && first.commit <= l->head.commit;
}

static void forget(dynamo_ledger *l) {
  dynamo_pages_free(&l->pages);
  dynamo_head_free(&l->head);
  l->head = (dynamo_head){0};
  wh_buf_init(&l->head.log, l->sql.base.mem, 0);
  // What SQLite knows of the pages may be of another history.
  if (l->sql.db) sqlite3_db_release_memory(l->sql.db);
}

static wh_status follow(dynamo_ledger *l, const dynamo_head *head, uint64_t from, wh_error *err) {
  wh_str log = wh_buf_str(&head->log);
  dynamo_entry entry;
  size_t at = 0;
  while (dynamo_log_next(log, &at, &entry)) {
    if (entry.commit > from) WH_TRY(apply(l, &entry, err));
  }
  return at == log.len ? WH_OK : fail_damaged(l, err);
}

static wh_status take_over(dynamo_ledger *l, dynamo_head *head, wh_error *err) {
  if (!head->commit && !l->head.commit) return WH_OK;
  if (!head->commit)
    return wh_fail(err, WH_ERR_DATA,
                   "%s: the ledger was removed from table %.*s while it was in use. Start again",
                   l->sql.base.path, WH_STR_ARG(l->table));
  if (head->commit == l->head.commit && head->ids[0] == l->head.ids[0]) return WH_OK;
  bool is_ahead = leads_from_ours(l, head);
  uint64_t from = is_ahead ? l->head.commit : 0;
  if (!is_ahead) forget(l);
  wh_status status = follow(l, head, from, err);
  if (status != WH_OK) {
    forget(l); // some of it was done
    return status;
  }
  dynamo_head_free(&l->head);
  l->head = *head;
  *head = (dynamo_head){0};
  return WH_OK;
}

wh_status dynamo_refresh(dynamo_ledger *l, wh_error *err) {
  wh_os *os = l->sql.base.os;
  wh_status status = WH_ERR_NOT_FOUND;
  for (int i = 0; i < DYNAMO_RELOADS_MAX && status == WH_ERR_NOT_FOUND; i++) {
    DYNAMO_CLEAN_HEAD head = {0};
    int64_t now = os->type->monotonic_ns(os);
    WH_TRY(dynamo_get_head(l, &head, err));
    // Pieces that are missing: there is a newer head.
    status = take_over(l, &head, err);
    if (status == WH_OK) l->seen_ns = now;
  }
  if (status == WH_OK) l->is_behind = false;
  return status == WH_ERR_NOT_FOUND ? fail_damaged(l, err) : status;
}

// --- committing
// ------------------------------------------------------------------------------------

static wh_status pack(dynamo_ledger *l, wh_str plain, wh_buf *out, wh_error *err) {
  pq_compressor *compressor;
  WH_TRY(pq_compressor_open(l->sql.base.mem, PQ_ZSTD, LEVEL, &compressor, err));
  wh_status status = wh_buf_reserve(out, pq_compress_bound(compressor, plain.len))
                         ? WH_OK
                         : wh_buf_check(out, err);
  if (status == WH_OK)
    status = pq_compress(compressor, plain.data, plain.len, false, out->data, &out->len, err);
  pq_compressor_close(compressor);
  return status;
}

// The entry of the pages as they are now; plain_bytes 0: nothing changed.
static wh_status make_entry(dynamo_ledger *l, bool whole, dynamo_entry *ret, wh_buf *stored,
                            wh_error *err) {
  WH_CLEAN_BUF wh_buf plain;
  wh_buf_init(&plain, l->sql.base.mem, 0);
  *ret = (dynamo_entry){.commit = l->head.commit + 1};
  WH_TRY(dynamo_pages_differ(&l->pages, whole, &plain, &ret->hash, err));
  if (!plain.len) return WH_OK;
  wh_buf_clear(stored);
  WH_TRY(pack(l, wh_buf_str(&plain), stored, err));
  ret->plain_bytes = (uint32_t)plain.len;
  ret->stored_bytes = (uint32_t)stored->len;
  if (stored->len <= DYNAMO_INLINE_BYTES_MAX) return WH_OK;
  ret->pieces = (uint32_t)((stored->len + DYNAMO_PIECE_BYTES - 1) / DYNAMO_PIECE_BYTES);
  if (ret->pieces > DYNAMO_PIECES_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "%s: a commit of %zu bytes", l->sql.base.path, stored->len);
  WH_TRY(l->sql.base.os->type->random(l->sql.base.os, &ret->chance, sizeof ret->chance, err));
  ret->chance %= 1000000000;
  return WH_OK;
}

// A commit costs the log's length, an entry with all pages theirs: together they are least when the
// log gets as long as the root of what it saves.
static bool is_long(const dynamo_ledger *l, const dynamo_entry *next) {
  wh_str log = wh_buf_str(&l->head.log);
  dynamo_entry entry;
  uint64_t first = 0, far = next->pieces ? next->stored_bytes : 0;
  for (size_t at = 0; dynamo_log_next(log, &at, &entry);) {
    if (!first)
      first = entry.stored_bytes;
    else if (entry.pieces)
      far += entry.stored_bytes;
  }
  uint64_t limit = DYNAMO_LOG_BYTES_MIN;
  while (limit < DYNAMO_LOG_BYTES_MAX && limit * limit < 1024 * first)
    limit *= 2;
  uint64_t len = log.len + DYNAMO_ENTRY_BYTES + (next->pieces ? 0 : next->stored_bytes);
  return first &&
         (len > limit || far > (first > DYNAMO_FAR_BYTES_MIN ? first : DYNAMO_FAR_BYTES_MIN));
}

static wh_status make_head(dynamo_ledger *l, dynamo_head *ret, wh_error *err) {
  ret->commit = l->head.commit + 1;
  WH_TRY(l->sql.base.os->type->random(l->sql.base.os, &ret->ids[0], sizeof ret->ids[0], err));
  ret->id_count = l->head.id_count < DYNAMO_IDS_MAX ? l->head.id_count + 1 : DYNAMO_IDS_MAX;
  memcpy(ret->ids + 1, l->head.ids, (ret->id_count - 1) * sizeof *ret->ids);
  return WH_OK;
}

// After a no: whether it was said to a repetition of what had been done.
static wh_status look_for(dynamo_ledger *l, const dynamo_head *mine, int attempts, bool *ret_done,
                          wh_error *err) {
  DYNAMO_CLEAN_HEAD head = {0};
  WH_TRY(dynamo_get_head(l, &head, err));
  uint64_t back = head.commit - mine->commit;
  *ret_done = head.commit >= mine->commit && back < head.id_count && head.ids[back] == mine->ids[0];
  l->is_behind = true; // others may have gone on
  if (attempts == 1 || head.commit < mine->commit || back < head.id_count) return WH_OK;
  return wh_fail(err, WH_ERR_UNAVAILABLE,
                 "%s: the answer of the service was lost, and others wrote since: nobody knows "
                 "whether the ledger was changed",
                 l->sql.base.path);
}

static wh_status fail_in_the_way(dynamo_ledger *l, wh_error *err) {
  l->in_the_way = true;
  wh_status status = wh_fail(err, WH_ERR_BUSY,
                             "%s: other workers have changed the ledger %d times meanwhile. Try "
                             "again",
                             l->sql.base.path, DYNAMO_TRIES_MAX);
  if (err) err->retry = true;
  return status;
}

static wh_status put(dynamo_ledger *l, const dynamo_head *next, wh_error *err) {
  int attempts;
  wh_status status = dynamo_put_head(l, next, &attempts, err);
  if (status != WH_ERR_CHANGED) return status;
  bool is_done = false;
  WH_TRY(look_for(l, next, attempts, &is_done, err));
  return is_done ? WH_OK : fail_in_the_way(l, err);
}

wh_status dynamo_commit(dynamo_ledger *l, wh_error *err) {
  WH_CLEAN_BUF wh_buf stored;
  DYNAMO_CLEAN_HEAD next = {0};
  dynamo_entry entry;
  wh_os *os = l->sql.base.os;
  wh_buf_init(&stored, l->sql.base.mem, 0);
  wh_buf_init(&next.log, l->sql.base.mem, 0);
  WH_TRY(make_entry(l, false, &entry, &stored, err));
  if (!entry.plain_bytes) return WH_OK;
  bool whole = is_long(l, &entry);
  if (whole) WH_TRY(make_entry(l, true, &entry, &stored, err));
  WH_TRY(make_head(l, &next, err));
  if (!whole) wh_buf_add_str(&next.log, wh_buf_str(&l->head.log));
  add_entry(&next.log, &entry, wh_buf_str(&stored));
  WH_TRY(wh_buf_check(&next.log, err));
  WH_TRY(dynamo_put_pieces(l, &entry, wh_buf_str(&stored), err));
  int64_t now = os->type->monotonic_ns(os);
  WH_TRY(put(l, &next, err));
  dynamo_pages_accept(&l->pages);
  dynamo_head_free(&l->head);
  l->head = next;
  next = (dynamo_head){0};
  l->seen_ns = now;
  l->was_committed = true;
  l->is_untidy = l->is_untidy || whole;
  return WH_OK;
}
