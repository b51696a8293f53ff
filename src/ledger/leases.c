// Leases: a name that this process holds says that a run of the pipeline is going on; the epoch in
// the database says which run is the latest. How a name is held is the driver's.
#include "ledger/database.h"

// --- holding names
// ---------------------------------------------------------------------------------

static bool holds(ledger *l, wh_str name) {
  pthread_mutex_lock(&l->lease_mutex);
  const ledger_lease *held = l->leases;
  while (held && !wh_str_eq(wh_str_n(held->name, held->len), name))
    held = held->next;
  pthread_mutex_unlock(&l->lease_mutex);
  return held;
}

static void free_lease(ledger *l, ledger_lease *lease) {
  wh_mem_free(l->mem, lease, sizeof *lease + lease->len + 1);
}

wh_status ledger_fail_held(wh_str name, wh_str holder, wh_error *err) {
  if (holder.len) {
    (void)wh_fail(err, WH_ERR_BUSY, "%.*s: another run of it is going on, %.*s", WH_STR_ARG(name),
                  WH_STR_ARG(holder));
  } else {
    (void)wh_fail(err, WH_ERR_BUSY, "%.*s: another run of it is going on. Look: wherry status",
                  WH_STR_ARG(name));
  }
  if (err) err->retry = true;
  return WH_ERR_BUSY;
}

static wh_status check_name(wh_str name, wh_error *err) {
  if (name.len && wh_str_find(name, 0, '/') == name.len && name.data[0] != '.' &&
      wh_str_find(name, 0, 0) == name.len)
    return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "'%.*s' cannot be the name of a pipeline", WH_STR_ARG(name));
}

static wh_status hold(ledger *l, wh_str name, ledger_lease **ret, wh_error *err) {
  ledger_lease *lease = wh_mem_alloc_zero(l->mem, sizeof *lease + name.len + 1);
  if (!lease) return wh_fail_memory(err);
  lease->len = name.len;
  memcpy(lease->name, name.data, name.len);
  wh_status status = l->driver->hold(l, lease, err);
  if (status != WH_OK) {
    free_lease(l, lease);
    return status;
  }
  pthread_mutex_lock(&l->lease_mutex);
  lease->next = l->leases;
  l->leases = lease;
  pthread_mutex_unlock(&l->lease_mutex);
  *ret = lease;
  return WH_OK;
}

void ledger_unhold(ledger *l, ledger_lease *lease) {
  pthread_mutex_lock(&l->lease_mutex);
  ledger_lease **at = &l->leases;
  while (*at && *at != lease)
    at = &(*at)->next;
  if (*at) *at = lease->next;
  pthread_mutex_unlock(&l->lease_mutex);
  l->driver->give_back(l, lease);
  free_lease(l, lease);
}

wh_status ledger_is_held(ledger *l, wh_str name, bool *ret, wh_error *err) {
  *ret = holds(l, name);
  return *ret ? WH_OK : l->driver->is_held(l, name, ret, err);
}

// --- leases of pipelines
// ---------------------------------------------------------------------------

// Raises the epoch, durably, before anybody works under it.
static wh_status next_epoch(ledger *l, wh_str pipeline, uint64_t *ret, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO pipeline (name, epoch) VALUES (?, 1)"
                    " ON CONFLICT (name) DO UPDATE SET epoch = pipeline.epoch + 1 RETURNING epoch",
                    &q);
  ledger_bind_text(&q, pipeline);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return wh_fail(err, WH_ERR_BUG, "the epoch of a lease was not raised");
  *ret = ledger_read_u64(&q);
  return ledger_run(&q, err);
}

// What is held, and its epoch, in one transaction: nobody else may have the name when it is raised.
static wh_status take(ledger *l, wh_str name, bool has_epoch, ledger_lease **ret, wh_error *err) {
  if (*ret) ledger_unhold(l, *ret); // of a transaction before this one
  *ret = NULL;
  WH_TRY(hold(l, name, ret, err));
  return has_epoch ? next_epoch(l, name, &(*ret)->epoch, err) : WH_OK;
}

wh_status ledger_take(ledger *l, wh_str name, bool has_epoch, ledger_lease **ret, wh_error *err) {
  WH_TRY(check_name(name, err));
  if (holds(l, name)) return ledger_fail_held(name, (wh_str){0}, err);
  ledger_lease *lease = NULL;
  wh_status status = LEDGER_TRANSACTION(l, take(l, name, has_epoch, &lease, err), err);
  if (status == WH_OK)
    *ret = lease;
  else if (lease)
    ledger_unhold(l, lease);
  return status;
}

wh_status ledger_acquire(wh_ledger *base, wh_str pipeline, wh_lease *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  ledger_lease *lease;
  WH_TRY(ledger_take(l, pipeline, true, &lease, err));
  *ret = (wh_lease){wh_str_n(lease->name, lease->len), lease->epoch, lease};
  return WH_OK;
}

wh_status ledger_fail_stale(wh_str pipeline, wh_error *err) {
  return wh_fail(err, WH_ERR_STALE,
                 "%.*s: another worker has taken over since this run began. Its work stands, this "
                 "run's is thrown away",
                 WH_STR_ARG(pipeline));
}

wh_status ledger_send_epoch(ledger *l, wh_str pipeline, ledger_query *q, wh_error *err) {
  ledger_query_open(l, "SELECT epoch FROM pipeline WHERE name = ? FOR UPDATE", q);
  ledger_bind_text(q, pipeline);
  return ledger_send(q, err);
}

wh_status ledger_see_epoch(ledger_query *q, wh_str pipeline, uint64_t epoch, wh_error *err) {
  bool row;
  WH_TRY(ledger_step(q, &row, err));
  uint64_t now = row ? ledger_read_u64(q) : 0;
  ledger_query_end(q);
  return now <= epoch ? WH_OK : ledger_fail_stale(pipeline, err);
}

wh_status ledger_check_epoch(ledger *l, wh_str pipeline, uint64_t epoch, wh_error *err) {
  LEDGER_QUERY q;
  WH_TRY(ledger_send_epoch(l, pipeline, &q, err));
  return ledger_see_epoch(&q, pipeline, epoch, err);
}

static wh_status renew(ledger *l, const wh_lease *lease, wh_error *err) {
  // The lease first, as whoever takes it does.
  WH_TRY(l->driver->renew(l, lease->own, err));
  return ledger_check_epoch(l, lease->pipeline, lease->epoch, err);
}

wh_status ledger_renew(wh_ledger *base, wh_lease *lease, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, renew(l, lease, err), err);
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
  ledger_query_open(l,
                    "INSERT INTO pipeline (name, epoch) VALUES (?, ?) ON CONFLICT (name)"
                    " DO UPDATE SET epoch = excluded.epoch WHERE pipeline.epoch < excluded.epoch",
                    &q);
  ledger_bind_text(&q, pipeline);
  ledger_bind_u64(&q, epoch);
  return ledger_run(&q, err);
}

// By the bytes, whatever the database's collation.
#define NAMED " FROM pipeline WHERE substr(name, 1, length(CAST(? AS TEXT))) = CAST(? AS TEXT)"

static wh_status count_pipelines(ledger *l, wh_str prefix, size_t *ret, wh_error *err) {
  LEDGER_QUERY q;
  bool row;
  ledger_query_open(l, "SELECT count(*)" NAMED, &q);
  ledger_bind_text(&q, prefix);
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
  ledger_query_open(l, "SELECT name" NAMED " ORDER BY name", &q);
  ledger_bind_text(&q, prefix);
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
