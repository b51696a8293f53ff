#include "config/private.h"

#include "config/model.h"
#include "connect/range_split.h"

enum {
  ATTEMPTS_MAX = 100,
  CHUNK_MAX = 100000000,
  MODEL_THREADS_MAX = 256,
  DATASET_KEEP_MAX = 1000,
};

typedef struct pipeline_words {
  const wh_node *when, *read, *steps, *columns, *expect, *write, *after, *notify, *subject;
  wh_str from, to;
  bool raw;
  int64_t attempts, batch, chunk;
  int begin, on_new_column;
} pipeline_words;

static const char *const begin_choices[] = {"all", "now", NULL};
static const char *const new_column_choices[] = {"hold", "stop", "add", NULL};
static const char *const mode_choices[] = {"append", "upsert", "replace", NULL};
static const char *const compare_choices[] = {"no", "compare", NULL};
static const char *const deletes_choices[] = {"remove", "mark", "ignore", NULL};
static const char *const order_choices[] = {"column", "side-table", NULL};

const wh_option wh_pipeline_options[] = {
    {.name = "when",
     .type = WH_OPTION_NODE,
     .offset = offsetof(pipeline_words, when),
     .shape = "new, { every: 5m }, { cron: \"0 6 * * *\" } or { event: queue }",
     .help = "what starts it; by hand where it is not given"},
    {.name = "from",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(pipeline_words, from),
     .required = true,
     .help = "address that is read: connection:table, a pattern of tables (connection:sales.*), "
             "connection:pattern of objects, connection:folder/ of a dataset, or the path of a "
             "model (models/owners.sql)"},
    {.name = "read",
     .type = WH_OPTION_NODE,
     .offset = offsetof(pipeline_words, read),
     .shape = "{ cursor: column }",
     .help = "how it is read"},
    {.name = "steps",
     .type = WH_OPTION_NODE,
     .offset = offsetof(pipeline_words, steps),
     .shape = "[{ trim: [column] }]",
     .help = "what is done to the rows, in this order"},
    {.name = "columns",
     .type = WH_OPTION_NODE,
     .offset = offsetof(pipeline_words, columns),
     .shape = "all or { Name: source_column }",
     .help = "what may cross, and as what"},
    {.name = "on_new_column",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(pipeline_words, on_new_column),
     .choices = new_column_choices,
     .help =
         "what becomes of a column that is new at the source: it stays home (hold), the run "
         "fails (stop), or, with columns: all, it crosses and the target's table gets it (add)"},
    {.name = "raw",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(pipeline_words, raw),
     .help = "objects move as they are, without looking inside"},
    {.name = "expect",
     .type = WH_OPTION_NODE,
     .offset = offsetof(pipeline_words, expect),
     .shape = "{ Name: [not_null] }",
     .help = "rules that rows must keep; others go to quarantine"},
    {.name = "to",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(pipeline_words, to),
     .required = true,
     .help = "address that is written: connection:table, connection:template of objects, or "
             "connection:folder/ of a dataset"},
    {.name = "write",
     .type = WH_OPTION_NODE,
     .offset = offsetof(pipeline_words, write),
     .shape = "{ mode: upsert, key: Name }",
     .help = "how it is written"},
    {.name = "attempts",
     .type = WH_OPTION_INT,
     .offset = offsetof(pipeline_words, attempts),
     .def = "5",
     .min = 1,
     .max = ATTEMPTS_MAX,
     .help = "failures after which an object becomes a dead letter"},
    {.name = "batch",
     .type = WH_OPTION_INT,
     .offset = offsetof(pipeline_words, batch),
     .def = "0",
     .min = 0,
     .max = WH_BATCH_ROWS_MAX,
     .help = "rows that go through the steps together; 0: 4096, and 32768 on the way into a table"},
    {.name = "chunk",
     .type = WH_OPTION_INT,
     .offset = offsetof(pipeline_words, chunk),
     .def = "100000",
     .min = 1,
     .max = CHUNK_MAX,
     .help = "rows that a table commits at a time"},
    {.name = "begin",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(pipeline_words, begin),
     .choices = begin_choices,
     .def = "all",
     .help = "whether objects that are there at first sight count"},
    {.name = "after",
     .type = WH_OPTION_NODE,
     .offset = offsetof(pipeline_words, after),
     .shape = "leave, delete or { move: done/{name}.{ext} }",
     .def = "leave",
     .help = "what becomes of an object at the source once it is safe where it went"},
    {.name = "notify",
     .type = WH_OPTION_NODE,
     .offset = offsetof(pipeline_words, notify),
     .shape = "topic, or { to: topic, on: [done, failed, quarantined] }",
     .help = "connections to topics or queues that are told of its runs"},
    {.name = "subject",
     .type = WH_OPTION_NODE,
     .offset = offsetof(pipeline_words, subject),
     .shape = "{ customer: customer_id }",
     .help = "whose rows they are: for each kind of person the column, as it is read, that tells "
             "them apart; `wherry erase customer=KEY` goes by it"},
    {0}};

