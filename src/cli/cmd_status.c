#include "cli/cli.h"
#include "cli/format.h"
#include "cli/outbox.h"
#include "cli/status.h"
#include "engine/health.h"
#include "ledger/receipt.h"

// --- status ------------------------------------------------------------------------------------

static bool is_stopped(const wh_health *h) {
  return h->has_run && h->last.state == WH_RUN_STOPPED;
}

static void print_queue(const wh_health *h) {
  wh_str queue = h->queue;
  if (!h->has_depth) {
    printf("   %.*s does not answer", WH_STR_ARG(queue));
    return;
  }
  uint64_t messages = h->depth.waiting + h->depth.hidden;
  if (messages)
    printf("   about %s %s in %.*s", wh_format_count(messages).s,
           wh_plural(messages, "message", "messages"), WH_STR_ARG(queue));
  if (h->depth.has_dead && h->depth.dead)
    printf("   about %s in its dead-letter queue", wh_format_count(h->depth.dead).s);
}

static void print_feed(const wh_health *h, int64_t now) {
  if (h->fed.events)
    printf("   %s %s waiting since %s", wh_format_count(h->fed.events).s,
           wh_plural(h->fed.events, "change", "changes"), wh_format_clock(h->fed.oldest_us, now).s);
  if (h->read_to_us)
    printf("   lag %s", wh_format_span(now - h->read_to_us).s);
  else
    printf("   begins");
}

static void print_health(const wh_cli *cli, const wh_health *h, int width, int64_t now) {
  const char *color = "", *plain = cli->color_out ? "\033[0m" : "";
  if (cli->color_out) {
    color = h->condition == WH_CONDITION_FAILED ? "\033[31m"
            : h->condition == WH_CONDITION_OK   ? "\033[32m"
                                                : "\033[33m";
  }
  printf("  %-*.*s   %s%-8s%s", width, WH_STR_ARG(h->pipeline->name), color,
         wh_condition_name(h->condition), plain);
  if (h->has_run) {
    printf("  last %s, %s %s",
           wh_format_clock(h->last.finished_us ? h->last.finished_us : h->last.started_us, now).s,
           wh_format_count(h->last.counts.written).s,
           wh_plural(h->last.counts.written, "row", "rows"));
  } else if (h->tables) {
    printf("  %zu %s", h->tables, wh_plural(h->tables, "table", "tables"));
  } else {
    printf("  has not run");
  }
  if (h->due_us != INT64_MAX)
    printf("   next %s", h->due_us <= now ? "now" : wh_format_clock(h->due_us, now).s);
  if (h->stats.waiting) {
    printf("   %s waiting since %s", wh_format_count(h->stats.waiting).s,
           wh_format_clock(h->stats.oldest_us, now).s);
  }
  if (h->stats.dead) printf("   %s dead", wh_format_count(h->stats.dead).s);
  if (h->stats.quarantined_rows)
    printf("   %s in quarantine", wh_format_count(h->stats.quarantined_rows).s);
  if (h->queue.len) print_queue(h);
  if (h->is_fed) print_feed(h, now);
  putchar('\n');
  if (h->problem.len) printf("      %.*s\n", WH_STR_ARG(h->problem));
  if (h->dead_error.len)
    printf("      %.*s\n", WH_STR_ARG(h->dead_error));
  else if (is_stopped(h) || (h->has_run && h->last.state == WH_RUN_FAILED))
    printf("      %.*s\n", WH_STR_ARG(h->last.error));
}

