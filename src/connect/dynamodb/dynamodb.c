#include "connect/dynamodb/table.h"

static const char *const nulls_choices[] = {
    [WH_DYNAMODB_NULLS_WRITE] = "write", [WH_DYNAMODB_NULLS_OMIT] = "leave_out", NULL};

#define AT(member) offsetof(wh_dynamodb_options, member)
static const wh_option options[] = {
    WH_AWS_PLACE_OPTIONS(wh_dynamodb_options),
    {.name = "marks",
     .type = WH_OPTION_TEXT,
     .offset = AT(marks),
     .def = "_wherry_marks",
     .help = "the table that says what is loaded; a sink creates it when it is missing"},
    {.name = "ttl",
     .type = WH_OPTION_TEXT,
     .offset = AT(ttl),
     .help = "a column that says when an item expires: written in seconds since 1970, and made the "
             "TTL attribute of tables that are created"},
    {.name = "sets",
     .type = WH_OPTION_LIST,
     .offset = AT(sets),
     .help = "columns whose lists are written as sets (SS, NS, BS)"},
    {.name = "nulls",
     .type = WH_OPTION_ENUM,
     .offset = AT(nulls),
     .def = "write",
     .choices = nulls_choices,
     .help = "what a sink makes of NULL: an attribute of the type NULL, or none"},
    {.name = "read_capacity",
     .type = WH_OPTION_INT,
     .offset = AT(read_capacity),
     .def = "0",
     .min = 0,
     .max = -1,
     .help = "provisioned reads a second of tables that are created; 0: on demand"},
    {.name = "write_capacity",
     .type = WH_OPTION_INT,
     .offset = AT(write_capacity),
     .def = "0",
     .min = 0,
     .max = -1,
     .help = "provisioned writes a second of tables that are created; 0: on demand"},
    {.name = "segments",
     .type = WH_OPTION_INT,
     .offset = AT(segments),
     .def = "4",
     .min = 1,
     .max = WH_DYNAMODB_SEGMENTS_MAX,
     .help = "parts of a table that a source reads side by side"},
    {0},
};

static wh_status check(const void *given, wh_error *err) {
  const wh_dynamodb_options *o = given;
  if (!o->read_capacity != !o->write_capacity)
    return wh_fail(err, WH_ERR_USAGE,
                   "read_capacity and write_capacity go together; without both, tables are on "
                   "demand");
  return WH_OK;
}

wh_status wh_dynamodb_open(wh_connection *c, wh_error *err) {
  const wh_dynamodb_options *o = c->options;
  wh_aws *aws;
  WH_TRY(wh_aws_place_open(c, &o->place, NULL, "dynamodb", &aws, err));
  c->own = aws;
  return WH_OK;
}

void wh_dynamodb_close(wh_connection *c) {
  wh_aws_free(c->own);
  c->own = NULL;
}

static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  WH_CLEAN_CLIENT wh_aws_client *client = NULL;
  WH_CLEAN_ARENA wh_arena arena;
  wh_str *names;
  size_t count;
  wh_arena_init(&arena, c->mem);
  WH_TRY(wh_dynamodb_take(c, &client, err));
  WH_TRY(wh_dynamodb_list(c, client, &arena, &names, &count, err));
  wh_buf_printf(ret_note, "%zu %s in %.*s at %.*s", count, count == 1 ? "table" : "tables",
                WH_STR_ARG(wh_aws_region_of(c->own)), WH_STR_ARG(wh_aws_endpoint_of(c->own)));
  return wh_buf_check(ret_note, err);
}

static wh_status cloud(const wh_connection *c, wh_arena *arena, wh_cloud_place *ret,
                       wh_error *err) {
  (void)arena, (void)err;
  const wh_dynamodb_options *o = c->options;
  *ret = (wh_cloud_place){.kind = WH_CLOUD_TABLES,
                          .endpoint = o->place.endpoint,
                          .region = o->place.region,
                          .marks = o->marks,
                          .ttl = o->ttl,
                          .read_capacity = o->read_capacity,
                          .write_capacity = o->write_capacity,
                          .key_kind = wh_dynamodb_key_kind};
  return WH_OK;
}

const wh_connector wh_connector_dynamodb = {
    .name = "dynamodb",
    .help = "tables of Amazon DynamoDB, as a source and as a sink",
    .options = options,
    .options_size = sizeof(wh_dynamodb_options),
    .source = &wh_dynamodb_source,
    .sink = &wh_dynamodb_sink,
    .check = check,
    .open = wh_dynamodb_open,
    .close = wh_dynamodb_close,
    .reach = reach,
    .permits = wh_dynamodb_permits,
    .cloud = cloud,
    .reserve_bytes = WH_DYNAMODB_LIBRARY_BYTES,
};
