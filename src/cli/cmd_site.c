// Sites by hand: published, listed, brought back. None of it needs the ledger.
#include "cli/site.h"

#include "cli/address.h"
#include "cli/dataset.h"
#include "cli/format.h"
#include "cli/progress.h"
#include "engine/site.h"

#include <inttypes.h>

static const wh_flag flags[] = {
    {"--dry-run", NULL, "only list the files that differ"},
    {"--replace", NULL, "replace pages that are there already and are not Wherry's"},
    {0},
};

static wh_engine *make_engine(wh_cli *cli) {
  cli->mem.limit = wh_engine_memory_limit(cli->config);
  cli->engine = (wh_engine){.os = &cli->os.base,
                            .mem = &cli->mem,
                            .config = cli->config,
                            .stop = &cli->stop,
                            .wake_fd = cli->wake_fd};
  return &cli->engine;
}

// --- publishing ----------------------------------------------------------------------------------

typedef struct telling {
  wh_cli *cli;
  const wh_site *site;
} telling;

static void tell_change(void *context, wh_site_change change, const wh_site_file *file) {
  const telling *t = context;
  if (!t->cli->json) {
    printf("%-8s %10s  %.*s\n", wh_site_change_name(change), wh_format_bytes(file->bytes).s,
           WH_STR_ARG(file->path));
    return;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &t->cli->mem, 0);
  wh_buf_add_c(&line, "{\"site\":");
  wh_buf_add_json(&line, t->site->name);
  wh_buf_printf(&line, ",\"change\":\"%s\",\"path\":", wh_site_change_name(change));
  wh_buf_add_json(&line, file->path);
  wh_buf_printf(&line, ",\"bytes\":%" PRIu64 ",\"type\":", file->bytes);
  wh_buf_add_json(&line, file->type);
  wh_buf_add_char(&line, '}');
  if (!line.failed) wh_print_json(&line);
}

static void print_done(wh_cli *cli, const wh_site *site, const wh_site_done *d, bool dry,
                       int64_t elapsed_us) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"site\":");
  wh_buf_add_json(&line, site->name);
  wh_buf_printf(&line,
                ",\"version\":%" PRIu64 ",\"of\":%" PRIu64 ",\"new\":%s,\"dry_run\":%s,"
                "\"files\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"added\":%" PRIu64
                ",\"changed\":%" PRIu64 ",\"gone\":%" PRIu64 ",\"hidden\":%" PRIu64
                ",\"sent\":%" PRIu64 ",\"sent_bytes\":%" PRIu64 ",\"versions_removed\":%" PRIu64
                ",\"seconds\":%.3f}",
                d->version, d->of, d->is_new ? "true" : "false", dry ? "true" : "false", d->files,
                d->bytes, d->added, d->changed, d->gone, d->hidden, d->sent, d->sent_bytes,
                d->removed, (double)elapsed_us / 1e6);
  if (!line.failed) wh_print_json(&line);
}

static void say_done(wh_cli *cli, const wh_site *site, const wh_site_done *d, bool dry,
                     int64_t elapsed_us) {
  if (!d->is_new)
    wh_say(cli, "%.*s   version %" PRIu64 " has these %s files already", WH_STR_ARG(site->name),
           d->version, wh_format_count(d->files).s);
  else if (dry)
    wh_say(cli, "%.*s   would be version %" PRIu64 ": %s %s, %s; %s added, %s changed, %s gone",
           WH_STR_ARG(site->name), d->version, wh_format_count(d->files).s,
           wh_plural(d->files, "file", "files"), wh_format_bytes(d->bytes).s,
           wh_format_count(d->added).s, wh_format_count(d->changed).s, wh_format_count(d->gone).s);
  else
    wh_say(cli, "%.*s -> %.*s   version %" PRIu64 "   %s %s   %s sent   %s", WH_STR_ARG(site->name),
           WH_STR_ARG(site->to.node->text), d->version, wh_format_count(d->files).s,
           wh_plural(d->files, "file", "files"), wh_format_bytes(d->sent_bytes).s,
           wh_format_seconds(elapsed_us).s);
  if (d->hidden)
    wh_say(cli, "%s %s with a dot and %s here.", wh_format_count(d->hidden).s,
           wh_plural(d->hidden, "name begins", "names begin"),
           wh_plural(d->hidden, "stays", "stay"));
}

static wh_status publish(wh_cli *cli, const wh_args *args, const wh_site *site, wh_error *err) {
  telling t = {cli, site};
  wh_site_request request = {.site = site,
                             .dry = wh_args_has(args, "--dry-run"),
                             .replace = wh_args_has(args, "--replace"),
                             .context = &t};
  if (request.dry) request.tell = tell_change;
  wh_progress_view view = {0};
  wh_progress_init(&view, cli);
  cli->engine.watcher = wh_progress_watcher(&view);
  wh_os *os = &cli->os.base;
  int64_t start_ns = os->type->monotonic_ns(os);
  wh_site_done done;
  wh_status status = wh_site_publish(&cli->engine, &request, &done, err);
  wh_progress_end(&view);
  fflush(stdout);
  WH_TRY(status);
  int64_t elapsed_us = (os->type->monotonic_ns(os) - start_ns) / 1000;
  if (cli->json)
    print_done(cli, site, &done, request.dry, elapsed_us);
  else
    say_done(cli, site, &done, request.dry, elapsed_us);
  return WH_OK;
}

