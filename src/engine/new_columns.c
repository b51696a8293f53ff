#include "engine/new_columns.h"

#include "data/deleted.h"
#include "engine/run.h"

bool wh_new_columns_watched(const wh_pipeline *p) {
  return p->on_new_column == WH_NEW_COLUMN_HOLD || p->on_new_column == WH_NEW_COLUMN_STOP;
}

static bool is_listed(const wh_run_input *in, wh_str name) {
  const wh_gate *gate = &in->pipeline->gate;
  if (gate->all) return false;
  for (size_t i = 0; i < gate->count; i++)
    if (wh_str_eq(gate->columns[i].from, name)) return true;
  return in->is_rows && wh_schema_find(&in->fetched, name) >= 0; // the cursor, what steps name
}

static wh_status say_stays(wh_engine *engine, const wh_run_input *in, wh_str name, wh_error *err) {
  wh_str text = wh_arena_printf(in->arena,
                                "the source has a new column '%.*s'. It stays home. To let it "
                                "cross, list it under columns.",
                                WH_STR_ARG(name));
  if (!text.data) return wh_fail_memory(err);
  wh_engine_notice(engine, in->pipeline->name, text.data);
  return WH_OK;
}

static wh_status refuse(wh_run_input *in, const wh_buf *names, size_t count, wh_error *err) {
  enum { SHOWN = 600 }; // bytes
  WH_TRY(wh_buf_check(names, err));
  in->at_fault = !in->is_rows; // the object has it, however often it is tried
  wh_str all = wh_buf_str(names);
  return wh_fail(err, WH_ERR_REFUSED,
                 "the source has %s %.*s%s, and on_new_column says stop. Nothing was moved. %s",
                 count == 1 ? "a new column" : "new columns", (int)wh_utf8_cut(all, SHOWN),
                 all.data, all.len > SHOWN ? "..." : "",
                 in->pipeline->gate.all
                     ? "To let what is new cross, write on_new_column: add"
                     : "List what may cross under columns; to leave the rest home, run once with "
                       "on_new_column: hold");
}

wh_status wh_new_columns_check(wh_engine *engine, wh_run_input *in, wh_error *err) {
  const wh_pipeline *p = in->pipeline;
  bool stops = p->on_new_column == WH_NEW_COLUMN_STOP;
  if (!stops && (p->gate.all || (!in->is_rows && !wh_new_columns_watched(p)))) return WH_OK;
  bool found;
  wh_schema before;
  wh_ledger *ledger = engine->ledger;
  WH_TRY(ledger->type->pinned(ledger, p->name, in->arena, &found, &before, err));
  if (!found) return WH_OK;
  WH_CLEAN_BUF wh_buf names;
  wh_buf_init(&names, engine->mem, 0);
  const wh_schema *now = in->is_rows ? &in->info.schema : in->reader->schema;
  size_t count = 0;
  for (size_t i = 0; i < now->count; i++) {
    wh_str name = now->fields[i].name;
    bool is_known = wh_schema_find(&before, name) >= 0 || is_listed(in, name) ||
                    (ptrdiff_t)i == wh_deleted_column(now);
    if (is_known) continue;
    if (!stops) WH_TRY(say_stays(engine, in, name, err));
    wh_buf_printf(&names, "%s'%.*s'", count++ ? ", " : "", WH_STR_ARG(name));
  }
  return stops && count ? refuse(in, &names, count, err) : WH_OK;
}
