#include "cli/address.h"

enum { CONNECTIONS_LOOKED_AT = 200 };

static wh_status no_connection(const wh_cli *cli, wh_str name, wh_error *err) {
  wh_str names[CONNECTIONS_LOOKED_AT];
  size_t count = wh_config_connection_count(cli->config);
  if (count > CONNECTIONS_LOOKED_AT) count = CONNECTIONS_LOOKED_AT;
  for (size_t i = 0; i < count; i++)
    names[i] = wh_config_connection_info(cli->config, i)->name;
  wh_str nearest = wh_str_nearest(name, names, count);
  return nearest.len ? wh_fail(err, WH_ERR_USAGE, "no connection '%.*s'. Did you mean '%.*s'?",
                               WH_STR_ARG(name), WH_STR_ARG(nearest))
                     : wh_fail(err, WH_ERR_USAGE, "no connection '%.*s' in %s", WH_STR_ARG(name),
                               cli->config->source.path);
}

wh_status wh_typed_address_read(const wh_cli *cli, wh_str word, wh_typed_address *ret,
                                wh_error *err) {
  size_t colon = wh_str_find(word, 0, ':');
  wh_typed_address address = {.connection = wh_str_sub(word, 0, colon)};
  if (colon < word.len) address.thing = wh_str_sub(word, colon + 1, word.len);
  if (address.connection.len == 0) {
    return wh_fail(err, WH_ERR_USAGE, "'%.*s' is no address: write connection:thing",
                   WH_STR_ARG(word));
  }
  address.info = wh_config_find_connection(cli->config, address.connection);
  if (!address.info || !address.info->type) return no_connection(cli, address.connection, err);
  *ret = address;
  return WH_OK;
}
