#include "cli/progress.h"

#include "cli/format.h"
#include "ledger/receipt.h"

#include <unistd.h>

enum { BAR_WIDTH = 20, PLAIN_LINE_US = 5 * 1000000 };

static int64_t monotonic_us(const wh_progress_view *v) {
  return v->cli->os.base.type->monotonic_ns(&v->cli->os.base) / 1000;
}

static void clear_bar(wh_progress_view *v) {
  if (!v->bar_shown) return;
  fputs("\r\033[K", stderr);
  v->bar_shown = false;
}

// How far: by rows where their number is known, else by bytes; negative: unknown.
static double share_done(const wh_progress *p) {
  if (p->rows_total) return (double)p->rows / (double)p->rows_total;
  if (p->bytes_total) return (double)p->bytes / (double)p->bytes_total;
  return -1;
}

static void draw_bar(wh_progress_view *v, const wh_progress *p, int64_t elapsed_us) {
  char bar[BAR_WIDTH + 1];
  double share = share_done(p);
  if (share > 1) share = 1;
  int filled = share < 0 ? 0 : (int)(share * BAR_WIDTH);
  for (int i = 0; i < BAR_WIDTH; i++)
    bar[i] = i < filled - 1 ? '=' : i == filled - 1 ? '>' : ' ';
  bar[BAR_WIDTH] = 0;
  const char *noun = p->noun ? p->noun : "rows";
  double rate = elapsed_us > 0 ? (double)p->rows * 1e6 / (double)elapsed_us : 0;
  wh_text rows = wh_format_count(p->rows), total = wh_format_count(p->rows_total);
  wh_text per_second = wh_format_count((uint64_t)rate);
  fprintf(stderr, "\r\033[K%-*.*s  %s", (int)v->name_width, WH_STR_ARG(p->pipeline), rows.s);
  if (p->rows_total) fprintf(stderr, " of %s", total.s);
  fprintf(stderr, " %s  [%s]  %s %s/s", noun, bar, per_second.s, noun);
  if (share > 0.01) {
    wh_text left = wh_format_seconds((int64_t)((double)elapsed_us * (1 - share) / share));
    fprintf(stderr, "  %s left", left.s);
  }
  fflush(stderr);
  v->bar_shown = true;
}

static void on_progress(void *context, const wh_progress *p) {
  wh_progress_view *v = context;
  int64_t now = monotonic_us(v);
  char subject[sizeof v->subject];
  snprintf(subject, sizeof subject, "%.*s:%.*s", WH_STR_ARG(p->pipeline), WH_STR_ARG(p->object));
  if (strcmp(subject, v->subject) != 0) {
    memcpy(v->subject, subject, sizeof subject);
    v->started_us = v->last_line_us = now;
  }
  if (v->on_terminal) {
    draw_bar(v, p, now - v->started_us);
  } else if (now - v->last_line_us > PLAIN_LINE_US) {
    v->last_line_us = now;
    wh_say(v->cli, "%-*.*s  %s %s so far", (int)v->name_width, WH_STR_ARG(p->pipeline),
           wh_format_count(p->rows).s, p->noun ? p->noun : "rows");
  }
}

static void print_json(wh_progress_view *v, const wh_run *run) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &v->cli->mem, 0);
  if (wh_receipt_write_json(run, &line)) wh_print_json(&line);
}

static const char *red(const wh_progress_view *v) {
  return v->cli->color ? "\033[31m" : "";
}
static const char *plain(const wh_progress_view *v) {
  return v->cli->color ? "\033[0m" : "";
}

bool wh_run_describe(const wh_run *run, const char *alarm, const char *plain, wh_buf *out) {
  if (run->state != WH_RUN_DONE) {
    return wh_buf_printf(out, "%sfailed%s: %.*s", alarm, plain, WH_STR_ARG(run->error));
  }
  const wh_counts *c = &run->counts;
  wh_buf_printf(out, "%s %s", wh_format_count(c->written).s, wh_plural(c->written, "row", "rows"));
  if (run->output.len) wh_buf_printf(out, " -> %.*s", WH_STR_ARG(run->output));
  if (c->deleted) wh_buf_printf(out, "  %s deleted", wh_format_count(c->deleted).s);
  if (c->unchanged) wh_buf_printf(out, "  %s unchanged", wh_format_count(c->unchanged).s);
  if (c->superseded) wh_buf_printf(out, "  %s superseded", wh_format_count(c->superseded).s);
  if (c->filtered) wh_buf_printf(out, "  %s filtered", wh_format_count(c->filtered).s);
  if (c->quarantined) {
    wh_buf_printf(out, "  %s%s quarantined%s", alarm, wh_format_count(c->quarantined).s, plain);
  }
  if (run->bytes_written) wh_buf_printf(out, "  %s", wh_format_bytes(run->bytes_written).s);
  return wh_buf_printf(out, "  %s", wh_format_seconds(run->finished_us - run->started_us).s);
}

static void on_finished(void *context, const wh_run *run) {
  wh_progress_view *v = context;
  clear_bar(v);
  if (v->cli->json) {
    print_json(v, run);
    return;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &v->cli->mem, 0);
  if (wh_run_describe(run, red(v), plain(v), &line)) {
    fprintf(stderr, "%-*.*s  %s\n", (int)v->name_width, WH_STR_ARG(run->pipeline), line.data);
  }
}

static void on_notice(void *context, wh_str pipeline, const char *text) {
  wh_progress_view *v = context;
  clear_bar(v);
  wh_say(v->cli, "%.*s: %s", WH_STR_ARG(pipeline), text);
}

void wh_progress_init(wh_progress_view *v, wh_cli *cli) {
  *v = (wh_progress_view){.cli = cli, .on_terminal = isatty(STDERR_FILENO) && !cli->json};
  for (size_t i = 0; i < cli->config->pipeline_count; i++) {
    if (cli->config->pipelines[i].name.len > v->name_width) {
      v->name_width = cli->config->pipelines[i].name.len;
    }
  }
}

wh_watcher wh_progress_watcher(wh_progress_view *v) {
  return (wh_watcher){
      .context = v, .progress = on_progress, .finished = on_finished, .notice = on_notice};
}

void wh_progress_end(wh_progress_view *v) {
  clear_bar(v);
}
