#include "cli/add.h"

#include "cli/format.h"

static const wh_flag flags[] = {
    {"--name", "NAME", "of the pipeline; default: made from what it carries and where to"},
    {0},
};

// --- what the source has -------------------------------------------------------------------------

static bool is_key(const wh_new_pipeline *p, wh_str column) {
  for (size_t i = 0; i < p->key_count; i++) {
    if (wh_str_eq(p->key[i], column)) return true;
  }
  return false;
}

static wh_status take_columns(wh_new_pipeline *p, const wh_field *fields, size_t count,
                              wh_arena *arena, wh_error *err) {
  wh_new_column *columns = WH_NEW_ARRAY(arena, count, wh_new_column);
  if (!columns) return wh_fail_memory(err);
  size_t staying = 0;
  for (size_t i = 0; i < count; i++) {
    wh_new_column *c = &columns[i];
    *c = (wh_new_column){.name = fields[i].name, .type = wh_type_friendly(&fields[i].type, arena)};
    if (!c->type.data) return wh_fail_memory(err);
    // What came from a lake went through somebody's gate already.
    c->looks_personal = p->from_rows && wh_add_is_personal(c->name);
    c->key = is_key(p, c->name);
    staying += c->looks_personal;
    if (c->looks_personal && c->key) p->key_count = 0; // no key without it
  }
  if (staying == count && count > 0) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "every column of %.*s:%.*s looks personal. Write this pipeline by hand, with "
                   "masks, or with a target that accepts personal columns",
                   WH_STR_ARG(p->from.connection), WH_STR_ARG(p->from.thing));
  }
  p->columns = columns;
  p->column_count = count;
  return WH_OK;
}

static wh_status look_at_table(wh_cli *cli, wh_new_pipeline *p, wh_error *err) {
  wh_connection *c;
  wh_source_info info;
  wh_source_query query = {.table = p->from.thing};
  WH_TRY(wh_config_connect(cli->config, p->from.connection, &c, err));
  WH_TRY(c->type->source->describe(c, &query, &cli->arena, &info, err));
  p->key = info.key;
  p->key_count = info.key_count;
  WH_TRY(take_columns(p, info.schema.fields, info.schema.count, &cli->arena, err));
  for (size_t i = 0; i < info.schema.count && !p->cursor.len; i++) {
    const wh_field *f = &info.schema.fields[i];
    if (!wh_add_is_cursor(f)) continue;
    if (p->to_rows && p->key_count == 0) continue; // a windowed cursor reads some rows again
    p->cursor = f->name;
    p->cursor_local = !f->type.zoned;
  }
  return WH_OK;
}

// A table that is there knows its key.
static void look_at_target(wh_cli *cli, wh_new_pipeline *p) {
  wh_connection *c;
  wh_source_info info;
  wh_source_query query = {.table = p->to.thing};
  if (!p->to.info->type->source ||
      wh_config_connect(cli->config, p->to.connection, &c, NULL) != WH_OK ||
      c->type->source->describe(c, &query, &cli->arena, &info, NULL) != WH_OK) {
    return;
  }
  p->key = info.key;
  p->key_count = info.key_count;
}

// --- trying it -----------------------------------------------------------------------------------

// Loads the text as if it were the file. It must lie in the same folder, for its relative paths.
static wh_status load_text(wh_cli *cli, wh_str text, wh_config **ret, wh_error *err) {
  uint64_t number;
  WH_TRY(cli->os.base.type->random(&cli->os.base, &number, sizeof number, err));
  wh_str path = wh_arena_printf(&cli->arena, "%.*s/" WH_TEMPORARY_PREFIX "%016llx.yaml",
                                WH_STR_ARG(cli->config->folder), (unsigned long long)number);
  if (!path.data) return wh_fail_memory(err);
  WH_TRY(wh_os_write_file(&cli->os.base, path.data, text, true, err));
  wh_status status = wh_cli_load(cli, path.data, NULL, ret, err);
  WH_IGNORE(cli->os.base.type->remove(&cli->os.base, path.data, NULL));
  return status;
}

