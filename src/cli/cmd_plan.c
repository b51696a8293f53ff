#include "cli/cli.h"
#include "cli/format.h"
#include "cli/retained.h"
#include "data/deleted.h"
#include "engine/crossings.h"
#include "engine/members.h"

enum { SAMPLE_WIDTH = 28 };

static const wh_flag flags[] = {
    {"--lock", NULL, "write wherry.lock, the list of what crosses where"},
    {"--no-sample", NULL, "show no value of any row, for where others can read the plan"},
    {0},
};

// --- for people --------------------------------------------------------------------------------

static void print_when(const wh_plan *plan) {
  const wh_when *w = &plan->pipeline->when;
  printf("  when      ");
  switch (w->kind) {
  case WH_WHEN_HAND:
    printf("by hand");
    break;
  case WH_WHEN_EVERY:
    printf("every %s", wh_format_period(w->every_us).s);
    break;
  case WH_WHEN_CRON:
    printf("cron %.*s (%.*s)", WH_STR_ARG(w->cron_text), w->timezone.len ? (int)w->timezone.len : 3,
           w->timezone.len ? w->timezone.data : "UTC");
    break;
  case WH_WHEN_NEW:
    printf(plan->pipeline->model ? "when something it reads is new" : "for each new object");
    break;
  case WH_WHEN_EVENT:
    printf("for each object that %.*s announces", WH_STR_ARG(w->queue));
    break;
  case WH_WHEN_GATHERED:
    printf("once %s events or %s wait, or the oldest has for %s",
           wh_format_count(w->gathered.rows).s, wh_format_bytes(w->gathered.bytes).s,
           wh_format_period(w->gathered.age_us).s);
    break;
  }
  const wh_read *read = &plan->pipeline->read;
  if (read->cursor.len && plan->described) {
    if (plan->cursor_kind == WH_CURSOR_EXACT) {
      printf("; cursor %.*s is exact", WH_STR_ARG(read->cursor));
    } else {
      printf("; cursor %.*s is windowed: it re-reads the last %s", WH_STR_ARG(read->cursor),
             wh_format_period(read->overlap_us).s);
    }
  } else if (plan->from_rows && !plan->pipeline->model) {
    printf("; no cursor: everything each run");
  }
  putchar('\n');
}

typedef struct widths {
  int name, from, type;
} widths;

static void widen(int *width, wh_str text) {
  if ((int)text.len > *width) *width = (int)text.len;
}

static void print_crossing(const wh_plan_column *c, bool first, const widths *w, wh_arena *arena) {
  wh_str type = wh_type_friendly(&c->type, arena);
  printf("  %-9s %-*.*s  %-*.*s  %-*.*s  ", first ? "crosses" : "", w->name, WH_STR_ARG(c->name),
         w->from, WH_STR_ARG(c->from), w->type, WH_STR_ARG(type));
  bool ends = !c->mask.len && !c->sample.len; // no blanks behind it
  printf(ends ? "%s" : "%-8s  ", wh_class_name(c->privacy));
  if (c->mask.len) {
    printf("masked with %.*s", WH_STR_ARG(c->mask));
  } else {
    size_t cut = wh_utf8_cut(c->sample, SAMPLE_WIDTH);
    printf("%.*s%s", (int)cut, c->sample.data ? c->sample.data : "",
           cut < c->sample.len ? "..." : "");
  }
  putchar('\n');
}

static void print_indented(wh_str text) {
  wh_str line;
  while (wh_str_split(&text, '\n', &line)) {
    if (line.len || text.data) printf("              %.*s\n", WH_STR_ARG(line));
  }
}

