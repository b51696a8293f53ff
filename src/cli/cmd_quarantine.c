#include "cli/cli.h"
#include "cli/format.h"
#include "cli/outbox.h"
#include "cli/progress.h"

#include <stdlib.h>

enum { REASONS_MAX = 200, REASON_BYTES = 300 };

// --- show --------------------------------------------------------------------------------------

typedef struct reason {
  char text[REASON_BYTES];
  uint64_t rows;
} reason;

typedef struct summary {
  wh_cli *cli;
  reason reasons[REASONS_MAX];
  size_t count;
  uint64_t rows, others;
  char first[512];
} summary;

// "beat: start: reason", of what there is.
static void describe(const wh_rejected_row *row, char *text, size_t cap) {
  snprintf(text, cap, "%.*s%s%.*s%s%.*s", WH_STR_ARG(row->table), row->table.len ? ": " : "",
           WH_STR_ARG(row->column), row->column.len ? ": " : "", WH_STR_ARG(row->reason));
}

static void describe_place(const wh_rejected_row *row, char *text, size_t cap) {
  size_t colon = wh_str_find(row->object, 0, ':');
  wh_str object =
      colon < row->object.len ? wh_str_sub(row->object, colon + 1, row->object.len) : row->object;
  object = wh_str_sub(object, 0, wh_str_find(object, 0, '@'));
  wh_str name = wh_path_name(object);
  int n = snprintf(text, cap, "%.*s%s%.*s%srow %s", WH_STR_ARG(name), name.len ? ", " : "",
                   WH_STR_ARG(row->table), row->table.len ? ", " : "",
                   wh_format_count(row->place.row).s);
  if (row->place.line && n > 0 && (size_t)n < cap) {
    snprintf(text + n, cap - (size_t)n, " (line %s, byte %s)", wh_format_count(row->place.line).s,
             wh_format_count(row->place.byte).s);
  }
}

static wh_status add_to_summary(void *context, const wh_quarantine_entry *entry,
                                const wh_rejected_row *row, wh_error *err) {
  (void)entry, (void)err;
  summary *s = context;
  char text[REASON_BYTES];
  describe(row, text, sizeof text);
  if (s->rows++ == 0) describe_place(row, s->first, sizeof s->first);
  for (size_t i = 0; i < s->count; i++) {
    if (strcmp(s->reasons[i].text, text) == 0) {
      s->reasons[i].rows++;
      return WH_OK;
    }
  }
  if (s->count == REASONS_MAX) {
    s->others++;
    return WH_OK;
  }
  memcpy(s->reasons[s->count].text, text, sizeof text);
  s->reasons[s->count++].rows = 1;
  return WH_OK;
}

static wh_status print_row_json(void *context, const wh_quarantine_entry *entry,
                                const wh_rejected_row *row, wh_error *err) {
  wh_cli *cli = context;
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"pipeline\":");
  wh_buf_add_json(&line, entry->pipeline);
  wh_buf_add_c(&line, ",\"run\":");
  wh_buf_add_json(&line, entry->run);
  wh_buf_add_c(&line, ",\"object\":");
  wh_buf_add_json(&line, row->object);
  if (row->table.len) wh_buf_add_c(&line, ",\"table\":");
  if (row->table.len) wh_buf_add_json(&line, row->table);
  wh_buf_add_c(&line, ",\"rule\":");
  wh_buf_add_json(&line, row->rule);
  wh_buf_add_c(&line, ",\"column\":");
  wh_buf_add_json(&line, row->column);
  wh_buf_add_c(&line, ",\"reason\":");
  wh_buf_add_json(&line, row->reason);
  wh_buf_printf(&line, ",\"row\":%llu,\"line\":%llu,\"byte\":%llu",
                (unsigned long long)row->place.row, (unsigned long long)row->place.line,
                (unsigned long long)row->place.byte);
  if (row->is_text) {
    wh_buf_add_c(&line, ",\"text\":");
    wh_buf_add_json(&line, row->data);
  } else {
    wh_buf_add_c(&line, ",\"data\":");
    wh_buf_add_str(&line, row->data);
  }
  wh_buf_add_char(&line, '}');
  WH_TRY(wh_buf_check(&line, err));
  wh_print_json(&line);
  return WH_OK;
}

static int by_rows(const void *a, const void *b) {
  const reason *x = a, *y = b;
  return x->rows > y->rows ? -1 : x->rows < y->rows;
}

