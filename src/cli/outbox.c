#include "cli/outbox.h"

#include "cli/format.h"

enum { DELIVER_US = 20 * 1000000 };

static const char *noun_of(const wh_outbox_box *box, uint64_t n) {
  switch (box->kind) {
  case WH_OUTBOX_CATALOGUE:
    return wh_plural(n, "manifest", "manifests");
  case WH_OUTBOX_AFTER:
    return wh_plural(n, "object", "objects");
  default:
    return wh_plural(n, "message", "messages");
  }
}

static void print_json(wh_cli *cli, const wh_outbox_box *box) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"target\":");
  wh_buf_add_json(&line, box->target);
  wh_buf_printf(&line, ",\"state\":\"%s\",\"waiting\":%llu,\"dead\":%llu,\"oldest_us\":%lld",
                box->dead ? "failed" : "waiting", (unsigned long long)box->waiting,
                (unsigned long long)box->dead, (long long)box->oldest_us);
  if (box->error.len) {
    wh_buf_add_c(&line, ",\"error\":");
    wh_buf_add_json(&line, box->error);
  }
  wh_buf_add_char(&line, '}');
  if (!line.failed) wh_print_json(&line);
}

// --- at the end of a run -------------------------------------------------------------------------

static void say_box(wh_cli *cli, const wh_outbox_box *box) {
  uint64_t n = box->waiting + box->dead;
  if (cli->json) {
    print_json(cli, box);
    return;
  }
  wh_say(cli, "%s %s for %.*s %s%s%.*s", wh_format_count(n).s, noun_of(box, n),
         WH_STR_ARG(box->target), n == 1 ? "waits" : "wait", box->error.len ? ": " : "",
         WH_STR_ARG(box->error));
}

static wh_status say_left(wh_cli *cli, bool failed, wh_error *err) {
  wh_outbox_box *boxes;
  size_t count;
  WH_TRY(cli->ledger->type->outbox(cli->ledger, &cli->arena, &boxes, &count, err));
  for (size_t i = 0; i < count; i++)
    say_box(cli, &boxes[i]);
  if (!count) return WH_OK;
  if (failed)
    wh_say(cli, "Mend what it says, then: wherry run");
  else
    wh_say(cli, "It goes with the next start. Sent meanwhile, as long as it runs: wherry up");
  return WH_OK;
}

wh_exit wh_cli_deliver(wh_cli *cli, wh_exit exit) {
  wh_delivered d;
  wh_error err = {0};
  if (!wh_engine_tells(&cli->engine)) return exit;
  wh_status status = wh_engine_deliver(&cli->engine, true, DELIVER_US, &d, &err);
  if (status == WH_OK) status = say_left(cli, d.failed > 0, &err);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  bool in_order = exit == WH_EXIT_DONE || exit == WH_EXIT_QUARANTINED;
  return d.failed && in_order ? WH_EXIT_FAILED : exit;
}

// --- status --------------------------------------------------------------------------------------

static void print_box(const wh_cli *cli, const wh_outbox_box *box, int width, int64_t now_us) {
  const char *color = !cli->color_out ? "" : box->dead ? "\033[31m" : "\033[33m";
  printf("  %-*.*s   %s%-8s%s", width, WH_STR_ARG(box->target), color,
         box->dead ? "failed" : "waiting", cli->color_out ? "\033[0m" : "");
  if (box->waiting)
    printf("  %s %s to %s", wh_format_count(box->waiting).s, noun_of(box, box->waiting),
           box->kind == WH_OUTBOX_AFTER ? "put away" : "send");
  if (box->dead) printf("  %s given up", wh_format_count(box->dead).s);
  printf(", since %s\n", wh_format_clock(box->oldest_us, now_us).s);
  if (box->error.len) printf("      %.*s\n", WH_STR_ARG(box->error));
}

wh_status wh_status_outbox(wh_cli *cli, int width, int64_t now_us, bool *ret_dead, wh_error *err) {
  wh_outbox_box *boxes;
  size_t count;
  *ret_dead = false;
  WH_TRY(cli->ledger->type->outbox(cli->ledger, &cli->arena, &boxes, &count, err));
  for (size_t i = 0; i < count; i++) {
    if (cli->json)
      print_json(cli, &boxes[i]);
    else
      print_box(cli, &boxes[i], width, now_us);
    *ret_dead = *ret_dead || boxes[i].dead;
  }
  return WH_OK;
}
