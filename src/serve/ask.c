#include "serve/ask.h"

#include "base/log.h"
#include "serve/show.h"
#include "step/chars.h"

#define TELL_AGAIN_US (60LL * 1000000)

static wh_status list_columns(const wh_lookup *l, wh_arena *arena, const wh_str **ret,
                              size_t *ret_count, wh_error *err) {
  size_t count = l->show.count + l->proof_count;
  wh_str *columns = WH_NEW_ARRAY(arena, count, wh_str);
  if (!columns) return wh_fail_memory(err);
  for (size_t i = 0; i < l->show.count; i++)
    columns[i] = l->show.items[i];
  for (size_t i = 0; i < l->proof_count; i++)
    columns[l->show.count + i] = l->proofs[i].column;
  *ret = columns;
  *ret_count = count;
  return WH_OK;
}

wh_status wh_ask_init(wh_ask *ask, wh_os *os, wh_mem *mem, wh_config *config,
                      const wh_lookup *lookup, wh_arena *arena, wh_error *err) {
  const wh_str *columns = NULL;
  size_t count = 0;
  uint8_t random[WH_SHA256_BYTES];
  *ask = (wh_ask){.lookup = lookup, .os = os, .mem = mem};
  ask->told_us = INT64_MIN / 2;
  WH_TRY(list_columns(lookup, arena, &columns, &count, err));
  WH_TRY(os->type->random(os, random, sizeof random, err));
  WH_CLEAN_BUF wh_buf decoy;
  wh_buf_init(&decoy, mem, 0);
  if (!wh_buf_add_hex(&decoy, random, sizeof random)) return wh_fail_memory(err);
  memcpy(ask->decoy, decoy.data, sizeof ask->decoy);
  wh_finders_init(&ask->finders, os, mem, config, lookup, columns, count);
  return WH_OK;
}

void wh_ask_free(wh_ask *ask) {
  if (ask) wh_finders_free(&ask->finders);
}

// --- limits --------------------------------------------------------------------------------------

static bool take_address(wh_ask *ask, const wh_ip *address, unsigned bits, int64_t tries,
                         int64_t now_ns, int64_t *ret_wait_ns) {
  struct {
    uint32_t lookup, bits;
    wh_ip network;
  } subject = {ask->number, bits, wh_ip_network(address, bits)};
  return wh_limiter_take(ask->by_address, wh_str_n((char *)&subject, sizeof subject), tries, now_ns,
                         NULL, ret_wait_ns);
}

static bool take_key(wh_ask *ask, wh_str key, int64_t now_ns, wh_limit_ticket *ticket,
                     int64_t *ret_wait_ns) {
  uint8_t digest[WH_SHA256_BYTES + sizeof ask->number];
  wh_sha256_of(key, digest);
  memcpy(digest + WH_SHA256_BYTES, &ask->number, sizeof ask->number);
  return wh_limiter_take(ask->by_key, wh_str_n((char *)digest, sizeof digest),
                         ask->lookup->rate_by_key, now_ns, ticket, ret_wait_ns);
}

// One try of the key is taken before it is looked up, so that questions asked at the same time
// cannot pass together, and given back when the proof was right.
static bool is_limited(wh_ask *ask, const wh_question *q, wh_limit_ticket *ticket,
                       int64_t *ret_wait_s) {
  int64_t now_ns = ask->os->type->monotonic_ns(ask->os);
  int64_t tries = ask->lookup->rate_by_address, wait_ns = 0;
  bool ok = take_address(ask, q->address, WH_ASK_ADDRESS_BITS, tries, now_ns, &wait_ns);
  if (ok && !wh_ip_is_v4(q->address)) {
    ok = take_address(ask, q->address, WH_ASK_SITE_BITS, tries * WH_ASK_SITE_FACTOR, now_ns,
                      &wait_ns);
  }
  if (ok) ok = take_key(ask, q->key, now_ns, ticket, &wait_ns);
  if (!ok) *ret_wait_s = (wait_ns + 999999999) / 1000000000;
  return !ok;
}

// --- proofs --------------------------------------------------------------------------------------

// The mask of what was given as proof. Nothing given proves nothing, but costs the same.
static wh_status mask_proof(const wh_ask *ask, const wh_mask *mask, wh_str given, wh_buf *out,
                            bool *ret_valid, wh_error *err) {
  bool is_null, ignored;
  WH_TRY(wh_mask_apply(mask, given, out, &is_null, err));
  if (is_null) {
    wh_str decoy = wh_str_n(ask->decoy, sizeof ask->decoy);
    WH_TRY(wh_mask_apply(mask, decoy, out, &ignored, err));
  }
  *ret_valid = !is_null;
  return WH_OK;
}

// The proof that a row keeps, or the decoy where there is no row, no proof or no such text.
static wh_str stored_proof(const wh_ask *ask, const wh_batch *batch, size_t row, size_t column,
                           bool *ret_there) {
  wh_str decoy = wh_str_n(ask->decoy, sizeof ask->decoy);
  *ret_there = false;
  if (row >= batch->rows) return decoy;
  const wh_column *c = &batch->columns[column];
  if (c->type.kind != WH_STRING || wh_column_is_null(c, row)) return decoy;
  wh_str stored = wh_column_text(c, row);
  *ret_there = stored.len == WH_MASK_HMAC_DIGITS;
  return *ret_there ? stored : decoy;
}