// `read` as it is written.
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
    {.name = "format",
     .type = WH_OPTION_NODE,
     .offset = offsetof(read_words, format),
     .shape = "{ type: codec, option: value, ... }",
     .help = "of the objects: options of their codec, which their ending names unless `type` does"},
    {0}};

typedef struct write_words {
  int mode, order, deletes;
  int64_t tombstone_keep_us;
  wh_str_list key;
  wh_str newest_by;
  const wh_node *format;
  int64_t keep, file_size;
  wh_str_list partition_by, sort_by;
} write_words;

const wh_option wh_write_options[] = {
    {.name = "mode",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(write_words, mode),
     .choices = mode_choices,
     .def = "append",
     .help = "add rows, merge them by key, or make the table exactly what arrives"},
    {.name = "key",
     .type = WH_OPTION_LIST,
     .offset = offsetof(write_words, key),
     .help = "columns that tell rows apart"},
    {.name = "newest_by",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(write_words, newest_by),
     .help = "column of a row's version: an older row never replaces a newer one"},
    {.name = "order",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(write_words, order),
     .choices = order_choices,
     .def = "column",
     .help =
         "where a table keeps the order of its rows: a column of its own, or a table beside it"},
    {.name = "deletes",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(write_words, deletes),
     .choices = deletes_choices,
     .help = "what becomes of rows that are gone at the source: remove them (upsert, the default), "
             "mark them in _wherry_deleted (upsert) or add their deletion as a row that is so "
             "marked (append, the default), or ignore it"},
    {.name = "tombstone_keep",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(write_words, tombstone_keep_us),
     .def = "30d",
     .min = 0,
     .max = 3660ll * 86400 * 1000000,
     .help = "how long a deletion is remembered, so that an older object that comes late does not "
             "bring the row back"},
    {.name = "format",
     .type = WH_OPTION_NODE,
     .offset = offsetof(write_words, format),
     .shape = "{ type: codec, option: value, ... }",
     .help = "of the object: options of its codec, which its ending names unless `type` does; of a "
             "dataset's files, which are Parquet where it is not given"},
    {.name = "keep",
     .type = WH_OPTION_INT,
     .offset = offsetof(write_words, keep),
     .def = "5",
     .min = 1,
     .max = DATASET_KEEP_MAX,
     .help = "versions of a dataset that are kept, the present one among them"},
    {.name = "partition_by",
     .type = WH_OPTION_LIST,
     .offset = offsetof(write_words, partition_by),
     .help = "columns whose values are folders of a dataset: year=2026/month=11/"},
    {.name = "sort_by",
     .type = WH_OPTION_LIST,
     .offset = offsetof(write_words, sort_by),
     .help = "columns that the rows of a dataset's file are sorted by"},
    {.name = "file_size",
     .type = WH_OPTION_SIZE,
     .offset = offsetof(write_words, file_size),
     .def = "256MiB",
     .min = 64 << 10,
     .max = 16ll << 30,
     .help = "about how large a dataset's file grows before another is begun; compact makes larger "
             "ones of those that have less than half of it"},
    {0}};

// A pipeline while it is checked.
typedef struct checker {
  wh_loader *l;
  wh_pipeline *p;
  const char *owner;
  const wh_node *node;
  pipeline_words words;
  const wh_connection_info *from, *to; // NULL: not known
  const wh_node *read_format, *write_format;
} checker;

