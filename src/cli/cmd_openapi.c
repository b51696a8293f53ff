#include "cli/cli.h"
#include "serve/openapi.h"

static wh_status make(wh_cli *cli, wh_config *config, json_t **ret, wh_error *err) {
  const wh_serve *serve = &config->serve;
  if (!serve->lookup_count && !serve->ingest_count)
    return wh_fail(err, WH_ERR_USAGE,
                   "there is nothing to document: `serve` has neither lookups nor ingest");
  wh_str base = wh_openapi_base(serve, serve->listen, &cli->arena);
  if (!base.data) return wh_fail_memory(err);
  return wh_openapi_make(config, base, base, &cli->mem, ret, err);
}

static wh_exit openapi(wh_cli *cli, const wh_args *args) {
  (void)args;
  wh_error err = {0};
  wh_config *config = wh_cli_config(cli);
  if (!config) return WH_EXIT_USAGE;
  WH_CLEAN_JSON json_t *document = NULL;
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &cli->mem, 0);
  if (make(cli, config, &document, &err) != WH_OK) return wh_cli_fail(cli, &err);
  wh_openapi_write(document, &out);
  if (wh_buf_check(&out, &err) != WH_OK) return wh_cli_fail(cli, &err);
  fwrite(out.data, 1, out.len, stdout);
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_openapi = {
    .name = "openapi",
    .usage = "",
    .help = "print the OpenAPI document of what `serve` answers",
    .more = "OpenAPI 3.1, made from the configuration alone: endpoints for events, lookups and "
            "receipts, who may use them, what is sent and answered, and examples to paste. No "
            "secret is read. The service itself has it at /openapi.json, and as a page at /docs; "
            "see docs/guide/openapi.md.",
    .example = "wherry openapi > openapi.json",
    .run = openapi,
};
