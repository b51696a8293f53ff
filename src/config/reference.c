#include "config/private.h"

#include "config/cloud_secret.h"
#include "config/keyring.h"

#include <stdio.h>

enum {
  RESOLVED_BYTES_MAX = 1 << 20, // of one scalar with everything in its place
  ENV_NAME_MAX = 256,
};

typedef enum piece_kind {
  PIECE_LITERAL,
  PIECE_ENV,
  PIECE_FILE,
  PIECE_SECRET,
  PIECE_SSM,
  PIECE_SECRETS_MANAGER,
} piece_kind;

// What stands before the colon.
typedef struct provider {
  const char *name;
  piece_kind kind;
  bool hides; // its values are secrets
} provider;
static const provider providers[] = {
    {"file", PIECE_FILE, false},
    {"secret", PIECE_SECRET, true},
    {"ssm", PIECE_SSM, true},
    {"secretsmanager", PIECE_SECRETS_MANAGER, true},
};
enum { PROVIDERS = sizeof providers / sizeof *providers };

typedef struct piece {
  piece_kind kind;
  wh_str text;    // literal; or the name or path
  wh_str written; // "${...}" for messages
} piece;

// --- taking apart --------------------------------------------------------------------------------

static bool is_env_name(wh_str name) {
  for (size_t i = 0; i < name.len; i++) {
    char c = name.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  return name.len > 0 && name.len <= ENV_NAME_MAX;
}

static wh_status unknown_provider(const wh_node *node, wh_str name, wh_error *err) {
  wh_str known[PROVIDERS];
  for (size_t i = 0; i < PROVIDERS; i++)
    known[i] = wh_str_of(providers[i].name);
  wh_hint hint = wh_hint_of(name, known, PROVIDERS);
  return wh_node_fail(
      node, err,
      "${%.*s:...} names no source of values.%s There are ${NAME} for an environment "
      "variable, ${file:PATH}, ${secret:NAME}, ${ssm:/PATH} and ${secretsmanager:NAME}",
      WH_SHOWN(name), hint.text);
}

static wh_status classify(const wh_node *node, wh_str body, piece *ret, wh_error *err) {
  size_t colon = wh_str_find(body, 0, ':');
  wh_str before = wh_str_sub(body, 0, colon);
  if (colon == body.len) {
    ret->kind = PIECE_ENV;
    ret->text = body;
    if (is_env_name(body)) return WH_OK;
    return wh_node_fail(node, err, "${%.*s}: '%.*s' is no name of an environment variable",
                        WH_SHOWN(body), WH_SHOWN(body));
  }
  ret->text = wh_str_sub(body, colon + 1, body.len);
  size_t i = 0;
  while (i < PROVIDERS && !wh_str_is(before, providers[i].name))
    i++;
  if (i == PROVIDERS) return unknown_provider(node, before, err);
  ret->kind = providers[i].kind;
  if (ret->text.len == 0) {
    return wh_node_fail(node, err, "${%.*s}: a name is missing behind the colon", WH_SHOWN(body));
  }
  return WH_OK;
}

// Takes the next piece off `rest`; WH_ERR_END when nothing is left.
static wh_status next_piece(const wh_node *node, wh_str *rest, piece *ret, wh_error *err) {
  if (rest->len == 0) return WH_ERR_END;
  if (wh_str_starts(*rest, "$${")) {
    *ret = (piece){.text = WH_STR("${")};
    *rest = wh_str_sub(*rest, 3, rest->len);
    return WH_OK;
  }
  if (wh_str_starts(*rest, "${")) {
    size_t close = wh_str_find(*rest, 0, '}');
    if (close == rest->len) {
      return wh_node_fail(node, err, "a '${' that no '}' closes. For a literal one write $${");
    }
    *ret = (piece){.written = wh_str_sub(*rest, 0, close + 1)};
    WH_TRY(classify(node, wh_str_sub(*rest, 2, close), ret, err));
    *rest = wh_str_sub(*rest, close + 1, rest->len);
    return WH_OK;
  }
  size_t end = wh_str_find(*rest, 1, '$');
  *ret = (piece){.text = wh_str_sub(*rest, 0, end)};
  *rest = wh_str_sub(*rest, end, rest->len);
  return WH_OK;
}

bool wh_config_has_reference(wh_str text) {
  for (size_t at = wh_str_find(text, 0, '$'); at + 1 < text.len; at = wh_str_find(text, at, '$')) {
    wh_str rest = wh_str_sub(text, at, text.len);
    if (wh_str_starts(rest, "${")) return true;
    at += wh_str_starts(rest, "$${") ? 3 : 1;
  }
  return false;
}

wh_status wh_reference_check(const wh_node *scalar, size_t *ret_count, wh_error *err) {
  size_t count = 0;
  piece p;
  wh_str rest = scalar->text;
  wh_status status;
  while ((status = next_piece(scalar, &rest, &p, err)) == WH_OK)
    count += p.kind != PIECE_LITERAL;
  if (status != WH_ERR_END) return status;
  if (ret_count) *ret_count = count;
  return WH_OK;
}

// --- where they may stand ------------------------------------------------------------------------

static bool names_secret(wh_str text) {
  for (size_t i = 0; i < PROVIDERS; i++) {
    char form[32];
    int len = snprintf(form, sizeof form, "${%s:", providers[i].name);
    if (providers[i].hides && memmem(text.data, text.len, form, (size_t)len)) return true;
  }
  return false;
}

// What is not marked secret appears in messages, plans and the ledger.
static void refuse_secret(wh_loader *l, const wh_node *node, const char *owner, const char *word) {
  for (size_t i = 0; node->kind == WH_NODE_LIST && i < node->count; i++)
    refuse_secret(l, node->items[i], owner, word);
  for (size_t i = 0; node->kind == WH_NODE_MAP && i < node->count; i++) {
    const wh_node_entry *entry = &node->entries[i];
    const char *inner = wh_load_owner(l, "%s: %.*s", word, WH_SHOWN(entry->key->text));
    refuse_secret(l, entry->value, owner, inner);
  }
  if (node->kind != WH_NODE_SCALAR) return;
  if (!names_secret(node->text)) return;
  wh_problems_error(&l->problems, node, "%s%s%s is shown in messages, so no secret can stand in it",
                    owner, owner[0] ? ": " : "", word);
}

static void walk(wh_loader *l, const wh_node *node, bool allowed) {
  if (node->kind == WH_NODE_SCALAR) {
    wh_error problem = {0};
    if (allowed) {
      if (wh_reference_check(node, NULL, &problem) != WH_OK) {
        wh_problems_add(&l->problems, false, &problem);
      }
    } else if (wh_config_has_reference(node->text)) {
      bool name = memmem(node->text.data, node->text.len, "${run}", 6) != NULL;
      wh_problems_error(&l->problems, node,
                        "${...} is not taken here, only in connections, masks, read.query, serve "
                        "and a ledger on a "
                        "server. "
                        "%s",
                        name ? "In a template write {run}" : "For a literal '${' write $${");
    }
    return;
  }
  for (size_t i = 0; i < node->count; i++)
    walk(l, node->kind == WH_NODE_MAP ? node->entries[i].value : node->items[i], allowed);
}

// Walks a map whose listed words may hold references; words of `skip` are somebody else's.
static void walk_words(wh_loader *l, const wh_node *map, const char *const *allowed,
                       const char *const *skip) {
  if (map->kind != WH_NODE_MAP) {
    walk(l, map, false);
    return;
  }
  for (size_t i = 0; i < map->count; i++) {
    wh_str key = map->entries[i].key->text;
    bool is_allowed = false, is_skipped = false;
    for (size_t j = 0; allowed[j]; j++)
      is_allowed = is_allowed || wh_str_is(key, allowed[j]);
    for (size_t j = 0; skip && skip[j]; j++)
      is_skipped = is_skipped || wh_str_is(key, skip[j]);
    if (!is_skipped) walk(l, map->entries[i].value, is_allowed);
  }
}

// Words that take references, but are shown.
static void walk_shown_words(wh_loader *l, const wh_node *map, const char *const *words,
                             const char *const *skip) {
  walk_words(l, map, words, skip);
  for (; *words; words++) {
    const wh_node *node = wh_node_get(map, *words);
    if (node) refuse_secret(l, node, "", *words);
  }
}

static void walk_pipelines(wh_loader *l, const wh_node *pipelines) {
  static const char *const none[] = {NULL}, *const query[] = {"query", NULL};
  // Steps and expectations hold patterns and values of rows, where "${" means nothing.
  static const char *const skip[] = {"read", "steps", "expect", NULL};
  if (pipelines->kind != WH_NODE_MAP) return;
  for (size_t i = 0; i < pipelines->count; i++) {
    const wh_node *pipeline = pipelines->entries[i].value;
    walk_words(l, pipeline, none, skip);
    const wh_node *read = wh_node_get(pipeline, "read");
    if (read) walk_shown_words(l, read, query, NULL);
  }
}

// An endpoint of `serve`, whose secrets are in its `auth`.
static void walk_endpoint(wh_loader *l, const wh_node *endpoint) {
  static const char *const words[] = {"listen", "auth", NULL};
  if (endpoint->kind == WH_NODE_SCALAR) {
    walk(l, endpoint, true);
    refuse_secret(l, endpoint, "", "listen");
    return;
  }
  walk_words(l, endpoint, words, NULL);
  const wh_node *listen = wh_node_get(endpoint, "listen");
  if (listen) refuse_secret(l, listen, "", "listen");
}

static void walk_serve(wh_loader *l, const wh_node *serve) {
  static const char *const shown[] = {"listen", "tls", "trusted_proxies", NULL};
  static const char *const endpoints[] = {"metrics", "ingest", NULL};
  walk_shown_words(l, serve, shown, endpoints);
  const wh_node *metrics = wh_node_get(serve, "metrics"), *ingest = wh_node_get(serve, "ingest");
  if (metrics) walk_endpoint(l, metrics);
  for (size_t i = 0; ingest && ingest->kind == WH_NODE_MAP && i < ingest->count; i++)
    walk_endpoint(l, ingest->entries[i].value);
}

void wh_load_references(wh_loader *l, const wh_node *root) {
  static const char *const whole[] = {"connections", "masks", NULL};
  static const char *const apart[] = {"pipelines", "serve", "ledger", NULL};
  walk_words(l, root, whole, apart);
  const wh_node *pipelines = wh_node_get(root, "pipelines"), *serve = wh_node_get(root, "serve");
  const wh_node *ledger = wh_node_get(root, "ledger");
  if (ledger) walk(l, ledger, wh_ledger_is_on_server(ledger));
  if (pipelines) walk_pipelines(l, pipelines);
  if (serve) walk_serve(l, serve);
}

static bool is_literal(const wh_option *option, const wh_node *node) {
  if (node->kind != WH_NODE_SCALAR || wh_config_has_reference(node->text)) return false;
  return !option->names_secret || !option->names_secret(node->text);
}

// The value, or the first item, that is a secret; NULL: none is.
static const wh_node *find_literal(const wh_option *option, const wh_node *node) {
  if (is_literal(option, node)) return node;
  for (size_t i = 0; node->kind == WH_NODE_LIST && i < node->count; i++)
    if (is_literal(option, node->items[i])) return node->items[i];
  return NULL;
}

void wh_load_secrets(wh_loader *l, const wh_option *table, const wh_node *map, const char *owner,
                     wh_str name, bool with_option) {
  for (; table->name; table++) {
    const wh_node *node = wh_node_get(map, table->name);
    if (!node || wh_node_is_null(node)) continue;
    if (!table->secret) {
      refuse_secret(l, node, owner, table->name);
      continue;
    }
    node = find_literal(table, node);
    if (!node) continue;
    const char *dash = with_option ? "-" : "", *option = with_option ? table->name : "";
    wh_problems_warn(&l->problems, node,
                     "%s: %s is written literally, where everybody who has the file can read it. "
                     "Keep it with: wherry secret set %.*s%s%s, and write ${secret:%.*s%s%s}",
                     owner, table->name, WH_SHOWN(name), dash, option, WH_SHOWN(name), dash,
                     option);
  }
}

// --- resolving -----------------------------------------------------------------------------------

static wh_status add_env(const wh_config *config, const piece *p, wh_arena *arena, wh_buf *out,
                         wh_error *err) {
  const wh_config_source *source = &config->source;
  char *name = wh_arena_cstr(arena, p->text);
  if (!name) return wh_fail_memory(err);
  const char *value = source->getenv ? source->getenv(source->getenv_context, name) : NULL;
  if (!value) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "the environment variable %s is not set", name);
  }
  wh_buf_add_c(out, value);
  return WH_OK;
}

