// Leases: a locked file says that a run of the pipeline is going on, and is gone with the process;
// the epoch in the database says which run is the latest.
#include "ledger/sqlite_ledger.h"

struct ledger_lease {
  ledger_lease *next;
  wh_file *file;
  uint64_t epoch;
  size_t len;
  char pipeline[];
};

static bool is_held(const ledger *l, wh_str pipeline) {
  for (const ledger_lease *held = l->leases; held; held = held->next) {
    if (wh_str_eq(wh_str_n(held->pipeline, held->len), pipeline)) return true;
  }
  return false;
}

static void free_lease(ledger *l, ledger_lease *lease) {
  wh_file_close(lease->file);
  wh_mem_free(l->mem, lease, sizeof *lease + lease->len + 1);
}

void ledger_drop_leases(ledger *l) {
  while (l->leases) {
    ledger_lease *lease = l->leases;
    l->leases = lease->next;
    free_lease(l, lease);
  }
}

static wh_status fail_held(wh_str pipeline, wh_error *err) {
  wh_status status =
      wh_fail(err, WH_ERR_BUSY, "%.*s: another run of it is going on. Look: wherry status",
              WH_STR_ARG(pipeline));
  if (err) err->retry = true;
  return status;
}

// Raises the epoch, durably, before anybody works under it.
static wh_status next_epoch(ledger *l, wh_str pipeline, uint64_t *ret, wh_error *err) {
  LEDGER_QUERY q;
  WH_TRY(ledger_query_open(l,
                           "INSERT INTO pipeline (name, epoch) VALUES (?, 1)"
                           " ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
                           &q, err));
  ledger_bind_text(&q, pipeline);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return wh_fail(err, WH_ERR_BUG, "the epoch of a lease was not raised");
  *ret = ledger_read_u64(&q);
  return ledger_run(&q, err);
}

static wh_status lock_file(ledger *l, wh_str pipeline, wh_file **ret, wh_error *err) {
  if (!pipeline.len || wh_str_find(pipeline, 0, '/') < pipeline.len || pipeline.data[0] == '.' ||
      wh_str_find(pipeline, 0, 0) < pipeline.len) {
    return wh_fail(err, WH_ERR_USAGE, "'%.*s' cannot be the name of a pipeline",
                   WH_STR_ARG(pipeline));
  }
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, l->mem);
  wh_str name = wh_arena_printf(&arena, "%.*s.lock", WH_STR_ARG(pipeline));
  char *path = name.data ? wh_path_join(&arena, l->lock_folder, name.data) : NULL;
  if (!path) return wh_fail_memory(err);
  wh_file *file;
  WH_TRY(wh_os_open(l->os, path, WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE, &file, err));
  wh_status status = file->type->lock(file, err);
  if (status == WH_ERR_BUSY) status = fail_held(pipeline, err);
  if (status == WH_OK)
    *ret = file;
  else
    wh_file_close(file);
  return status;
}

wh_status ledger_hold(ledger *l, wh_str name, ledger_lease **ret, wh_error *err) {
  if (is_held(l, name)) return fail_held(name, err);
  ledger_lease *lease = wh_mem_alloc_zero(l->mem, sizeof *lease + name.len + 1);
  if (!lease) return wh_fail_memory(err);
  lease->len = name.len;
  if (name.len) memcpy(lease->pipeline, name.data, name.len);
  wh_status status = lock_file(l, name, &lease->file, err);
  if (status != WH_OK) {
    free_lease(l, lease);
    return status;
  }
  lease->next = l->leases;
  l->leases = lease;
  *ret = lease;
  return WH_OK;
}

void ledger_unhold(ledger *l, void *lease) {
  for (ledger_lease **at = &l->leases; *at; at = &(*at)->next) {
    if (*at != lease) continue;
    ledger_lease *found = *at;
    *at = found->next;
    free_lease(l, found);
    return;
  }
}

bool ledger_is_held(ledger *l, wh_str name) {
  if (is_held(l, name)) return true;
  wh_file *file = NULL;
  wh_status status = lock_file(l, name, &file, NULL);
  if (status == WH_OK) wh_file_close(file);
  return status == WH_ERR_BUSY;
}

