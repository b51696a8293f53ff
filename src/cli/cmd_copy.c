#include "cli/address.h"
#include "cli/format.h"
#include "cli/progress.h"
#include "engine/copy.h"

static const wh_flag flags[] = {
    {"--replace", NULL, "replace objects that are there and are others"},
    {"--verify", NULL, "read back what was written, or was there already, and compare checksums"},
    {"--parallel", "N", "objects on their way at once, 16 unless said otherwise"},
    {0},
};

static wh_status open_store(wh_cli *cli, wh_str word, wh_connection **ret, wh_str *ret_thing,
                            wh_error *err) {
  wh_typed_address a;
  WH_TRY(wh_typed_address_read(cli, word, &a, err));
  if (!a.info->type->store) {
    return wh_fail(err, WH_ERR_USAGE,
                   "%.*s holds tables. Rows go from table to table by a pipeline: wherry add",
                   WH_STR_ARG(a.connection));
  }
  *ret_thing = a.thing;
  return wh_config_connect(cli->config, a.connection, ret, err);
}

static wh_status read_request(wh_cli *cli, const wh_args *args, wh_copy *ret, wh_error *err) {
  ret->replace = wh_args_has(args, "--replace");
  ret->verify = wh_args_has(args, "--verify");
  const char *lanes = wh_args_value(args, "--parallel");
  uint64_t count = 0;
  if (lanes && (!wh_str_to_u64(wh_str_of(lanes), &count) || count < 1 || count > WH_COPY_LANES_MAX))
    return wh_fail(err, WH_ERR_USAGE, "--parallel takes 1 to %d, not '%s'", WH_COPY_LANES_MAX,
                   lanes);
  ret->lanes = (size_t)count;
  WH_TRY(open_store(cli, args->words[0], &ret->from, &ret->source, err));
  return open_store(cli, args->words[1], &ret->to, &ret->target, err);
}

static void show_trouble(void *context, const wh_error *err) {
  wh_progress_view *view = context;
  wh_progress_end(view);
  (void)wh_cli_fail(view->cli, err);
}

static void print_result(wh_cli *cli, const wh_args *args, const wh_copied *done,
                         int64_t elapsed_us) {
  if (cli->json) {
    WH_CLEAN_BUF wh_buf line;
    wh_buf_init(&line, &cli->mem, 0);
    wh_buf_printf(&line,
                  "{\"objects\":%llu,\"bytes\":%llu,\"present\":%llu,\"failed\":%llu,"
                  "\"stopped\":%s,\"seconds\":%.3f}",
                  (unsigned long long)done->objects, (unsigned long long)done->bytes,
                  (unsigned long long)done->present, (unsigned long long)done->failed,
                  done->stopped ? "true" : "false", (double)elapsed_us / 1e6);
    if (!line.failed) wh_print_json(&line);
    return;
  }
  wh_say(cli, "%.*s -> %.*s   %s %s   %s   %s", WH_STR_ARG(args->words[0]),
         WH_STR_ARG(args->words[1]), wh_format_count(done->objects).s,
         wh_plural(done->objects, "object", "objects"), wh_format_bytes(done->bytes).s,
         wh_format_seconds(elapsed_us).s);
  if (done->present)
    wh_say(cli, "%s %s there already.", wh_format_count(done->present).s,
           wh_plural(done->present, "object was", "objects were"));
  if (done->failed || done->stopped) {
    wh_say(cli, "%s not copied. Once more does what is left.",
           done->stopped       ? "Stopped; the rest was"
           : done->failed == 1 ? "One was"
                               : "Some were");
  }
}

static wh_exit copy(wh_cli *cli, const wh_args *args) {
  if (!wh_cli_config(cli)) return WH_EXIT_USAGE;
  wh_error err = {0};
  wh_copy request = {0};
  cli->mem.limit = wh_engine_memory_limit(cli->config);
  cli->engine = (wh_engine){.os = &cli->os.base,
                            .mem = &cli->mem,
                            .config = cli->config,
                            .stop = &cli->stop,
                            .wake_fd = cli->wake_fd};
  if (read_request(cli, args, &request, &err) != WH_OK) return wh_cli_fail(cli, &err);
  wh_progress_view view = {0};
  wh_progress_init(&view, cli);
  cli->engine.watcher = wh_progress_watcher(&view);
  wh_os *os = &cli->os.base;
  int64_t start = os->type->monotonic_ns(os);
  wh_copied done = {0};
  wh_status status = wh_engine_copy(&cli->engine, &request, show_trouble, &view, &done, &err);
  wh_progress_end(&view);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  print_result(cli, args, &done, (os->type->monotonic_ns(os) - start) / 1000);
  return done.failed ? WH_EXIT_FAILED : WH_EXIT_DONE;
}

const wh_command wh_cmd_copy = {
    .name = "copy",
    .usage = "FROM TO",
    .help = "objects from store to store, as they are",
    .more =
        "FROM is an object, a folder (\"lake:inbound/\") or a pattern; TO a folder, or the new "
        "name "
        "of one object. Many go at once, and each appears whole or not at all, with its manifest. "
        "What is there already, of the same size and not older, is passed over, so that a copy "
        "that "
        "was interrupted goes on. What is there and is another stays, and is told of, unless "
        "--replace says otherwise.",
    .example = "wherry copy lake:inbound/ archive:2026/",
    .flags = flags,
    .words_min = 2,
    .words_max = 2,
    .completes = "address",
    .run = copy,
};