static wh_status add_file(const wh_config *config, const piece *p, wh_arena *arena, wh_buf *out,
                          wh_error *err) {
  char *folder = wh_arena_cstr(arena, config->folder), *name = wh_arena_cstr(arena, p->text);
  char *path = folder && name ? wh_path_join(arena, folder, name) : NULL;
  if (!path) return wh_fail_memory(err);
  wh_str text;
  WH_TRY(wh_os_read_file(config->source.os, path, WH_REFERENCE_FILE_MAX, arena, &text, err));
  // An editor's last line end is no part of a password.
  if (wh_str_ends(text, "\r\n"))
    text.len -= 2;
  else if (wh_str_ends(text, "\n"))
    text.len -= 1;
  if (memchr(text.data, 0, text.len)) {
    return wh_fail(err, WH_ERR_USAGE, "%s holds a zero byte, which no option takes", path);
  }
  wh_buf_add_str(out, text);
  return WH_OK;
}

static wh_status add_secret(const wh_config *config, const piece *p, wh_arena *arena, wh_buf *out,
                            wh_error *err) {
  wh_keyring keyring;
  WH_TRY(wh_config_keyring(config, arena, &keyring, err));
  wh_str value;
  WH_TRY(wh_keyring_get(&keyring, p->text, arena, &value, err));
  wh_buf_add_str(out, value);
  return WH_OK;
}

