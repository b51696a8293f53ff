#include "base/crypto.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/init_ci.h"
#include "cli/sample_orders.h"
#include "cli/templates.h"

enum { SECRET_BYTES = 32, SAMPLE_ORDERS = 100000, TEMPLATES_MAX = 16 };
enum { SAMPLE_SEED = 1 }; // the same orders for everybody

// --- what was asked for --------------------------------------------------------------------------

static wh_status find_template(wh_str name, const wh_template **ret, wh_error *err) {
  wh_str names[TEMPLATES_MAX];
  size_t count = 0;
  char list[256];
  size_t len = 0;
  for (const wh_template *t = wh_templates; t->name && count < TEMPLATES_MAX; t++) {
    if (wh_str_is(name, t->name)) {
      *ret = t;
      return WH_OK;
    }
    len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", count ? ", " : "", t->name);
    names[count++] = wh_str_of(t->name);
  }
  wh_str nearest = wh_str_nearest(name, names, count);
  if (nearest.len) {
    return wh_fail(err, WH_ERR_USAGE, "no template '%.*s'. Did you mean '%.*s'?", WH_STR_ARG(name),
                   WH_STR_ARG(nearest));
  }
  return wh_fail(err, WH_ERR_USAGE, "no template '%.*s'. There are: %s", WH_STR_ARG(name), list);
}

static wh_status refuse_entry(void *context, const wh_dir_entry *entry, wh_error *err) {
  if (wh_str_is(entry->name, ".git")) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 "%s is not empty: there is '%.*s'. Name a new folder: wherry init TEMPLATE FOLDER",
                 (const char *)context, WH_STR_ARG(entry->name));
}

static wh_status make_folder(wh_cli *cli, const char *folder, wh_error *err) {
  wh_status status =
      cli->os.base.type->list(&cli->os.base, folder, refuse_entry, (void *)folder, err);
  if (status != WH_ERR_NOT_FOUND) return status;
  return wh_os_make_path(&cli->os.base, folder, err);
}

// --- making it -----------------------------------------------------------------------------------

static wh_status write_files(wh_cli *cli, const char *folder, const wh_template *t, wh_error *err) {
  for (const wh_template_file *f = t->files; f->path; f++) {
    char *path = wh_path_join(&cli->arena, folder, f->path);
    char *parent = path ? wh_path_folder(&cli->arena, path) : NULL;
    if (!parent) return wh_fail_memory(err);
    WH_TRY(wh_os_make_path(&cli->os.base, parent, err));
    WH_TRY(wh_os_write_file(&cli->os.base, path, *f->content, false, err));
  }
  return WH_OK;
}

static wh_status set_random_secret(wh_cli *cli, const wh_keyring *ring, const char *name,
                                   wh_error *err) {
  uint8_t random[SECRET_BYTES];
  WH_TRY(cli->os.base.type->random(&cli->os.base, random, sizeof random, err));
  WH_CLEAN_BUF wh_buf hex;
  wh_buf_init(&hex, &cli->mem, 0);
  wh_buf_add_hex(&hex, random, sizeof random);
  wh_wipe(random, sizeof random);
  wh_status status = wh_buf_check(&hex, err);
  if (status == WH_OK) status = wh_keyring_set(ring, wh_str_of(name), wh_buf_str(&hex), err);
  if (hex.data) wh_wipe(hex.data, hex.cap);
  return status;
}

static wh_status set_secrets(wh_cli *cli, const char *folder, const wh_template *t, wh_error *err) {
  if (!t->secrets) return WH_OK;
  wh_keyring ring;
  cli->config_path = wh_path_join(&cli->arena, folder, "wherry.yaml");
  if (!cli->config_path) return wh_fail_memory(err);
  WH_TRY(wh_cli_read_config(cli, err));
  WH_TRY(wh_config_keyring(cli->config, &cli->arena, &ring, err));
  for (size_t i = 0; t->secrets[i]; i++)
    WH_TRY(set_random_secret(cli, &ring, t->secrets[i], err));
  return WH_OK;
}

