#include "cli/up_state.h"

#include "base/log.h"

#include <unistd.h>

enum { MEMORY_STEP = 1 << 20 }; // smaller changes of its size are not worth a write

static const int64_t DAY_US = 86400ll * 1000000;

static wh_server_counts count(const wh_up_state *s, size_t i) {
  size_t lookups = s->cli->config->serve.lookup_count;
  if (i < lookups) return wh_server_count_lookup(s->server, i);
  wh_ingest_counts c = wh_server_count_ingest(s->server, i - lookups);
  return (wh_server_counts){.asked = c.requests, .found = c.events, .limited = c.refused};
}

static bool look_at_requests(wh_up_state *s) {
  bool any = false;
  for (size_t i = 0; i < s->count; i++) {
    wh_server_counts now = count(s, i);
    s->more[i].asked = now.asked - s->told[i].asked;
    s->more[i].found = now.found - s->told[i].found;
    s->more[i].limited = now.limited - s->told[i].limited;
    any = any || s->more[i].asked || s->more[i].found || s->more[i].limited;
  }
  return any;
}

static wh_status tell(wh_up_state *s, bool anyway, wh_error *err) {
  wh_service now = s->service;
  now.told_us = wh_now_us(&s->cli->os.base);
  now.memory_bytes = wh_mem_resident() / MEMORY_STEP * MEMORY_STEP;
  bool changed = look_at_requests(s) || now.memory_bytes != s->service.memory_bytes;
  if (!changed && !anyway) return WH_OK;
  wh_ledger *l = s->cli->ledger;
  WH_TRY(l->type->service_tell(l, &now, now.told_us / DAY_US, s->more, s->count, err));
  s->service = now;
  for (size_t i = 0; i < s->count; i++) {
    s->told[i].asked += s->more[i].asked;
    s->told[i].found += s->more[i].found;
    s->told[i].limited += s->more[i].limited;
  }
  return WH_OK;
}

// What all pipelines have taken leaves the logs. A failure is for the next time.
static void tell_endpoints(wh_up_state *s) {
  const wh_serve *serve = &s->cli->config->serve;
  for (size_t i = 0; s->server && i < serve->ingest_count; i++) {
    wh_error err = {0};
    int64_t next;
    wh_str name = serve->ingests[i].endpoint->name;
    if (wh_engine_ingested(&s->cli->engine, name, &next, &err) == WH_OK)
      wh_server_ingest_taken(s->server, i, next);
    else
      wh_log_error(WH_LOG_WARN, "ledger", &err);
  }
}

wh_status wh_up_begin(wh_up_state *s, wh_cli *cli, wh_server *server, wh_error *err) {
  const wh_serve *serve = &cli->config->serve;
  *s = (wh_up_state){.cli = cli,
                     .server = server,
                     .count = server ? serve->lookup_count + serve->ingest_count : 0};
  s->told = WH_NEW_ARRAY(&cli->arena, s->count, wh_asked);
  s->more = WH_NEW_ARRAY(&cli->arena, s->count, wh_asked);
  if (!s->told || !s->more) return wh_fail_memory(err);
  for (size_t i = 0; server && i < serve->lookup_count; i++)
    s->more[i].lookup = serve->lookups[i].name;
  for (size_t i = 0; server && i < serve->ingest_count; i++) {
    wh_str name = wh_arena_printf(&cli->arena, WH_UP_ENDPOINT "%.*s",
                                  WH_STR_ARG(serve->ingests[i].endpoint->name));
    if (!name.data) return wh_fail_memory(err);
    s->more[serve->lookup_count + i].lookup = name;
  }
  tell_endpoints(s);
  s->service.pid = getpid();
  s->service.started_us = wh_now_us(&cli->os.base);
  if (server) s->service.address = wh_server_address(server);
  WH_TRY(cli->ledger->type->service_begin(cli->ledger, &s->service, err));
  return tell(s, true, err);
}

void wh_up_tick(wh_up_state *s) {
  wh_error err = {0};
  tell_endpoints(s);
  if (tell(s, false, &err) != WH_OK) wh_log_error(WH_LOG_WARN, "ledger", &err);
}

void wh_up_end(wh_up_state *s) {
  if (!s->service.own) return;
  wh_up_tick(s);
  s->cli->ledger->type->service_end(s->cli->ledger, &s->service);
}
