// Datasets by hand: which versions there are, an earlier one brought back, fewer files.
#include "cli/address.h"
#include "cli/dataset.h"
#include "cli/format.h"
#include "cli/site.h"
#include "engine/dataset.h"

static wh_status read_address(wh_cli *cli, wh_str word, wh_typed_address *ret, wh_error *err) {
  WH_TRY(wh_typed_address_read(cli, word, ret, err));
  if (!ret->info->type->store)
    return wh_fail(err, WH_ERR_USAGE, "%.*s holds tables; datasets are in stores of objects",
                   WH_STR_ARG(ret->connection));
  if (!wh_address_is_dataset(ret->thing))
    return wh_fail(err, WH_ERR_USAGE,
                   "'%.*s' is no dataset: the address of one ends in '/', such as "
                   "%.*s:mart/orders/",
                   WH_STR_ARG(word), WH_STR_ARG(ret->connection));
  return WH_OK;
}

static wh_status find(wh_cli *cli, wh_str word, const wh_pipeline **ret, wh_error *err) {
  wh_typed_address a;
  WH_TRY(read_address(cli, word, &a, err));
  wh_status status = wh_dataset_pipeline(cli->config, a.connection, a.thing, ret, err);
  if (status == WH_ERR_NOT_FOUND && err) err->status = WH_ERR_USAGE;
  return status == WH_ERR_NOT_FOUND ? WH_ERR_USAGE : status;
}

// --- versions ------------------------------------------------------------------------------------

static void print_version(const wh_cli *cli, const wh_dataset_index *index, bool is_latest,
                          int64_t now_us) {
  char what[48];
  int len = snprintf(what, sizeof what, "%s", wh_dataset_operation_name(index->operation));
  bool is_of = index->operation == WH_DATASET_COMPACT || index->operation == WH_DATASET_ROLLBACK;
  if (is_of && len > 0)
    snprintf(what + len, sizeof what - (size_t)len, " of %llu", (unsigned long long)index->of);
  printf("%6llu  %-19s  %12s %s  %5zu %s  %10s  %-16s%s\n", (unsigned long long)index->version,
         wh_format_clock(index->created_us, now_us).s, wh_format_count(index->rows).s,
         wh_plural(index->rows, "row ", "rows"), index->file_count,
         wh_plural(index->file_count, "file ", "files"), wh_format_bytes(index->bytes).s, what,
         is_latest ? "  now" : "");
  (void)cli;
}

static void print_version_json(wh_cli *cli, const wh_dataset_index *index, bool is_latest) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_printf(&line,
                "{\"version\":%llu,\"operation\":\"%s\",\"of\":%llu,\"latest\":%s,\"rows\":%llu,"
                "\"bytes\":%llu,\"files\":%zu,\"row_hash\":\"%016llx\",\"created_us\":%lld,"
                "\"run\":",
                (unsigned long long)index->version, wh_dataset_operation_name(index->operation),
                (unsigned long long)index->of, is_latest ? "true" : "false",
                (unsigned long long)index->rows, (unsigned long long)index->bytes,
                index->file_count, (unsigned long long)index->row_hash,
                (long long)index->created_us);
  wh_buf_add_json(&line, index->run);
  wh_buf_add_c(&line, ",\"pipeline\":");
  wh_buf_add_json(&line, index->pipeline);
  wh_buf_add_char(&line, '}');
  if (!line.failed) wh_print_json(&line);
}

static wh_status list(wh_cli *cli, const wh_typed_address *a, size_t *ret_count, wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_config_connect(cli->config, a->connection, &c, err));
  wh_dataset_version *versions;
  WH_TRY(wh_dataset_versions(c, a->thing, &cli->arena, &versions, ret_count, err));
  int64_t now_us = wh_now_us(&cli->os.base);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &cli->mem);
  for (size_t i = *ret_count; i-- > 0;) {
    wh_dataset_index index;
    wh_arena_reset(&arena);
    WH_TRY(wh_dataset_read(c, a->thing, versions[i].version, &arena, &index, err));
    bool is_latest = i + 1 == *ret_count;
    if (cli->json)
      print_version_json(cli, &index, is_latest);
    else
      print_version(cli, &index, is_latest, now_us);
  }
  return WH_OK;
}

wh_exit wh_dataset_list(wh_cli *cli, wh_str address) {
  wh_error err = {0};
  wh_typed_address a;
  size_t count = 0;
  wh_status status = read_address(cli, address, &a, &err);
  if (status == WH_OK) status = list(cli, &a, &count, &err);
  fflush(stdout);
  if (status == WH_OK && count == 0)
    status =
        wh_fail(&err, WH_ERR_NOT_FOUND, "%.*s: no version is published yet", WH_STR_ARG(address));
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  if (count > 1) wh_say_next(cli, "wherry rollback %.*s", WH_STR_ARG(address));
  return WH_EXIT_DONE;
}