// What is found to be deleted at the source, and what becomes of it in the target.
static void print_deletes(const wh_plan *plan) {
  const wh_write *w = &plan->pipeline->write;
  if (plan->compares) {
    printf("  deletes   compares %.*s with the keys that were sent: ",
           WH_STR_ARG(plan->compared_by));
    if (plan->keys_known)
      printf("%s so far\n", wh_format_count(plan->keys_sent).s);
    else
      puts("none yet, the first run records them");
  }
  if (!plan->to_rows || !plan->tells_deleted) return;
  int64_t days = w->tombstone_keep_us / (86400ll * 1000000);
  printf("  deleted   ");
  if (w->deletes == WH_DELETES_IGNORE)
    puts("rows that are deleted at the source stay as they are");
  else if (w->mode == WH_WRITE_APPEND)
    puts("deletions are added as rows, marked in " WH_DELETED_COLUMN);
  else
    printf("rows are %s, and that is remembered for %lld %s\n",
           w->deletes == WH_DELETES_MARK ? "marked in " WH_DELETED_COLUMN : "removed",
           (long long)days, wh_plural((uint64_t)days, "day", "days"));
}

static void print_target(const wh_plan *plan) {
  static const char *const modes[] = {"append", "upsert", "replace"};
  const wh_write *w = &plan->pipeline->write;
  printf("  writes    %s: %s", plan->sink_exact ? "exact" : "at-least-once", modes[w->mode]);
  for (size_t i = 0; i < w->key.count; i++)
    printf("%s%.*s", i ? ", " : " by ", WH_STR_ARG(w->key.items[i]));
  if (w->newest_by.len) printf(", newest by %.*s", WH_STR_ARG(w->newest_by));
  putchar('\n');
  if (!plan->described) return;
  if (!plan->sink_exact)
    printf("  target    %.*s\n", WH_STR_ARG(plan->target_text));
  else if (!plan->target_exists)
    puts("  target    does not exist; will be created:");
  else if (plan->target_alters)
    puts("  target    exists, and gets what it lacks (on_new_column: add):");
  else if (plan->target_fits)
    puts("  target    exists and fits");
  else
    puts("  target    exists and does not fit:");
  if (!plan->target_exists || !plan->target_fits || plan->target_alters)
    print_indented(plan->target_text);
}

static void print_stays(const wh_plan *plan) {
  if (plan->stay_count == 0) return;
  printf("  stays     ");
  for (size_t i = 0; i < plan->stay_count; i++)
    printf("%s%.*s", i ? ", " : "", WH_STR_ARG(plan->stays[i]));
  putchar('\n');
}

static void print_rules(const wh_plan *plan) {
  const wh_run_rules *rules = &plan->pipeline->rules;
  size_t count = 0;
  for (int i = 0; i < WH_RUN_RULES; i++) {
    if (!wh_run_limit_given(&rules->limits[i])) continue;
    printf("  %-9s %s%s\n", count++ ? "" : "expects", wh_run_rules_text(rules, (wh_run_rule)i).s,
           rules->limits[i].implied ? " of the last run's (mode: replace has it of itself)" : "");
  }
}

static void print_tells(const wh_cli *cli, const wh_pipeline *p) {
  for (size_t i = 0; i < p->notify_count; i++) {
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, cli->arena.mem, 0);
    if (wh_notify_describe(&p->notify[i], &text))
      printf("  %-9s %.*s\n", i ? "" : "tells", (int)text.len, text.data);
  }
}

static void print_list(const char *before, const wh_str_list *list) {
  for (size_t i = 0; i < list->count; i++)
    printf("%s%.*s", i ? ", " : before, WH_STR_ARG(list->items[i]));
}

static void print_dataset(const wh_pipeline *p) {
  const wh_write *write = &p->write;
  printf("  writes    exact: %s a dataset of %s files",
         write->mode == WH_WRITE_REPLACE ? "replaces" : "adds to", write->format.codec->name);
  print_list(", partitioned by ", &write->partition_by);
  print_list(", sorted by ", &write->sort_by);
  printf("; keeps %lld %s\n", (long long)write->keep,
         wh_plural((uint64_t)write->keep, "version", "versions"));
}

