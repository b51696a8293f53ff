#include "data/seen.h"

#include "base/buf.h"

#include <sqlite3.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
  SLOTS_FIRST = 64,   // a power of two
  BYTES_FIRST = 1024, // of keys
  FILTER_MIN = 64,    // bytes, a power of two
  FILTER_PROBES = 4,  // bits a key sets
  ENTRY_HEAD = 12,    // number and length in front of a key
  NAME_RANDOM_BYTES = 8,
};

// An open-addressing table. A slot is empty when `at` is 0; else at - 1 is where the key's entry
// begins in `bytes`: number (8 bytes), length (4), the key.
typedef struct slot {
  uint32_t tag; // low bits of the hash, which also choose the place
  uint32_t at;
} slot;

struct wh_seen {
  wh_os *os;
  wh_mem *mem;
  wh_arena arena;
  char *scratch;
  size_t limit;
  uint64_t count; // keys, in memory and on disk

  slot *slots;
  size_t slot_cap; // a power of two, or 0
  size_t slot_count;
  char *bytes;
  size_t bytes_len, bytes_cap;

  uint8_t *filter; // NULL before the first spill
  size_t filter_size;
  char *path;
  sqlite3 *db;
  sqlite3_stmt *select, *upsert;
};

// --- the table in memory -------------------------------------------------------------------------

static uint64_t entry_number(const wh_seen *s, uint32_t at) {
  uint64_t number;
  memcpy(&number, s->bytes + at - 1, sizeof number);
  return number;
}

static wh_str entry_key(const wh_seen *s, uint32_t at) {
  uint32_t len;
  memcpy(&len, s->bytes + at - 1 + sizeof(uint64_t), sizeof len);
  return wh_str_n(s->bytes + at - 1 + ENTRY_HEAD, len);
}

// The slot that has the key, or the empty one where it belongs. There are slots, and one is empty.
static slot *find_slot(const wh_seen *s, wh_str key, uint32_t tag) {
  size_t mask = s->slot_cap - 1;
  for (size_t i = tag & mask;; i = (i + 1) & mask) {
    slot *here = &s->slots[i];
    if (here->at == 0) return here;
    if (here->tag == tag && wh_str_eq(entry_key(s, here->at), key)) return here;
  }
}

static void free_table(wh_seen *s) {
  wh_mem_free(s->mem, s->slots, s->slot_cap * sizeof *s->slots);
  wh_mem_free(s->mem, s->bytes, s->bytes_cap);
  s->slots = NULL;
  s->bytes = NULL;
  s->slot_cap = s->slot_count = s->bytes_cap = s->bytes_len = 0;
}

// What the table may take: offsets are 32 bit.
static size_t table_limit(const wh_seen *s) {
  size_t limit = s->db ? s->limit / 2 : s->limit;
  return limit < UINT32_MAX / 2 ? limit : UINT32_MAX / 2;
}

// Makes room for one more slot. *ret_fits is false when the limit forbids it.
static wh_status grow_slots(wh_seen *s, bool *ret_fits, wh_error *err) {
  *ret_fits = true;
  if ((s->slot_count + 1) * 4 <= s->slot_cap * 3) return WH_OK;
  size_t cap = s->slot_cap ? s->slot_cap * 2 : SLOTS_FIRST;
  // Old and new stand side by side for a moment.
  if (s->slot_cap && (s->slot_cap + cap) * sizeof *s->slots + s->bytes_cap > table_limit(s)) {
    *ret_fits = false;
    return WH_OK;
  }
  slot *slots = wh_mem_alloc_zero(s->mem, cap * sizeof *slots);
  if (!slots) return wh_fail_memory(err);
  for (size_t i = 0; i < s->slot_cap; i++) {
    if (s->slots[i].at == 0) continue;
    size_t to = s->slots[i].tag & (cap - 1);
    while (slots[to].at)
      to = (to + 1) & (cap - 1);
    slots[to] = s->slots[i];
  }
  wh_mem_free(s->mem, s->slots, s->slot_cap * sizeof *s->slots);
  s->slots = slots;
  s->slot_cap = cap;
  return WH_OK;
}

