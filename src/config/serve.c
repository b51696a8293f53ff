#include "config/private.h"

#include "config/serve.h"

#include <arpa/inet.h>

enum { CONNECTIONS_MAX = 4096 };

typedef struct serve_words {
  wh_str listen, url;
  bool docs;
  const wh_node *tls, *metrics, *lookups, *ingest;
  int64_t connections, connections_per_address;
  wh_str_list trusted_proxies;
} serve_words;

const wh_option wh_serve_options[] = {
    {.name = "listen",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(serve_words, listen),
     .def = "127.0.0.1:8080",
     .help = "address and port: 127.0.0.1:8080, [::1]:8080, 0.0.0.0:443"},
    {.name = "url",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(serve_words, url),
     .help = "where clients reach it, for the documentation: https://data.example.com; at `listen` "
             "where it is not given"},
    {.name = "docs",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(serve_words, docs),
     .help = "whether /docs and /openapi.json tell what there is and how it is used; without the "
             "word only where `listen` is of this machine and there are no proxies"},
    {.name = "tls",
     .type = WH_OPTION_NODE,
     .offset = offsetof(serve_words, tls),
     .shape = "{ certificate: PATH, key: PATH }",
     .help = "serve HTTPS; the files are read again when they change"},
    {.name = "trusted_proxies",
     .type = WH_OPTION_LIST,
     .offset = offsetof(serve_words, trusted_proxies),
     .help = "addresses or blocks (10.0.0.0/8) whose X-Forwarded-For is believed"},
    {.name = "metrics",
     .type = WH_OPTION_NODE,
     .offset = offsetof(serve_words, metrics),
     .shape = "127.0.0.1:9090 or { listen: 0.0.0.0:9090, auth: { ... } }",
     .help = "address and port of /healthz, /readyz and /metrics; without it there are none"},
    {.name = "lookups",
     .type = WH_OPTION_NODE,
     .offset = offsetof(serve_words, lookups),
     .shape = "{ name: { from: connection:table, by: Key, ... } }",
     .help = "pages that answer for one row"},
    {.name = "ingest",
     .type = WH_OPTION_NODE,
     .offset = offsetof(serve_words, ingest),
     .shape = "{ name: { columns: ..., auth: ... } }",
     .help = "endpoints that take events: POST /ingest/NAME"},
    {.name = "connections",
     .type = WH_OPTION_INT,
     .offset = offsetof(serve_words, connections),
     .def = "128",
     .min = 8,
     .max = CONNECTIONS_MAX,
     .help = "of clients that are open at once, 16 KiB each at most; the one that was idle longest "
             "makes room"},
    {.name = "connections_per_address",
     .type = WH_OPTION_INT,
     .offset = offsetof(serve_words, connections_per_address),
     .def = "16",
     .min = 1,
     .max = CONNECTIONS_MAX,
     .help = "of them from one address (an IPv6 /64 counts as one); trusted proxies may have more"},
    {0}};

typedef struct tls_words {
  wh_str certificate, key;
} tls_words;

const wh_option wh_tls_options[] = {{.name = "certificate",
                                     .type = WH_OPTION_PATH,
                                     .offset = offsetof(tls_words, certificate),
                                     .required = true,
                                     .help = "PEM file of the certificate and its chain"},
                                    {.name = "key",
                                     .type = WH_OPTION_PATH,
                                     .offset = offsetof(tls_words, key),
                                     .required = true,
                                     .help = "PEM file of the private key"},
                                    {0}};

const wh_option wh_metrics_options[] = {
    {.name = "listen",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_metrics, listen),
     .def = WH_METRICS_LISTEN,
     .help = "address and port: 127.0.0.1:9090, 0.0.0.0:9090"},
    {.name = "auth",
     .type = WH_OPTION_NODE,
     .offset = offsetof(wh_metrics, auth),
     .shape = "{ api_key: ${secret:name} }, { allow: [10.0.0.0/8] }, ...",
     .help = "who may read /metrics; everybody who can reach it else"},
    {0}};

// --- forms ---------------------------------------------------------------------------------------

static bool is_port(wh_str text) {
  uint64_t port;
  return text.len <= 5 && wh_str_to_u64(text, &port) && port <= 65535;
}

static bool is_ip(int family, wh_str text) {
  char buf[INET6_ADDRSTRLEN];
  unsigned char address[16];
  if (text.len == 0 || text.len >= sizeof buf) return false;
  memcpy(buf, text.data, text.len);
  buf[text.len] = 0;
  return inet_pton(family, buf, address) == 1;
}