static void print_health_json(wh_cli *cli, const wh_health *h) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"pipeline\":");
  wh_buf_add_json(&line, h->pipeline->name);
  wh_buf_printf(&line, ",\"state\":\"%s\",\"waiting\":%llu,\"dead\":%llu,\"quarantined\":%llu",
                wh_condition_name(h->condition), (unsigned long long)h->stats.waiting,
                (unsigned long long)h->stats.dead, (unsigned long long)h->stats.quarantined_rows);
  if (h->pipeline->many) wh_buf_printf(&line, ",\"tables\":%zu", h->tables);
  if (h->has_depth) {
    wh_buf_printf(&line, ",\"queue\":{\"waiting\":%llu,\"hidden\":%llu",
                  (unsigned long long)h->depth.waiting, (unsigned long long)h->depth.hidden);
    if (h->depth.has_dead)
      wh_buf_printf(&line, ",\"dead\":%llu", (unsigned long long)h->depth.dead);
    wh_buf_add_char(&line, '}');
  }
  if (h->is_fed)
    wh_buf_printf(&line, ",\"feed\":{\"waiting\":%llu,\"waiting_bytes\":%llu,\"read_to_us\":%lld}",
                  (unsigned long long)h->fed.events, (unsigned long long)h->fed.bytes,
                  (long long)h->read_to_us);
  if (h->problem.len) {
    wh_buf_add_c(&line, ",\"problem\":");
    wh_buf_add_json(&line, h->problem);
  }
  if (h->due_us != INT64_MAX) wh_buf_printf(&line, ",\"due_us\":%lld", (long long)h->due_us);
  if (h->dead_error.len) {
    wh_buf_add_c(&line, ",\"dead_error\":");
    wh_buf_add_json(&line, h->dead_error);
  }
  if (h->has_run) {
    wh_buf_add_c(&line, ",\"last\":");
    wh_receipt_write_json(&h->last, &line);
  }
  wh_buf_add_char(&line, '}');
  if (!line.failed) wh_print_json(&line);
}

