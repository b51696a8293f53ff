// `ledger`: a file of SQLite, or a place that workers share, as an address
//   postgres://user:password@host:port/database
//   dynamodb:table
// or as a map with the words of a connection of that type.
#include "config/private.h"
#include "connect/dynamodb/ledger_place.h"

typedef struct ledger_words {
  int type;
  wh_str path;
  int64_t lease_us;
} ledger_words;

static const char *const types[] = {"sqlite", "postgres", "dynamodb", NULL};

const wh_option wh_ledger_options[] = {
    {.name = "type",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(ledger_words, type),
     .def = "sqlite",
     .choices = types,
     .help = "a file of this machine's, or a server that several workers share"},
    {.name = "path",
     .type = WH_OPTION_PATH,
     .offset = offsetof(ledger_words, path),
     .help = "sqlite: its file; .wherry/ledger.db where it is not given"},
    {.name = "lease",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(ledger_words, lease_us),
     .min = 2 * 1000000, // workers notice a silent server within two thirds of it, in seconds
     .max = 3600ll * 1000000,
     .help = "on a server: after so long a worker that says nothing has lost its work to the "
             "others; 30s without it, 1m in DynamoDB"},
    {0}};

// Of whoever renews it; what is stopped for longer, as a function between two events is, loses it.
enum { POSTGRES_LEASE_US = 30 * 1000000, DYNAMODB_LEASE_US = 60 * 1000000 };

// Words of the map that are the ledger's, whatever its type.
static const char *const own_words[] = {"type", "lease", NULL};

// --- the address
// -------------------------------------------------------------------------------

// The first of the characters that stands in no ${...}; text.len when there is none.
static size_t find_any(wh_str text, size_t from, const char *characters) {
  for (size_t i = from; i < text.len; i++) {
    if (wh_str_starts(wh_str_sub(text, i, text.len), "${"))
      i = wh_str_find(text, i, '}');
    else if (strchr(characters, text.data[i]))
      return i;
  }
  return text.len;
}

typedef struct address_map {
  wh_loader *l;
  const wh_node *from;
  wh_node *map;
} address_map;

static wh_node *scalar_of(const address_map *a, wh_str text) {
  wh_node *node = wh_load_array(a->l, 1, sizeof *node);
  if (!node) return NULL;
  *node = *a->from;
  node->plain = false;
  node->text = text;
  return node;
}

enum { ADDRESS_WORDS_MAX = 6 };

static void add_word(address_map *a, const char *key, wh_str value) {
  if (!value.len || !a->map || a->map->count == ADDRESS_WORDS_MAX) return;
  wh_node_entry entry = {scalar_of(a, wh_str_of(key)), scalar_of(a, value)};
  if (entry.key && entry.value) a->map->entries[a->map->count++] = entry;
}

static bool start_map(address_map *a) {
  a->map = scalar_of(a, (wh_str){0});
  if (!a->map) return false;
  a->map->kind = WH_NODE_MAP;
  a->map->count = 0;
  a->map->entries = wh_load_array(a->l, ADDRESS_WORDS_MAX, sizeof *a->map->entries);
  return a->map->entries;
}

// What stands before and behind the first of the characters, which is left out.
static wh_str split(wh_str *rest, const char *characters) {
  size_t at = find_any(*rest, 0, characters);
  wh_str before = wh_str_sub(*rest, 0, at);
  *rest = wh_str_sub(*rest, at + 1, rest->len);
  return before;
}

static const char table_scheme[] = "dynamodb:";

static wh_str scheme_of(wh_str text) {
  static const char *const schemes[] = {"postgres://", "postgresql://", table_scheme};
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
    if (wh_str_starts(text, schemes[i])) return wh_str_of(schemes[i]);
  return (wh_str){0};
}

// A table's name has no ':', so whatever follows is it.
static const wh_node *map_of_table(wh_loader *l, const wh_node *node) {
  address_map a = {.l = l, .from = node};
  if (!start_map(&a)) return NULL;
  add_word(&a, "type", WH_STR("dynamodb"));
  add_word(&a, "table", wh_str_sub(node->text, sizeof table_scheme - 1, node->text.len));
  return a.map;
}