bool wh_serve_listen_ok(wh_str text) {
  if (wh_str_starts(text, "[")) {
    size_t close = wh_str_find(text, 0, ']');
    wh_str rest = wh_str_sub(text, close + 1, text.len);
    return is_ip(AF_INET6, wh_str_sub(text, 1, close)) && wh_str_starts(rest, ":") &&
           is_port(wh_str_sub(rest, 1, rest.len));
  }
  size_t colon = wh_str_find(text, 0, ':');
  if (colon == text.len || !is_port(wh_str_sub(text, colon + 1, text.len))) return false;
  wh_str host = wh_str_sub(text, 0, colon);
  return wh_str_is(host, "localhost") || is_ip(AF_INET, host);
}

bool wh_serve_proxy_ok(wh_str text) {
  size_t slash = wh_str_find(text, 0, '/');
  wh_str host = wh_str_sub(text, 0, slash);
  bool v4 = is_ip(AF_INET, host), v6 = !v4 && is_ip(AF_INET6, host);
  if (slash == text.len) return v4 || v6;
  uint64_t bits;
  if (!wh_str_to_u64(wh_str_sub(text, slash + 1, text.len), &bits)) return false;
  return (v4 && bits <= 32) || (v6 && bits <= 128);
}

static bool is_loopback(wh_str listen) {
  return wh_str_starts(listen, "127.") || wh_str_starts(listen, "[::1]") ||
         wh_str_starts(listen, "localhost:");
}

// In examples it stands without quotes before a shell, hence no other characters.
static bool is_url(wh_str text) {
  wh_str rest = wh_str_starts(text, "https://")  ? wh_str_sub(text, 8, text.len)
                : wh_str_starts(text, "http://") ? wh_str_sub(text, 7, text.len)
                                                 : (wh_str){0};
  for (size_t i = 0; i < rest.len; i++) {
    char c = rest.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && !memchr("-._~:/[]", c, 8)) return false;
  }
  return rest.len > 0;
}

static void set_docs(wh_serve *serve, const wh_node *node, const serve_words *words) {
  bool is_said = node && node->kind == WH_NODE_MAP && wh_node_get(node, "docs");
  serve->docs = is_said ? words->docs : is_loopback(words->listen) && !words->trusted_proxies.count;
  serve->url = words->url;
  while (wh_str_ends(serve->url, "/"))
    serve->url.len--;
}

#define URL_FORMS    "where clients reach it, such as https://data.example.com"
#define LISTEN_FORMS "an address and a port, such as 127.0.0.1:8080, 0.0.0.0:443 or [::1]:8080"

// --- while loading -------------------------------------------------------------------------------

static void check_forms(wh_loader *l, const wh_node *node, const serve_words *words) {
  const wh_node *listen = wh_node_get(node, "listen");
  wh_str text = words->listen;
  if (listen && !wh_config_has_reference(listen->text) && !wh_serve_listen_ok(text)) {
    wh_problems_error(&l->problems, listen,
                      "serve: listen: expected " LISTEN_FORMS ", found '%.*s'", WH_SHOWN(text));
  }
  const wh_node *url = wh_node_get(node, "url");
  if (url && words->url.len && !wh_config_has_reference(url->text) && !is_url(words->url)) {
    wh_problems_error(&l->problems, url, "serve: url: expected " URL_FORMS ", found '%.*s'",
                      WH_SHOWN(words->url));
  }
  const wh_node *proxies = wh_node_get(node, "trusted_proxies");
  for (size_t i = 0; i < words->trusted_proxies.count; i++) {
    const wh_node *item = proxies->kind == WH_NODE_LIST ? proxies->items[i] : proxies;
    text = words->trusted_proxies.items[i];
    if (wh_config_has_reference(item->text) || wh_serve_proxy_ok(text)) continue;
    wh_problems_error(&l->problems, item,
                      "serve: trusted_proxies: expected " WH_PROXY_FORMS ", found '%.*s'",
                      WH_SHOWN(text));
  }
}

static void load_metrics(wh_loader *l, const wh_node *node, wh_metrics *ret) {
  if (!node || wh_node_is_null(node)) return;
  const wh_node *listen = node;
  ret->listen = node->text;
  if (node->kind != WH_NODE_SCALAR) {
    wh_load_options(l, wh_metrics_options, node, NULL, "serve: metrics", true, ret);
    listen = wh_node_get(node, "listen");
  }
  ret->given = true;
  if (ret->auth) wh_load_auth(l, ret->auth, "serve: metrics", WH_STR("metrics"));
  if (!listen || wh_config_has_reference(listen->text)) return;
  if (!wh_serve_listen_ok(ret->listen)) {
    wh_problems_error(&l->problems, listen,
                      "serve: metrics: expected " LISTEN_FORMS ", found '%.*s'",
                      WH_SHOWN(ret->listen));
  } else if (!ret->auth && !is_loopback(ret->listen)) {
    wh_problems_warn(&l->problems, listen,
                     "serve: metrics: everybody who can reach %.*s can read what runs here. Say "
                     "who may with: auth",
                     WH_SHOWN(ret->listen));
  }
}