// The columns of objects are known by planning a pipeline over them.
static wh_status look_at_objects(wh_cli *cli, wh_new_pipeline *p, wh_config *candidate,
                                 wh_error *err) {
  const wh_pipeline *planned = wh_config_pipeline(candidate, p->name);
  if (!planned || candidate->error_count) return WH_OK; // the second try says why
  if (!wh_cli_engine(cli)) return wh_fail(err, WH_ERR_USAGE, "the ledger cannot be opened");
  wh_engine engine = cli->engine;
  engine.config = candidate;
  wh_plan plan;
  WH_TRY(wh_engine_plan(&engine, planned, &cli->arena, &plan, err));
  if (!plan.described || plan.cross_count == 0) return WH_OK;
  wh_field *fields = WH_NEW_ARRAY(&cli->arena, plan.cross_count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < plan.cross_count; i++) {
    fields[i] = (wh_field){.type = plan.crosses[i].type};
    fields[i].name = wh_arena_str(&cli->arena, plan.crosses[i].from);
    if (!fields[i].name.data) return wh_fail_memory(err);
  }
  return take_columns(p, fields, plan.cross_count, &cli->arena, err);
}

// --- the file ------------------------------------------------------------------------------------

typedef struct addition {
  wh_str before; // the file as it is
  wh_add_place place;
  wh_buf text; // as it will be
  size_t line; // of the new pipeline
} addition;

static wh_status put(const wh_new_pipeline *p, addition *a, wh_error *err) {
  wh_str above = wh_str_sub(a->before, 0, a->place.at);
  wh_buf_clear(&a->text);
  wh_buf_add_str(&a->text, above);
  if (above.len && !wh_str_ends(above, "\n")) wh_buf_add_char(&a->text, '\n');
  if (above.len) wh_buf_add_char(&a->text, '\n');
  if (a->place.needs_key) wh_buf_add_c(&a->text, "pipelines:\n");
  a->line = 1;
  for (size_t i = 0; i < a->text.len; i++)
    a->line += a->text.data[i] == '\n';
  wh_add_write(p, &a->text);
  wh_buf_add_str(&a->text, wh_str_sub(a->before, a->place.at, a->before.len));
  return wh_buf_check(&a->text, err);
}

static wh_status check_result(const wh_new_pipeline *p, const wh_config *candidate, wh_error *err) {
  if (candidate->error_count) {
    const char *text = candidate->problems[0].text;
    const char *sentence = strstr(text, ": "); // what comes before names a file that is gone
    return wh_fail(err, WH_ERR_USAGE, "this pipeline would not be right, so nothing was added: %s",
                   sentence ? sentence + 2 : text);
  }
  if (!wh_config_pipeline(candidate, p->name)) {
    return wh_fail(err, WH_ERR_BUG, "the new pipeline does not come back from the file");
  }
  return WH_OK;
}

static wh_status try_once(wh_cli *cli, wh_new_pipeline *p, addition *a, bool look, wh_error *err) {
  wh_config *candidate = NULL;
  WH_TRY(put(p, a, err));
  WH_TRY(load_text(cli, wh_buf_str(&a->text), &candidate, err));
  wh_status status =
      look ? look_at_objects(cli, p, candidate, err) : check_result(p, candidate, err);
  wh_config_free(candidate);
  return status;
}

static wh_status add_to_file(wh_cli *cli, wh_new_pipeline *p, addition *a, wh_error *err) {
  const char *path = cli->config->source.path;
  wh_config *base = NULL; // without the environment's overlay, for its positions
  WH_TRY(wh_os_read_file(&cli->os.base, path, WH_CONFIG_BYTES_MAX, &cli->arena, &a->before, err));
  WH_TRY(wh_cli_load(cli, path, NULL, &base, err));
  wh_status status = wh_add_find_place(base, a->before, &a->place, err);
  wh_config_free(base);
  WH_TRY(status);
  p->indent = a->place.indent;
  if (!p->from_rows) WH_TRY(try_once(cli, p, a, true, err));
  WH_TRY(try_once(cli, p, a, false, err));
  return wh_os_write_file(&cli->os.base, path, wh_buf_str(&a->text), false, err);
}

