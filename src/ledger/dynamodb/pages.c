#include "ledger/dynamodb/pages.h"

#include <xxhash.h>

static void free_page(dynamo_pages *p, uint8_t **page) {
  wh_mem_free(p->mem, *page, DYNAMO_PAGE_BYTES);
  *page = NULL;
}

void dynamo_pages_free(dynamo_pages *p) {
  for (size_t i = 0; i < p->cap; i++) {
    free_page(p, &p->pages[i].now);
    free_page(p, &p->pages[i].kept);
  }
  wh_mem_free(p->mem, p->pages, p->cap * sizeof *p->pages);
  *p = (dynamo_pages){.mem = p->mem};
}

bool dynamo_pages_read(const dynamo_pages *p, uint64_t offset, void *out, size_t len) {
  uint8_t *to = out;
  for (size_t done = 0; done < len;) {
    uint64_t number = (offset + done) / DYNAMO_PAGE_BYTES;
    size_t at = (offset + done) % DYNAMO_PAGE_BYTES;
    size_t n = DYNAMO_PAGE_BYTES - at < len - done ? DYNAMO_PAGE_BYTES - at : len - done;
    if (number >= p->count) {
      memset(to + done, 0, len - done);
      return false;
    }
    memcpy(to + done, p->pages[number].now + at, n);
    done += n;
  }
  return true;
}

// --- changing
// --------------------------------------------------------------------------------------

static bool reserve(dynamo_pages *p, size_t count) {
  if (count <= p->cap) return true;
  size_t cap = p->cap ? p->cap : 64;
  while (cap < count)
    cap *= 2;
  dynamo_page *pages =
      wh_mem_realloc(p->mem, p->pages, p->cap * sizeof *pages, cap * sizeof *pages);
  if (!pages) return false;
  memset(pages + p->cap, 0, (cap - p->cap) * sizeof *pages);
  p->pages = pages;
  p->cap = cap;
  return true;
}

// Pages of zeros up to the count.
static bool grow(dynamo_pages *p, size_t count) {
  if (count > DYNAMO_PAGES_MAX || !reserve(p, count)) return false;
  for (; p->count < count; p->count++) {
    dynamo_page *page = &p->pages[p->count];
    page->now = wh_mem_alloc_zero(p->mem, DYNAMO_PAGE_BYTES);
    if (!page->now) return false;
  }
  return true;
}

static bool keep(dynamo_pages *p, size_t number) {
  dynamo_page *page = &p->pages[number];
  if (number >= p->kept_count || page->kept) return true;
  uint8_t *copy = wh_mem_alloc(p->mem, DYNAMO_PAGE_BYTES);
  if (!copy) return false;
  memcpy(copy, page->now, DYNAMO_PAGE_BYTES);
  page->kept = page->now;
  page->now = copy;
  return true;
}

bool dynamo_pages_write(dynamo_pages *p, uint64_t offset, const void *data, size_t len) {
  const uint8_t *from = data;
  if (offset + len > (uint64_t)DYNAMO_PAGES_MAX * DYNAMO_PAGE_BYTES) return false;
  p->is_touched = true;
  for (size_t done = 0; done < len;) {
    size_t number = (size_t)((offset + done) / DYNAMO_PAGE_BYTES);
    size_t at = (size_t)((offset + done) % DYNAMO_PAGE_BYTES);
    size_t n = DYNAMO_PAGE_BYTES - at < len - done ? DYNAMO_PAGE_BYTES - at : len - done;
    if (!grow(p, number + 1) || !keep(p, number)) return false;
    memcpy(p->pages[number].now + at, from + done, n);
    done += n;
  }
  return true;
}

void dynamo_pages_truncate(dynamo_pages *p, uint64_t bytes) {
  size_t count = (size_t)((bytes + DYNAMO_PAGE_BYTES - 1) / DYNAMO_PAGE_BYTES);
  p->is_touched = true;
  while (p->count > count) {
    dynamo_page *page = &p->pages[--p->count];
    if (p->count < p->kept_count && !page->kept) {
      page->kept = page->now;
      page->now = NULL;
    }
    free_page(p, &page->now);
  }
}

void dynamo_pages_accept(dynamo_pages *p) {
  for (size_t i = 0; p->is_touched && i < p->kept_count; i++)
    free_page(p, &p->pages[i].kept);
  p->kept_count = p->count;
  p->is_touched = false;
}