static void print_complete(const wh_pipeline *p) {
  const wh_complete *complete = &p->complete;
  if (wh_complete_has_marker(complete))
    printf("  complete  an object counts when its marker %.*s{name}%s%.*s is beside it\n",
           WH_STR_ARG(complete->marker_before), complete->marker_has_ext ? ".{ext}" : "",
           WH_STR_ARG(complete->marker_behind));
  if (complete->renamed_from.count) {
    print_list("  complete  not while it is called ", &complete->renamed_from);
    putchar('\n');
  }
}

static void print_after(const wh_pipeline *p) {
  if (p->after.kind == WH_AFTER_DELETE) puts("  after     removes each object once it is safe");
  if (p->after.kind == WH_AFTER_MOVE)
    printf("  after     moves each object to %.*s:%.*s once it is safe\n",
           WH_STR_ARG(p->from.connection), WH_STR_ARG(p->after.to));
}

static void print_reads(const wh_plan *plan) {
  for (size_t i = 0; i < plan->read_count; i++) {
    const wh_plan_table *t = &plan->reads[i];
    printf("  %-9s %.*s:%.*s   %s %s\n", i ? "" : "reads", WH_STR_ARG(t->connection),
           WH_STR_ARG(t->thing), wh_format_count(t->objects).s,
           wh_plural(t->objects, "object", "objects"));
  }
  if (plan->scope.len) printf("  %-9s %.*s\n", "runs", WH_STR_ARG(plan->scope));
}

static void print_plan(const wh_cli *cli, const wh_plan *plan, wh_arena *arena) {
  const wh_pipeline *p = plan->pipeline;
  const char *bold = cli->color_out ? "\033[1m" : "", *plain = cli->color_out ? "\033[0m" : "";
  wh_str thing = p->from.thing.len ? wh_pipeline_reads(p) : WH_STR("(query)");
  wh_str target = wh_pipeline_writes(p);
  printf("%s%.*s%s%.*s%s   %.*s%s%.*s -> %.*s:%.*s\n", bold, WH_STR_ARG(p->name),
         p->table.len ? ": " : "", WH_STR_ARG(p->table), plain, WH_STR_ARG(p->from.connection),
         p->model ? "" : ":", p->model ? 0 : (int)thing.len, thing.data,
         WH_STR_ARG(p->to.connection), WH_STR_ARG(target));
  print_when(plan);
  print_reads(plan);
  if (plan->ranges_key.len)
    printf("  reads     up to %lld ranges of %.*s at once, %s%s\n", (long long)p->read.ranges,
           WH_STR_ARG(plan->ranges_key), p->read.shared ? "by all workers, " : "",
           plan->one_snapshot ? "in one snapshot" : "each in a snapshot of its own");
  if (plan->waiting && !plan->from_rows) {
    printf("  there     %s %s\n", wh_format_count(plan->waiting).s,
           wh_plural(plan->waiting, "object", "objects"));
  }
  if (plan->format.len) printf("  format    %.*s\n", WH_STR_ARG(plan->format));
  if (p->raw)
    puts("  crosses   objects as they are, every byte");
  else if (!plan->described)
    printf("  columns   %.*s\n", WH_STR_ARG(plan->not_described));
  if (plan->all_cross && !p->raw) puts("  crosses   all columns, whatever comes (columns: all)");
  widths w = {0};
  for (size_t i = 0; i < plan->cross_count; i++) {
    widen(&w.name, plan->crosses[i].name);
    widen(&w.from, plan->crosses[i].from);
    widen(&w.type, wh_type_friendly(&plan->crosses[i].type, arena));
  }
  for (size_t i = 0; i < plan->cross_count; i++)
    print_crossing(&plan->crosses[i], i == 0 && !plan->all_cross, &w, arena);
  print_stays(plan);
  print_deletes(plan);
  print_rules(plan);
  if (plan->to_rows) print_target(plan);
  if (p->write.dataset.len) print_dataset(p);
  print_complete(p);
  print_after(p);
  print_tells(cli, p);
}