// --- the command ---------------------------------------------------------------------------------

static wh_status read_words(wh_cli *cli, const wh_args *args, wh_new_pipeline *p, wh_error *err) {
  WH_TRY(wh_typed_address_read(cli, args->words[0], &p->from, err));
  WH_TRY(wh_typed_address_read(cli, args->words[1], &p->to, err));
  p->from_rows = p->from.info->type->source != NULL;
  p->to_rows = p->to.info->type->sink != NULL;
  if (!p->from.thing.len) {
    return wh_fail(err, WH_ERR_USAGE, "say what of %.*s: %.*s:%s. See: wherry discover %.*s",
                   WH_STR_ARG(p->from.connection), WH_STR_ARG(p->from.connection),
                   p->from_rows ? "TABLE" : "PATTERN", WH_STR_ARG(p->from.connection));
  }
  WH_TRY(wh_add_thing(p, &cli->arena, err));
  const char *name = wh_args_value(args, "--name");
  if (name)
    p->name = wh_str_of(name);
  else
    WH_TRY(wh_add_name(p, &cli->arena, err));
  if (!wh_config_pipeline(cli->config, p->name)) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "there is a pipeline '%.*s' already. Name this one with --name",
                 WH_STR_ARG(p->name));
}

static void print_json(wh_cli *cli, const wh_new_pipeline *p, const addition *a) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"pipeline\":");
  wh_buf_add_json(&line, p->name);
  wh_buf_add_c(&line, ",\"file\":");
  wh_buf_add_json(&line, wh_str_of(cli->config->source.path));
  wh_buf_printf(&line, ",\"line\":%zu}", a->line);
  if (!line.failed) wh_print_json(&line);
}

static wh_exit add(wh_cli *cli, const wh_args *args) {
  if (!wh_cli_config(cli)) return WH_EXIT_USAGE;
  wh_error err = {0};
  wh_new_pipeline p = {0};
  addition a = {0};
  wh_status status = read_words(cli, args, &p, &err);
  if (status == WH_OK && p.from_rows) status = look_at_table(cli, &p, &err);
  if (status == WH_OK && !p.from_rows && p.to_rows) look_at_target(cli, &p);
  wh_buf_init(&a.text, &cli->mem, WH_CONFIG_BYTES_MAX);
  if (status == WH_OK) status = add_to_file(cli, &p, &a, &err);
  wh_buf_free(&a.text);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  if (cli->json) print_json(cli, &p, &a);
  size_t staying = 0;
  for (size_t i = 0; i < p.column_count; i++)
    staying += p.columns[i].looks_personal;
  wh_say(cli, "Added %.*s to %s, line %zu.", WH_STR_ARG(p.name), cli->config->source.path, a.line);
  if (staying) {
    wh_say(cli, "%s %s personal and %s home until you say otherwise there.",
           wh_format_count(staying).s, wh_plural(staying, "column looks", "columns look"),
           wh_plural(staying, "stays", "stay"));
  }
  wh_say_next(cli, "look it over, then: wherry plan %.*s", WH_STR_ARG(p.name));
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_add = {
    .name = "add",
    .usage = "FROM TO",
    .help = "append a pipeline to the file, with its columns spelled out",
    .more = "FROM and TO are addresses, connection:thing. The columns come with their types as "
            "comments; those that look personal by their name are written but commented out. TO "
            "may be a connection alone: then the table is called as it is, or its objects go to "
            "inbound/. Nothing else of the file changes.",
    .example = "wherry add erp:customer lake",
    .flags = flags,
    .words_min = 2,
    .words_max = 2,
    .completes = "address address",
    .run = add,
};