static wh_status grow_bytes(wh_seen *s, size_t need, bool *ret_fits, wh_error *err) {
  *ret_fits = true;
  if (need <= s->bytes_cap - s->bytes_len) return WH_OK;
  need += s->bytes_len;
  size_t limit = table_limit(s), others = s->slot_cap * sizeof *s->slots;
  size_t most = limit > others ? limit - others : 0;
  if (need > most && (s->bytes_cap || need > BYTES_FIRST)) {
    *ret_fits = false;
    return WH_OK;
  }
  size_t cap = s->bytes_cap ? s->bytes_cap * 2 : BYTES_FIRST;
  if (cap > most) cap = most;
  if (cap < need) cap = need;
  char *bytes = wh_mem_realloc(s->mem, s->bytes, s->bytes_cap, cap);
  if (!bytes) return wh_fail_memory(err);
  s->bytes = bytes;
  s->bytes_cap = cap;
  return WH_OK;
}

// There is room, and the key is not in the table.
static void insert(wh_seen *s, wh_str key, uint32_t tag, uint64_t number) {
  slot *to = find_slot(s, key, tag);
  uint32_t len = (uint32_t)key.len;
  char *entry = s->bytes + s->bytes_len;
  memcpy(entry, &number, sizeof number);
  memcpy(entry + sizeof number, &len, sizeof len);
  if (len) memcpy(entry + ENTRY_HEAD, key.data, len);
  *to = (slot){.tag = tag, .at = (uint32_t)s->bytes_len + 1};
  s->bytes_len += ENTRY_HEAD + key.len;
  s->slot_count++;
}

// --- the filter of bits (B. H. Bloom, "Space/time trade-offs in hash coding", 1970)
// ----------------

// The bits of a hash: its upper half, moved on by its (odd) lower half.
static size_t filter_bit(const wh_seen *s, uint64_t hash, int probe) {
  uint64_t at = (hash >> 32) + (uint64_t)probe * ((hash & UINT32_MAX) | 1);
  return (size_t)(at & (s->filter_size * 8 - 1));
}

static void filter_add(wh_seen *s, uint64_t hash) {
  for (int i = 0; i < FILTER_PROBES; i++) {
    size_t bit = filter_bit(s, hash, i);
    s->filter[bit / 8] = (uint8_t)(s->filter[bit / 8] | 1u << bit % 8);
  }
}

static bool filter_may_have(const wh_seen *s, uint64_t hash) {
  for (int i = 0; i < FILTER_PROBES; i++) {
    size_t bit = filter_bit(s, hash, i);
    if (!(s->filter[bit / 8] >> bit % 8 & 1)) return false;
  }
  return true;
}

// --- the database on disk
// --------------------------------------------------------------------------

static wh_status fail_db(wh_seen *s, int code, wh_error *err) {
  wh_status status = WH_ERR_IO;
  switch (code & 0xFF) {
  case SQLITE_NOMEM:
    return wh_fail_memory(err);
  case SQLITE_FULL:
    status = WH_ERR_NO_SPACE;
    break;
  case SQLITE_TOOBIG:
    status = WH_ERR_LIMIT;
    break;
  case SQLITE_PERM:
  case SQLITE_READONLY:
  case SQLITE_CANTOPEN:
    status = WH_ERR_DENIED;
    break;
  }
  return wh_fail(err, status, "%s: cannot keep the keys seen so far: %s", s->scratch,
                 s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code));
}

static wh_status execute(wh_seen *s, const char *sql, wh_error *err) {
  int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
  return code == SQLITE_OK ? WH_OK : fail_db(s, code, err);
}

// A file of a name nobody has, which only we may read.
static wh_status create_file(wh_seen *s, wh_error *err) {
  unsigned char random[NAME_RANDOM_BYTES];
  WH_TRY(s->os->type->random(s->os, random, sizeof random, err));
  char name[sizeof "seen-.db" + 2 * NAME_RANDOM_BYTES];
  uint64_t number;
  static_assert(sizeof number == sizeof random, "");
  memcpy(&number, random, sizeof number);
  snprintf(name, sizeof name, "seen-%016llx.db", (unsigned long long)number);
  WH_TRY(wh_os_make_path(s->os, s->scratch, err));
  char *path = wh_path_join(&s->arena, s->scratch, name);
  if (!path) return wh_fail_memory(err);
  wh_file *file = NULL;
  WH_TRY(wh_os_open(s->os, path,
                    WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_EXCLUSIVE |
                        WH_OPEN_PRIVATE,
                    &file, err));
  wh_file_close(file);
  s->path = path;
  return WH_OK;
}