void dynamo_pages_restore(dynamo_pages *p) {
  for (size_t i = 0; p->is_touched && i < p->cap; i++) {
    dynamo_page *page = &p->pages[i];
    if (i < p->kept_count && !page->kept) continue;
    free_page(p, &page->now);
    page->now = page->kept;
    page->kept = NULL;
  }
  p->count = p->kept_count;
  p->is_touched = false;
}

// --- differences
// -----------------------------------------------------------------------------------

static void add_u32(wh_buf *out, size_t value) {
  uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                      (uint8_t)(value >> 24)};
  wh_buf_add(out, bytes, sizeof bytes);
}

static size_t read_u32(wh_str bytes, size_t at) {
  const uint8_t *b = (const uint8_t *)bytes.data + at;
  return (size_t)b[0] | (size_t)b[1] << 8 | (size_t)b[2] << 16 | (size_t)b[3] << 24;
}

// What the page was; NULL: none.
static const uint8_t *before(const dynamo_pages *p, size_t number) {
  if (number >= p->kept_count) return NULL;
  const dynamo_page *page = &p->pages[number];
  return page->kept ? page->kept : page->now;
}

static bool is_changed(const dynamo_pages *p, size_t number) {
  const uint8_t *was = before(p, number);
  if (was == p->pages[number].now) return false;
  return !was || memcmp(was, p->pages[number].now, DYNAMO_PAGE_BYTES) != 0;
}

static void mix(uint8_t *page, const uint8_t *with) {
  for (size_t i = 0; i < DYNAMO_PAGE_BYTES; i++)
    page[i] ^= with[i];
}

static void add_page(wh_buf *out, const uint8_t *now, const uint8_t *was) {
  if (wh_buf_add(out, now, DYNAMO_PAGE_BYTES) && was)
    mix((uint8_t *)out->data + out->len - DYNAMO_PAGE_BYTES, was);
}

wh_status dynamo_pages_differ(const dynamo_pages *p, bool whole, wh_buf *out, uint64_t *ret_hash,
                              wh_error *err) {
  size_t changed = 0;
  for (size_t i = 0; i < p->count && (whole || p->is_touched); i++)
    changed += whole || is_changed(p, i);
  if (!changed && p->count == p->kept_count) return WH_OK;
  add_u32(out, p->count);
  add_u32(out, changed);
  for (size_t i = 0; i < p->count; i++)
    if (whole || is_changed(p, i)) add_u32(out, i);
  uint64_t hash = 0;
  for (size_t i = 0; i < p->count; i++) {
    if (!whole && !is_changed(p, i)) continue;
    add_page(out, p->pages[i].now, whole ? NULL : before(p, i));
    hash = XXH3_64bits_withSeed(p->pages[i].now, DYNAMO_PAGE_BYTES, hash);
  }
  *ret_hash = hash;
  return wh_buf_check(out, err);
}

static wh_status fail_damaged(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "a commit that is not for the pages before it");
}

static wh_status apply_page(dynamo_pages *p, size_t number, const char *change, uint64_t *hash,
                            wh_error *err) {
  if (number >= p->count) return fail_damaged(err);
  uint8_t *page = p->pages[number].now;
  mix(page, (const uint8_t *)change);
  *hash = XXH3_64bits_withSeed(page, DYNAMO_PAGE_BYTES, *hash);
  return WH_OK;
}

wh_status dynamo_pages_apply(dynamo_pages *p, wh_str difference, uint64_t hash, wh_error *err) {
  enum { HEAD_BYTES = 8, PLACE_BYTES = 4 };
  if (difference.len < HEAD_BYTES) return fail_damaged(err);
  size_t count = read_u32(difference, 0), changed = read_u32(difference, 4);
  if (count > DYNAMO_PAGES_MAX || changed > count ||
      difference.len != HEAD_BYTES + changed * (PLACE_BYTES + DYNAMO_PAGE_BYTES))
    return fail_damaged(err);
  dynamo_pages_truncate(p, (uint64_t)count * DYNAMO_PAGE_BYTES);
  if (!grow(p, count)) return wh_fail_memory(err);
  dynamo_pages_accept(p);
  uint64_t became = 0;
  const char *pages = difference.data + HEAD_BYTES + changed * PLACE_BYTES;
  for (size_t i = 0; i < changed; i++)
    WH_TRY(apply_page(p, read_u32(difference, HEAD_BYTES + i * PLACE_BYTES),
                      pages + i * DYNAMO_PAGE_BYTES, &became, err));
  return became == hash ? WH_OK : fail_damaged(err);
}