static wh_status make_sample(wh_cli *cli, const char *folder, const wh_template *t, wh_error *err) {
  if (!t->sample_erp) return WH_OK;
  char *path = wh_path_join(&cli->arena, folder, t->sample_erp);
  if (!path) return wh_fail_memory(err);
  return wh_sample_orders(&cli->os.base, path, SAMPLE_SEED, SAMPLE_ORDERS, wh_now_us(&cli->os.base),
                          err);
}

// --- telling -------------------------------------------------------------------------------------

static size_t count_lines(wh_str text) {
  size_t lines = 0;
  for (size_t i = 0; i < text.len; i++)
    lines += text.data[i] == '\n';
  return lines;
}

static void tell(const wh_cli *cli, const char *folder, const wh_template *t, const wh_ci *ci) {
  wh_say(cli, "Created %s/", folder);
  for (const wh_template_file *f = t->files; f->path; f++) {
    if (f->note) wh_say(cli, "  %-12s  %s, %zu lines", f->path, f->note, count_lines(*f->content));
  }
  if (t->sample_erp) {
    wh_say(cli, "  %-12s  %s sample orders", t->sample_erp, wh_format_count(SAMPLE_ORDERS).s);
  }
  if (ci) wh_say(cli, "  %s", ci->path);
  if (strcmp(folder, ".") == 0)
    wh_say_next(cli, "wherry plan");
  else
    wh_say_next(cli, "cd %s && wherry plan", folder);
}

static void add_file(wh_buf *line, size_t *count, const char *path) {
  if ((*count)++) wh_buf_add_char(line, ',');
  wh_buf_add_json(line, wh_str_of(path));
}

// NULL `t` or `ci`: none was written.
static void tell_json(wh_cli *cli, const char *folder, const wh_template *t, const wh_ci *ci) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"folder\":");
  wh_buf_add_json(&line, wh_str_of(folder));
  if (t) wh_buf_printf(&line, ",\"template\":\"%s\"", t->name);
  wh_buf_add_c(&line, ",\"files\":[");
  size_t count = 0;
  for (const wh_template_file *f = t ? t->files : NULL; f && f->path; f++)
    add_file(&line, &count, f->path);
  if (t && t->sample_erp) add_file(&line, &count, t->sample_erp);
  if (ci) add_file(&line, &count, ci->path);
  wh_buf_add_c(&line, "]}");
  if (!line.failed) wh_print_json(&line);
}

// --- the command ---------------------------------------------------------------------------------

typedef struct request {
  const wh_template *template; // NULL: the project is there already
  const wh_ci *ci;             // NULL: none
  char *folder;                // without '/' at its end
  bool force;
} request;

static wh_status has_project(wh_cli *cli, const char *folder, bool *ret, wh_error *err) {
  char *path = wh_path_join(&cli->arena, folder, "wherry.yaml");
  if (!path) return wh_fail_memory(err);
  return wh_os_exists(&cli->os.base, path, ret, err);
}

static wh_status set_folder(wh_cli *cli, wh_str folder, request *r, wh_error *err) {
  r->folder = wh_arena_cstr(&cli->arena, folder);
  if (!r->folder) return wh_fail_memory(err);
  for (size_t len = strlen(r->folder); len > 1 && r->folder[len - 1] == '/'; len--)
    r->folder[len - 1] = 0;
  return WH_OK;
}

// With --ci alone, or with the folder of a project, nothing else is written.
static wh_status look_for_project(wh_cli *cli, const wh_args *args, request *r, bool *ret,
                                  wh_error *err) {
  *ret = false;
  if (!r->ci || args->count > 1) return WH_OK;
  WH_TRY(set_folder(cli, args->count ? args->words[0] : WH_STR("."), r, err));
  WH_TRY(has_project(cli, r->folder, ret, err));
  if (*ret || args->count) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 "there is no wherry.yaml here. To make a project, too: "
                 "wherry init TEMPLATE FOLDER --ci %s",
                 r->ci->name);
}

