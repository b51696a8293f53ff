#include "connect/dynamodb/ledger_place.h"

#include "connect/dynamodb/table.h"

#define AT(member) offsetof(wh_dynamodb_ledger_options, member)
static const wh_option options[] = {
    WH_AWS_PLACE_OPTIONS(wh_dynamodb_ledger_options),
    {.name = "table",
     .type = WH_OPTION_TEXT,
     .offset = AT(table),
     .required = true,
     .help = "the table, of ledgers alone; created when it is missing"},
    {.name = "ledger",
     .type = WH_OPTION_TEXT,
     .offset = AT(ledger),
     .def = "wherry",
     .help = "the ledger's name, where several are in one table"},
    {0},
};

static wh_status check(const void *given, wh_error *err) {
  const wh_dynamodb_ledger_options *o = given;
  if (o->ledger.len && o->ledger.len <= WH_DYNAMODB_HASH_BYTES_MAX) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "ledger: a name of 1 to %d bytes", WH_DYNAMODB_HASH_BYTES_MAX);
}

static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  const wh_dynamodb_ledger_options *o = c->options;
  WH_CLEAN_CLIENT wh_aws_client *client = NULL;
  WH_CLEAN_ARENA wh_arena arena;
  wh_dynamodb_table table;
  bool exists;
  wh_arena_init(&arena, c->mem);
  WH_TRY(wh_dynamodb_take(c, &client, err));
  WH_TRY(wh_dynamodb_describe(c, client, o->table, &arena, &exists, &table, err));
  if (exists && (!wh_str_is(table.hash.name, "ledger") || !wh_str_is(table.range.name, "part")))
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: table %.*s is not a ledger's: its key is not ledger (S) and part (N)",
                   WH_STR_ARG(c->name), WH_STR_ARG(o->table));
  wh_buf_printf(ret_note, "table %.*s in %.*s at %.*s%s", WH_STR_ARG(o->table),
                WH_STR_ARG(wh_aws_region_of(c->own)), WH_STR_ARG(wh_aws_endpoint_of(c->own)),
                exists ? "" : "; it will be created");
  return wh_buf_check(ret_note, err);
}

const wh_connector wh_dynamodb_ledger_place = {
    .name = "dynamodb",
    .help = "a ledger in a table of Amazon DynamoDB",
    .options = options,
    .options_size = sizeof(wh_dynamodb_ledger_options),
    .check = check,
    .open = wh_dynamodb_open,
    .close = wh_dynamodb_close,
    .reach = reach,
    .reserve_bytes = WH_DYNAMODB_LIBRARY_BYTES,
};