// The one thing most worth doing.
static void say_what_to_do(wh_cli *cli, const wh_health *all, size_t count, bool untold) {
  for (size_t i = 0; i < count; i++) {
    if (all[i].stats.dead) {
      wh_say_next(cli, "mend what it says, then: wherry quarantine replay %.*s",
                  WH_STR_ARG(all[i].pipeline->name));
      return;
    }
  }
  if (untold) {
    wh_say_next(cli, "mend what it says, then: wherry run");
    return;
  }
  for (size_t i = 0; i < count; i++) {
    if (all[i].stats.quarantined_rows) {
      wh_say_next(cli, "wherry quarantine show %.*s", WH_STR_ARG(all[i].pipeline->name));
      return;
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (all[i].condition == WH_CONDITION_FAILED || all[i].stats.waiting) {
      wh_say_next(cli, "wherry run %.*s", WH_STR_ARG(all[i].pipeline->name));
      return;
    }
  }
}

static wh_exit status(wh_cli *cli, const wh_args *args) {
  (void)args;
  if (!wh_cli_engine(cli)) return cli->refused;
  wh_error err = {0};
  const wh_pipeline **pipelines;
  size_t count;
  wh_health *all;
  if (wh_engine_pipelines(&cli->engine, NULL, 0, &cli->arena, &pipelines, &count, &err) != WH_OK ||
      wh_engine_health(&cli->engine, pipelines, count, true, &cli->arena, &all, &err) != WH_OK)
    return wh_cli_fail(cli, &err);
  int width = 0;
  for (size_t i = 0; i < count; i++) {
    if ((int)all[i].pipeline->name.len > width) width = (int)all[i].pipeline->name.len;
  }
  int64_t now = wh_now_us(&cli->os.base);
  bool failed = false;
  for (size_t i = 0; i < count; i++) {
    if (cli->json)
      print_health_json(cli, &all[i]);
    else
      print_health(cli, &all[i], width, now);
    failed = failed || all[i].condition == WH_CONDITION_FAILED;
  }
  bool untold;
  if (wh_status_outbox(cli, width, now, &untold, &err) != WH_OK) return wh_cli_fail(cli, &err);
  if (wh_status_services(cli, width, now, &err) != WH_OK) return wh_cli_fail(cli, &err);
  fflush(stdout);
  say_what_to_do(cli, all, count, untold);
  return failed || untold ? WH_EXIT_FAILED : WH_EXIT_DONE;
}

const wh_command wh_cmd_status = {
    .name = "status",
    .usage = "",
    .help = "what ran, what is due, what waits, what is wrong, and what to do",
    .run = status,
};

// --- runs --------------------------------------------------------------------------------------

static const wh_flag runs_flags[] = {
    {"--limit", "N", "how many, newest first; default 20, 0 for all"},
    {"--failed", NULL, "only failed ones"},
    {0},
};

typedef struct run_list {
  wh_cli *cli;
  const wh_pipeline *many; // only those of its tables; NULL: as they come
  uint64_t limit;          // then
  int64_t now_us;
  uint64_t count;
} run_list;

static bool is_of(const wh_pipeline *many, wh_str name) {
  size_t len = many->name.len;
  return wh_str_eq(wh_str_sub(name, 0, len), many->name) &&
         (name.len == len || name.data[len] == ':');
}

static wh_status print_run(void *context, const wh_run *run, wh_error *err) {
  run_list *l = context;
  if (l->many && !is_of(l->many, run->pipeline)) return WH_OK;
  if (l->many && l->limit && l->count == l->limit) return WH_OK;
  l->count++;
  if (l->cli->json) {
    WH_CLEAN_BUF wh_buf line;
    wh_buf_init(&line, &l->cli->mem, 0);
    wh_receipt_write_json(run, &line);
    WH_TRY(wh_buf_check(&line, err));
    wh_print_json(&line);
    return WH_OK;
  }
  printf("%.*s  %-16s  %-20.*s  %-7s", WH_STR_ARG(run->id),
         wh_format_clock(run->started_us, l->now_us).s, WH_STR_ARG(run->pipeline),
         wh_run_state_name(run->state));
  printf("  %s read, %s written", wh_format_count(run->counts.read).s,
         wh_format_count(run->counts.written).s);
  if (run->counts.quarantined)
    printf(", %s quarantined", wh_format_count(run->counts.quarantined).s);
  if (run->error.len) printf("  %.*s", WH_STR_ARG(run->error));
  putchar('\n');
  return WH_OK;
}

static wh_exit runs(wh_cli *cli, const wh_args *args) {
  uint64_t limit = 20;
  const char *given = wh_args_value(args, "--limit");
  if (given && !wh_str_to_u64(wh_str_of(given), &limit)) {
    return wh_cli_usage(cli, "--limit needs a number, not '%s'", given);
  }
  if (!wh_cli_engine(cli)) return cli->refused;
  wh_error err = {0};
  const wh_pipeline *p = NULL;
  if (args->count &&
      wh_config_find_any(cli->config, args->words[0], &cli->arena, &p, &err) != WH_OK) {
    return wh_cli_fail(cli, &err);
  }
  run_list list = {.cli = cli, .now_us = wh_now_us(&cli->os.base)};
  int state = wh_args_has(args, "--failed") ? (int)WH_RUN_FAILED : -1;
  if (p && p->many) {
    list.many = p;
    list.limit = limit;
    p = NULL;
    limit = 0;
  }
  if (cli->ledger->type->runs(cli->ledger, p ? p->name : (wh_str){0}, state, limit, &cli->arena,
                              print_run, &list, &err) != WH_OK) {
    return wh_cli_fail(cli, &err);
  }
  fflush(stdout);
  if (list.count == 0)
    wh_say(cli, "No runs yet.");
  else if (!cli->json)
    wh_say_next(cli, "wherry receipt RUN");
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_runs = {
    .name = "runs",
    .usage = "[PIPELINE]",
    .help = "the runs, newest first",
    .flags = runs_flags,
    .words_max = 1,
    .completes = "pipeline",
    .run = runs,
};

// --- receipt -----------------------------------------------------------------------------------

static wh_exit receipt(wh_cli *cli, const wh_args *args) {
  if (!wh_cli_engine(cli)) return cli->refused;
  wh_error err = {0};
  wh_run run;
  if (cli->ledger->type->run_get(cli->ledger, args->words[0], &cli->arena, &run, &err) != WH_OK) {
    return wh_cli_fail(cli, &err);
  }
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &cli->mem, 0);
  bool ok = cli->json ? wh_receipt_write_json(&run, &text) : wh_receipt_write_text(&run, &text);
  if (!ok) return wh_cli_usage(cli, "out of memory");
  if (cli->json)
    wh_print_json(&text);
  else
    fwrite(text.data, 1, text.len, stdout);
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_receipt = {
    .name = "receipt",
    .usage = "RUN",
    .help = "the proof of one run; RUN may be the beginning of its name",
    .words_min = 1,
    .words_max = 1,
    .completes = "run",
    .run = receipt,
};