static wh_status read_request(wh_cli *cli, const wh_args *args, request *r, wh_error *err) {
  const char *ci = wh_args_value(args, "--ci");
  r->force = wh_args_has(args, "--force");
  if (r->force && !ci)
    return wh_fail(err, WH_ERR_USAGE,
                   "--force replaces what --ci writes; init replaces nothing else");
  if (ci) WH_TRY(wh_ci_find(wh_str_of(ci), &r->ci, err));
  bool is_there;
  WH_TRY(look_for_project(cli, args, r, &is_there, err));
  if (is_there) return WH_OK;
  r->template = &wh_templates[0];
  if (args->count) WH_TRY(find_template(args->words[0], &r->template, err));
  return set_folder(cli, args->count > 1 ? args->words[1] : wh_str_of(r->template->name), r, err);
}

static wh_status make_project(wh_cli *cli, const request *r, wh_error *err) {
  WH_TRY(make_folder(cli, r->folder, err));
  wh_status status = write_files(cli, r->folder, r->template, err);
  if (status == WH_OK && r->ci)
    status = wh_ci_write(&cli->os.base, &cli->arena, r->folder, r->ci, r->force, err);
  if (status == WH_OK) status = set_secrets(cli, r->folder, r->template, err);
  if (status == WH_OK) status = make_sample(cli, r->folder, r->template, err);
  if (status != WH_OK)
    wh_error_prefix(err, "%s is only half made, remove it before another try: ", r->folder);
  return status;
}

static wh_exit add_ci(wh_cli *cli, const request *r) {
  wh_error err = {0};
  if (wh_ci_write(&cli->os.base, &cli->arena, r->folder, r->ci, r->force, &err) != WH_OK)
    return wh_cli_fail(cli, &err);
  if (cli->json) {
    tell_json(cli, r->folder, NULL, r->ci);
    return WH_EXIT_DONE;
  }
  bool here = strcmp(r->folder, ".") == 0;
  wh_say(cli, "Created %s%s%s", here ? "" : r->folder, here ? "" : "/", r->ci->path);
  wh_say(cli, "It wants the variables and secrets that stand at its top.");
  wh_say_next(cli, "git add %s", r->ci->path);
  return WH_EXIT_DONE;
}

static wh_exit init(wh_cli *cli, const wh_args *args) {
  if (cli->config_path || cli->environment) {
    return wh_cli_usage(cli, "init makes a folder with its own wherry.yaml; -c and --env have no "
                             "meaning for it");
  }
  wh_error err = {0};
  request r = {0};
  if (read_request(cli, args, &r, &err) != WH_OK) return wh_cli_fail(cli, &err);
  if (!r.template) return add_ci(cli, &r);
  if (make_project(cli, &r, &err) != WH_OK) return wh_cli_fail(cli, &err);
  if (cli->json)
    tell_json(cli, r.folder, r.template, r.ci);
  else
    tell(cli, r.folder, r.template, r.ci);
  return WH_EXIT_DONE;
}

static const wh_flag flags[] = {
    {"--ci", "SERVICE", "also write a workflow that checks, plans and deploys: github"},
    {"--force", NULL, "replace the workflow that is there"},
    {0},
};

const wh_command wh_cmd_init = {
    .name = "init",
    .usage = "[TEMPLATE] [DIR]",
    .help = "make a new project with its sample data, ready to run",
    .more = "Templates:\n"
            "order-status: orders of an ERP to a lookup page for customers; the default\n"
            "empty: a wherry.yaml to begin with\n"
            "DIR must be new or empty; it is called like the template where none is given. With "
            "--ci in the folder of a project, or with that folder instead of a template, only the "
            "workflow is written.",
    .example = "wherry init order-status shop",
    .flags = flags,
    .words_max = 2,
    .completes = "template folder",
    .run = init,
};
