#include "config/auth.h"

#include "config/private.h"
#include "config/serve.h"
#include "net/http.h"

#include <arpa/inet.h>

#define NO_TIMESTAMP "none"

static const int64_t SECOND_US = 1000000;
// Twice the tolerance a signature may be sent again, and for that long at least its key is kept.
enum { TOLERANCE_SECONDS_MAX = 1800, LEEWAY_SECONDS_MAX = 600 };

typedef struct auth_words {
  wh_str api_key;
  const wh_node *api_keys, *hmac, *bearer;
  wh_str_list allow;
} auth_words;

const wh_option wh_auth_options[] = {
    {.name = "api_key",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(auth_words, api_key),
     .secret = true,
     .help = "key that clients send as `Authorization: Bearer KEY` or `X-Api-Key: KEY`"},
    {.name = "api_keys",
     .type = WH_OPTION_NODE,
     .offset = offsetof(auth_words, api_keys),
     .secret = true,
     .shape = "{ partner: ${secret:partner}, ... }",
     .help = "the same for several clients, each with a name and a key"},
    {.name = "hmac",
     .type = WH_OPTION_NODE,
     .offset = offsetof(auth_words, hmac),
     .shape = "{ secret: ${secret:name}, header: X-Signature, ... }",
     .help = "clients sign what they send with a secret that they share with us"},
    {.name = "bearer",
     .type = WH_OPTION_NODE,
     .offset = offsetof(auth_words, bearer),
     .shape = "{ jwks: https://..., issuer: https://..., audience: ... }",
     .help = "clients have a token (JWT) of an identity provider"},
    {.name = "allow",
     .type = WH_OPTION_LIST,
     .offset = offsetof(auth_words, allow),
     .help = "addresses or blocks (10.0.0.0/8) that may ask at all"},
    {0}};

const wh_option wh_auth_hmac_options[] = {
    {.name = "secret",
     .type = WH_OPTION_LIST,
     .offset = offsetof(wh_auth_hmac, secrets),
     .required = true,
     .secret = true,
     .help = "shared with the client; two in a list while one takes the other's place"},
    {.name = "header",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_auth_hmac, header),
     .def = "X-Signature",
     .help = "header that has the signature"},
    {.name = "timestamp",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_auth_hmac, timestamp),
     .def = "X-Timestamp",
     .help = "header that has the time, in seconds since 1970; `none`: the body alone is signed"},
    {.name = "tolerance",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(wh_auth_hmac, tolerance_us),
     .def = "5m",
     .min = SECOND_US,
     .max = TOLERANCE_SECONDS_MAX * SECOND_US,
     .help = "how far that time may be from ours"},
    {.name = "encoding",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(wh_auth_hmac, encoding),
     .choices = (const char *const[]){"hex", "base64", NULL},
     .def = "hex",
     .help = "how the signature is written"},
    {.name = "prefix",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_auth_hmac, prefix),
     .help = "in front of the signature, such as `sha256=`"},
    {0}};

const wh_option wh_auth_bearer_options[] = {
    {.name = "jwks",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_auth_bearer, jwks),
     .required = true,
     .help = "https: URL of the provider's keys (a JWK Set), or a file with them or with keys in "
             "PEM"},
    {.name = "issuer",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_auth_bearer, issuer),
     .required = true,
     .help = "what `iss` of a token must be"},
    {.name = "audience",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_auth_bearer, audience),
     .required = true,
     .help = "what `aud` of a token must be or have"},
    {.name = "algorithms",
     .type = WH_OPTION_LIST,
     .offset = offsetof(wh_auth_bearer, algorithms),
     .choices = (const char *const[]){"RS256", "ES256", NULL},
     .def = "RS256, ES256",
     .help = "that a token may be signed with"},
    {.name = "scope",
     .type = WH_OPTION_LIST,
     .offset = offsetof(wh_auth_bearer, scope),
     .help = "words that `scope` or `scp` of a token must have, all of them"},
    {.name = "leeway",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(wh_auth_bearer, leeway_us),
     .def = "1m",
     .min = 0,
     .max = LEEWAY_SECONDS_MAX * SECOND_US,
     .help = "how far the provider's clock may be from ours"},
    {.name = "tls_ca",
     .type = WH_OPTION_PATH,
     .offset = offsetof(wh_auth_bearer, tls_ca),
     .help = "file of certificates that the URL's server is checked with; the system's else"},
    {0}};