static wh_status prepare(wh_seen *s, const char *sql, sqlite3_stmt **ret, wh_error *err) {
  int code = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
  return code == SQLITE_OK ? WH_OK : fail_db(s, code, err);
}

static wh_status open_filter(wh_seen *s, wh_error *err) {
  size_t size = FILTER_MIN;
  while (size * 2 <= s->limit / 4)
    size *= 2;
  s->filter = wh_mem_alloc_zero(s->mem, size);
  if (!s->filter) return wh_fail_memory(err);
  s->filter_size = size;
  return WH_OK;
}

static wh_status open_db(wh_seen *s, wh_error *err) {
  WH_TRY(open_filter(s, err));
  WH_TRY(create_file(s, err));
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  int code = sqlite3_open_v2(s->path, &s->db, flags, s->os->type->sqlite_vfs);
  if (code != SQLITE_OK) return fail_db(s, code, err);
  size_t cache = s->limit / 4 > WH_SEEN_CACHE_MIN ? s->limit / 4 : WH_SEEN_CACHE_MIN;
  char sql[256];
  snprintf(sql, sizeof sql,
           "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
           "PRAGMA cache_size = -%zu;",
           cache / 1024);
  WH_TRY(execute(s, sql, err));
  WH_TRY(execute(s,
                 "CREATE TABLE seen (key BLOB NOT NULL PRIMARY KEY, number INTEGER NOT NULL)"
                 " WITHOUT ROWID",
                 err));
  WH_TRY(prepare(s, "SELECT number FROM seen WHERE key = ?1", &s->select, err));
  return prepare(s,
                 "INSERT INTO seen VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE"
                 " SET number = excluded.number",
                 &s->upsert, err);
}

// An empty key still needs a pointer: SQLite takes NULL for NULL.
static int bind_key(sqlite3_stmt *statement, wh_str key) {
  return sqlite3_bind_blob64(statement, 1, key.len ? key.data : "", key.len, SQLITE_STATIC);
}

static wh_status db_put(wh_seen *s, wh_str key, uint64_t number, wh_error *err) {
  int code = bind_key(s->upsert, key);
  if (code == SQLITE_OK) code = sqlite3_bind_int64(s->upsert, 2, (sqlite3_int64)number);
  if (code == SQLITE_OK) code = sqlite3_step(s->upsert);
  wh_status status = code == SQLITE_DONE ? WH_OK : fail_db(s, code, err);
  sqlite3_reset(s->upsert);
  if (status == WH_OK) filter_add(s, XXH3_64bits(key.data, key.len));
  return status;
}

static wh_status db_find(wh_seen *s, wh_str key, uint64_t hash, bool *ret_found,
                         uint64_t *ret_number, wh_error *err) {
  *ret_found = false;
  if (!s->db || !filter_may_have(s, hash)) return WH_OK;
  int code = bind_key(s->select, key);
  if (code == SQLITE_OK) code = sqlite3_step(s->select);
  wh_status status = WH_OK;
  if (code == SQLITE_ROW) {
    *ret_found = true;
    *ret_number = (uint64_t)sqlite3_column_int64(s->select, 0);
  } else if (code != SQLITE_DONE) {
    status = fail_db(s, code, err);
  }
  sqlite3_reset(s->select);
  return status;
}

static int compare_slots(const void *a, const void *b, void *seen) {
  return wh_str_cmp(entry_key(seen, ((const slot *)a)->at), entry_key(seen, ((const slot *)b)->at));
}

// Moves the table to the database, in the order of the keys, so that its pages are filled one after
// the other.
static wh_status spill(wh_seen *s, wh_error *err) {
  if (!s->db) WH_TRY(open_db(s, err));
  size_t count = 0;
  for (size_t i = 0; i < s->slot_cap; i++) {
    if (s->slots[i].at) s->slots[count++] = s->slots[i];
  }
  if (count) qsort_r(s->slots, count, sizeof *s->slots, compare_slots, s);
  WH_TRY(execute(s, "BEGIN", err));
  for (size_t i = 0; i < count; i++)
    WH_TRY(db_put(s, entry_key(s, s->slots[i].at), entry_number(s, s->slots[i].at), err));
  WH_TRY(execute(s, "COMMIT", err));
  free_table(s);
  return WH_OK;
}

// --- both together
// ---------------------------------------------------------------------------------

