#include "engine/judge.h"

#include "data/deleted.h"

#include <stdio.h>

static bool replaces(const wh_pipeline *p) {
  return p->write.mode == WH_WRITE_REPLACE;
}

// Of one table: several are committed at once anyway.
bool wh_judge_waits(const wh_run_request *r, const wh_flow *flow) {
  const wh_run_limit *limits = r->pipeline->rules.limits;
  size_t fresh;
  (void)wh_flow_fresh(flow, 0, &fresh);
  if (r->is_replay) return false;
  if (fresh || wh_run_limit_given(&limits[WH_AT_MOST_REJECTED])) return true;
  bool rows =
      wh_run_limit_given(&limits[WH_AT_LEAST_ROWS]) || wh_run_limit_given(&limits[WH_AT_MOST_ROWS]);
  return rows && !replaces(r->pipeline);
}

// What became of the run that broke a rule, and what to do.
static wh_status advise(const wh_judged *j, const char *what, wh_error *err) {
  const char *parts[] = {". ", j->became, ". ", what};
  for (size_t i = 0; err && i < sizeof parts / sizeof *parts; i++)
    wh_error_append(err, parts[i]);
  return WH_ERR_REFUSED;
}

// --- Rejected rows -------------------------------------------------------------------------------

static wh_status check_rejected(const wh_judged *j, wh_error *err) {
  const wh_run_tally tally = {.read = j->counts->read, .rejected = j->counts->quarantined};
  wh_status status = wh_run_rules_check(&j->pipeline->rules, WH_AT_MOST_REJECTED, &tally, err);
  if (status == WH_OK || !err) return status;
  wh_error_append(err, ". The first: ");
  wh_error_append(err, j->first);
  return advise(j, "Mend the rule or the source, or raise the limit", err);
}

wh_status wh_judge_rejected(const wh_judged *j, wh_error *err) {
  const wh_run_limit *limit = &j->pipeline->rules.limits[WH_AT_MOST_REJECTED];
  if (j->request->is_replay || !limit->has_rows || j->counts->quarantined <= limit->rows)
    return WH_OK;
  return check_rejected(j, err);
}

// --- How many there are --------------------------------------------------------------------------

static uint64_t kept_of(const wh_counts *c) {
  return c->read - c->filtered - c->quarantined;
}

// An older object that comes late: its rows are all superseded, and change nothing.
static bool is_late(const wh_counts *c) {
  return c->superseded > 0 && c->superseded == kept_of(c);
}

typedef struct earlier {
  wh_arena *scratch;
  uint64_t kept;
} earlier;

static wh_status take_earlier(void *context, const wh_run *run, wh_error *err) {
  (void)err;
  earlier *e = context;
  e->kept = run->partial || is_late(&run->counts) ? 0 : kept_of(&run->counts);
  wh_arena_reset(e->scratch);
  return e->kept ? WH_ERR_END : WH_OK;
}

// The last run that is done, read all there was, and kept a row.
static wh_status find_earlier(wh_engine *engine, const wh_pipeline *p, wh_run_tally *tally,
                              wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, engine->mem);
  earlier e = {.scratch = &scratch};
  wh_ledger *ledger = engine->ledger;
  wh_status status = ledger->type->runs(ledger, p->name, WH_RUN_DONE, WH_EARLIER_RUNS_MAX, &scratch,
                                        take_earlier, &e, err);
  if (status != WH_ERR_END) WH_TRY(status);
  tally->earlier = e.kept;
  tally->has_earlier = e.kept > 0;
  return WH_OK;
}

static wh_status check_count(const wh_judged *j, wh_run_rule rule, const wh_run_tally *tally,
                             wh_error *err) {
  wh_status status = wh_run_rules_check(&j->pipeline->rules, rule, tally, err);
  if (status == WH_OK) return WH_OK;
  char what[128];
  snprintf(what, sizeof what, "If that is right, write expect: { %s: %llu }",
           wh_run_rule_types[rule].word, (unsigned long long)tally->kept);
  return advise(j, what, err);
}

static wh_status check_rows(wh_engine *engine, const wh_judged *j, wh_error *err) {
  if (j->in_parts) return WH_OK; // as many as changed
  const wh_run_limit *limits = j->pipeline->rules.limits;
  wh_run_tally tally = {.kept = kept_of(j->counts)};
  if (limits[WH_AT_LEAST_ROWS].has_percent || limits[WH_AT_MOST_ROWS].has_percent)
    WH_TRY(find_earlier(engine, j->pipeline, &tally, err));
  bool is_part = j->request->options->limit_rows > 0;
  bool replaced = replaces(j->pipeline);
  if (replaced ? !is_late(j->counts) : !is_part)
    WH_TRY(check_count(j, WH_AT_LEAST_ROWS, &tally, err));
  return is_part ? WH_OK : check_count(j, WH_AT_MOST_ROWS, &tally, err);
}

// --- How new they are ----------------------------------------------------------------------------

static wh_status check_fresh(wh_engine *engine, const wh_judged *j, wh_error *err) {
  size_t count;
  const wh_fresh *fresh = wh_flow_fresh(j->flow, j->branch, &count);
  bool has_deletions = wh_deleted_column(wh_flow_schema_of(j->flow, j->branch)) >= 0;
  for (size_t i = 0; i < count; i++) {
    // Rows that say that others are gone have no values.
    if (has_deletions && j->newest[i] == WH_NEWEST_NONE) continue;
    if (wh_fresh_check(&fresh[i], j->newest[i], engine->mem, err) != WH_OK)
      return advise(j, "Look at the source, or raise the limit", err);
  }
  return WH_OK;
}

wh_status wh_judge(wh_engine *engine, const wh_judged *j, wh_error *err) {
  if (j->request->is_replay) return WH_OK;
  WH_TRY(check_rejected(j, err));
  WH_TRY(check_rows(engine, j, err));
  bool is_part = j->request->options->limit_rows > 0;
  return is_part || kept_of(j->counts) == 0 ? WH_OK : check_fresh(engine, j, err);
}