// --- for machines ------------------------------------------------------------------------------

static void add_text(wh_buf *out, const char *name, wh_str value) {
  wh_buf_printf(out, ",\"%s\":", name);
  wh_buf_add_json(out, value);
}

static void write_json(const wh_plan *plan, wh_buf *out) {
  wh_buf_add_c(out, "{\"pipeline\":");
  wh_buf_add_json(out, plan->pipeline->name);
  if (plan->pipeline->table.len) add_text(out, "table", plan->pipeline->table);
  wh_buf_printf(out, ",\"described\":%s,\"all_cross\":%s,\"exact\":%s",
                plan->described ? "true" : "false", plan->all_cross ? "true" : "false",
                plan->sink_exact ? "true" : "false");
  if (plan->pipeline->read.cursor.len) {
    wh_buf_printf(out, ",\"cursor\":\"%s\"",
                  plan->cursor_kind == WH_CURSOR_EXACT ? "exact" : "windowed");
  }
  if (plan->compares) {
    add_text(out, "compared_by", plan->compared_by);
    if (plan->keys_known)
      wh_buf_printf(out, ",\"keys_sent\":%llu", (unsigned long long)plan->keys_sent);
  }
  for (size_t i = 0; i < plan->read_count; i++) {
    const wh_plan_table *t = &plan->reads[i];
    wh_buf_add_c(out, i ? ",{\"connection\":" : ",\"reads\":[{\"connection\":");
    wh_buf_add_json(out, t->connection);
    add_text(out, "pattern", t->thing);
    wh_buf_printf(out, ",\"objects\":%llu}", (unsigned long long)t->objects);
  }
  if (plan->read_count) wh_buf_add_char(out, ']');
  if (plan->scope.len) add_text(out, "scope", plan->scope);
  wh_buf_printf(out, ",\"tells_deleted\":%s", plan->tells_deleted ? "true" : "false");
  if (plan->format.len) add_text(out, "format", plan->format);
  if (plan->ranges_key.len) {
    add_text(out, "ranges_key", plan->ranges_key);
    wh_buf_printf(out, ",\"ranges\":%lld,\"shared\":%s,\"one_snapshot\":%s",
                  (long long)plan->pipeline->read.ranges,
                  plan->pipeline->read.shared ? "true" : "false",
                  plan->one_snapshot ? "true" : "false");
  }
  wh_buf_add_c(out, ",\"crosses\":[");
  for (size_t i = 0; i < plan->cross_count; i++) {
    const wh_plan_column *c = &plan->crosses[i];
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_c(out, "{\"name\":");
    wh_buf_add_json(out, c->name);
    add_text(out, "from", c->from);
    wh_buf_add_c(out, ",\"type\":\"");
    wh_type_write(&c->type, out);
    wh_buf_printf(out, "\",\"class\":\"%s\"", wh_class_name(c->privacy));
    if (c->mask.len) add_text(out, "mask", c->mask);
    if (c->sample.len) add_text(out, "sample", c->sample);
    wh_buf_add_char(out, '}');
  }
  wh_buf_add_c(out, "],\"stays\":[");
  for (size_t i = 0; i < plan->stay_count; i++) {
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, plan->stays[i]);
  }
  wh_buf_add_c(out, "],\"expects\":[");
  const wh_run_rules *rules = &plan->pipeline->rules;
  for (int i = 0, count = 0; i < WH_RUN_RULES; i++) {
    if (!wh_run_limit_given(&rules->limits[i])) continue;
    if (count++) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, wh_str_of(wh_run_rules_text(rules, (wh_run_rule)i).s));
  }
  wh_buf_add_char(out, ']');
  if (plan->to_rows && plan->described) {
    wh_buf_printf(out, ",\"target_exists\":%s,\"target_fits\":%s,\"target_alters\":%s",
                  plan->target_exists ? "true" : "false", plan->target_fits ? "true" : "false",
                  plan->target_alters ? "true" : "false");
    add_text(out, "target", plan->target_text);
  }
  const wh_after *after = &plan->pipeline->after;
  if (after->kind == WH_AFTER_DELETE) wh_buf_add_c(out, ",\"after\":\"delete\"");
  if (after->kind == WH_AFTER_MOVE) add_text(out, "after_move", after->to);
  for (size_t i = 0; i < plan->pipeline->notify_count; i++) {
    wh_buf_add_c(out, i ? "," : ",\"tells\":[");
    wh_buf_add_json(out, plan->pipeline->notify[i].connection);
  }
  if (plan->pipeline->notify_count) wh_buf_add_char(out, ']');
  wh_buf_add_char(out, '}');
}