static wh_exit run(wh_cli *cli, const wh_args *args) {
  const wh_config *config = wh_cli_config(cli);
  if (!config) return WH_EXIT_USAGE;
  wh_error err = {0};
  if (config->site_count == 0)
    return wh_cli_usage(cli,
                        "%s has no sites. Say what is published, and where: sites: { report: "
                        "{ from: report, to: web:report/ } }",
                        config->source.path);
  const wh_site *sites[WH_ARGS_MAX];
  for (size_t i = 0; i < args->count; i++)
    if (wh_config_find_site(config, args->words[i], &sites[i], &err) != WH_OK)
      return wh_cli_fail(cli, &err);
  make_engine(cli);
  size_t count = args->count ? args->count : config->site_count;
  for (size_t i = 0; i < count; i++)
    if (publish(cli, args, args->count ? sites[i] : &config->sites[i], &err) != WH_OK)
      return wh_cli_fail(cli, &err);
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_site = {
    .name = "site",
    .usage = "[SITE...]",
    .help = "publish folders of pages, each at once and whole",
    .more =
        "Without a name all that `sites` lists. The files of a version go to a folder of their "
        "own, and the page at the door is switched to it when they are all there: readers see the "
        "version before or this one. What did not change is not sent to a bucket again. "
        "Earlier versions: wherry versions and wherry rollback, with the site's place.",
    .example = "wherry site report",
    .flags = flags,
    .words_min = 0,
    .words_max = WH_ARGS_MAX,
    .completes = NULL,
    .run = run,
};

// --- versions ------------------------------------------------------------------------------------

const wh_site *wh_site_typed(const wh_cli *cli, wh_str word) {
  wh_typed_address a;
  if (wh_typed_address_read(cli, word, &a, NULL) != WH_OK) return NULL;
  return wh_config_site_at(cli->config, a.connection, a.thing);
}

static void print_version(wh_cli *cli, const wh_site_index *index, bool is_latest) {
  char what[48] = "";
  if (index->of) snprintf(what, sizeof what, "rollback of %" PRIu64, index->of);
  if (!cli->json) {
    printf("%6" PRIu64 "  %-19s  %6s %s  %10s  %-16s%s\n", index->version,
           wh_format_clock(index->created_us, wh_now_us(&cli->os.base)).s,
           wh_format_count(index->file_count).s, wh_plural(index->file_count, "file ", "files"),
           wh_format_bytes(index->bytes).s, what, is_latest ? "  now" : "");
    return;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_printf(&line,
                "{\"version\":%" PRIu64 ",\"of\":%" PRIu64 ",\"latest\":%s,\"files\":%zu,"
                "\"bytes\":%" PRIu64 ",\"created_us\":%" PRId64 ",\"folder\":",
                index->version, index->of, is_latest ? "true" : "false", index->file_count,
                index->bytes, index->created_us);
  wh_buf_add_json(&line, index->folder);
  wh_buf_add_char(&line, '}');
  if (!line.failed) wh_print_json(&line);
}

static wh_status list(wh_cli *cli, const wh_site *site, size_t *ret_count, wh_error *err) {
  uint64_t *versions;
  WH_TRY(wh_site_versions(&cli->engine, site, &cli->arena, &versions, ret_count, err));
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &cli->mem);
  for (size_t i = *ret_count; i-- > 0;) {
    wh_site_index index;
    wh_arena_reset(&arena);
    WH_TRY(wh_site_read(&cli->engine, site, versions[i], &arena, &index, err));
    print_version(cli, &index, i + 1 == *ret_count);
  }
  if (*ret_count) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND, "site %.*s: no version is published yet",
                 WH_STR_ARG(site->name));
}

wh_exit wh_site_list_versions(wh_cli *cli, const wh_site *site) {
  wh_error err = {0};
  size_t count = 0;
  make_engine(cli);
  wh_status status = list(cli, site, &count, &err);
  fflush(stdout);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  if (count > 1) wh_say_next(cli, "wherry rollback %.*s", WH_STR_ARG(site->to.node->text));
  return WH_EXIT_DONE;
}

wh_exit wh_site_bring_back(wh_cli *cli, const wh_site *site, const wh_args *args) {
  wh_error err = {0};
  uint64_t version;
  wh_site_done done;
  wh_status status = wh_version_typed(args, &version, &err);
  if (status == WH_OK) status = wh_site_rollback(make_engine(cli), site, version, &done, &err);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  if (cli->json) {
    print_done(cli, site, &done, false, 0);
  } else if (!done.is_new) {
    wh_say(cli, "%.*s shows version %" PRIu64 " already.", WH_STR_ARG(args->words[0]), done.of);
  } else {
    wh_say(cli, "%.*s shows the pages of version %" PRIu64 " again, as version %" PRIu64 ".",
           WH_STR_ARG(args->words[0]), done.of, done.version);
    wh_say_next(cli, "wherry versions %.*s", WH_STR_ARG(args->words[0]));
  }
  return WH_EXIT_DONE;
}
