#include "cli/cli.h"

static wh_exit schema(wh_cli *cli, const wh_args *args) {
  (void)args;
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &cli->mem, 0);
  wh_error err = {0};
  wh_config_schema_json(&out);
  if (wh_buf_check(&out, &err) != WH_OK) return wh_cli_fail(cli, &err);
  fwrite(out.data, 1, out.len, stdout);
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_schema = {
    .name = "schema",
    .usage = "",
    .help = "print the JSON Schema of the configuration, for editors",
    .more = "With the YAML language server, put this on the first line of wherry.yaml:\n"
            "# yaml-language-server: $schema=wherry.schema.json",
    .example = "wherry schema > wherry.schema.json",
    .run = schema,
};