// The first row whose proofs are all right, or WH_ASK_ROWS_MAX. Looks at every row to its end.
static size_t check_rows(const wh_ask *ask, const wh_batch *batch, const wh_str *proofs,
                         bool all_valid) {
  const wh_lookup *l = ask->lookup;
  size_t found = WH_ASK_ROWS_MAX;
  size_t rows = batch->rows ? batch->rows : 1;
  for (size_t row = rows; row-- > 0;) {
    bool is_right = all_valid;
    for (size_t i = 0; i < l->proof_count; i++) {
      bool is_there;
      wh_str stored = stored_proof(ask, batch, row, l->show.count + i, &is_there);
      is_right &= wh_equal_in_constant_time(stored, proofs[i]) & is_there;
    }
    if (is_right) found = row;
  }
  return found;
}

// --- asking --------------------------------------------------------------------------------------

static void tell(wh_ask *ask, const wh_error *err) {
  int64_t now = wh_now_us(ask->os), before = atomic_load(&ask->told_us);
  if (now - before < TELL_AGAIN_US) return;
  if (!atomic_compare_exchange_strong(&ask->told_us, &before, now)) return;
  wh_log(WH_LOG_WARN, "serve", "%.*s: %s", WH_STR_ARG(ask->lookup->name), err->text);
}

// Whether a failure says nothing about the row that was asked for: the others must look like a
// miss, or a row that cannot be read would be told from one that is not there.
static bool is_of_the_database(wh_status status) {
  switch (status) {
  case WH_ERR_MEMORY:
  case WH_ERR_IO:
  case WH_ERR_NO_SPACE:
  case WH_ERR_NOT_FOUND:
  case WH_ERR_DENIED:
  case WH_ERR_UNAVAILABLE:
  case WH_ERR_BUSY:
  case WH_ERR_CHANGED:
  case WH_ERR_CANCELLED:
  case WH_ERR_USAGE:
    return true;
  default:
    return false;
  }
}

static wh_verdict show(wh_ask *ask, const wh_batch *batch, size_t row, wh_ask_form form,
                       wh_buf *out) {
  size_t count = ask->lookup->show.count;
  bool ok = form == WH_ASK_JSON ? wh_show_json(batch, row, count, out)
                                : wh_show_html(batch, row, count, ask->mem, out);
  if (ok) return WH_VERDICT_FOUND;
  wh_error err;
  if (wh_buf_check(out, &err) == WH_OK) WH_IGNORE(wh_fail_memory(&err));
  wh_error_prefix(&err, "the answer cannot be shown: ");
  tell(ask, &err);
  wh_buf_clear(out);
  return WH_VERDICT_FAILED;
}

static wh_verdict look_up(wh_ask *ask, wh_str key, const wh_str *masked, bool all_valid,
                          wh_ask_form form, wh_buf *out) {
  wh_finder_slot *slot;
  wh_error err = {0};
  wh_status status = wh_finders_find(&ask->finders, key, WH_ASK_ROWS_MAX, &slot, &err);
  if (status != WH_OK) {
    tell(ask, &err);
    return is_of_the_database(status) ? WH_VERDICT_FAILED : WH_VERDICT_MISSED;
  }
  size_t row = check_rows(ask, &slot->batch, masked, all_valid);
  wh_verdict verdict =
      row < WH_ASK_ROWS_MAX ? show(ask, &slot->batch, row, form, out) : WH_VERDICT_MISSED;
  wh_finders_give(&ask->finders, slot);
  return verdict;
}

// Masks the proofs, which end in `arena`.
static wh_status mask_proofs(const wh_ask *ask, const wh_question *q, wh_arena *arena,
                             wh_str *masked, bool *ret_all_valid, wh_error *err) {
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, ask->mem, 0);
  wh_status status = WH_OK;
  bool all_valid = true;
  for (size_t i = 0; i < ask->lookup->proof_count && status == WH_OK; i++) {
    bool valid = false;
    wh_buf_clear(&buf);
    status = mask_proof(ask, ask->lookup->proofs[i].mask, q->proofs[i], &buf, &valid, err);
    if (status != WH_OK) break;
    masked[i] = wh_arena_str(arena, wh_buf_str(&buf));
    if (!masked[i].data) status = wh_fail_memory(err);
    all_valid &= valid;
  }
  if (buf.data) wh_wipe(buf.data, buf.cap); // it held what was given in its normal form
  *ret_all_valid = all_valid;
  return status;
}

wh_verdict wh_ask_question(wh_ask *ask, const wh_question *question, wh_ask_form form, wh_buf *out,
                           int64_t *ret_wait_s) {
  wh_question q = *question;
  q.key = wh_chars_trim(q.key);
  wh_limit_ticket ticket;
  if (is_limited(ask, &q, &ticket, ret_wait_s)) return WH_VERDICT_LIMITED;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, ask->mem);
  wh_error err = {0};
  bool all_valid = false;
  wh_str *masked = WH_NEW_ARRAY(&arena, ask->lookup->proof_count, wh_str);
  wh_status status =
      masked ? mask_proofs(ask, &q, &arena, masked, &all_valid, &err) : wh_fail_memory(&err);
  wh_verdict verdict = WH_VERDICT_FAILED;
  if (status == WH_OK)
    verdict = look_up(ask, q.key, masked, all_valid, form, out);
  else
    tell(ask, &err);
  if (verdict == WH_VERDICT_FOUND || verdict == WH_VERDICT_FAILED)
    wh_limiter_give_back(ask->by_key, &ticket);
  return verdict;
}
