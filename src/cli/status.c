#include "cli/status.h"

#include "cli/format.h"
#include "cli/up_state.h"
#include "connect/ingest/log.h"

static const int64_t DAY_US = 86400ll * 1000000;

typedef struct services {
  wh_service items[WH_SERVICES_MAX];
  size_t count;
} services;

static wh_status keep_service(void *context, const wh_service *service, wh_error *err) {
  (void)err;
  services *all = context;
  if (all->count < WH_SERVICES_MAX) all->items[all->count++] = *service;
  return WH_OK;
}

static wh_str address_of(const services *all) {
  wh_str address = {0};
  for (size_t i = 0; i < all->count; i++)
    if (all->items[i].running && all->items[i].address.len) address = all->items[i].address;
  return address;
}

// --- lookups -------------------------------------------------------------------------------------

static void print_lookup(const wh_cli *cli, const wh_asked *a, wh_str address, int width) {
  const char *color = cli->color_out ? address.len ? "\033[32m" : "\033[33m" : "";
  printf("  %-*s   %s%-8s%s  ", width, "lookup", color, address.len ? "ok" : "stopped",
         cli->color_out ? "\033[0m" : "");
  printf("%.*s/%.*s", WH_STR_ARG(address), WH_STR_ARG(a->lookup));
  if (a->asked) printf("   %s asked today", wh_format_count(a->asked).s);
  if (a->limited) printf(", %s limited", wh_format_count(a->limited).s);
  if (!a->asked && address.len) printf("   not asked today");
  if (!address.len) printf("   start it with: wherry up");
  putchar('\n');
}

static void print_lookup_json(wh_cli *cli, const wh_asked *a, wh_str address) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"lookup\":");
  wh_buf_add_json(&line, a->lookup);
  wh_buf_printf(&line, ",\"state\":\"%s\"", address.len ? "ok" : "stopped");
  if (address.len) {
    wh_buf_printf(&line, ",\"url\":\"%.*s/%.*s\"", WH_STR_ARG(address), WH_STR_ARG(a->lookup));
  }
  wh_buf_printf(&line, ",\"asked_today\":%llu,\"found_today\":%llu,\"limited_today\":%llu}",
                (unsigned long long)a->asked, (unsigned long long)a->found,
                (unsigned long long)a->limited);
  if (!line.failed) wh_print_json(&line);
}

static wh_status show_lookups(wh_cli *cli, const services *all, int width, int64_t now_us,
                              wh_error *err) {
  wh_str address = address_of(all);
  const wh_serve *serve = &cli->config->serve;
  for (size_t i = 0; i < serve->lookup_count; i++) {
    wh_asked asked = {.lookup = serve->lookups[i].name};
    WH_TRY(cli->ledger->type->asked(cli->ledger, now_us / DAY_US, &asked, err));
    if (cli->json)
      print_lookup_json(cli, &asked, address);
    else
      print_lookup(cli, &asked, address, width);
  }
  return WH_OK;
}

// --- endpoints -----------------------------------------------------------------------------------

typedef struct endpoint {
  wh_str name, path; // "ingest/payments"
  wh_asked today;
  wh_ingest_state waiting;
} endpoint;

static wh_status look_at_endpoint(wh_cli *cli, const wh_ingest *ingest, int64_t now_us,
                                  endpoint *ret, wh_error *err) {
  const wh_ingest_endpoint *e = ingest->endpoint;
  *ret = (endpoint){.name = e->name};
  ret->path = wh_arena_printf(&cli->arena, WH_UP_ENDPOINT "%.*s", WH_STR_ARG(e->name));
  if (!ret->path.data) return wh_fail_memory(err);
  ret->today.lookup = ret->path;
  WH_TRY(cli->ledger->type->asked(cli->ledger, now_us / DAY_US, &ret->today, err));
  int64_t next;
  wh_ingest_log *log;
  WH_TRY(wh_engine_ingested(&cli->engine, e->name, &next, err));
  WH_TRY(wh_ingest_log_open_reader(&cli->os.base, &cli->mem, e->log, &log, err));
  int64_t sent = INT64_MAX;
  wh_status status = log && ingest->to.len ? wh_ingest_log_sent(log, &sent, err) : WH_OK;
  if (sent < next) next = sent;
  if (log && status == WH_OK) status = wh_ingest_log_state(log, next, &ret->waiting, err);
  wh_ingest_log_close(log);
  return status;
}

