// Names held in one machine: a locked file for each, which is gone with the process.
#include "ledger/sqlite_ledger.h"

static wh_status lock_file(ledger *base, wh_str name, wh_file **ret, wh_error *err) {
  sqlite_ledger *l = (sqlite_ledger *)base;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, base->mem);
  wh_str file_name = wh_arena_printf(&arena, "%.*s.lock", WH_STR_ARG(name));
  char *path = file_name.data ? wh_path_join(&arena, l->lock_folder, file_name.data) : NULL;
  if (!path) return wh_fail_memory(err);
  wh_file *file;
  WH_TRY(wh_os_open(base->os, path, WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE, &file, err));
  wh_status status = file->type->lock(file, err);
  if (status == WH_ERR_BUSY) status = ledger_fail_held(name, (wh_str){0}, err);
  if (status == WH_OK)
    *ret = file;
  else
    wh_file_close(file);
  return status;
}

wh_status sqlite_hold(ledger *l, ledger_lease *lease, wh_error *err) {
  return lock_file(l, wh_str_n(lease->name, lease->len), &lease->file, err);
}

// It lasts as long as the process; only the epoch can say that it is over.
wh_status sqlite_renew(ledger *l, const ledger_lease *lease, wh_error *err) {
  (void)l, (void)lease, (void)err;
  return WH_OK;
}

void sqlite_give_back(ledger *l, ledger_lease *lease) {
  (void)l;
  wh_file_close(lease->file);
}

wh_status sqlite_is_held(ledger *l, wh_str name, bool *ret, wh_error *err) {
  (void)err;
  wh_file *file = NULL;
  wh_status status = lock_file(l, name, &file, NULL);
  if (status == WH_OK) wh_file_close(file);
  *ret = status == WH_ERR_BUSY;
  return WH_OK;
}
