// Connectors and a step list for tests of config/ that must not change when real ones do. Include
// it in one file of a program: its definitions take the place of connect/registry.c.
#pragma once

#include "connect/connect.h"

typedef struct fake_database_options {
  wh_str path;
} fake_database_options;

typedef struct fake_store_options {
  wh_str path, encryption_key;
  bool versioning;
} fake_store_options;

typedef struct fake_server_options {
  wh_str host, database, user, password;
  int64_t port;
  int tls;
} fake_server_options;

static const wh_option fake_database_table[] = {{.name = "path",
                                                 .type = WH_OPTION_PATH,
                                                 .offset = offsetof(fake_database_options, path),
                                                 .required = true,
                                                 .help = "the database file"},
                                                {0}};

static const wh_option fake_store_table[] = {
    {.name = "path",
     .type = WH_OPTION_PATH,
     .offset = offsetof(fake_store_options, path),
     .required = true,
     .help = "folder that holds the objects"},
    {.name = "versioning",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(fake_store_options, versioning),
     .help = "keep earlier versions"},
    {.name = "encryption_key",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(fake_store_options, encryption_key),
     .secret = true,
     .help = "key that objects are encrypted with"},
    {0}};

static const char *const fake_tls_choices[] = {"verify", "require", "off", NULL};

static const wh_option fake_server_table[] = {{.name = "host",
                                               .type = WH_OPTION_TEXT,
                                               .offset = offsetof(fake_server_options, host),
                                               .required = true,
                                               .help = "name or address of the server"},
                                              {.name = "port",
                                               .type = WH_OPTION_INT,
                                               .offset = offsetof(fake_server_options, port),
                                               .def = "5432",
                                               .min = 1,
                                               .max = 65535,
                                               .help = "port of the server"},
                                              {.name = "database",
                                               .type = WH_OPTION_TEXT,
                                               .offset = offsetof(fake_server_options, database),
                                               .help = "name of the database"},
                                              {.name = "user",
                                               .type = WH_OPTION_TEXT,
                                               .offset = offsetof(fake_server_options, user),
                                               .help = "who logs in"},
                                              {.name = "password",
                                               .type = WH_OPTION_TEXT,
                                               .offset = offsetof(fake_server_options, password),
                                               .secret = true,
                                               .help = "of the user"},
                                              {.name = "tls",
                                               .type = WH_OPTION_ENUM,
                                               .offset = offsetof(fake_server_options, tls),
                                               .choices = fake_tls_choices,
                                               .def = "verify",
                                               .help = "how connections are encrypted"},
                                              {0}};

static const wh_option fake_bare_table[] = {{0}};

static wh_status fake_open_finder(wh_connection *c, wh_str table, const wh_str *key,
                                  size_t key_count, const wh_str *show, size_t show_count,
                                  wh_finder **ret, wh_error *err) {
  (void)c, (void)table, (void)key, (void)key_count, (void)show, (void)show_count, (void)ret;
  return wh_fail(err, WH_ERR_UNAVAILABLE, "there is no such place");
}

static wh_status fake_server_check(const void *options, wh_error *err) {
  const fake_server_options *o = options;
  if (!o->password.len || o->user.len) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "a password needs a user");
}

static wh_status fake_extremes(wh_connection *c, wh_str table, wh_str column, wh_arena *arena,
                               wh_str *ret, wh_error *err) {
  (void)c, (void)table, (void)column, (void)arena, (void)ret;
  return wh_fail(err, WH_ERR_BUG, "not called");
}

static const wh_source_type fake_source = {.open_finder = fake_open_finder,
                                           .extremes = fake_extremes};
static const wh_source_type fake_plain_source = {.open_finder = fake_open_finder};
static const wh_sink_type fake_sink = {.exact = true};
static const wh_store_type fake_store = {.has_versions = true};

static const wh_connector fake_database = {.name = "sqlite",
                                           .help = "a database in one file",
                                           .options = fake_database_table,
                                           .options_size = sizeof(fake_database_options),
                                           .source = &fake_source,
                                           .sink = &fake_sink};
static const wh_connector fake_local = {.name = "local",
                                        .help = "objects in a folder",
                                        .options = fake_store_table,
                                        .options_size = sizeof(fake_store_options),
                                        .store = &fake_store};
static const wh_connector fake_server = {.name = "server",
                                         .help = "a database behind a network",
                                         .options = fake_server_table,
                                         .options_size = sizeof(fake_server_options),
                                         .source = &fake_source,
                                         .sink = &fake_sink,
                                         .check = fake_server_check,
                                         .reserve_bytes = 16u << 20};
static const wh_connector fake_feed = {.name = "feed",
                                       .help = "a source alone",
                                       .options = fake_bare_table,
                                       .source = &fake_plain_source};
static const wh_connector fake_drain = {
    .name = "drain", .help = "a sink alone", .options = fake_bare_table, .sink = &fake_sink};

const wh_connector *const wh_connectors[] = {&fake_database, &fake_local, &fake_server,
                                             &fake_feed,     &fake_drain, NULL};

const wh_connector *wh_connector_by_name(wh_str name) {
  for (size_t i = 0; wh_connectors[i]; i++)
    if (wh_str_is(name, wh_connectors[i]->name)) return wh_connectors[i];
  return NULL;
}