// --- the command -------------------------------------------------------------------------------

typedef struct crossing_list {
  wh_crossing items[WH_COLUMNS_MAX];
  size_t count;
  bool too_many;
} crossing_list;

static void add_crossings(crossing_list *list, const wh_plan *plan, wh_arena *arena) {
  wh_str to = wh_arena_printf(arena, "%.*s:%.*s", WH_STR_ARG(plan->pipeline->to.connection),
                              WH_STR_ARG(wh_pipeline_writes(plan->pipeline)));
  list->too_many = list->too_many || plan->cross_count > WH_COLUMNS_MAX - list->count;
  for (size_t i = 0; i < plan->cross_count && !list->too_many; i++) {
    const wh_plan_column *c = &plan->crosses[i];
    list->items[list->count++] = (wh_crossing){.pipeline = plan->pipeline->name,
                                               .to = to,
                                               .column = c->name,
                                               .from = c->from,
                                               .type = c->type,
                                               .privacy = c->privacy,
                                               .mask = c->mask};
  }
}

static void leave_samples_out(wh_plan *plan) {
  for (size_t i = 0; i < plan->cross_count; i++)
    plan->crosses[i].sample = (wh_str){0};
}

// What is asked of all pipelines' plans, and what they come to together.
typedef struct plans {
  crossing_list *list; // NULL: not wanted
  bool no_sample;
  bool fit;
  const wh_pipeline *unknown; // one whose columns are not known yet
} plans;

static wh_exit plan_one(wh_cli *cli, const wh_pipeline *p, plans *all) {
  wh_plan plan;
  wh_error err = {0};
  if (wh_engine_plan(&cli->engine, p, &cli->arena, &plan, &err) != WH_OK) {
    wh_error_prefix(&err, "%.*s: ", WH_STR_ARG(p->name));
    return wh_cli_fail(cli, &err);
  }
  if (all->no_sample) leave_samples_out(&plan);
  if (cli->json) {
    WH_CLEAN_BUF wh_buf line;
    wh_buf_init(&line, &cli->mem, 0);
    write_json(&plan, &line);
    if (!line.failed) wh_print_json(&line);
  } else {
    print_plan(cli, &plan, &cli->arena);
  }
  if (plan.target_exists && !plan.target_fits) all->fit = false;
  if (all->list) add_crossings(all->list, &plan, &cli->arena);
  if (!plan.described && !p->raw) all->unknown = p;
  return WH_EXIT_DONE;
}

static void print_tables(const char *what, const wh_str *tables, size_t count) {
  if (count == 0) return;
  printf("  %-9s ", what);
  for (size_t i = 0; i < count; i++)
    printf("%s%.*s", i ? ", " : "", WH_STR_ARG(tables[i]));
  putchar('\n');
}