__attribute__((format(printf, 3, 4))) static void problem(const checker *c, const wh_node *node,
                                                          const char *fmt, ...) {
  char text[WH_ERROR_TEXT_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  wh_problems_error(&c->l->problems, node, "%s: %s", c->owner, text);
}

static bool given(const wh_node *node) {
  return node && !wh_node_is_null(node);
}

// A word of `map` that has no meaning here.
static void refuse(const checker *c, const wh_node *map, const char *word, const char *why) {
  if (given(wh_node_get(map, word))) problem(c, wh_node_key(map, word), "%s %s", word, why);
}

static bool reads_objects(const checker *c) {
  return c->from && c->from->type->store;
}

static bool writes_objects(const checker *c) {
  return c->to && c->to->type->store;
}

// --- from and read -------------------------------------------------------------------------------

static void check_from_dataset(const checker *c) {
  wh_pipeline *p = c->p;
  if (!wh_load_dataset(c->l, &p->from, wh_load_owner(c->l, "%s: from", c->owner), false,
                       &p->read.dataset))
    return;
  wh_load_dataset_format(c->l, &p->from, p->read.dataset, c->read_format, true, c->owner,
                         &p->read.format);
  refuse(c, c->node, "after", "is for objects by themselves, and `from` reads a dataset");
  refuse(c, c->node, "raw", "is for objects by themselves, and `from` reads a dataset");
}

static void check_from_objects(const checker *c) {
  const wh_node *node = c->p->from.node;
  wh_str name = c->from->name;
  bool is_dataset = wh_address_is_dataset(c->p->from.thing);
  if (is_dataset) {
    check_from_dataset(c);
  } else if (!c->p->raw) {
    wh_load_format(c->l, &c->p->from, c->read_format, true, c->owner, &c->p->read.format);
  }
  if (c->p->from.thing.len == 0) {
    problem(c, node, "from: %.*s holds objects. Say which, such as %.*s:inbound/**/*.json",
            WH_SHOWN(name), WH_SHOWN(name));
  } else if (!is_dataset) {
    wh_load_pattern(c->l, &c->p->from, wh_load_owner(c->l, "%s: from", c->owner));
    wh_load_after(c->l, c->p, c->words.after, wh_load_owner(c->l, "%s: after", c->owner));
  }
  if (c->p->when.kind == WH_WHEN_EVENT && !c->from->type->store->announced) {
    problem(c, c->words.when,
            "when: no queue announces objects of %.*s, which is of type %s. Write when: new",
            WH_SHOWN(name), c->from->type->name);
  }
  static const char *const words[] = {"query",  "cursor",  "overlap", "ranges",
                                      "shared", "deletes", "key"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    refuse(c, c->words.read, words[i], "is for databases, and `from` reads objects");
}

static bool reads_deletes(const checker *c) {
  return c->p->read.deletes || wh_option_misspelt(wh_read_options, c->words.read, NULL, "deletes");
}

// Events are read from where the last run ended, by their numbers.
static void check_from_events(const checker *c) {
  static const char *const words[] = {"query",  "cursor",  "overlap", "timezone", "ranges",
                                      "shared", "deletes", "key",     "format"};
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
    problem(c, c->p->from.node, "from: serve.ingest has no endpoint '%.*s'.%s", WH_SHOWN(name),
            wh_hint_of(name, names, serve->ingest_count).text);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    refuse(c, c->words.read, words[i], "has no meaning for events, which are read once, in order");
  if (c->p->when.kind == WH_WHEN_NEW || c->p->when.kind == WH_WHEN_EVENT)
    problem(c, c->words.when,
            "when: %s waits for objects, and `from` reads events. Write { gathered: { rows: 10000, "
            "age: 10s } }",
            c->p->when.kind == WH_WHEN_NEW ? "new" : "event");
  refuse(c, c->node, "begin", "is for objects, and `from` reads events");
  c->p->read.cursor = WH_STR(WH_INGEST_CURSOR);
}

static void check_from_rows(const checker *c) {
  const wh_node *node = c->p->from.node;
  wh_str name = c->from->name;
  bool table = c->p->from.thing.len > 0, query = c->p->read.query.len > 0;
  if (table && query) {
    problem(c, wh_node_key(c->words.read, "query"),
            "read: query and the table in `from` exclude each other. Write from: %.*s",
            WH_SHOWN(name));
  } else if (!table && !query) {
    problem(c, node, "from: name a table (%.*s:table), or give read: { query: \"SELECT ...\" }",
            WH_SHOWN(name));
  }
  c->p->many = wh_table_is_pattern(c->p->from.thing);
  if (c->p->read.cursor.len == 0 &&
      !wh_option_misspelt(wh_read_options, c->words.read, NULL, "cursor")) {
    refuse(c, c->words.read, "overlap", "has no meaning without a cursor");
  }
  if (query) refuse(c, c->words.read, "ranges", "is for tables: a query has no key to cut");
  if (c->p->when.kind == WH_WHEN_NEW || c->p->when.kind == WH_WHEN_EVENT) {
    problem(
        c, c->words.when,
        "when: %s waits for objects, and %.*s is a database. Write { every: 5m }, with a cursor",
        c->p->when.kind == WH_WHEN_NEW ? "new" : "event", WH_SHOWN(name));
  }
  if (!reads_deletes(c)) refuse(c, c->words.read, "key", "has no meaning without deletes: compare");
  if (c->p->read.deletes && query && c->p->read.key.count == 0) {
    problem(c, wh_node_key(c->words.read, "deletes"),
            "read: deletes needs 'key', the columns that tell the query's rows apart");
  }
  refuse(c, c->node, "begin", "is for objects, and `from` reads a database");
  refuse(c, c->node, "after", "is for objects, and `from` reads a database");
  refuse(c, c->words.read, "format", "is for objects, and `from` reads a database");
}

// The SQL says itself what is read, and all of it is read each time.
static void check_from_model(checker *c) {
  static const char *const words[] = {"query",  "cursor",  "overlap", "timezone",
                                      "ranges", "deletes", "key",     "format"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    refuse(c, c->words.read, words[i], "has no meaning for a model, whose SQL says what is read");
  static const char *const others[] = {"raw", "begin", "after"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    refuse(c, c->node, others[i], "is for objects, and `from` names a model");
  c->p->raw = false;
  if (c->p->when.kind == WH_WHEN_EVENT || c->p->when.kind == WH_WHEN_GATHERED)
    problem(c, c->words.when,
            "when: a model waits for no event. Write new: it runs when something it reads is new");
  if (wh_load_model(c->l, c->p, c->owner))
    c->from = wh_config_find_connection(c->l->config, c->p->from.connection);
}

// from: QUEUE stands for from: ingest:QUEUE.
static const wh_connection_info *take_queue(checker *c, const wh_connection_info *info) {
  wh_address *from = &c->p->from;
  if (from->thing.len)
    problem(c, from->node, "from: a queue has nothing to name behind ':'. Write from: %.*s",
            WH_SHOWN(info->name));
  else if (!wh_node_get(info->node, "columns"))
    problem(c, from->node,
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

static void check_from(checker *c) {
  const char *owner = wh_load_owner(c->l, "%s: from", c->owner);
  const wh_node *node = wh_node_get(c->node, "from");
  c->p->from.node = node;
  if (node && node->kind == WH_NODE_SCALAR && wh_model_is(node->text)) {
    check_from_model(c);
    return;
  }
  refuse(c, c->words.read, "memory", "is for SQL models");
  refuse(c, c->words.read, "threads", "is for SQL models");
  if (!wh_load_address(c->l, node, owner, &c->p->from)) return;
  const wh_connection_info *info = wh_config_find_connection(c->l->config, c->p->from.connection);
  if (info->type->queue && info->type->queue->open_messages && !(info = take_queue(c, info)))
    return;
  if (!info->type->source && !info->type->store) {
    problem(c, node, "from: %.*s cannot be read: a %s only takes data", WH_SHOWN(info->name),
            info->type->name);
    return;
  }
  c->from = info;
  if (info->type == &wh_connector_ingest) {
    check_from_events(c);
    return;
  }
  if (c->p->when.kind == WH_WHEN_GATHERED)
    problem(c, c->words.when,
            "when: gathered waits for events of serve.ingest or of a queue, and %.*s has none",
            WH_SHOWN(info->name));
  if (info->type->store)
    check_from_objects(c);
  else
    check_from_rows(c);
}

static void load_read(checker *c) {
  const char *owner = wh_load_owner(c->l, "%s: read", c->owner);
  read_words words = {0};
  wh_load_options(c->l, wh_read_options, c->words.read, NULL, owner, false, &words);
  c->p->read = words.read;
  c->p->read.deletes = words.deletes == 1;
  c->read_format = words.format;
  if (given(c->words.read)) wh_load_zone(c->l, c->words.read, owner, c->p->read.timezone);
}

// --- to and write --------------------------------------------------------------------------------

// A column that `write` names must be one that crosses.
static void check_crosses(const checker *c, const wh_node *node, wh_str name, const char *word) {
  const wh_gate *gate = &c->p->gate;
  if (gate->all || gate->count == 0) return;
  wh_str *words = wh_load_array(c->l, gate->count, sizeof *words);
  if (!words) return;
  for (size_t i = 0; i < gate->count; i++) {
    if (wh_str_eq(gate->columns[i].name, name)) return;
    words[i] = gate->columns[i].name;
  }
  problem(c, node, "%s: column '%.*s' is not listed under columns.%s", word, WH_SHOWN(name),
          wh_hint_of(name, words, gate->count).text);
}

// Columns that `write` lists, of which each crosses and none comes twice.
static void check_columns(const checker *c, const char *word, const wh_str_list *list) {
  const wh_node *words = wh_node_get(c->words.write, word);
  const char *owner = wh_load_owner(c->l, "write: %s", word);
  for (size_t i = 0; i < list->count; i++) {
    const wh_node *node = words->kind == WH_NODE_LIST ? words->items[i] : words;
    check_crosses(c, node, list->items[i], owner);
    for (size_t j = 0; j < i; j++) {
      if (!wh_str_eq(list->items[i], list->items[j])) continue;
      problem(c, node, "%s: '%.*s' is listed twice", owner, WH_SHOWN(list->items[i]));
    }
  }
}

static const char *const dataset_words[] = {"keep", "partition_by", "sort_by", "file_size"};
enum { DATASET_WORDS = sizeof dataset_words / sizeof *dataset_words };

static void refuse_dataset_words(const checker *c) {
  for (size_t i = 0; i < DATASET_WORDS; i++)
    refuse(c, c->words.write, dataset_words[i],
           "is for datasets, whose address ends in '/': to: lake:mart/orders/");
}

static void check_to_dataset(const checker *c) {
  static const char *const words[] = {"key", "newest_by", "order", "deletes", "tombstone_keep"};
  wh_pipeline *p = c->p;
  wh_write *write = &p->write;
  if (!wh_load_dataset(c->l, &p->to, wh_load_owner(c->l, "%s: to", c->owner), true,
                       &write->dataset))
    return;
  wh_load_dataset_format(c->l, &p->to, write->dataset, c->write_format, false, c->owner,
                         &write->format);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    refuse(c, c->words.write, words[i], "is for tables, and `to` writes a dataset");
  refuse(c, c->node, "chunk", "is for tables, and `to` writes a dataset");
  refuse(c, c->node, "raw", "is for objects by themselves, and `to` writes a dataset");
  if (write->mode == WH_WRITE_UPSERT)
    problem(c, wh_node_key(c->words.write, "mode"),
            "write: a dataset is appended to or replaced; upsert is for tables");
  if (write->mode == WH_WRITE_APPEND && p->read.dataset.len)
    problem(c, p->to.node,
            "to: each version of a dataset holds all of its rows, which append would add again. "
            "Write mode: replace");
  if (write->mode == WH_WRITE_REPLACE && p->read.cursor.len)
    problem(c, wh_node_key(c->words.read, "cursor"),
            "read: a cursor reads what is new, and mode: replace needs everything each time");
  if (p->many)
    problem(c, p->to.node, "to: a dataset takes the rows of one table, and `from` reads many");
  check_columns(c, "partition_by", &write->partition_by);
  check_columns(c, "sort_by", &write->sort_by);
  if (write->partition_by.count > WH_DATASET_PARTITION_MAX)
    problem(c, wh_node_get(c->words.write, "partition_by"),
            "write: partition_by: %d columns at most", (int)WH_DATASET_PARTITION_MAX);
  bool same_place = c->from == c->to && wh_str_eq(p->read.dataset, write->dataset);
  if (same_place) problem(c, p->to.node, "to: this is the dataset it reads");
}

static void check_to_objects(const checker *c) {
  const wh_node *node = c->p->to.node;
  wh_str name = c->to->name;
  if (c->p->to.thing.len == 0) {
    problem(c, node, "to: %.*s holds objects. Give them a name, such as %.*s:out/{run}.json",
            WH_SHOWN(name), WH_SHOWN(name));
    return;
  }
  if (wh_address_is_dataset(c->p->to.thing)) {
    check_to_dataset(c);
    return;
  }
  refuse_dataset_words(c);
  wh_error why = {0};
  bool good = wh_template_check(c->p->to.thing, c->p->raw, &why) == WH_OK;
  if (!good)
    problem(c, node, "to: %s", why.text);
  else if (!c->p->raw)
    wh_load_format(c->l, &c->p->to, c->write_format, false, c->owner, &c->p->write.format);
  static const char *const words[] = {"mode",  "key",     "newest_by",
                                      "order", "deletes", "tombstone_keep"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    refuse(c, c->words.write, words[i], "is for tables, and `to` writes objects");
  refuse(c, c->node, "chunk", "is for tables, and `to` writes objects");
}

static void check_key_columns(const checker *c) {
  const wh_write *write = &c->p->write;
  check_columns(c, "key", &write->key);
  const wh_node *newest = wh_node_get(c->words.write, "newest_by");
  if (write->newest_by.len) check_crosses(c, newest, write->newest_by, "write: newest_by");
}

static bool is_ignored(const checker *c) {
  return c->p->write.deletes == WH_DELETES_IGNORE;
}

static void check_deletes(const checker *c) {
  const wh_node *node = c->words.write;
  wh_write_mode mode = c->p->write.mode;
  if (mode == WH_WRITE_REPLACE) {
    refuse(
        c, node, "deletes",
        "is for mode: upsert and mode: append; a table that is replaced has no row that is gone");
    if (c->p->read.deletes) {
      problem(c, wh_node_key(c->words.read, "deletes"),
              "read: deletes has no use here: mode: replace leaves no row that is gone");
    }
  } else if (mode == WH_WRITE_APPEND && given(wh_node_get(node, "deletes")) &&
             c->p->write.deletes == WH_DELETES_REMOVE) {
    problem(c, wh_node_key(node, "deletes"),
            "write: deletes: remove is for mode: upsert. With append, write mark or ignore");
  }
  if (mode != WH_WRITE_UPSERT)
    refuse(c, node, "tombstone_keep", "is for mode: upsert");
  else if (is_ignored(c))
    refuse(c, node, "tombstone_keep", "has no meaning with deletes: ignore");
}

static void check_to_rows(const checker *c) {
  const wh_write *write = &c->p->write;
  refuse(c, c->words.write, "format", "is for objects, and `to` writes a table");
  refuse_dataset_words(c);
  if (c->p->to.thing.len == 0) {
    problem(c, c->p->to.node, "to: name a table, such as %.*s:orders", WH_SHOWN(c->to->name));
  }
  bool misspelt = wh_option_misspelt(wh_write_options, c->words.write, NULL, "key");
  if (write->mode == WH_WRITE_UPSERT && write->key.count == 0 && !misspelt) {
    problem(c, c->words.write, "write: upsert needs 'key', the columns that tell rows apart");
  }
  if (write->mode == WH_WRITE_APPEND) {
    refuse(c, c->words.write, "key", "is for mode: upsert and mode: replace");
    refuse(c, c->words.write, "newest_by", "is for mode: upsert and mode: replace");
    refuse(c, c->words.write, "order", "is for mode: upsert and mode: replace");
  } else if (write->key.count == 0 && write->mode == WH_WRITE_REPLACE) {
    refuse(c, c->words.write, "newest_by", "needs 'key', the columns that tell rows apart");
  }
  if (write->mode == WH_WRITE_APPEND && c->p->read.dataset.len)
    problem(c, c->p->to.node,
            "to: each version of a dataset holds all of its rows, which append would add again. "
            "Write mode: replace, or upsert");
  check_key_columns(c);
  check_deletes(c);
  bool same_place = c->from == c->to && wh_str_eq(c->p->from.thing, c->p->to.thing);
  if (same_place && c->p->to.thing.len) {
    problem(c, c->p->to.node, "to: this is the table it reads");
  }
}

static void check_to(checker *c) {
  if (!c->to) return;
  if (c->p->many) wh_load_many(c->l, c->p, c->owner, writes_objects(c));
  if (writes_objects(c))
    check_to_objects(c);
  else if (!c->p->many)
    check_to_rows(c);
}

static void find_to(checker *c) {
  const wh_node *node = wh_node_get(c->node, "to");
  if (!wh_load_address(c->l, node, wh_load_owner(c->l, "%s: to", c->owner), &c->p->to)) return;
  const wh_connection_info *info = wh_config_find_connection(c->l->config, c->p->to.connection);
  if (info->type->sink || info->type->store) {
    c->to = info;
    return;
  }
  problem(c, node, "to: %.*s cannot be written: a %s only gives data", WH_SHOWN(info->name),
          info->type->name);
}

static void load_write(checker *c) {
  write_words words = {0};
  wh_load_options(c->l, wh_write_options, c->words.write, NULL,
                  wh_load_owner(c->l, "%s: write", c->owner), true, &words);
  c->write_format = words.format;
  c->p->write = (wh_write){
      .mode = (wh_write_mode)words.mode,
      .key = words.key,
      .newest_by = words.newest_by,
      .side_table = words.order == 1,
      .deletes = (wh_deletes)words.deletes,
      .tombstone_keep_us = words.tombstone_keep_us,
      .keep = words.keep,
      .file_bytes = words.file_size,
      .partition_by = words.partition_by,
      .sort_by = words.sort_by,
  };
  bool says = given(wh_node_get(c->words.write, "deletes"));
  if (c->p->write.mode == WH_WRITE_APPEND && !says) c->p->write.deletes = WH_DELETES_MARK;
  if (c->p->write.mode == WH_WRITE_REPLACE) c->p->write.deletes = WH_DELETES_IGNORE;
}

// --- what is between -----------------------------------------------------------------------------

static void check_steps(checker *c) {
  const wh_node *steps = c->words.steps;
  if (!given(steps)) return;
  if (steps->kind != WH_NODE_LIST) {
    problem(c, steps, "steps: expected a list, found %s", wh_node_kind_name(steps));
    return;
  }
  c->p->steps = steps;
}

// A deletion is sent by its key, so that all of the key has to cross.
static void check_read_key(const checker *c) {
  const wh_gate *gate = &c->p->gate;
  const wh_str_list *key = &c->p->read.key;
  for (size_t i = 0; i < key->count; i++)
    for (size_t j = 0; j < i; j++)
      if (wh_str_eq(key->items[i], key->items[j]))
        problem(c, wh_node_get(c->words.read, "key"), "read: key: '%.*s' is listed twice",
                WH_SHOWN(key->items[i]));
  if (!c->p->read.deletes || gate->all || gate->count == 0) return;
  wh_str *words = wh_load_array(c->l, gate->count, sizeof *words);
  if (!words) return;
  for (size_t i = 0; i < key->count; i++) {
    bool crosses = false;
    for (size_t k = 0; k < gate->count; k++) {
      words[k] = gate->columns[k].from;
      crosses |= wh_str_eq(words[k], key->items[i]);
    }
    if (crosses) continue;
    const wh_node *node = wh_node_get(c->words.read, "key");
    problem(c, node->kind == WH_NODE_LIST ? node->items[i] : node,
            "read: key: the source's column '%.*s' does not cross, and deletions are sent by their "
            "key. List it under columns.%s",
            WH_SHOWN(key->items[i]), wh_hint_of(key->items[i], words, gate->count).text);
  }
}

// Which of the rows that are equal was sent, nobody knows when one of them is gone.
static void check_no_dedupe(const checker *c) {
  const wh_node *steps = c->p->steps;
  for (size_t i = 0; c->p->read.deletes && steps && i < steps->count; i++) {
    const wh_node *step = steps->items[i];
    if (step->kind != WH_NODE_MAP || step->count != 1) continue;
    if (wh_str_is(step->entries[0].key->text, "dedupe"))
      problem(c, step->entries[0].key,
              "steps: dedupe cannot go with read: { deletes: compare }, which has to know what was "
              "sent. Do it where the rows are loaded");
  }
}

static void check_expect(checker *c) {
  const wh_node *expect = c->words.expect;
  if (!wh_load_is_map(c->l, expect, wh_load_owner(c->l, "%s: expect", c->owner))) return;
  c->p->expect = expect;
  for (size_t i = 0; i < expect->count; i++) {
    const wh_node *key = expect->entries[i].key;
    if (!wh_run_rules_has(key)) check_crosses(c, key, key->text, "expect");
  }
  wh_error why = {0};
  if (wh_run_rules_parse(expect, &c->p->rules, &why) != WH_OK) {
    wh_problems_add(&c->l->problems, false, &why);
    c->p->rules = (wh_run_rules){0};
  }
}

// What the run's rules need of the pipeline; and the one that `mode: replace` has of itself.
static void check_run_rules(checker *c) {
  wh_run_limit *least = &c->p->rules.limits[WH_AT_LEAST_ROWS];
  const wh_run_rule shares[] = {WH_AT_LEAST_ROWS, WH_AT_MOST_ROWS};
  for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
    const char *word = wh_run_rule_types[shares[i]].word;
    if (c->p->read.cursor.len && c->p->rules.limits[shares[i]].has_percent)
      problem(c, wh_node_key(c->words.expect, word),
              "expect: %s: a run with a cursor reads what is new, whose number is no share of the "
              "last run's. Write a number of rows",
              word);
  }
  bool is_kept = c->to && (c->to->type->sink || wh_address_is_dataset(c->p->to.thing));
  bool replaces = c->p->write.mode == WH_WRITE_REPLACE && is_kept;
  if (replaces && !wh_run_limit_given(least) && !c->p->read.cursor.len)
    *least = (wh_run_limit){.has_percent = true, .percent = 50, .implied = true};
}

static void check_raw(checker *c) {
  static const char *const words[] = {"read",  "steps", "columns",       "expect", "write",
                                      "batch", "chunk", "on_new_column", "subject"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    refuse(c, c->node, words[i], "excludes raw, which moves objects without looking inside");
  if (c->from && !reads_objects(c)) {
    problem(c, c->p->from.node, "raw moves objects, and %.*s is a database",
            WH_SHOWN(c->from->name));
  }
  if (c->to && !writes_objects(c)) {
    problem(c, c->p->to.node, "raw moves objects, and %.*s is a database", WH_SHOWN(c->to->name));
  }
}

static void check_new_column(checker *c) {
  const wh_node *node = wh_node_get(c->node, "on_new_column");
  bool all = c->p->many ? c->p->table_count == 0 : c->p->gate.all;
  if (!given(node)) return;
  c->p->on_new_column = (wh_on_new_column)(c->words.on_new_column + WH_NEW_COLUMN_HOLD);
  if (all && c->p->on_new_column == WH_NEW_COLUMN_HOLD)
    problem(c, node,
            "on_new_column: hold leaves nothing home where columns: all lets everything cross. "
            "List the columns, or write stop or add");
  if (!all && c->p->on_new_column == WH_NEW_COLUMN_ADD && given(c->words.columns))
    problem(c, node,
            "on_new_column: add lets every new column cross, which needs columns: all. Where "
            "columns are listed, write hold or stop");
}

static void load_content(checker *c) {
  if (c->p->raw) {
    check_raw(c);
    return;
  }
  check_steps(c);
  wh_load_step_tables(c->l, c->p, wh_load_owner(c->l, "%s: steps", c->owner));
  if (given(c->words.columns)) {
    void (*load)(wh_loader *, wh_pipeline *, const wh_node *, const char *,
                 const wh_connection_info *) = c->p->many ? wh_load_tables : wh_load_columns;
    load(c->l, c->p, c->words.columns, wh_load_owner(c->l, "%s: columns", c->owner), c->to);
  } else if (!wh_option_misspelt(wh_pipeline_options, c->node, NULL, "columns")) {
    const wh_node *key = wh_node_key(c->node, "columns");
    wh_problems_error(
        &c->l->problems, key ? key : c->node,
        "%s needs 'columns': what may cross. List them as { Name: source_column }, or "
        "write columns: all",
        c->owner);
  }
  check_new_column(c);
  check_read_key(c);
  check_no_dedupe(c);
  check_expect(c);
  check_run_rules(c);
  wh_load_subjects(c->l, c->p, c->words.subject, wh_load_owner(c->l, "%s: subject", c->owner));
  wh_load_content(c->l, c->p, c->owner);
}

static void load_pipeline(wh_loader *l, wh_pipeline *p, const wh_node *key, const wh_node *node) {
  wh_load_name(l, key, "pipeline");
  *p = (wh_pipeline){.name = key->text, .node = node};
  checker c = {.l = l,
               .p = p,
               .node = node,
               .owner = wh_load_owner(l, "pipeline %.*s", WH_SHOWN(key->text))};
  if (wh_node_is_null(node)) {
    wh_problems_error(&l->problems, key, "%s needs 'from', 'columns' and 'to'", c.owner);
    return;
  }
  if (!wh_load_is_map(l, node, c.owner)) return;
  wh_load_options(l, wh_pipeline_options, node, NULL, c.owner, true, &c.words);
  p->raw = c.words.raw;
  p->attempts = c.words.attempts;
  p->batch_rows = c.words.batch;
  p->chunk_rows = c.words.chunk;
  p->begin_now = c.words.begin == 1;
  wh_load_when(l, c.words.when, wh_load_owner(l, "%s: when", c.owner), &p->when);
  wh_load_notify(l, p, c.words.notify, wh_load_owner(l, "%s: notify", c.owner));
  load_read(&c);
  load_write(&c);
  check_from(&c);
  find_to(&c);
  load_content(&c);
  check_to(&c);
}

void wh_load_pipelines(wh_loader *l, const wh_node *node) {
  if (!wh_load_is_map(l, node, "pipelines")) return;
  if (node->count > WH_CONFIG_PIPELINES_MAX) {
    wh_problems_error(&l->problems, node, "more than %d pipelines", WH_CONFIG_PIPELINES_MAX);
    return;
  }
  l->config->pipelines = wh_load_array(l, node->count, sizeof *l->config->pipelines);
  if (!l->config->pipelines) return;
  for (size_t i = 0; i < node->count; i++) {
    wh_pipeline *p = &l->config->pipelines[l->config->pipeline_count++];
    load_pipeline(l, p, node->entries[i].key, node->entries[i].value);
  }
}

// --- finding -------------------------------------------------------------------------------------

const wh_pipeline *wh_config_pipeline(const wh_config *config, wh_str name) {
  for (size_t i = 0; i < config->pipeline_count; i++)
    if (wh_str_eq(config->pipelines[i].name, name)) return &config->pipelines[i];
  return NULL;
}

wh_status wh_config_find_pipeline(const wh_config *config, wh_str name, const wh_pipeline **ret,
                                  wh_error *err) {
  const wh_pipeline *found = wh_config_pipeline(config, name);
  if (found) {
    *ret = found;
    return WH_OK;
  }
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, config->source.mem);
  wh_str *words = WH_NEW_ARRAY(&scratch, config->pipeline_count, wh_str);
  if (!words) return wh_fail_memory(err);
  for (size_t i = 0; i < config->pipeline_count; i++)
    words[i] = config->pipelines[i].name;
  wh_hint hint = wh_hint_of(name, words, config->pipeline_count);
  return wh_fail(err, WH_ERR_USAGE, "no pipeline '%.*s'.%s", WH_SHOWN(name),
                 hint.text[0] ? hint.text : " See them: wherry status");
}

wh_status wh_config_find_any(const wh_config *config, wh_str name, wh_arena *arena,
                             const wh_pipeline **ret, wh_error *err) {
  size_t colon = wh_str_find(name, 0, ':');
  const wh_pipeline *many = wh_config_pipeline(config, wh_str_sub(name, 0, colon));
  if (colon == name.len || !many || !many->many)
    return wh_config_find_pipeline(config, name, ret, err);
  wh_str table = wh_pipeline_member_table(wh_str_sub(name, colon + 1, name.len), arena);
  wh_pipeline *member = WH_NEW(arena, wh_pipeline);
  if (!table.data || !member) return wh_fail_memory(err);
  if (!wh_pipeline_lets_cross(many, table))
    return wh_fail(err, WH_ERR_USAGE, "%.*s: the table '%.*s' is not listed under columns",
                   WH_SHOWN(many->name), WH_SHOWN(table));
  WH_TRY(wh_pipeline_member(many, table, arena, member, err));
  *ret = member;
  return WH_OK;
}