static wh_exit show(wh_cli *cli, const wh_pipeline *p) {
  wh_error err = {0};
  if (cli->json) {
    if (wh_quarantine_rows(&cli->engine, p->name, print_row_json, cli, &err) != WH_OK) {
      return wh_cli_fail(cli, &err);
    }
    return WH_EXIT_DONE;
  }
  summary *s = WH_NEW(&cli->arena, summary);
  if (!s) return wh_cli_usage(cli, "out of memory");
  s->cli = cli;
  if (wh_quarantine_rows(&cli->engine, p->name, add_to_summary, s, &err) != WH_OK) {
    return wh_cli_fail(cli, &err);
  }
  if (s->rows == 0) {
    wh_say(cli, "%.*s has no rows in quarantine.", WH_STR_ARG(p->name));
    return WH_EXIT_DONE;
  }
  qsort(s->reasons, s->count, sizeof *s->reasons, by_rows);
  for (size_t i = 0; i < s->count; i++) {
    printf("%8s %-4s   %s\n", wh_format_count(s->reasons[i].rows).s,
           wh_plural(s->reasons[i].rows, "row", "rows"), s->reasons[i].text);
  }
  if (s->others)
    printf("%8s rows   of other reasons (see them with --json)\n", wh_format_count(s->others).s);
  printf("  first: %s\n", s->first);
  fflush(stdout);
  wh_say(cli, "Mend the rule or the source, then: wherry quarantine replay %.*s",
         WH_STR_ARG(p->name));
  return WH_EXIT_DONE;
}

// --- list, replay, drop ------------------------------------------------------------------------

static wh_status print_entry(void *context, const wh_quarantine_entry *entry, wh_error *err) {
  wh_cli *cli = context;
  int64_t now = wh_now_us(&cli->os.base);
  if (!cli->json) {
    printf("%-20.*s  %.*s  %8s %-4s  %s\n", WH_STR_ARG(entry->pipeline), WH_STR_ARG(entry->run),
           wh_format_count(entry->rows).s, wh_plural(entry->rows, "row", "rows"),
           wh_format_ago(entry->time_us, now).s);
    return WH_OK;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"pipeline\":");
  wh_buf_add_json(&line, entry->pipeline);
  wh_buf_add_c(&line, ",\"run\":");
  wh_buf_add_json(&line, entry->run);
  wh_buf_add_c(&line, ",\"object\":");
  wh_buf_add_json(&line, entry->object);
  wh_buf_printf(&line, ",\"rows\":%llu,\"time_us\":%lld}", (unsigned long long)entry->rows,
                (long long)entry->time_us);
  WH_TRY(wh_buf_check(&line, err));
  wh_print_json(&line);
  return WH_OK;
}

static wh_status print_dead(void *context, const wh_work *work, wh_error *err) {
  wh_cli *cli = context;
  if (!work->dead) return WH_OK;
  if (!cli->json) {
    printf("%-20.*s  %.*s: %.*s\n", WH_STR_ARG(work->pipeline), WH_STR_ARG(work->key),
           WH_STR_ARG(work->error));
    return WH_OK;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"pipeline\":");
  wh_buf_add_json(&line, work->pipeline);
  wh_buf_add_c(&line, ",\"dead\":");
  wh_buf_add_json(&line, work->key);
  wh_buf_add_c(&line, ",\"error\":");
  wh_buf_add_json(&line, work->error);
  wh_buf_add_char(&line, '}');
  WH_TRY(wh_buf_check(&line, err));
  wh_print_json(&line);
  return WH_OK;
}

static wh_exit list(wh_cli *cli, wh_str pipeline) {
  wh_error err = {0};
  wh_ledger *l = cli->ledger;
  if (l->type->quarantined(l, pipeline, &cli->arena, print_entry, cli, &err) != WH_OK ||
      l->type->works(l, pipeline, &cli->arena, print_dead, cli, &err) != WH_OK) {
    return wh_cli_fail(cli, &err);
  }
  return WH_EXIT_DONE;
}

