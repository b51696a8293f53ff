// What a pipeline reads, and how.
#include "config/model.h"
#include "config/pipeline.h"
#include "config/serve.h"
#include "connect/range_split.h"

enum { MODEL_THREADS_MAX = 256 };

static const char *const compare_choices[] = {"no", "compare", NULL};

typedef struct read_words {
  wh_read read;
  int deletes;
  const wh_node *format;
} read_words;

const wh_option wh_read_options[] = {
    {.name = "query",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(read_words, read.query),
     .help = "a SELECT instead of a table; `from` then names the connection alone"},
    {.name = "cursor",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(read_words, read.cursor),
     .help = "column that grows with every change, so that a run reads only what is new"},
    {.name = "overlap",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(read_words, read.overlap_us),
     .def = "10m",
     .min = 0,
     .max = 366ll * 86400 * 1000000,
     .help = "how far a windowed cursor reads back for rows that were committed late"},
    {.name = "timezone",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(read_words, read.timezone),
     .help = "of local times in the source, such as Europe/London"},
    {.name = "ranges",
     .type = WH_OPTION_INT,
     .offset = offsetof(read_words, read.ranges),
     .def = "1",
     .min = 1,
     .max = WH_RANGES_MAX,
     .help = "sessions that read a table at once, a range of its key each"},
    {.name = "shared",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(read_words, read.shared),
     .def = "false",
     .help = "whether all workers of the ledger take ranges, instead of one worker's sessions"},
    {.name = "deletes",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(read_words, deletes),
     .choices = compare_choices,
     .def = "no",
     .help = "whether each run compares the source's keys with those sent, and sends what is gone"},
    {.name = "key",
     .type = WH_OPTION_LIST,
     .offset = offsetof(read_words, read.key),
     .help =
         "the source's columns that tell rows apart, for deletes; the table's primary key where "
         "it is not given"},
    {.name = "memory",
     .type = WH_OPTION_SIZE,
     .offset = offsetof(read_words, read.memory_bytes),
     .min = 32 << 20,
     .max = 0,
     .help = "of a model: what DuckDB may take, beside the `memory` of all; past it it works on "
             "disk; 1GiB where it is not given"},
    {.name = "threads",
     .type = WH_OPTION_INT,
     .offset = offsetof(read_words, read.threads),
     .min = 1,
     .max = MODEL_THREADS_MAX,
     .help = "of a model: that DuckDB may use; one a processor where it is not given"},
    {.name = "members",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(read_words, read.members),
     .help = "the objects are ZIP archives: pattern of the members that are read, such as *.csv"},
    {.name = "format",
     .type = WH_OPTION_NODE,
     .offset = offsetof(read_words, format),
     .shape = "{ type: codec, option: value, ... }",
     .help = "of the objects: options of their codec, which their ending names unless `type` does"},
    {0}};

static void check_from_dataset(const wh_pipeline_checker *c) {
  wh_pipeline *p = c->p;
  if (!wh_load_dataset(c->l, &p->from, wh_load_owner(c->l, "%s: from", c->owner), false,
                       &p->read.dataset))
    return;
  wh_load_dataset_format(c->l, &p->from, p->read.dataset, c->read_format, true, c->owner,
                         &p->read.format);
  wh_pipeline_refuse(c, c->node, "after",
                     "is for objects by themselves, and `from` reads a dataset");
  wh_pipeline_refuse(c, c->node, "complete",
                     "is for objects by themselves, and `from` reads a dataset");
  wh_pipeline_refuse(c, c->node, "raw", "is for objects by themselves, and `from` reads a dataset");
}

// The codec is that of the members, where there are some.
static void load_format(const wh_pipeline_checker *c) {
  wh_address address = c->p->from;
  wh_str members = c->p->read.members;
  const wh_node *node = wh_node_get(c->words.read, "members");
  if (members.len) address = (wh_address){.thing = members, .node = node};
  wh_load_format(c->l, &address, c->read_format, true, c->owner, &c->p->read.format);
  const wh_codec_type *codec = c->p->read.format.codec;
  if (members.len > WH_GLOB_MAX)
    wh_pipeline_problem(c, node, "read: members: longer than %d bytes", WH_GLOB_MAX);
  if (members.len && codec && codec->compresses)
    wh_pipeline_problem(
        c, node, "read: members: %s is read from its end, which it cannot be inside of an archive",
        codec->name);
}