void wh_load_serve(wh_loader *l, const wh_node *node) {
  wh_serve *serve = &l->config->serve;
  serve->given = wh_load_is_map(l, node, "serve");
  serve_words words = {0};
  tls_words tls = {0};
  // Without the word, the defaults.
  wh_load_options(l, wh_serve_options, serve->given ? node : NULL, NULL, "serve", false, &words);
  if (serve->given) check_forms(l, node, &words);
  if (words.tls && !wh_node_is_null(words.tls)) {
    wh_load_options(l, wh_tls_options, words.tls, NULL, "serve: tls", false, &tls);
  }
  serve->listen = words.listen;
  serve->trusted_proxies = words.trusted_proxies;
  set_docs(serve, node, &words);
  serve->tls_certificate = tls.certificate;
  serve->tls_key = tls.key;
  load_metrics(l, words.metrics, &serve->metrics);
  serve->connections = words.connections;
  serve->connections_per_address = words.connections_per_address;
  wh_load_lookups(l, words.lookups);
  wh_load_ingest_auth(l);
}

// --- afterwards ----------------------------------------------------------------------------------

static wh_status fail_form(const wh_node *node, const char *what, const char *forms,
                           wh_error *err) {
  // What a reference stands for is not shown.
  return wh_node_fail(node, err, "serve: %s: expected %s, found something else behind ${...}", what,
                      forms);
}

static wh_status check_ready(const wh_node *node, const serve_words *words, wh_error *err) {
  const wh_node *listen = wh_node_get(node, "listen");
  if (listen && !wh_serve_listen_ok(words->listen)) {
    return fail_form(listen, "listen", LISTEN_FORMS, err);
  }
  if (words->url.len && !is_url(words->url))
    return fail_form(wh_node_get(node, "url"), "url", URL_FORMS, err);
  const wh_node *proxies = wh_node_get(node, "trusted_proxies");
  for (size_t i = 0; i < words->trusted_proxies.count; i++) {
    const wh_node *item = proxies->kind == WH_NODE_LIST ? proxies->items[i] : proxies;
    if (!wh_serve_proxy_ok(words->trusted_proxies.items[i])) {
      return fail_form(item, "trusted_proxies", WH_PROXY_FORMS, err);
    }
  }
  return WH_OK;
}

static wh_status resolve_metrics(const wh_option_context *context, const wh_node *node,
                                 wh_metrics *ret, wh_error *err) {
  if (!node || wh_node_is_null(node)) return WH_OK;
  const wh_node *listen = node;
  if (node->kind == WH_NODE_SCALAR) {
    WH_TRY(context->resolve(context->resolve_context, node, context->arena, &ret->listen, err));
  } else {
    WH_TRY(wh_options_parse(wh_metrics_options, node, NULL, "serve: metrics", context, ret, err));
    listen = wh_node_get(node, "listen");
  }
  ret->given = true;
  if (!listen || wh_serve_listen_ok(ret->listen)) return WH_OK;
  return fail_form(listen, "metrics", LISTEN_FORMS, err);
}

static wh_status resolve_words(wh_config *config, const wh_node *node, wh_error *err) {
  wh_option_context context = {
      .arena = &config->arena,
      .base_folder = config->folder,
      .resolve = wh_reference_resolve,
      .resolve_context = config,
  };
  serve_words words = {0};
  tls_words tls = {0};
  WH_TRY(wh_options_parse(wh_serve_options, node, NULL, "serve", &context, &words, err));
  if (words.tls && !wh_node_is_null(words.tls)) {
    WH_TRY(wh_options_parse(wh_tls_options, words.tls, NULL, "serve: tls", &context, &tls, err));
  }
  WH_TRY(check_ready(node, &words, err));
  WH_TRY(resolve_metrics(&context, words.metrics, &config->serve.metrics, err));
  config->serve.listen = words.listen;
  config->serve.trusted_proxies = words.trusted_proxies;
  set_docs(&config->serve, node, &words);
  config->serve.tls_certificate = tls.certificate;
  config->serve.tls_key = tls.key;
  return wh_config_ingest_auth(config, err);
}

wh_status wh_config_serve(wh_config *config, wh_error *err) {
  wh_serve *serve = &config->serve;
  if (!serve->given) return WH_OK;
  pthread_mutex_lock(&config->own->mutex);
  wh_status status = resolve_words(config, wh_node_get(config->root, "serve"), err);
  pthread_mutex_unlock(&config->own->mutex);
  WH_TRY(status);
  for (size_t i = 0; i < serve->lookup_count; i++) {
    for (size_t j = 0; j < serve->lookups[i].proof_count; j++) {
      wh_lookup_proof *proof = &serve->lookups[i].proofs[j];
      WH_TRY(wh_config_mask(config, proof->mask_name, &proof->mask, err));
    }
  }
  return WH_OK;
}