static wh_status add_cloud_secret(const wh_config *config, const piece *p, wh_arena *arena,
                                  wh_buf *out, wh_error *err) {
  wh_cloud_secrets secrets = wh_config_cloud_secrets(config);
  wh_cloud_keeper keeper = p->kind == PIECE_SSM ? WH_KEEPER_SSM : WH_KEEPER_SECRETS_MANAGER;
  wh_str value;
  WH_TRY(wh_cloud_secret_get(&secrets, keeper, p->text, arena, &value, err));
  wh_buf_add_str(out, value);
  return WH_OK;
}

static wh_status add_piece(const wh_config *config, const piece *p, wh_arena *arena, wh_buf *out,
                           wh_error *err) {
  switch (p->kind) {
  case PIECE_LITERAL:
    wh_buf_add_str(out, p->text);
    return WH_OK;
  case PIECE_ENV:
    return add_env(config, p, arena, out, err);
  case PIECE_FILE:
    return add_file(config, p, arena, out, err);
  case PIECE_SECRET:
    return add_secret(config, p, arena, out, err);
  case PIECE_SSM:
  case PIECE_SECRETS_MANAGER:
    return add_cloud_secret(config, p, arena, out, err);
  }
  return WH_OK;
}

static wh_status resolve_all(const wh_config *config, const wh_node *node, wh_arena *arena,
                             wh_buf *out, wh_error *err) {
  piece p;
  wh_str rest = node->text;
  wh_status status;
  while ((status = next_piece(node, &rest, &p, err)) == WH_OK) {
    status = add_piece(config, &p, arena, out, err);
    if (status != WH_OK) {
      wh_error_prefix(err, "%s:%u:%u: %.*s: ", node->file, node->line, node->column,
                      WH_SHOWN(p.written));
      return status;
    }
  }
  if (status != WH_ERR_END) return status;
  return wh_buf_check(out, err);
}