static wh_exit replay(wh_cli *cli, const wh_pipeline *p) {
  wh_progress_view view;
  wh_progress_init(&view, cli);
  wh_cli_watch(cli, wh_progress_watcher(&view));
  wh_run_totals totals = {0};
  wh_error err = {0};
  uint64_t revived = 0;
  wh_status status = cli->ledger->type->revive(cli->ledger, p->name, &revived, &err);
  if (status == WH_OK) status = wh_quarantine_replay(&cli->engine, p, &totals, &err);
  if (status == WH_OK) {
    wh_run_options options = {.hurry = true};
    wh_str name = p->name;
    status = revived ? wh_engine_run(&cli->engine, &name, 1, &options, &totals, &err) : WH_OK;
  }
  wh_progress_end(&view);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  if (totals.runs == 0) wh_say(cli, "%.*s has nothing to replay.", WH_STR_ARG(p->name));
  wh_exit ended = totals.failed             ? WH_EXIT_FAILED
                  : totals.rows_quarantined ? WH_EXIT_QUARANTINED
                                            : WH_EXIT_DONE;
  return wh_cli_deliver(cli, ended);
}

typedef struct dead_letters {
  uint64_t *ids;
  size_t count, cap;
} dead_letters;

static wh_status keep_dead(void *context, const wh_work *work, wh_error *err) {
  (void)err;
  dead_letters *d = context;
  if (work->dead && d->count < d->cap) d->ids[d->count++] = work->id;
  return WH_OK;
}

static wh_status drop_dead(wh_cli *cli, const wh_pipeline *p, uint64_t *ret_count, wh_error *err) {
  wh_ledger *l = cli->ledger;
  wh_ledger_stats stats;
  WH_TRY(l->type->stats(l, p->name, &stats, err));
  dead_letters dead = {.ids = WH_NEW_ARRAY(&cli->arena, stats.dead, uint64_t), .cap = stats.dead};
  if (!dead.ids) return wh_fail_memory(err);
  WH_TRY(l->type->works(l, p->name, &cli->arena, keep_dead, &dead, err));
  for (size_t i = 0; i < dead.count; i++)
    WH_TRY(l->type->done(l, NULL, dead.ids[i], err));
  *ret_count = dead.count;
  return WH_OK;
}

static wh_exit drop(wh_cli *cli, const wh_pipeline *p) {
  wh_error err = {0};
  uint64_t rows, objects = 0;
  if (wh_quarantine_drop(&cli->engine, p->name, &rows, &err) != WH_OK ||
      drop_dead(cli, p, &objects, &err) != WH_OK) {
    return wh_cli_fail(cli, &err);
  }
  if (objects) {
    wh_say(cli, "Dropped %s %s and %s %s of %.*s for good.", wh_format_count(rows).s,
           wh_plural(rows, "row", "rows"), wh_format_count(objects).s,
           wh_plural(objects, "object", "objects"), WH_STR_ARG(p->name));
  } else {
    wh_say(cli, "Dropped %s %s of %.*s for good.", wh_format_count(rows).s,
           wh_plural(rows, "row", "rows"), WH_STR_ARG(p->name));
  }
  return WH_EXIT_DONE;
}

static wh_exit quarantine(wh_cli *cli, const wh_args *args) {
  wh_str verb = args->words[0];
  if (!wh_cli_engine(cli)) return cli->refused;
  wh_error err = {0};
  const wh_pipeline *p = NULL;
  if (args->count > 1 &&
      wh_config_find_any(cli->config, args->words[1], &cli->arena, &p, &err) != WH_OK) {
    return wh_cli_fail(cli, &err);
  }
  if (wh_str_is(verb, "list")) return list(cli, p ? p->name : (wh_str){0});
  if (!p && cli->config->pipeline_count == 1) p = &cli->config->pipelines[0];
  if (!p)
    return wh_cli_usage(cli, "say which pipeline: wherry quarantine %.*s PIPELINE",
                        WH_STR_ARG(verb));
  if (wh_str_is(verb, "show")) return show(cli, p);
  if (wh_str_is(verb, "replay")) return replay(cli, p);
  if (wh_str_is(verb, "drop")) return drop(cli, p);
  return wh_cli_usage(cli, "quarantine takes list, show, replay or drop, not '%.*s'",
                      WH_STR_ARG(verb));
}

const wh_command wh_cmd_quarantine = {
    .name = "quarantine",
    .usage = "list|show|replay|drop [PIPELINE]",
    .help = "the rejected rows: see why, send them again, or drop them",
    .more =
        "replay sends the rows through the pipeline again, and takes objects that were given up "
        "(dead letters) up again. A row that is rejected again stays in quarantine. A replayed row "
        "never replaces a newer one. drop forgets rows and dead letters for good.",
    .example = "wherry quarantine replay import-orders",
    .words_min = 1,
    .words_max = 2,
    .completes = "list|show|replay|drop pipeline",
    .run = quarantine,
};