wh_status wh_seen_open(wh_os *os, wh_mem *mem, wh_str scratch, size_t limit_bytes, wh_seen **ret,
                       wh_error *err) {
  wh_seen *s = wh_mem_alloc_zero(mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->os = os;
  s->mem = mem;
  s->limit = limit_bytes;
  wh_arena_init(&s->arena, mem);
  s->scratch = wh_arena_cstr(&s->arena, scratch);
  if (!s->scratch) {
    wh_seen_close(s);
    return wh_fail_memory(err);
  }
  *ret = s;
  return WH_OK;
}

void wh_seen_close(wh_seen *seen) {
  if (!seen) return;
  sqlite3_finalize(seen->select);
  sqlite3_finalize(seen->upsert);
  sqlite3_close(seen->db);
  if (seen->path) WH_IGNORE(seen->os->type->remove(seen->os, seen->path, NULL));
  free_table(seen);
  wh_mem_free(seen->mem, seen->filter, seen->filter_size);
  wh_arena_free(&seen->arena);
  wh_mem_free(seen->mem, seen, sizeof *seen);
}

// Where a key is: its slot in the table (ret_slot), or in the database only, or nowhere.
static wh_status look_up(wh_seen *s, wh_str key, uint64_t hash, slot **ret_slot, bool *ret_found,
                         uint64_t *ret_number, wh_error *err) {
  if (key.len > WH_SEEN_KEY_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "a key of %zu bytes; at most %d are compared", key.len,
                   WH_SEEN_KEY_MAX);
  }
  *ret_slot = NULL;
  *ret_number = 0;
  if (s->slot_cap) {
    slot *here = find_slot(s, key, (uint32_t)hash);
    if (here->at) {
      *ret_slot = here;
      *ret_found = true;
      *ret_number = entry_number(s, here->at);
      return WH_OK;
    }
  }
  return db_find(s, key, hash, ret_found, ret_number, err);
}

// Puts a key into the table that is not there (but may be in the database, with another number).
static wh_status store(wh_seen *s, wh_str key, uint64_t hash, uint64_t number, wh_error *err) {
  for (int attempt = 0; attempt < 2; attempt++) {
    bool fits = false, bytes_fit = false;
    WH_TRY(grow_slots(s, &fits, err));
    if (fits) WH_TRY(grow_bytes(s, ENTRY_HEAD + key.len, &bytes_fit, err));
    if (fits && bytes_fit) {
      insert(s, key, (uint32_t)hash, number);
      return WH_OK;
    }
    WH_TRY(spill(s, err));
  }
  return db_put(s, key, number, err); // larger than the whole table
}

wh_status wh_seen_add(wh_seen *seen, wh_str key, uint64_t number, bool *ret_new,
                      uint64_t *ret_first, wh_error *err) {
  uint64_t hash = XXH3_64bits(key.data, key.len), first = 0;
  slot *here = NULL;
  bool found = false;
  WH_TRY(look_up(seen, key, hash, &here, &found, &first, err));
  if (!found) {
    WH_TRY(store(seen, key, hash, number, err));
    seen->count++;
  }
  *ret_new = !found;
  *ret_first = found ? first : number;
  return WH_OK;
}

wh_status wh_seen_put(wh_seen *seen, wh_str key, uint64_t number, bool *ret_new, wh_error *err) {
  uint64_t hash = XXH3_64bits(key.data, key.len), before = 0;
  slot *here = NULL;
  bool found = false;
  WH_TRY(look_up(seen, key, hash, &here, &found, &before, err));
  if (here)
    memcpy(seen->bytes + here->at - 1, &number, sizeof number);
  else
    WH_TRY(store(seen, key, hash, number, err));
  if (!found) seen->count++;
  *ret_new = !found;
  return WH_OK;
}

wh_status wh_seen_find(wh_seen *seen, wh_str key, bool *ret_found, uint64_t *ret_number,
                       wh_error *err) {
  slot *here = NULL;
  bool found = false;
  uint64_t number = 0;
  WH_TRY(look_up(seen, key, XXH3_64bits(key.data, key.len), &here, &found, &number, err));
  *ret_found = found;
  *ret_number = number;
  return WH_OK;
}

uint64_t wh_seen_count(const wh_seen *seen) {
  return seen->count;
}

bool wh_seen_spilled(const wh_seen *seen) {
  return seen->db != NULL;
}
