#include "cli/address.h"
#include "cli/dataset.h"
#include "cli/format.h"
#include "cli/site.h"

// The connection of an address that names one object of a store that keeps versions.
static wh_status open_store(wh_cli *cli, wh_str word, wh_typed_address *ret, wh_connection **ret_c,
                            wh_error *err) {
  wh_typed_address a;
  WH_TRY(wh_typed_address_read(cli, word, &a, err));
  if (!a.info->type->store) {
    return wh_fail(err, WH_ERR_USAGE, "%.*s holds tables; only objects have versions",
                   WH_STR_ARG(a.connection));
  }
  if (!a.info->type->store->has_versions) {
    return wh_fail(err, WH_ERR_USAGE, "%.*s is %s, which keeps no versions",
                   WH_STR_ARG(a.connection), a.info->type->name);
  }
  if (!a.thing.len) {
    return wh_fail(err, WH_ERR_USAGE,
                   "name an object: %.*s:inbound/orders.json. See: wherry discover %.*s",
                   WH_STR_ARG(a.connection), WH_STR_ARG(a.connection));
  }
  WH_TRY(wh_key_check(a.thing, err));
  WH_TRY(wh_config_connect(cli->config, a.connection, ret_c, err));
  *ret = a;
  return WH_OK;
}

// --- versions ------------------------------------------------------------------------------------

typedef struct version_list {
  wh_cli *cli;
  int64_t now_us;
  uint64_t count;
} version_list;

static wh_status print_version(void *context, const wh_object *object, wh_error *err) {
  version_list *l = context;
  l->count++;
  if (!l->cli->json) {
    printf("%-19s  %10s  %-32.*s%s\n", wh_format_clock(object->modified_us, l->now_us).s,
           object->is_deleted ? "removed" : wh_format_bytes(object->size).s,
           WH_STR_ARG(object->version), object->is_latest ? "  now" : "");
    return WH_OK;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &l->cli->mem, 0);
  wh_buf_add_c(&line, "{\"version\":");
  wh_buf_add_json(&line, object->version);
  wh_buf_printf(&line, ",\"bytes\":%llu,\"modified_us\":%lld,\"latest\":%s,\"removed\":%s}",
                (unsigned long long)object->size, (long long)object->modified_us,
                object->is_latest ? "true" : "false", object->is_deleted ? "true" : "false");
  WH_TRY(wh_buf_check(&line, err));
  wh_print_json(&line);
  return WH_OK;
}

static wh_exit versions(wh_cli *cli, const wh_args *args) {
  if (!wh_cli_config(cli)) return WH_EXIT_USAGE;
  const wh_site *site = wh_site_typed(cli, args->words[0]);
  if (site) return wh_site_list_versions(cli, site);
  if (wh_address_is_dataset(args->words[0])) return wh_dataset_list(cli, args->words[0]);
  wh_error err = {0};
  wh_typed_address a;
  wh_connection *c;
  version_list list = {.cli = cli, .now_us = wh_now_us(&cli->os.base)};
  wh_status status = open_store(cli, args->words[0], &a, &c, &err);
  if (status == WH_OK) status = c->type->store->versions(c, a.thing, print_version, &list, &err);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  fflush(stdout);
  if (list.count == 0) {
    WH_IGNORE(wh_fail(&err, WH_ERR_NOT_FOUND,
                      "%.*s: no object '%.*s', and no earlier version of one",
                      WH_STR_ARG(a.connection), WH_STR_ARG(a.thing)));
    return wh_cli_fail(cli, &err);
  }
  if (list.count > 1) wh_say_next(cli, "wherry restore %.*s", WH_STR_ARG(args->words[0]));
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_versions = {
    .name = "versions",
    .usage = "ADDRESS",
    .help = "list the versions of an object, a dataset or a site, newest first",
    .more =
        "Earlier versions of an object are kept where a local store says versioning: true, and in "
        "a bucket that keeps versions. An address that ends in '/' is a dataset, of which "
        "write: keep says how many versions are kept, or the place of a site, whose keep says so.",
    .example = "wherry versions lake:mart/prices.json",
    .words_min = 1,
    .words_max = 1,
    .completes = "address",
    .run = versions,
};

// --- restore -------------------------------------------------------------------------------------

static const wh_flag restore_flags[] = {
    {"--version", "V", "this one; default: the newest before the present one"},
    {0},
};

typedef struct earlier {
  wh_arena *arena;
  wh_str version;
} earlier;

static wh_status keep_earlier(void *context, const wh_object *object, wh_error *err) {
  earlier *e = context;
  if (e->version.data || object->is_latest || object->is_deleted) return WH_OK;
  e->version = wh_arena_str(e->arena, object->version);
  return e->version.data ? WH_OK : wh_fail_memory(err);
}

static wh_status choose(wh_cli *cli, wh_connection *c, wh_str key, const char *given, wh_str *ret,
                        wh_error *err) {
  if (given) {
    *ret = wh_str_of(given);
    return WH_OK;
  }
  earlier e = {.arena = &cli->arena};
  WH_TRY(c->type->store->versions(c, key, keep_earlier, &e, err));
  if (!e.version.data) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: '%.*s' has no earlier version",
                   WH_STR_ARG(c->name), WH_STR_ARG(key));
  }
  *ret = e.version;
  return WH_OK;
}

static wh_exit restore(wh_cli *cli, const wh_args *args) {
  if (!wh_cli_config(cli)) return WH_EXIT_USAGE;
  wh_error err = {0};
  wh_typed_address a;
  wh_connection *c;
  wh_str version;
  wh_object now;
  wh_status status = open_store(cli, args->words[0], &a, &c, &err);
  if (status == WH_OK) {
    status = choose(cli, c, a.thing, wh_args_value(args, "--version"), &version, &err);
  }
  if (status == WH_OK) {
    status = c->type->store->restore(c, a.thing, version, &cli->arena, &now, &err);
  }
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  if (cli->json) {
    version_list list = {.cli = cli};
    now.is_latest = true;
    status = print_version(&list, &now, &err);
    return status == WH_OK ? WH_EXIT_DONE : wh_cli_fail(cli, &err);
  }
  wh_say(cli, "%.*s is version %.*s again, %s. The one it replaced is kept.",
         WH_STR_ARG(args->words[0]), WH_STR_ARG(version), wh_format_bytes(now.size).s);
  wh_say_next(cli, "wherry run");
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_restore = {
    .name = "restore",
    .usage = "ADDRESS",
    .help = "make an earlier version of an object the present one again",
    .more = "Nothing of its history is lost: the present version becomes an earlier one.",
    .example = "wherry restore lake:mart/prices.json",
    .flags = restore_flags,
    .words_min = 1,
    .words_max = 1,
    .completes = "address",
    .run = restore,
};
