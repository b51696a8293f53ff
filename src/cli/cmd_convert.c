#include "cli/cli.h"
#include "cli/format.h"
#include "cli/progress.h"
#include "engine/convert.h"

#include <limits.h>
#include <stdlib.h>

enum { MEMORY_DEFAULT = 64 << 20, MEMORY_LEAST = 16 << 20 };

static const wh_flag flags[] = {
    {"--read", "OPTION=VALUE",
     "an option of the format that is read, such as delimiter=';'; repeat"},
    {"--write", "OPTION=VALUE", "an option of the one that is written, such as compression=zstd"},
    {"--memory", "SIZE", "what it may take, 64MiB unless said otherwise"},
    {"--force", NULL, "replace OUT, and OUT.rejected.ndjson, where they are there"},
    {0},
};

// What the flag was given, all times, as a YAML map. A value that begins a list or a map is taken
// as one.
static wh_exit gather(wh_cli *cli, const wh_args *args, const char *flag, wh_buf *yaml) {
  for (size_t i = 0; i < args->flag_count; i++) {
    if (strcmp(args->flags[i].flag->name, flag) != 0) continue;
    wh_str text = wh_str_of(args->flags[i].value);
    size_t equals = wh_str_find(text, 0, '=');
    if (equals == 0 || equals == text.len) {
      return wh_cli_usage(cli, "%s takes option=value, not '%.*s'", flag, WH_STR_ARG(text));
    }
    for (size_t j = 0; j < i; j++) {
      const char *before = args->flags[j].value;
      if (strcmp(args->flags[j].flag->name, flag) == 0 &&
          strncmp(before, text.data, equals + 1) == 0) // with the '='
        return wh_cli_usage(cli, "%s %.*s is given twice", flag, (int)equals, text.data);
    }
    wh_str value = wh_str_sub(text, equals + 1, text.len);
    wh_buf_add_json(yaml, wh_str_sub(text, 0, equals));
    wh_buf_add_c(yaml, ": ");
    if (value.len && (value.data[0] == '[' || value.data[0] == '{'))
      wh_buf_add(yaml, value.data, value.len);
    else
      wh_buf_add_json(yaml, value);
    wh_buf_add_char(yaml, '\n');
  }
  return WH_EXIT_DONE;
}

static wh_exit read_format(wh_cli *cli, const wh_args *args, bool reads, wh_format *ret) {
  WH_CLEAN_BUF wh_buf yaml;
  wh_buf_init(&yaml, &cli->mem, 0);
  wh_exit exit = gather(cli, args, reads ? "--read" : "--write", &yaml);
  if (exit != WH_EXIT_DONE) return exit;
  wh_error err = {0};
  wh_status status = wh_buf_check(&yaml, &err);
  if (status == WH_OK) {
    status = wh_format_parse(wh_buf_str(&yaml), reads, args->words[reads ? 0 : 1], &cli->arena, ret,
                             &err);
  }
  return status == WH_OK ? WH_EXIT_DONE : wh_cli_fail(cli, &err);
}

static wh_exit fail_memory(wh_cli *cli) {
  wh_error err = {0};
  WH_IGNORE(wh_fail_memory(&err));
  return wh_cli_fail(cli, &err);
}

// A configuration of nothing but how much memory there is, and where state may spill.
static wh_exit make_config(wh_cli *cli, const wh_args *args, const char *out, wh_config *config) {
  const char *memory = wh_args_value(args, "--memory");
  config->memory_bytes = MEMORY_DEFAULT;
  if (memory && (!wh_parse_size(wh_str_of(memory), &config->memory_bytes) ||
                 config->memory_bytes < MEMORY_LEAST)) {
    return wh_cli_usage(cli, "--memory needs a size from %s on, not '%s'",
                        wh_format_bytes(MEMORY_LEAST).s, memory);
  }
  char *folder = wh_path_folder(&cli->arena, out);
  if (!folder) return fail_memory(cli);
  config->state_folder = wh_str_of(folder);
  cli->mem.limit = wh_engine_memory_limit(config);
  cli->engine = (wh_engine){.os = &cli->os.base,
                            .mem = &cli->mem,
                            .config = config,
                            .stop = &cli->stop,
                            .wake_fd = cli->wake_fd};
  return WH_EXIT_DONE;
}

