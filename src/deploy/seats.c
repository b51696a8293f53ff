// Which pipelines run as a function, and which endpoints it serves. Where nobody says which, those
// that touch services of AWS's alone, and that a function can do.
#include "config/auth.h"
#include "config/glob.h"
#include "deploy/private.h"
#include "engine/announced.h"
#include "lambda/handle.h"

#include <stdarg.h>
#include <stdio.h>

static wh_status refuse(wh_deploy *d, wh_deploy_seat *seat, wh_error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static wh_status refuse(wh_deploy *d, wh_deploy_seat *seat, wh_error *err, const char *fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  seat->is_function = false;
  seat->why_not = wh_arena_str(d->arena, wh_str_of(text));
  return seat->why_not.data ? WH_OK : wh_fail_memory(err);
}

static bool is_named(const wh_deploy_request *request, const wh_pipeline *p) {
  for (size_t i = 0; i < request->named_count; i++)
    if (request->named[i] == p) return true;
  return false;
}

// --- schedules -----------------------------------------------------------------------------------

enum { US_PER_MINUTE = 60 * 1000000 };

static wh_str rate_of(wh_arena *arena, int64_t us) {
  int64_t n = us / US_PER_MINUTE;
  const char *unit = "minute";
  if (n % (24 * 60) == 0)
    n /= 24 * 60, unit = "day";
  else if (n % 60 == 0)
    n /= 60, unit = "hour";
  return wh_arena_printf(arena, "rate(%lld %s%s)", (long long)n, unit, n == 1 ? "" : "s");
}

// "*", or the members of the set as they are called.
static void add_set(wh_buf *out, uint64_t set, int from, int to, const char *const *names) {
  bool first = true;
  uint64_t all = ((UINT64_C(1) << (to - from + 1)) - 1) << from;
  if ((set & all) == all) {
    wh_buf_add_char(out, '*');
    return;
  }
  for (int i = from; i <= to; i++) {
    if (!(set >> i & 1)) continue;
    if (!first) wh_buf_add_char(out, ',');
    first = false;
    if (names)
      wh_buf_add_c(out, names[i]);
    else
      wh_buf_printf(out, "%d", i);
  }
}

// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
static wh_str cron_of(wh_arena *arena, const wh_cron *c) {
  static const char *const days[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, arena->mem, 0);
  wh_buf_add_c(&out, "cron(");
  add_set(&out, c->minutes, 0, 59, NULL);
  wh_buf_add_char(&out, ' ');
  add_set(&out, c->hours, 0, 23, NULL);
  wh_buf_add_char(&out, ' ');
  if (c->any_weekday)
    add_set(&out, c->days, 1, 31, NULL);
  else
    wh_buf_add_char(&out, '?');
  wh_buf_add_char(&out, ' ');
  add_set(&out, c->months, 1, 12, NULL);
  wh_buf_add_char(&out, ' ');
  if (c->any_weekday)
    wh_buf_add_char(&out, '?');
  else
    add_set(&out, c->weekdays, 0, 6, days);
  wh_buf_add_c(&out, " *)");
  return out.failed ? (wh_str){0} : wh_arena_str(arena, wh_buf_str(&out));
}

bool wh_deploy_schedule(const wh_deploy *d, const wh_when *when, wh_str *ret) {
  if (when->kind == WH_WHEN_EVERY) {
    bool fits = when->every_us % US_PER_MINUTE == 0;
    *ret =
        fits ? rate_of(d->arena, when->every_us) : WH_STR("EventBridge knows whole minutes alone");
    return fits;
  }
  bool both = !when->cron.any_day && !when->cron.any_weekday;
  *ret = both ? WH_STR("EventBridge takes a day of the month or of the week, not both")
              : cron_of(d->arena, &when->cron);
  return !both;
}

// --- one pipeline --------------------------------------------------------------------------------

// What it works with.
static void list_connections(const wh_pipeline *p, wh_str *names, size_t *ret_count, size_t most) {
  size_t n = 0;
  names[n++] = p->from.connection;
  names[n++] = p->to.connection;
  if (p->when.queue.len) names[n++] = p->when.queue;
  for (size_t i = 0; i < p->step_table_count && n < most; i++)
    names[n++] = p->step_tables[i].connection;
  for (size_t i = 0; i < p->notify_count && n < most; i++)
    names[n++] = p->notify[i].connection;
  *ret_count = n;
}

static wh_status check_connections(wh_deploy *d, wh_deploy_seat *seat, bool named, wh_error *err) {
  static const char *const of_a_machine[] = {"local", "sqlite", "ingest"};
  const wh_pipeline *p = seat->pipeline;
  size_t count, most = 3 + p->step_table_count + p->notify_count;
  wh_str *names = WH_NEW_ARRAY(d->arena, most, wh_str);
  if (!names) return wh_fail_memory(err);
  list_connections(p, names, &count, most);
  for (size_t i = 0; i < count && seat->is_function; i++) {
    const wh_connector *type = wh_config_find_connection(d->config, names[i])->type;
    for (size_t j = 0; j < sizeof of_a_machine / sizeof *of_a_machine; j++)
      if (strcmp(type->name, of_a_machine[j]) == 0)
        WH_TRY(refuse(d, seat, err, "%.*s is on the disk of a machine", WH_STR_ARG(names[i])));
    if (seat->is_function && !named && !type->cloud)
      WH_TRY(refuse(d, seat, err,
                    "%.*s is no service of AWS's; to run it as a function all the same, name it",
                    WH_STR_ARG(names[i])));
  }
  return WH_OK;
}

static wh_status check_when(wh_deploy *d, wh_deploy_seat *seat, bool named, wh_error *err) {
  const wh_pipeline *p = seat->pipeline;
  wh_str said;
  switch (p->when.kind) {
  case WH_WHEN_EVERY:
  case WH_WHEN_CRON:
    if (!wh_deploy_schedule(d, &p->when, &said)) return refuse(d, seat, err, "%s", said.data);
    return said.data ? WH_OK : wh_fail_memory(err);
  case WH_WHEN_NEW:
  case WH_WHEN_EVENT:
    if (wh_announced_reach(d->config, p)) return WH_OK;
    if (wh_complete_has_marker(&p->complete))
      return refuse(d, seat, err, "an event tells of one object, and it waits for a marker, too");
    return refuse(d, seat, err, "nothing tells of new objects of %.*s",
                  WH_STR_ARG(p->from.connection));
  case WH_WHEN_GATHERED:
    return refuse(d, seat, err, "its events are on the disk that took them");
  case WH_WHEN_HAND:
    return named ? WH_OK : refuse(d, seat, err, "it is run by hand");
  }
  return WH_OK;
}

typedef struct finding {
  wh_deploy *d;
  wh_deploy_seat *seat;
} finding; // of a reference

static wh_status check_reference(void *context, wh_reference_kind kind, wh_str name,
                                 wh_error *err) {
  const finding *f = context;
  if (!f->seat->is_function) return WH_OK;
  if (kind == WH_REFERENCE_SECRET)
    return refuse(f->d, f->seat, err,
                  "${secret:%.*s} is in the keyring of a machine; a function takes ${ssm:...}",
                  WH_STR_ARG(name));
  if (kind == WH_REFERENCE_FILE)
    return refuse(f->d, f->seat, err, "${file:%.*s} is on the disk of a machine", WH_STR_ARG(name));
  return WH_OK;
}

static wh_status check_one(wh_deploy *d, wh_deploy_seat *seat, wh_error *err) {
  const wh_pipeline *p = seat->pipeline;
  bool named = is_named(d->request, p);
  finding f = {d, seat};
  seat->is_function = true;
  if (d->request->no_function) return refuse(d, seat, err, "no function is wanted");
  if (d->request->named_count && !named) return refuse(d, seat, err, "others were named");
  WH_TRY(check_connections(d, seat, named, err));
  if (seat->is_function) WH_TRY(check_when(d, seat, named, err));
  if (seat->is_function) WH_TRY(wh_config_visit_references(d->config, p, check_reference, &f, err));
  if (seat->is_function && !wh_config_ledger_type(d->config) &&
      wh_lambda_needs_ledger(d->config, p))
    WH_TRY(refuse(d, seat, err,
                  "it has to remember what it did, and a function's disk keeps nothing. Give it a "
                  "ledger that lasts, such as ledger: dynamodb:TABLE"));
  return WH_OK;
}

// --- one endpoint --------------------------------------------------------------------------------

static bool has_key_file(const wh_ingest *ingest) {
  const wh_node *jwks = wh_node_get(wh_node_get(ingest->auth, "bearer"), "jwks");
  return jwks && jwks->kind == WH_NODE_SCALAR && !wh_config_has_reference(jwks->text) &&
         !wh_auth_is_url(jwks->text);
}

static wh_status check_endpoint(wh_deploy *d, wh_deploy_seat *seat, wh_error *err) {
  const wh_ingest *ingest = seat->endpoint;
  finding f = {d, seat};
  seat->is_function = true;
  if (d->request->no_function) return refuse(d, seat, err, "no function is wanted");
  if (!ingest->to.len)
    return refuse(d, seat, err, "its events are kept on a disk; with to: QUEUE they need none");
  if (wh_config_reads_ingest(d->config, ingest->endpoint->name))
    return refuse(d, seat, err, "a pipeline reads its events from the disk that took them");
  if (!wh_deploy_place_of(d, ingest->to))
    return refuse(d, seat, err, "%.*s is not AWS's", WH_STR_ARG(ingest->to));
  if (!ingest->auth && !ingest->open_to_all)
    return refuse(d, seat, err,
                  "it does not say who may send, which an API's endpoint has to: auth");
  if (has_key_file(ingest)) return refuse(d, seat, err, "its keys are on the disk of a machine");
  return wh_config_visit_ingest_references(d->config, ingest, check_reference, &f, err);
}

// --- all of them ---------------------------------------------------------------------------------

static wh_status meet(const wh_deploy *d, const wh_pipeline *a, const wh_pipeline *b, bool *ret,
                      wh_error *err) {
  const wh_deploy_place *x = wh_deploy_place_of(d, a->from.connection);
  const wh_deploy_place *y = wh_deploy_place_of(d, b->from.connection);
  *ret = false;
  if (!wh_deploy_waits(a) || !wh_deploy_waits(b)) return WH_OK;
  if (!x || !y || !wh_str_eq(x->cloud.name, y->cloud.name)) return WH_OK;
  if (a->when.queue.len && wh_str_eq(a->when.queue, b->when.queue)) {
    *ret = true;
    return WH_OK;
  }
  wh_str left =
      wh_arena_printf(d->arena, "%.*s%.*s", WH_STR_ARG(x->cloud.prefix), WH_STR_ARG(a->from.thing));
  wh_str right =
      wh_arena_printf(d->arena, "%.*s%.*s", WH_STR_ARG(y->cloud.prefix), WH_STR_ARG(b->from.thing));
  if (!left.data || !right.data) return wh_fail_memory(err);
  return wh_glob_overlap(left, right, d->arena->mem, ret, err);
}

// An event is for every pipeline that waits for its object, so these stay together. *ret_changed:
// one more does not run as a function.
static wh_status keep_together(wh_deploy *d, wh_deploy_seat *seat, bool *ret_changed,
                               wh_error *err) {
  for (size_t i = 0; i < d->config->pipeline_count && seat->is_function; i++) {
    const wh_deploy_seat *other = &d->seats[i];
    bool together;
    if (other->is_function) continue;
    WH_TRY(meet(d, seat->pipeline, other->pipeline, &together, err));
    if (!together) continue;
    WH_TRY(refuse(d, seat, err, "%.*s waits for the same objects, and runs on a machine",
                  WH_STR_ARG(other->pipeline->name)));
    *ret_changed = true;
  }
  return WH_OK;
}

static wh_status check_named(const wh_deploy *d, wh_error *err) {
  for (size_t i = 0; i < d->config->pipeline_count; i++) {
    const wh_deploy_seat *seat = &d->seats[i];
    if (seat->is_function || !is_named(d->request, seat->pipeline)) continue;
    return wh_fail(err, WH_ERR_USAGE, "%.*s cannot run as a function: %.*s",
                   WH_STR_ARG(seat->pipeline->name), WH_STR_ARG(seat->why_not));
  }
  return WH_OK;
}

wh_status wh_deploy_choose_seats(wh_deploy *d, wh_error *err) {
  size_t count = d->config->pipeline_count, endpoints = d->config->serve.ingest_count;
  bool changed = true;
  d->seats = WH_NEW_ARRAY(d->arena, count + endpoints, wh_deploy_seat);
  if (!d->seats) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    d->seats[i].pipeline = &d->config->pipelines[i];
    WH_TRY(check_one(d, &d->seats[i], err));
  }
  while (changed) {
    changed = false;
    for (size_t i = 0; i < count; i++)
      WH_TRY(keep_together(d, &d->seats[i], &changed, err));
  }
  for (size_t i = 0; i < endpoints; i++) {
    wh_deploy_endpoint(d, i)->endpoint = &d->config->serve.ingests[i];
    WH_TRY(check_endpoint(d, wh_deploy_endpoint(d, i), err));
  }
  for (size_t i = 0; i < count + endpoints; i++)
    d->has_function = d->has_function || d->seats[i].is_function;
  return check_named(d, err);
}