// The address as a map of the connection's words; NULL, and told, when it is none.
static const wh_node *map_of_address(wh_loader *l, const wh_node *node) {
  wh_str scheme = scheme_of(node->text);
  if (!scheme.len) {
    wh_problems_error(&l->problems, node,
                      "ledger: expected postgres://user@host:port/database, dynamodb:TABLE, or a "
                      "map such as { path: ... }");
    return NULL;
  }
  if (wh_str_is(scheme, table_scheme)) return map_of_table(l, node);
  wh_str rest = wh_str_sub(node->text, scheme.len, node->text.len);
  if (find_any(rest, 0, "?#%") < rest.len) {
    wh_problems_error(&l->problems, node,
                      "ledger: this address takes no '?', '#' or '%%'. Write it as a map: { type: "
                      "postgres, host: ..., database: ..., tls: ... }");
    return NULL;
  }
  address_map a = {.l = l, .from = node};
  if (!start_map(&a)) return NULL;
  add_word(&a, "type", WH_STR("postgres"));
  if (find_any(rest, 0, "@") < rest.len) {
    wh_str login = split(&rest, "@");
    add_word(&a, "user", split(&login, ":"));
    add_word(&a, "password", login);
  }
  wh_str place = split(&rest, "/");
  add_word(&a, "host", split(&place, ":"));
  add_word(&a, "port", place);
  add_word(&a, "database", rest);
  return a.map;
}

// --- loading
// ------------------------------------------------------------------------------------

bool wh_ledger_is_on_server(const wh_node *node) {
  if (node->kind == WH_NODE_SCALAR) return scheme_of(node->text).len > 0;
  const wh_node *type = wh_node_get(node, "type");
  return type && type->kind == WH_NODE_SCALAR &&
         (wh_str_is(type->text, "postgres") || wh_str_is(type->text, "dynamodb"));
}

const wh_connector *wh_ledger_connector(wh_str type) {
#ifdef WHERRY_DYNAMODB
  if (wh_str_is(type, "dynamodb")) return &wh_dynamodb_ledger_place;
#endif
  return wh_str_is(type, "postgres") ? wh_connector_by_name(type) : NULL;
}

static void load_server(wh_loader *l, const wh_node *node) {
  wh_connection_entry *entry = &l->own->ledger;
  wh_str name = wh_node_get(node, "type")->text;
  bool is_dynamodb = wh_str_is(name, "dynamodb");
  const wh_connector *type = wh_ledger_connector(name);
  if (!type) {
    wh_problems_error(&l->problems, node, "ledger: this wherry was built without %s",
                      is_dynamodb ? "DynamoDB" : "PostgreSQL");
    return;
  }
  *entry = (wh_connection_entry){
      .info = {.name = WH_STR("ledger"), .type = type, .node = node},
      .owner = "ledger",
      .words = own_words,
  };
  wh_node words;
  ledger_words ledger = {0};
  if (!wh_load_words(l, node, own_words, &words)) return;
  wh_load_options(l, wh_ledger_options, &words, NULL, "ledger", false, &ledger);
  int64_t usual_us = is_dynamodb ? DYNAMODB_LEASE_US : POSTGRES_LEASE_US;
  l->own->ledger_lease_us = ledger.lease_us ? ledger.lease_us : usual_us;
  wh_load_connector(l, entry, WH_STR("ledger"));
}

void wh_load_ledger(wh_loader *l, const wh_node *node) {
  if (node && node->kind == WH_NODE_SCALAR && !wh_node_is_null(node))
    node = map_of_address(l, node);
  if (!node) return;
  if (node->kind == WH_NODE_MAP && wh_ledger_is_on_server(node)) {
    load_server(l, node);
    return;
  }
  ledger_words ledger = {0};
  wh_load_options(l, wh_ledger_options, node, NULL, "ledger", true, &ledger);
  if (ledger.path.len) l->config->ledger_path = ledger.path;
}

// --- afterwards
// ---------------------------------------------------------------------------------

const wh_connector *wh_config_ledger_type(const wh_config *config) {
  return config->own ? config->own->ledger.info.type : NULL; // none of its own: made for one file
}

wh_status wh_config_ledger(wh_config *config, wh_connection **ret, int64_t *ret_lease_us,
                           wh_error *err) {
  pthread_mutex_lock(&config->own->mutex);
  wh_status status = wh_connection_make_ready(config, &config->own->ledger, err);
  pthread_mutex_unlock(&config->own->mutex);
  if (status != WH_OK) return status;
  *ret = config->own->ledger.ready;
  *ret_lease_us = config->own->ledger_lease_us;
  return WH_OK;
}