wh_status wh_version_typed(const wh_args *args, uint64_t *ret, wh_error *err) {
  *ret = 0;
  if (args->count < 2 || (wh_str_to_u64(args->words[1], ret) && *ret > 0)) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "'%.*s' is no version. See: wherry versions %.*s",
                 WH_STR_ARG(args->words[1]), WH_STR_ARG(args->words[0]));
}

// --- rollback ------------------------------------------------------------------------------------

static void print_changed(wh_cli *cli, wh_str address, const wh_dataset_changed *done) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"dataset\":");
  wh_buf_add_json(&line, address);
  wh_buf_printf(&line,
                ",\"changed\":%s,\"version\":%llu,\"of\":%llu,\"files_before\":%llu,"
                "\"files\":%llu,\"rows\":%llu,\"bytes_written\":%llu}",
                done->version ? "true" : "false", (unsigned long long)done->version,
                (unsigned long long)done->of, (unsigned long long)done->files_before,
                (unsigned long long)done->files_after, (unsigned long long)done->rows,
                (unsigned long long)done->bytes);
  if (!line.failed) wh_print_json(&line);
}

static wh_exit rollback(wh_cli *cli, const wh_args *args) {
  if (!wh_cli_config(cli)) return WH_EXIT_USAGE;
  const wh_site *site = wh_site_typed(cli, args->words[0]);
  if (site) return wh_site_bring_back(cli, site, args);
  wh_engine *engine = wh_cli_engine(cli);
  if (!engine) return cli->refused;
  wh_error err = {0};
  wh_str address = args->words[0];
  uint64_t version = 0;
  const wh_pipeline *p;
  wh_dataset_changed done = {0};
  wh_status status = find(cli, address, &p, &err);
  if (status == WH_OK) status = wh_version_typed(args, &version, &err);
  if (status == WH_OK) status = wh_dataset_rollback(engine, p, version, &done, &err);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  if (cli->json) {
    print_changed(cli, address, &done);
  } else if (!done.version) {
    wh_say(cli, "%.*s shows version %llu already.", WH_STR_ARG(address),
           (unsigned long long)done.of);
  } else {
    wh_say(cli, "%.*s has the %s rows of version %llu again, as version %llu.%s",
           WH_STR_ARG(address), wh_format_count(done.rows).s, (unsigned long long)done.of,
           (unsigned long long)done.version,
           p->write.mode == WH_WRITE_APPEND
               ? " Rows that were added since come again only by wherry run --full, or --since."
               : " The next run publishes what it reads.");
    wh_say_next(cli, "wherry versions %.*s", WH_STR_ARG(address));
  }
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_rollback = {
    .name = "rollback",
    .usage = "ADDRESS [VERSION]",
    .help = "make an earlier version of a dataset or a site the present one",
    .more =
        "At once, and whole: the files of that version are published again as the newest one, as a "
        "run with a receipt. Without a version it is the one before the rows that are shown. Which "
        "there are: wherry versions. The place of a site shows the pages of that version again.",
    .example = "wherry rollback lake:mart/car_owners/",
    .words_min = 1,
    .words_max = 2,
    .completes = "address",
    .run = rollback,
};

// --- compact -------------------------------------------------------------------------------------

static wh_exit compact(wh_cli *cli, const wh_args *args) {
  wh_engine *engine = wh_cli_engine(cli);
  if (!engine) return cli->refused;
  wh_error err = {0};
  for (size_t i = 0; i < args->count; i++) {
    wh_str address = args->words[i];
    const wh_pipeline *p;
    wh_dataset_changed done;
    wh_status status = find(cli, address, &p, &err);
    if (status == WH_OK) status = wh_dataset_compact(engine, p, &done, &err);
    if (status != WH_OK) return wh_cli_fail(cli, &err);
    if (cli->json)
      print_changed(cli, address, &done);
    else if (done.version)
      wh_say(cli, "%.*s   %s %s became %s   %s written   version %llu", WH_STR_ARG(address),
             wh_format_count(done.files_before).s, wh_plural(done.files_before, "file", "files"),
             wh_format_count(done.files_after).s, wh_format_bytes(done.bytes).s,
             (unsigned long long)done.version);
    else
      wh_say(cli, "%.*s   %s %s, as they should be", WH_STR_ARG(address),
             wh_format_count(done.files_before).s, wh_plural(done.files_before, "file", "files"));
  }
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_compact = {
    .name = "compact",
    .usage = "ADDRESS...",
    .help = "make larger files of the small ones of a dataset, sorted where sort_by is said",
    .more =
        "Its rows stay the same, which their hash proves, and readers see the old files or the new "
        "ones. Files of less than half of write: file_size are small. Where there is nothing to do "
        "nothing is written, so it can run every night.",
    .example = "wherry compact lake:warehouse/orders/",
    .words_min = 1,
    .words_max = WH_ARGS_MAX,
    .completes = "address",
    .run = compact,
};