static void check_from_objects(const wh_pipeline_checker *c) {
  const wh_node *node = c->p->from.node;
  wh_str name = c->from->name;
  bool is_dataset = wh_address_is_dataset(c->p->from.thing);
  if (is_dataset) {
    check_from_dataset(c);
    wh_pipeline_refuse(c, c->words.read, "members", "is for archives, and `from` reads a dataset");
  } else if (!c->p->raw) {
    load_format(c);
  }
  if (c->p->from.thing.len == 0) {
    wh_pipeline_problem(c, node,
                        "from: %.*s holds objects. Say which, such as %.*s:inbound/**/*.json",
                        WH_SHOWN(name), WH_SHOWN(name));
  } else if (!is_dataset) {
    wh_load_pattern(c->l, &c->p->from, wh_load_owner(c->l, "%s: from", c->owner));
    wh_load_complete(c->l, c->p, c->words.complete, wh_load_owner(c->l, "%s: complete", c->owner));
    wh_load_after(c->l, c->p, c->words.after, wh_load_owner(c->l, "%s: after", c->owner));
  }
  if (c->p->when.kind == WH_WHEN_EVENT && !c->from->type->store->announced) {
    wh_pipeline_problem(
        c, c->words.when,
        "when: no queue announces objects of %.*s, which is of type %s. Write when: new",
        WH_SHOWN(name), c->from->type->name);
  }
  static const char *const words[] = {"query",  "cursor",  "overlap", "ranges",
                                      "shared", "deletes", "key"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    wh_pipeline_refuse(c, c->words.read, words[i], "is for databases, and `from` reads objects");
}

static bool reads_deletes(const wh_pipeline_checker *c) {
  return c->p->read.deletes || wh_option_misspelt(wh_read_options, c->words.read, NULL, "deletes");
}

// Events are read from where the last run ended, by their numbers.
static void check_from_events(const wh_pipeline_checker *c) {
  static const char *const words[] = {"query",  "cursor",  "overlap", "timezone", "ranges",
                                      "shared", "deletes", "key",     "format",   "members"};
  const wh_serve *serve = &c->l->config->serve;
  wh_str names[WH_CONFIG_INGESTS_MAX], name = c->p->from.thing;
  bool found = false;
  for (size_t i = 0; i < serve->ingest_count; i++) {
    names[i] = serve->ingests[i].endpoint->name;
    found = found || wh_str_eq(names[i], name);
  }
  for (size_t i = 0; i < c->l->config->inbox_count; i++)
    found = found || wh_str_eq(c->l->config->inboxes[i].name, name);
  if (!found)
    wh_pipeline_problem(c, c->p->from.node, "from: serve.ingest has no endpoint '%.*s'.%s",
                        WH_SHOWN(name), wh_hint_of(name, names, serve->ingest_count).text);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    wh_pipeline_refuse(c, c->words.read, words[i],
                       "has no meaning for events, which are read once, in order");
  if (c->p->when.kind == WH_WHEN_NEW || c->p->when.kind == WH_WHEN_EVENT)
    wh_pipeline_problem(
        c, c->words.when,
        "when: %s waits for objects, and `from` reads events. Write { gathered: { rows: 10000, "
        "age: 10s } }",
        c->p->when.kind == WH_WHEN_NEW ? "new" : "event");
  wh_pipeline_refuse(c, c->node, "begin", "is for objects, and `from` reads events");
  wh_pipeline_refuse(c, c->node, "complete", "is for objects, and `from` reads events");
  c->p->read.cursor = WH_STR(WH_INGEST_CURSOR);
}

static void check_from_rows(const wh_pipeline_checker *c) {
  const wh_node *node = c->p->from.node;
  wh_str name = c->from->name;
  bool table = c->p->from.thing.len > 0, query = c->p->read.query.len > 0;
  if (table && query) {
    wh_pipeline_problem(c, wh_node_key(c->words.read, "query"),
                        "read: query and the table in `from` exclude each other. Write from: %.*s",
                        WH_SHOWN(name));
  } else if (!table && !query) {
    wh_pipeline_problem(c, node,
                        "from: name a table (%.*s:table), or give read: { query: \"SELECT ...\" }",
                        WH_SHOWN(name));
  }
  c->p->many = wh_table_is_pattern(c->p->from.thing);
  if (c->p->read.cursor.len == 0 &&
      !wh_option_misspelt(wh_read_options, c->words.read, NULL, "cursor")) {
    wh_pipeline_refuse(c, c->words.read, "overlap", "has no meaning without a cursor");
  }
  if (query)
    wh_pipeline_refuse(c, c->words.read, "ranges", "is for tables: a query has no key to cut");
  if (c->p->when.kind == WH_WHEN_NEW || c->p->when.kind == WH_WHEN_EVENT) {
    wh_pipeline_problem(
        c, c->words.when,
        "when: %s waits for objects, and %.*s is a database. Write { every: 5m }, with a cursor",
        c->p->when.kind == WH_WHEN_NEW ? "new" : "event", WH_SHOWN(name));
  }
  if (!reads_deletes(c))
    wh_pipeline_refuse(c, c->words.read, "key", "has no meaning without deletes: compare");
  if (c->p->read.deletes && query && c->p->read.key.count == 0) {
    wh_pipeline_problem(c, wh_node_key(c->words.read, "deletes"),
                        "read: deletes needs 'key', the columns that tell the query's rows apart");
  }
  wh_pipeline_refuse(c, c->node, "begin", "is for objects, and `from` reads a database");
  wh_pipeline_refuse(c, c->node, "complete", "is for objects, and `from` reads a database");
  wh_pipeline_refuse(c, c->node, "after", "is for objects, and `from` reads a database");
  wh_pipeline_refuse(c, c->words.read, "members", "is for objects, and `from` reads a database");
  wh_pipeline_refuse(c, c->words.read, "format", "is for objects, and `from` reads a database");
}

// The SQL says itself what is read, and all of it is read each time.
static void check_from_model(wh_pipeline_checker *c) {
  static const char *const words[] = {"query",   "cursor", "overlap", "timezone", "ranges",
                                      "deletes", "key",    "format",  "members"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    wh_pipeline_refuse(c, c->words.read, words[i],
                       "has no meaning for a model, whose SQL says what is read");
  static const char *const others[] = {"raw", "begin", "complete", "after"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    wh_pipeline_refuse(c, c->node, others[i], "is for objects, and `from` names a model");
  c->p->raw = false;
  if (c->p->when.kind == WH_WHEN_EVENT || c->p->when.kind == WH_WHEN_GATHERED)
    wh_pipeline_problem(
        c, c->words.when,
        "when: a model waits for no event. Write new: it runs when something it reads is new");
  if (wh_load_model(c->l, c->p, c->owner))
    c->from = wh_config_find_connection(c->l->config, c->p->from.connection);
}

// from: QUEUE stands for from: ingest:QUEUE, and so of a feed.
static const wh_connection_info *take_queue(wh_pipeline_checker *c,
                                            const wh_connection_info *info) {
  wh_address *from = &c->p->from;
  if (from->thing.len)
    wh_pipeline_problem(c, from->node,
                        "from: a %s has nothing to name behind ':'. Write from: %.*s",
                        info->type->feed ? "feed" : "queue", WH_SHOWN(info->name));
  else if (!wh_node_get(info->node, "columns") && info->type->feed)
    return NULL; // told already
  else if (!wh_node_get(info->node, "columns"))
    wh_pipeline_problem(
        c, from->node,
        "from: %.*s does not say what its messages hold. Give the connection columns: { name: "
        "type }, or write when: { event: %.*s } and `from` a store, where it announces objects",
        WH_SHOWN(info->name), WH_SHOWN(info->name));
  else
    *from = (wh_address){
        .connection = WH_STR(WH_INGEST_CONNECTION), .thing = info->name, .node = from->node};
  const wh_connection_info *events =
      wh_config_find_connection(c->l->config, WH_STR(WH_INGEST_CONNECTION));
  return wh_str_is(from->connection, WH_INGEST_CONNECTION) ? events : NULL;
}

void wh_pipeline_check_from(wh_pipeline_checker *c) {
  const char *owner = wh_load_owner(c->l, "%s: from", c->owner);
  const wh_node *node = wh_node_get(c->node, "from");
  c->p->from.node = node;
  if (node && node->kind == WH_NODE_SCALAR && wh_model_is(node->text)) {
    check_from_model(c);
    return;
  }
  wh_pipeline_refuse(c, c->words.read, "memory", "is for SQL models");
  wh_pipeline_refuse(c, c->words.read, "threads", "is for SQL models");
  if (!wh_load_address(c->l, node, owner, &c->p->from)) return;
  const wh_connection_info *info = wh_config_find_connection(c->l->config, c->p->from.connection);
  if (wh_connector_is_inbox(info->type) && !(info = take_queue(c, info))) return;
  if (!info->type->source && !info->type->store) {
    wh_pipeline_problem(c, node, "from: %.*s cannot be read: a %s only takes data",
                        WH_SHOWN(info->name), info->type->name);
    return;
  }
  c->from = info;
  if (info->type == &wh_connector_ingest) {
    check_from_events(c);
    return;
  }
  if (c->p->when.kind == WH_WHEN_GATHERED)
    wh_pipeline_problem(
        c, c->words.when,
        "when: gathered waits for events of serve.ingest or of a queue, and %.*s has none",
        WH_SHOWN(info->name));
  if (info->type->store)
    check_from_objects(c);
  else
    check_from_rows(c);
}

void wh_pipeline_load_read(wh_pipeline_checker *c) {
  const char *owner = wh_load_owner(c->l, "%s: read", c->owner);
  read_words words = {0};
  wh_load_options(c->l, wh_read_options, c->words.read, NULL, owner, false, &words);
  c->p->read = words.read;
  c->p->read.deletes = words.deletes == 1;
  c->read_format = words.format;
  if (wh_node_given(c->words.read)) wh_load_zone(c->l, c->words.read, owner, c->p->read.timezone);
}