wh_status wh_reference_resolve(void *context, const wh_node *scalar, wh_arena *arena, wh_str *ret,
                               wh_error *err) {
  wh_buf out;
  wh_buf_init(&out, arena->mem, RESOLVED_BYTES_MAX);
  wh_status status = resolve_all(context, scalar, arena, &out, err);
  wh_str copy = {0};
  if (status == WH_OK) {
    copy = wh_arena_str(arena, wh_buf_str(&out));
    if (!copy.data) status = wh_fail_memory(err);
  }
  if (out.data) explicit_bzero(out.data, out.cap);
  wh_buf_free(&out);
  if (status == WH_OK) *ret = copy;
  return status;
}

wh_status wh_reference_resolve_shown(void *context, const wh_node *scalar, wh_arena *arena,
                                     wh_str *ret, wh_error *err) {
  if (!names_secret(scalar->text)) return wh_reference_resolve(context, scalar, arena, ret, err);
  *ret = WH_STR("");
  return WH_OK;
}

static wh_reference_kind reference_kind(piece_kind kind) {
  static const wh_reference_kind kinds[] = {
      [PIECE_ENV] = WH_REFERENCE_ENV,
      [PIECE_FILE] = WH_REFERENCE_FILE,
      [PIECE_SECRET] = WH_REFERENCE_SECRET,
      [PIECE_SSM] = WH_REFERENCE_SSM,
      [PIECE_SECRETS_MANAGER] = WH_REFERENCE_SECRETS_MANAGER,
  };
  return kinds[kind];
}