static void print_endpoint(const wh_cli *cli, const endpoint *e, wh_str address, int width) {
  const char *color = cli->color_out ? address.len ? "\033[32m" : "\033[33m" : "";
  printf("  %-*s   %s%-8s%s  ", width, "ingest", color, address.len ? "ok" : "stopped",
         cli->color_out ? "\033[0m" : "");
  printf("%.*s/%.*s", WH_STR_ARG(address), WH_STR_ARG(e->path));
  if (e->today.asked)
    printf("   %s %s today", wh_format_count(e->today.found).s,
           wh_plural(e->today.found, "event", "events"));
  if (e->today.limited) printf(", %s refused", wh_format_count(e->today.limited).s);
  if (e->waiting.events)
    printf("   %s waiting, %s", wh_format_count(e->waiting.events).s,
           wh_format_bytes(e->waiting.bytes).s);
  if (!address.len) printf("   start it with: wherry up");
  putchar('\n');
}

static void print_endpoint_json(wh_cli *cli, const endpoint *e, wh_str address) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_printf(&line, "{\"ingest\":\"%.*s\",\"state\":\"%s\"", WH_STR_ARG(e->name),
                address.len ? "ok" : "stopped");
  if (address.len)
    wh_buf_printf(&line, ",\"url\":\"%.*s/%.*s\"", WH_STR_ARG(address), WH_STR_ARG(e->path));
  wh_buf_printf(&line, ",\"requests_today\":%llu,\"events_today\":%llu,\"refused_today\":%llu",
                (unsigned long long)e->today.asked, (unsigned long long)e->today.found,
                (unsigned long long)e->today.limited);
  wh_buf_printf(&line, ",\"waiting\":%llu,\"waiting_bytes\":%llu}",
                (unsigned long long)e->waiting.events, (unsigned long long)e->waiting.bytes);
  if (!line.failed) wh_print_json(&line);
}

static wh_status show_endpoints(wh_cli *cli, const services *all, int width, int64_t now_us,
                                wh_error *err) {
  wh_str address = address_of(all);
  const wh_serve *serve = &cli->config->serve;
  for (size_t i = 0; i < serve->ingest_count; i++) {
    endpoint e;
    WH_TRY(look_at_endpoint(cli, &serve->ingests[i], now_us, &e, err));
    if (cli->json)
      print_endpoint_json(cli, &e, address);
    else
      print_endpoint(cli, &e, address, width);
  }
  return WH_OK;
}

// --- the process ---------------------------------------------------------------------------------

static void print_service_json(wh_cli *cli, const wh_service *s) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_printf(&line, "{\"service\":\"%s\",\"pid\":%lld,\"started_us\":%lld,\"told_us\":%lld",
                s->running ? "up" : "gone", (long long)s->pid, (long long)s->started_us,
                (long long)s->told_us);
  wh_buf_printf(&line, ",\"memory_bytes\":%llu,\"memory_limit\":%llu}",
                (unsigned long long)(s->running ? s->memory_bytes : 0),
                (unsigned long long)cli->config->memory_bytes);
  if (!line.failed) wh_print_json(&line);
}

static void print_running(const wh_cli *cli, const services *all, int64_t now_us) {
  const wh_service *s = NULL;
  size_t count = 0;
  for (size_t i = 0; i < all->count; i++) {
    if (!all->items[i].running) continue;
    s = &all->items[i];
    count++;
  }
  if (count > 1) printf(", %zu workers up", count);
  if (count != 1) return;
  printf(", memory %llu of %lld MiB, up %s", (unsigned long long)s->memory_bytes >> 20,
         (long long)cli->config->memory_bytes >> 20, wh_format_span(now_us - s->started_us).s);
}

static void print_ledger(wh_cli *cli) {
  if (wh_config_ledger_type(cli->config)) {
    printf("  ledger in %s", wh_config_ledger_type(cli->config)->name);
    return;
  }
  wh_file_info ledger;
  char *path = wh_arena_cstr(&cli->arena, cli->config->ledger_path);
  bool there = path && cli->os.base.type->stat(&cli->os.base, path, &ledger, NULL) == WH_OK;
  printf("  ledger %s", wh_format_bytes(there ? ledger.size : 0).s);
}

static void print_services(wh_cli *cli, const services *all, int64_t now_us) {
  print_ledger(cli);
  print_running(cli, all, now_us);
  putchar('\n');
  for (size_t i = 0; i < all->count; i++) {
    if (all->items[i].running) continue;
    printf("  not running: the service ended at %s or later without saying so. Start it with: "
           "wherry up\n",
           wh_format_clock(all->items[i].told_us, now_us).s);
  }
}

wh_status wh_status_services(wh_cli *cli, int width, int64_t now_us, wh_error *err) {
  services all = {0};
  wh_ledger *l = cli->ledger;
  WH_TRY(l->type->services(l, &cli->arena, keep_service, &all, err));
  WH_TRY(show_lookups(cli, &all, width, now_us, err));
  WH_TRY(show_endpoints(cli, &all, width, now_us, err));
  if (!cli->json) {
    print_services(cli, &all, now_us);
    return WH_OK;
  }
  for (size_t i = 0; i < all.count; i++)
    print_service_json(cli, &all.items[i]);
  return WH_OK;
}
