#include "cli/cli.h"
#include "cli/format.h"

enum { OBJECTS_SHOWN = 100 };

typedef struct discovery {
  wh_cli *cli;
  wh_str connection;
  uint64_t count, bytes;
} discovery;

static void write_table_json(const discovery *d, const wh_table_info *table, wh_buf *out) {
  wh_buf_add_c(out, "{\"table\":");
  wh_buf_add_json(out, table->name);
  if (table->rows != WH_SIZE_UNKNOWN)
    wh_buf_printf(out, ",\"rows\":%llu", (unsigned long long)table->rows);
  wh_buf_add_c(out, ",\"key\":[");
  for (size_t i = 0; i < table->key_count; i++) {
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, table->key[i]);
  }
  wh_buf_add_c(out, "],\"columns\":");
  wh_schema_write_json(&table->schema, out);
  wh_buf_add_char(out, '}');
  (void)d;
}

static bool is_key(const wh_table_info *table, wh_str column) {
  for (size_t i = 0; i < table->key_count; i++) {
    if (wh_str_eq(table->key[i], column)) return true;
  }
  return false;
}

static wh_status show_table(void *context, const wh_table_info *table, wh_error *err) {
  discovery *d = context;
  d->count++;
  if (d->cli->json) {
    WH_CLEAN_BUF wh_buf line;
    wh_buf_init(&line, &d->cli->mem, 0);
    write_table_json(d, table, &line);
    WH_TRY(wh_buf_check(&line, err));
    wh_print_json(&line);
    return WH_OK;
  }
  printf("%.*s:%.*s", WH_STR_ARG(d->connection), WH_STR_ARG(table->name));
  if (table->rows != WH_SIZE_UNKNOWN) printf("   %s rows", wh_format_count(table->rows).s);
  putchar('\n');
  for (size_t i = 0; i < table->schema.count; i++) {
    const wh_field *f = &table->schema.fields[i];
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &d->cli->mem);
    wh_str type = wh_type_friendly(&f->type, &arena);
    printf("  %-28.*s  %-14.*s%s%s\n", WH_STR_ARG(f->name), WH_STR_ARG(type),
           f->nullable ? "" : " not null", is_key(table, f->name) ? "  key" : "");
  }
  return WH_OK;
}

static wh_status show_object(void *context, const wh_object *object, wh_error *err) {
  discovery *d = context;
  d->bytes += object->size;
  if (d->count++ >= OBJECTS_SHOWN && !d->cli->json) return WH_OK;
  if (!d->cli->json) {
    printf("%.*s:%.*s   %s\n", WH_STR_ARG(d->connection), WH_STR_ARG(object->key),
           wh_format_bytes(object->size).s);
    return WH_OK;
  }
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &d->cli->mem, 0);
  wh_buf_add_c(&line, "{\"object\":");
  wh_buf_add_json(&line, object->key);
  wh_buf_printf(&line, ",\"bytes\":%llu,\"version\":", (unsigned long long)object->size);
  wh_buf_add_json(&line, object->version);
  wh_buf_add_char(&line, '}');
  WH_TRY(wh_buf_check(&line, err));
  wh_print_json(&line);
  return WH_OK;
}

static wh_exit discover(wh_cli *cli, const wh_args *args) {
  wh_config *config = wh_cli_config(cli);
  if (!config) return WH_EXIT_USAGE;
  wh_error err = {0};
  wh_connection *c;
  if (wh_config_connect(config, args->words[0], &c, &err) != WH_OK) return wh_cli_fail(cli, &err);
  if (!c->type->source && !c->type->store) {
    WH_IGNORE(wh_fail(&err, WH_ERR_USAGE, "%.*s holds nothing that can be listed: it is of type %s",
                      WH_STR_ARG(c->name), c->type->name));
    return wh_cli_fail(cli, &err);
  }
  discovery d = {.cli = cli, .connection = args->words[0]};
  wh_status status;
  if (c->type->source) {
    status = c->type->source->discover(c, &cli->arena, show_table, &d, &err);
  } else {
    status = c->type->store->list(c, (wh_str){0}, show_object, &d, &err);
    if (status == WH_OK && d.count > OBJECTS_SHOWN) {
      wh_say(cli, "... and %s more", wh_format_count(d.count - OBJECTS_SHOWN).s);
    }
    if (status == WH_OK) {
      wh_say(cli, "%s %s, %s", wh_format_count(d.count).s, wh_plural(d.count, "object", "objects"),
             wh_format_bytes(d.bytes).s);
    }
  }
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  if (c->type->source && d.count) {
    wh_say_next(cli, "wherry add %.*s:TABLE CONNECTION:THING", WH_STR_ARG(d.connection));
  } else if (d.count == 0) {
    wh_say(cli, "%.*s is empty.", WH_STR_ARG(d.connection));
  }
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_discover = {
    .name = "discover",
    .usage = "CONNECTION",
    .help = "list its tables or objects, with columns, types and sizes",
    .example = "wherry discover erp",
    .words_min = 1,
    .words_max = 1,
    .completes = "connection",
    .run = discover,
};