static void print_result(wh_cli *cli, const wh_convert *request, const wh_converted *done,
                         int64_t elapsed_us) {
  const wh_counts *n = &done->counts;
  if (cli->json) {
    WH_CLEAN_BUF wh_buf line;
    wh_buf_init(&line, &cli->mem, 0);
    wh_buf_add_c(&line, "{\"in\":");
    wh_buf_add_json(&line, wh_str_of(request->in));
    wh_buf_add_c(&line, ",\"out\":");
    wh_buf_add_json(&line, wh_str_of(request->out));
    wh_buf_printf(&line,
                  ",\"seconds\":%.3f,\"bytes_read\":%llu,\"bytes_written\":%llu,"
                  "\"rows_read\":%llu,\"rows_written\":%llu,\"rows_quarantined\":%llu",
                  (double)elapsed_us / 1e6, (unsigned long long)done->bytes_read,
                  (unsigned long long)done->bytes_written, (unsigned long long)n->read,
                  (unsigned long long)n->written, (unsigned long long)n->quarantined);
    if (done->rejects.len) {
      wh_buf_add_c(&line, ",\"rejected\":");
      wh_buf_add_json(&line, done->rejects);
    }
    if (done->found.len) {
      wh_buf_add_c(&line, ",\"format\":");
      wh_buf_add_json(&line, done->found);
    }
    wh_buf_add_c(&line, ",\"schema\":");
    wh_schema_write_json(&done->schema, &line);
    wh_buf_add_char(&line, '}');
    if (!line.failed) wh_print_json(&line);
    return;
  }
  wh_say(cli, "%s   %s %s   %s -> %s   %s", request->out, wh_format_count(n->written).s,
         wh_plural(n->written, "row", "rows"), wh_format_bytes(done->bytes_read).s,
         wh_format_bytes(done->bytes_written).s, wh_format_seconds(elapsed_us).s);
  if (done->found.len) wh_say(cli, "It was read as %.*s.", WH_STR_ARG(done->found));
  if (n->quarantined) {
    wh_say(cli, "%s %s rejected. Why: %.*s", wh_format_count(n->quarantined).s,
           wh_plural(n->quarantined, "row was", "rows were"), WH_STR_ARG(done->rejects));
  }
}

static wh_exit convert(wh_cli *cli, const wh_args *args) {
  wh_convert request = {.replace = wh_args_has(args, "--force")};
  wh_exit exit = read_format(cli, args, true, &request.read);
  if (exit == WH_EXIT_DONE) exit = read_format(cli, args, false, &request.write);
  if (exit != WH_EXIT_DONE) return exit;
  char in[PATH_MAX]; // what a link leads to
  const char *in_as_written = wh_arena_cstr(&cli->arena, args->words[0]);
  request.in = in_as_written && realpath(in_as_written, in) ? in : in_as_written;
  request.out = wh_arena_cstr(&cli->arena, args->words[1]);
  wh_error err = {0};
  if (!request.in || !request.out) return fail_memory(cli);
  static wh_config config;
  exit = make_config(cli, args, request.out, &config);
  if (exit != WH_EXIT_DONE) return exit;
  wh_progress_view view = {0};
  cli->config = &config;
  wh_progress_init(&view, cli);
  cli->config = NULL;
  cli->engine.watcher = wh_progress_watcher(&view);
  wh_os *os = &cli->os.base;
  int64_t start = os->type->monotonic_ns(os);
  wh_converted done;
  wh_status status = wh_engine_convert(&cli->engine, &request, &cli->arena, &done, &err);
  wh_progress_end(&view);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  print_result(cli, &request, &done, (os->type->monotonic_ns(os) - start) / 1000);
  return done.counts.quarantined ? WH_EXIT_QUARANTINED : WH_EXIT_DONE;
}

const wh_command wh_cmd_convert = {
    .name = "convert",
    .usage = "IN OUT",
    .help = "one file to another format, by their names, the way a run does it",
    .more =
        "Needs no project. Types are inferred from IN, checked for every row, and widened where a "
        "later value needs it. Rows that are wrong go to OUT.rejected.ndjson, each with its "
        "reason and place, and the exit status is 3. OUT appears whole or not at all. The "
        "options of each format are in the reference under codecs; `type` among them names the "
        "format where the ending does not.",
    .example = "wherry convert orders.csv orders.parquet --write compression=zstd",
    .flags = flags,
    .words_min = 2,
    .words_max = 2,
    .completes = "file",
    .run = convert,
};