static wh_status raise_own(ledger *l, wh_str pipeline, uint64_t *ret, wh_error *err) {
  WH_TRY(ledger_begin(l, err));
  return ledger_end(l, next_epoch(l, pipeline, ret, err), err);
}

wh_status ledger_acquire(wh_ledger *base, wh_str pipeline, wh_lease *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  ledger_lease *lease;
  WH_TRY(ledger_hold(l, pipeline, &lease, err));
  wh_status status = raise_own(l, pipeline, &lease->epoch, err);
  if (status != WH_OK) {
    ledger_unhold(l, lease);
    return status;
  }
  *ret = (wh_lease){wh_str_n(lease->pipeline, lease->len), lease->epoch, lease};
  return WH_OK;
}

static wh_status read_epoch(ledger *l, wh_str pipeline, uint64_t *ret, wh_error *err) {
  LEDGER_QUERY q;
  WH_TRY(ledger_query_open(l, "SELECT epoch FROM pipeline WHERE name = ?", &q, err));
  ledger_bind_text(&q, pipeline);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  *ret = row ? ledger_read_u64(&q) : 0;
  return WH_OK;
}

wh_status ledger_check_epoch(ledger *l, wh_str pipeline, uint64_t epoch, wh_error *err) {
  uint64_t now = 0;
  WH_TRY(read_epoch(l, pipeline, &now, err));
  if (now <= epoch) return WH_OK;
  return wh_fail(err, WH_ERR_STALE,
                 "%.*s: another worker has taken over since this run began. Its work stands, this "
                 "run's is thrown away",
                 WH_STR_ARG(pipeline));
}

wh_status ledger_renew(wh_ledger *base, wh_lease *lease, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return ledger_check_epoch(l, lease->pipeline, lease->epoch, err);
}

void ledger_release(wh_ledger *base, wh_lease *lease) {
  if (!lease || !lease->own) return;
  LEDGER_LOCK l = ledger_lock(base);
  ledger_unhold(l, lease->own);
  *lease = (wh_lease){0};
}

wh_status ledger_raise_epoch(wh_ledger *base, wh_str pipeline, uint64_t epoch, wh_error *err) {
  if (epoch > WH_EPOCH_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "%.*s: %llu cannot be the epoch of a lease",
                   WH_STR_ARG(pipeline), (unsigned long long)epoch);
  }
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  WH_TRY(ledger_query_open(l,
                           "INSERT INTO pipeline (name, epoch) VALUES (?, ?) ON CONFLICT (name)"
                           " DO UPDATE SET epoch = max(epoch, excluded.epoch)",
                           &q, err));
  ledger_bind_text(&q, pipeline);
  ledger_bind_u64(&q, epoch);
  return ledger_run(&q, err);
}

static wh_status count_pipelines(ledger *l, wh_str prefix, size_t *ret, wh_error *err) {
  LEDGER_QUERY q;
  bool row;
  WH_TRY(ledger_query_open(
      l, "SELECT count(*) FROM pipeline WHERE name >= ?1 AND substr(name, 1, length(?1)) = ?1", &q,
      err));
  ledger_bind_text(&q, prefix);
  WH_TRY(ledger_step(&q, &row, err));
  *ret = row ? (size_t)ledger_read_u64(&q) : 0;
  return WH_OK;
}

wh_status ledger_pipelines(wh_ledger *base, wh_str prefix, wh_arena *arena, wh_str **ret,
                           size_t *ret_count, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  size_t cap, count = 0;
  WH_TRY(count_pipelines(l, prefix, &cap, err));
  wh_str *names = WH_NEW_ARRAY(arena, cap, wh_str);
  if (!names) return wh_fail_memory(err);
  LEDGER_QUERY q;
  WH_TRY(ledger_query_open(l,
                           "SELECT name FROM pipeline WHERE name >= ?1 AND substr(name, 1, "
                           "length(?1)) = ?1 ORDER BY name",
                           &q, err));
  ledger_bind_text(&q, prefix);
  for (bool row = true; count < cap;) {
    WH_TRY(ledger_step(&q, &row, err));
    if (!row) break;
    names[count++] = ledger_read_text(&q, arena);
    WH_TRY(ledger_read_end(&q, err));
  }
  *ret = names;
  *ret_count = count;
  return WH_OK;
}