static void print_members(const wh_cli *cli, const wh_pipeline *p, const wh_members *m) {
  const char *bold = cli->color_out ? "\033[1m" : "", *plain = cli->color_out ? "\033[0m" : "";
  printf("%s%.*s%s   %.*s:%.*s: %zu %s, each as a pipeline of its own\n", bold, WH_STR_ARG(p->name),
         plain, WH_STR_ARG(p->from.connection), WH_STR_ARG(p->from.thing), m->count,
         wh_plural(m->count, "table", "tables"));
  if (p->table_count == 0) puts("  crosses   all tables that match, whatever comes (columns: all)");
  print_tables("stays", m->unlisted, m->unlisted_count);
  print_tables("denied", m->denied, m->denied_count);
  print_tables("gone", m->gone, m->gone_count);
}

static void add_names(wh_buf *out, const char *name, const wh_str *tables, size_t count) {
  wh_buf_printf(out, ",\"%s\":[", name);
  for (size_t i = 0; i < count; i++) {
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, tables[i]);
  }
  wh_buf_add_char(out, ']');
}

static void print_members_json(wh_cli *cli, const wh_pipeline *p, const wh_members *m) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"pipeline\":");
  wh_buf_add_json(&line, p->name);
  wh_buf_printf(&line, ",\"all_cross\":%s,\"tables\":[", p->table_count ? "false" : "true");
  for (size_t i = 0; i < m->count; i++) {
    if (i) wh_buf_add_char(&line, ',');
    wh_buf_add_json(&line, m->items[i].from.thing);
  }
  wh_buf_add_char(&line, ']');
  add_names(&line, "stays", m->unlisted, m->unlisted_count);
  add_names(&line, "denied", m->denied, m->denied_count);
  add_names(&line, "gone", m->gone, m->gone_count);
  wh_buf_add_char(&line, '}');
  if (!line.failed) wh_print_json(&line);
}

// Each table of its objects by itself.
static wh_exit plan_branches(wh_cli *cli, const wh_pipeline *p, plans *all) {
  wh_exit worst = WH_EXIT_DONE;
  size_t count;
  const wh_pipeline *branches = wh_pipeline_branches(p, &count);
  for (size_t i = 0; i < count; i++) {
    wh_exit exit = plan_one(cli, &branches[i], all);
    if (exit != WH_EXIT_DONE) worst = exit;
  }
  return worst;
}

static wh_exit plan_any(wh_cli *cli, const wh_pipeline *p, plans *all) {
  if (!p->many) return plan_branches(cli, p, all);
  wh_members members;
  wh_error err = {0};
  if (wh_members_now(&cli->engine, p, &cli->arena, &members, &err) != WH_OK) {
    wh_error_prefix(&err, "%.*s: ", WH_STR_ARG(p->name));
    return wh_cli_fail(cli, &err);
  }
  if (cli->json)
    print_members_json(cli, p, &members);
  else
    print_members(cli, p, &members);
  wh_exit worst = WH_EXIT_DONE;
  for (size_t i = 0; i < members.count; i++) {
    wh_exit exit = plan_one(cli, &members.items[i], all);
    if (exit != WH_EXIT_DONE) worst = exit;
  }
  return worst;
}

static void print_catalog(const wh_cli *cli, wh_str address, const wh_catalog_plan *plan) {
  const char *bold = cli->color_out ? "\033[1m" : "", *plain = cli->color_out ? "\033[0m" : "";
  printf("%scatalog%s   every object that is published -> %.*s\n", bold, plain,
         WH_STR_ARG(address));
  if (!plan->exists)
    puts("  target    does not exist; will be created:");
  else
    puts(plan->fits ? "  target    exists and fits" : "  target    exists and does not fit:");
  if (!plan->exists || !plan->fits) print_indented(plan->text);
}