static wh_status visit_scalar(const wh_node *scalar, wh_reference_visit visit, void *context,
                              wh_error *err) {
  piece p;
  wh_str rest = scalar->text;
  wh_status status;
  while ((status = next_piece(scalar, &rest, &p, err)) == WH_OK)
    if (p.kind != PIECE_LITERAL) WH_TRY(visit(context, reference_kind(p.kind), p.text, err));
  return status == WH_ERR_END ? WH_OK : status;
}

wh_status wh_references_visit(const wh_node *node, wh_reference_visit visit, void *context,
                              wh_error *err) {
  if (!node) return WH_OK;
  if (node->kind == WH_NODE_SCALAR) return visit_scalar(node, visit, context, err);
  for (size_t i = 0; i < node->count; i++)
    WH_TRY(wh_references_visit(node->kind == WH_NODE_MAP ? node->entries[i].value : node->items[i],
                               visit, context, err));
  return WH_OK;
}

wh_status wh_config_resolve(wh_config *config, const wh_node *scalar, wh_arena *arena, wh_str *ret,
                            wh_error *err) {
  return wh_reference_resolve(config, scalar, arena, ret, err);
}

wh_status wh_config_query(wh_config *config, const wh_pipeline *pipeline, wh_arena *arena,
                          wh_str *ret, wh_error *err) {
  if (pipeline->model) {
    *ret = pipeline->model->sql;
    return WH_OK;
  }
  const wh_node *node = wh_node_get(wh_node_get(pipeline->node, "read"), "query");
  if (node && node->kind == WH_NODE_SCALAR && !wh_node_is_null(node)) {
    return wh_reference_resolve(config, node, arena, ret, err);
  }
  *ret = (wh_str){0};
  return WH_OK;
}

wh_cloud_secrets wh_config_cloud_secrets(const wh_config *config) {
  const wh_config_source *source = &config->source;
  return (wh_cloud_secrets){.os = source->os,
                            .mem = source->mem,
                            .environment = {source->getenv, source->getenv_context}};
}

wh_status wh_config_keyring(const wh_config *config, wh_arena *arena, wh_keyring *ret,
                            wh_error *err) {
  const wh_config_source *source = &config->source;
  char *state = wh_arena_cstr(arena, config->state_folder);
  const char *path = state ? wh_path_join(arena, state, "keyring") : NULL;
  if (!path) return wh_fail_memory(err);
  const char *key_path = source->key_path;
  if (!key_path) {
    WH_TRY(wh_keyring_key_path(source->getenv, source->getenv_context, arena, &key_path, err));
  }
  *ret = (wh_keyring){.os = source->os, .mem = source->mem, .path = path, .key_path = key_path};
  return WH_OK;
}