// --- forms ---------------------------------------------------------------------------------------

bool wh_auth_is_url(wh_str jwks) {
  return wh_str_starts(jwks, "https://") || wh_str_starts(jwks, "http://");
}

// Whoever can answer in place of the provider can let anybody in: over plain HTTP that is only
// this machine.
static bool is_url_safe(wh_str jwks) {
  if (!wh_str_starts(jwks, "http://")) return true;
  wh_str host = wh_http_host(jwks);
  if (wh_str_find(jwks, 0, '@') < jwks.len) return false; // whose host is that
  if (wh_str_is(host, "[::1]") || wh_str_starts(host, "[::1]:")) return true;
  host = wh_str_sub(host, 0, wh_str_find(host, 0, ':'));
  char text[INET_ADDRSTRLEN];
  struct in_addr address;
  snprintf(text, sizeof text, "%.*s", WH_STR_ARG(host));
  return wh_str_is(host, "localhost") ||
         (inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

// A header's name (RFC 9110 section 5.1).
static bool is_header(wh_str name) {
  for (size_t i = 0; i < name.len; i++) {
    char c = name.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
  }
  return name.len > 0;
}

static wh_auth_kind kind_of(const wh_node *node) {
  if (wh_node_get(node, "hmac")) return WH_AUTH_HMAC;
  if (wh_node_get(node, "bearer")) return WH_AUTH_BEARER;
  if (wh_node_get(node, "api_key") || wh_node_get(node, "api_keys")) return WH_AUTH_KEY;
  return WH_AUTH_ADDRESS;
}

// --- while loading -------------------------------------------------------------------------------

static void check_kinds(wh_loader *l, const wh_node *node, const char *owner) {
  static const char *const kinds[] = {"api_key", "api_keys", "hmac", "bearer"};
  size_t count = 0;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    count += wh_node_get(node, kinds[i]) != NULL;
  if (count > 1)
    wh_problems_error(&l->problems, node,
                      "%s: one of api_key, api_keys, hmac and bearer, not several", owner);
  if (count == 0 && !wh_node_get(node, "allow"))
    wh_problems_error(&l->problems, node, "%s needs api_key, api_keys, hmac, bearer or allow",
                      owner);
}

// One option by itself: wh_load_secrets takes a table.
static void check_secret(wh_loader *l, const wh_option *option, const wh_node *map,
                         const char *owner, wh_str name, bool with_option) {
  const wh_option table[] = {*option, {0}};
  wh_load_secrets(l, table, map, owner, name, with_option);
}

static void load_keys(wh_loader *l, const wh_node *node, const char *owner) {
  if (!node) return;
  owner = wh_load_owner(l, "%s: api_keys", owner);
  if (node->kind != WH_NODE_MAP || !node->count || node->count > WH_AUTH_KEYS_MAX) {
    wh_problems_error(&l->problems, node, "%s: expected a map of 1 to %d names and keys", owner,
                      WH_AUTH_KEYS_MAX);
    return;
  }
  for (size_t i = 0; i < node->count; i++) {
    const wh_node *key = node->entries[i].key;
    if (!wh_load_name(l, key, "key")) continue;
    if (!wh_load_is_text(l, node->entries[i].value, owner, "a key")) continue;
    const wh_option option = {.name = wh_load_owner(l, "%.*s", WH_SHOWN(key->text)),
                              .secret = true};
    check_secret(l, &option, node, owner, key->text, false);
  }
}

static void check_header(wh_loader *l, const wh_node *map, const char *word, const char *owner,
                         wh_str name) {
  const wh_node *node = wh_node_get(map, word);
  if (!node || wh_config_has_reference(node->text) || is_header(name)) return;
  wh_problems_error(&l->problems, node, "%s: %s: '%.*s' is no name of a header", owner, word,
                    WH_SHOWN(name));
}

static void load_hmac(wh_loader *l, const wh_node *node, const char *owner, wh_str name) {
  if (!node) return;
  owner = wh_load_owner(l, "%s: hmac", owner);
  wh_auth_hmac words = {0};
  if (!wh_load_is_map(l, node, owner)) return;
  wh_load_options(l, wh_auth_hmac_options, node, NULL, owner, true, &words);
  wh_load_secrets(l, wh_auth_hmac_options, node, owner, name, true);
  check_header(l, node, "header", owner, words.header);
  check_header(l, node, "timestamp", owner, words.timestamp);
  const wh_node *secret = wh_node_get(node, "secret");
  if (secret && secret->kind == WH_NODE_LIST &&
      (!secret->count || secret->count > WH_AUTH_SECRETS_MAX))
    wh_problems_error(&l->problems, secret, "%s: secret: expected one, or a list of 1 to %d", owner,
                      WH_AUTH_SECRETS_MAX);
  if (wh_str_is(words.timestamp, NO_TIMESTAMP))
    wh_problems_warn(&l->problems, wh_node_get(node, "timestamp"),
                     "%s: without a timestamp a signature holds forever: whoever has seen a "
                     "request can send it again, which only idempotency stops",
                     owner);
}

static void load_bearer(wh_loader *l, const wh_node *node, const char *owner, wh_str name) {
  if (!node) return;
  owner = wh_load_owner(l, "%s: bearer", owner);
  wh_auth_bearer words = {0};
  if (!wh_load_is_map(l, node, owner)) return;
  wh_load_options(l, wh_auth_bearer_options, node, NULL, owner, true, &words);
  wh_load_secrets(l, wh_auth_bearer_options, node, owner, name, true);
  if (!is_url_safe(words.jwks))
    wh_problems_error(
        &l->problems, wh_node_get(node, "jwks"),
        "%s: jwks: keys that come over plain http: can be anybody's. Use https:", owner);
  const wh_node *algorithms = wh_node_get(node, "algorithms");
  if (algorithms && algorithms->kind == WH_NODE_LIST && !algorithms->count)
    wh_problems_error(&l->problems, algorithms, "%s: algorithms: no token could be valid", owner);
}

static void check_allow(wh_loader *l, const wh_node *map, const char *owner,
                        const wh_str_list *allow) {
  const wh_node *node = wh_node_get(map, "allow");
  if (node && node->kind == WH_NODE_LIST && !node->count)
    wh_problems_error(&l->problems, node, "%s: allow: nobody could ask", owner);
  for (size_t i = 0; i < allow->count; i++) {
    const wh_node *item = node->kind == WH_NODE_LIST ? node->items[i] : node;
    if (wh_config_has_reference(item->text) || wh_serve_proxy_ok(allow->items[i])) continue;
    wh_problems_error(&l->problems, item, "%s: allow: expected " WH_PROXY_FORMS ", found '%.*s'",
                      owner, WH_SHOWN(allow->items[i]));
  }
}

void wh_load_auth(wh_loader *l, const wh_node *node, const char *owner, wh_str name) {
  auth_words words = {0};
  owner = wh_load_owner(l, "%s: auth", owner);
  if (wh_node_is_null(node)) {
    wh_problems_error(&l->problems, node, "%s needs api_key, api_keys, hmac, bearer or allow",
                      owner);
    return;
  }
  if (!wh_load_is_map(l, node, owner)) return;
  wh_load_options(l, wh_auth_options, node, NULL, owner, true, &words);
  check_kinds(l, node, owner);
  check_secret(l, &wh_auth_options[0], node, owner, name, true);
  load_keys(l, words.api_keys, owner);
  load_hmac(l, words.hmac, owner, name);
  load_bearer(l, words.bearer, owner, name);
  check_allow(l, node, owner, &words.allow);
  for (const wh_option *option = wh_auth_options; option->name; option++)
    if (option->type == WH_OPTION_LIST) check_secret(l, option, node, owner, name, true);
}

// --- afterwards ----------------------------------------------------------------------------------

static wh_status read_keys(const wh_option_context *context, const wh_node *map, wh_auth_words *ret,
                           wh_error *err) {
  ret->keys = WH_NEW_ARRAY(context->arena, map->count, wh_auth_key);
  if (!ret->keys) return wh_fail_memory(err);
  for (size_t i = 0; i < map->count; i++) {
    wh_auth_key *key = &ret->keys[ret->key_count++];
    key->name = map->entries[i].key->text;
    WH_TRY(context->resolve(context->resolve_context, map->entries[i].value, context->arena,
                            &key->secret, err));
  }
  return WH_OK;
}

static wh_status read_key(const wh_option_context *context, wh_str api_key, wh_auth_words *ret,
                          wh_error *err) {
  ret->keys = WH_NEW(context->arena, wh_auth_key);
  if (!ret->keys) return wh_fail_memory(err);
  ret->keys[ret->key_count++] = (wh_auth_key){.secret = api_key};
  return WH_OK;
}

static wh_status read_hmac(const wh_option_context *context, const wh_node *node, const char *owner,
                           wh_auth_hmac *ret, wh_error *err) {
  WH_TRY(wh_options_parse(wh_auth_hmac_options, node, NULL, owner, context, ret, err));
  if (wh_str_is(ret->timestamp, NO_TIMESTAMP)) ret->timestamp = WH_STR("");
  if (is_header(ret->header) && (!ret->timestamp.len || is_header(ret->timestamp))) return WH_OK;
  return wh_node_fail(node, err, "%s: hmac: what is behind ${...} is no name of a header", owner);
}

static wh_status read_bearer(const wh_option_context *context, const wh_node *node,
                             const char *owner, wh_auth_bearer *ret, wh_error *err) {
  WH_TRY(wh_options_parse(wh_auth_bearer_options, node, NULL, owner, context, ret, err));
  if (!is_url_safe(ret->jwks))
    return wh_node_fail(node, err, "%s: bearer: jwks: behind ${...} is a plain http: URL", owner);
  if (wh_auth_is_url(ret->jwks)) return WH_OK;
  char *folder = wh_arena_cstr(context->arena, context->base_folder);
  char *path = folder ? wh_path_join(context->arena, folder, ret->jwks.data) : NULL;
  if (!path) return wh_fail_memory(err);
  ret->jwks = wh_str_of(path);
  return WH_OK;
}

typedef wh_status (*resolver)(void *context, const wh_node *scalar, wh_arena *arena, wh_str *ret,
                              wh_error *err);

static wh_status read_auth(wh_config *config, const wh_node *node, const char *owner,
                           wh_arena *arena, resolver resolve, wh_auth_words *ret, wh_error *err) {
  wh_option_context context = {
      .arena = arena,
      .base_folder = config->folder,
      .resolve = resolve,
      .resolve_context = config,
  };
  auth_words words = {0};
  WH_TRY(wh_options_parse(wh_auth_options, node, NULL, owner, &context, &words, err));
  *ret = (wh_auth_words){.kind = kind_of(node), .allow = words.allow};
  if (words.hmac) return read_hmac(&context, words.hmac, owner, &ret->hmac, err);
  if (words.bearer) return read_bearer(&context, words.bearer, owner, &ret->bearer, err);
  if (words.api_keys) return read_keys(&context, words.api_keys, ret, err);
  return ret->kind == WH_AUTH_KEY ? read_key(&context, words.api_key, ret, err) : WH_OK;
}

wh_status wh_config_auth(wh_config *config, const wh_node *node, const char *owner, wh_arena *arena,
                         wh_auth_words *ret, wh_error *err) {
  return read_auth(config, node, owner, arena, wh_reference_resolve, ret, err);
}

wh_status wh_config_auth_shown(wh_config *config, const wh_node *node, const char *owner,
                               wh_arena *arena, wh_auth_words *ret, wh_error *err) {
  return read_auth(config, node, owner, arena, wh_reference_resolve_shown, ret, err);
}