static void print_catalog_json(wh_cli *cli, wh_str address, const wh_catalog_plan *plan) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"catalog\":");
  wh_buf_add_json(&line, address);
  wh_buf_printf(&line, ",\"target_exists\":%s,\"target_fits\":%s,\"target\":",
                plan->exists ? "true" : "false", plan->fits ? "true" : "false");
  wh_buf_add_json(&line, plan->text);
  wh_buf_add_char(&line, '}');
  if (!line.failed) wh_print_json(&line);
}

static wh_exit plan_catalog(wh_cli *cli, bool *ret_fits) {
  const wh_address *catalog = &cli->config->catalog;
  wh_catalog_plan plan;
  wh_error err = {0};
  if (!catalog->node) return WH_EXIT_DONE;
  if (wh_engine_plan_catalog(&cli->engine, &cli->arena, &plan, &err) != WH_OK) {
    wh_error_prefix(&err, "catalog: ");
    return wh_cli_fail(cli, &err);
  }
  if (cli->json)
    print_catalog_json(cli, catalog->node->text, &plan);
  else
    print_catalog(cli, catalog->node->text, &plan);
  if (plan.exists && !plan.fits) *ret_fits = false;
  return WH_EXIT_DONE;
}

static wh_exit plan(wh_cli *cli, const wh_args *args) {
  wh_engine *engine = wh_cli_engine(cli);
  if (!engine) return cli->refused;
  wh_error err = {0};
  plans all = {.fit = true, .no_sample = wh_args_has(args, "--no-sample")};
  if (wh_args_has(args, "--lock")) {
    if (args->count) return wh_cli_usage(cli, "--lock writes all pipelines; name none");
    all.list = WH_NEW(&cli->arena, crossing_list);
    if (!all.list) return wh_cli_usage(cli, "out of memory");
  }
  wh_exit worst = WH_EXIT_DONE;
  size_t total = args->count ? args->count : cli->config->pipeline_count;
  for (size_t i = 0; i < total; i++) {
    const wh_pipeline *p = &cli->config->pipelines[i];
    if (args->count &&
        wh_config_find_any(cli->config, args->words[i], &cli->arena, &p, &err) != WH_OK) {
      return wh_cli_fail(cli, &err);
    }
    wh_exit exit = plan_any(cli, p, &all);
    if (exit != WH_EXIT_DONE) worst = exit;
  }
  if (worst == WH_EXIT_DONE && !args->count) worst = plan_catalog(cli, &all.fit);
  if (worst == WH_EXIT_DONE && !args->count) worst = wh_cli_retain(cli, true);
  if (worst != WH_EXIT_DONE) return worst;
  if (all.list) {
    if (all.list->too_many)
      return wh_cli_usage(cli, "wherry.lock holds at most %d columns", WH_COLUMNS_MAX);
    if (wh_lock_write(cli->config, all.list->items, all.list->count, &err) != WH_OK) {
      return wh_cli_fail(cli, &err);
    }
    fflush(stdout); // the plan stands above what is said of it
    wh_say(cli, "Wrote wherry.lock: %s %s. Keep it under version control.",
           wh_format_count(all.list->count).s,
           wh_plural(all.list->count, "column crosses", "columns cross"));
    if (all.unknown) {
      wh_say(cli,
             "Not in it: %.*s, whose columns are not known yet. When they are, once more: "
             "wherry plan --lock",
             WH_STR_ARG(all.unknown->name));
    }
  }
  if (!cli->json) fflush(stdout);
  wh_say(cli, "Nothing was moved.");
  if (all.fit) wh_say_next(cli, "wherry run");
  return all.fit ? WH_EXIT_DONE : WH_EXIT_FAILED;
}

const wh_command wh_cmd_plan = {
    .name = "plan",
    .usage = "[PIPELINE...]",
    .help = "show what would happen: what crosses, what stays, how exact, the target",
    .more = "Reads a sample of the source and looks at the target; moves and changes nothing.",
    .example = "wherry plan --lock",
    .flags = flags,
    .words_max = WH_ARGS_MAX,
    .completes = "pipeline",
    .run = plan,
};
