// What a pipeline writes, and how.
#include "config/pipeline.h"

enum { DATASET_KEEP_MAX = 1000 };

static const char *const mode_choices[] = {"append", "upsert", "replace", NULL};
static const char *const deletes_choices[] = {"remove", "mark", "ignore", NULL};
static const char *const order_choices[] = {"column", "side-table", NULL};

typedef struct write_words {
  int mode, order, deletes;
  int64_t tombstone_keep_us;
  wh_str_list key;
  wh_str newest_by;
  const wh_node *format;
  int64_t keep, file_size;
  wh_str_list partition_by, sort_by;
  bool incremental;
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
    {.name = "incremental",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(write_words, incremental),
     .def = "false",
     .help = "a model is run over the partitions of what it reads that changed, and makes the same "
             "partitions anew"},
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

// Columns that `write` lists, of which each crosses and none comes twice.
static void check_columns(const wh_pipeline_checker *c, const char *word, const wh_str_list *list) {
  const wh_node *words = wh_node_get(c->words.write, word);
  const char *owner = wh_load_owner(c->l, "write: %s", word);
  for (size_t i = 0; i < list->count; i++) {
    const wh_node *node = words->kind == WH_NODE_LIST ? words->items[i] : words;
    wh_pipeline_check_crosses(c, node, list->items[i], owner);
    for (size_t j = 0; j < i; j++) {
      if (!wh_str_eq(list->items[i], list->items[j])) continue;
      wh_pipeline_problem(c, node, "%s: '%.*s' is listed twice", owner, WH_SHOWN(list->items[i]));
    }
  }
}

static const char *const dataset_words[] = {"keep", "partition_by", "incremental", "sort_by",
                                            "file_size"};
enum { DATASET_WORDS = sizeof dataset_words / sizeof *dataset_words };

static void refuse_dataset_words(const wh_pipeline_checker *c) {
  for (size_t i = 0; i < DATASET_WORDS; i++)
    wh_pipeline_refuse(c, c->words.write, dataset_words[i],
                       "is for datasets, whose address ends in '/': to: lake:mart/orders/");
}

// What becomes of a row must hang on its partition alone.
static void check_incremental(const wh_pipeline_checker *c) {
  const wh_pipeline *p = c->p;
  const char *why = NULL;
  if (!p->model)
    why = "is for SQL models";
  else if (p->write.mode != WH_WRITE_REPLACE)
    why = "replaces partitions: say mode: replace";
  else if (!p->write.partition_by.count)
    why = "needs partition_by, the columns by which the model can be run";
  else if (wh_node_given(wh_node_get(c->node, "steps")) ||
           wh_node_given(wh_node_get(c->node, "expect")))
    why = "takes no steps and no expect, which see a part of the rows then. Write them in the "
          "SQL, or in the next pipeline";
  for (size_t i = 0; i < p->gate.count; i++)
    if (p->gate.columns[i].mask)
      why = "takes no masks, whose keys may change. Put them into the next pipeline";
  if (why)
    wh_pipeline_problem(c, wh_node_key(c->words.write, "incremental"), "write: incremental %s",
                        why);
}

static void check_to_dataset(const wh_pipeline_checker *c) {
  static const char *const words[] = {"key", "newest_by", "order", "deletes", "tombstone_keep"};
  wh_pipeline *p = c->p;
  wh_write *write = &p->write;
  if (!wh_load_dataset(c->l, &p->to, wh_load_owner(c->l, "%s: to", c->owner), true,
                       &write->dataset))
    return;
  wh_load_dataset_format(c->l, &p->to, write->dataset, c->write_format, false, c->owner,
                         &write->format);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    wh_pipeline_refuse(c, c->words.write, words[i], "is for tables, and `to` writes a dataset");
  wh_pipeline_refuse(c, c->node, "chunk", "is for tables, and `to` writes a dataset");
  wh_pipeline_refuse(c, c->node, "raw", "is for objects by themselves, and `to` writes a dataset");
  if (write->mode == WH_WRITE_UPSERT)
    wh_pipeline_problem(c, wh_node_key(c->words.write, "mode"),
                        "write: a dataset is appended to or replaced; upsert is for tables");
  if (write->mode == WH_WRITE_APPEND && p->read.dataset.len)
    wh_pipeline_problem(
        c, p->to.node,
        "to: each version of a dataset holds all of its rows, which append would add again. "
        "Write mode: replace");
  if (write->mode == WH_WRITE_REPLACE && p->read.cursor.len)
    wh_pipeline_problem(
        c, wh_node_key(c->words.read, "cursor"),
        "read: a cursor reads what is new, and mode: replace needs everything each time");
  if (p->many)
    wh_pipeline_problem(c, p->to.node,
                        "to: a dataset takes the rows of one table, and `from` reads many");
  check_columns(c, "partition_by", &write->partition_by);
  check_columns(c, "sort_by", &write->sort_by);
  if (write->incremental) check_incremental(c);
  if (write->partition_by.count > WH_DATASET_PARTITION_MAX)
    wh_pipeline_problem(c, wh_node_get(c->words.write, "partition_by"),
                        "write: partition_by: %d columns at most", (int)WH_DATASET_PARTITION_MAX);
  bool same_place = c->from == c->to && wh_str_eq(p->read.dataset, write->dataset);
  if (same_place) wh_pipeline_problem(c, p->to.node, "to: this is the dataset it reads");
}

static void check_to_objects(const wh_pipeline_checker *c) {
  const wh_node *node = c->p->to.node;
  wh_str name = c->to->name;
  if (c->p->to.thing.len == 0) {
    wh_pipeline_problem(c, node,
                        "to: %.*s holds objects. Give them a name, such as %.*s:out/{run}.json",
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
    wh_pipeline_problem(c, node, "to: %s", why.text);
  else if (!c->p->raw)
    wh_load_format(c->l, &c->p->to, c->write_format, false, c->owner, &c->p->write.format);
  static const char *const words[] = {"mode",  "key",     "newest_by",
                                      "order", "deletes", "tombstone_keep"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    wh_pipeline_refuse(c, c->words.write, words[i], "is for tables, and `to` writes objects");
  wh_pipeline_refuse(c, c->node, "chunk", "is for tables, and `to` writes objects");
}

static void check_key_columns(const wh_pipeline_checker *c) {
  const wh_write *write = &c->p->write;
  check_columns(c, "key", &write->key);
  const wh_node *newest = wh_node_get(c->words.write, "newest_by");
  if (write->newest_by.len)
    wh_pipeline_check_crosses(c, newest, write->newest_by, "write: newest_by");
}

static bool is_ignored(const wh_pipeline_checker *c) {
  return c->p->write.deletes == WH_DELETES_IGNORE;
}

static void check_deletes(const wh_pipeline_checker *c) {
  const wh_node *node = c->words.write;
  wh_write_mode mode = c->p->write.mode;
  if (mode == WH_WRITE_REPLACE) {
    wh_pipeline_refuse(
        c, node, "deletes",
        "is for mode: upsert and mode: append; a table that is replaced has no row that is gone");
    if (c->p->read.deletes) {
      wh_pipeline_problem(
          c, wh_node_key(c->words.read, "deletes"),
          "read: deletes has no use here: mode: replace leaves no row that is gone");
    }
  } else if (mode == WH_WRITE_APPEND && wh_node_given(wh_node_get(node, "deletes")) &&
             c->p->write.deletes == WH_DELETES_REMOVE) {
    wh_pipeline_problem(
        c, wh_node_key(node, "deletes"),
        "write: deletes: remove is for mode: upsert. With append, write mark or ignore");
  }
  if (mode != WH_WRITE_UPSERT)
    wh_pipeline_refuse(c, node, "tombstone_keep", "is for mode: upsert");
  else if (is_ignored(c))
    wh_pipeline_refuse(c, node, "tombstone_keep", "has no meaning with deletes: ignore");
}

static void check_to_rows(const wh_pipeline_checker *c) {
  const wh_write *write = &c->p->write;
  wh_pipeline_refuse(c, c->words.write, "format", "is for objects, and `to` writes a table");
  refuse_dataset_words(c);
  if (c->p->to.thing.len == 0) {
    wh_pipeline_problem(c, c->p->to.node, "to: name a table, such as %.*s:orders",
                        WH_SHOWN(c->to->name));
  }
  if (c->to->type->sink->appends_only && write->mode != WH_WRITE_APPEND)
    wh_pipeline_problem(c, wh_node_get(c->words.write, "mode"),
                        "write: %s takes rows as they come and changes none that it has. Write "
                        "mode: append",
                        c->to->type->name);
  bool misspelt = wh_option_misspelt(wh_write_options, c->words.write, NULL, "key");
  if (write->mode == WH_WRITE_UPSERT && write->key.count == 0 && !misspelt) {
    wh_pipeline_problem(c, c->words.write,
                        "write: upsert needs 'key', the columns that tell rows apart");
  }
  if (write->mode == WH_WRITE_APPEND) {
    wh_pipeline_refuse(c, c->words.write, "key", "is for mode: upsert and mode: replace");
    wh_pipeline_refuse(c, c->words.write, "newest_by", "is for mode: upsert and mode: replace");
    wh_pipeline_refuse(c, c->words.write, "order", "is for mode: upsert and mode: replace");
  } else if (write->key.count == 0 && write->mode == WH_WRITE_REPLACE) {
    wh_pipeline_refuse(c, c->words.write, "newest_by",
                       "needs 'key', the columns that tell rows apart");
  }
  if (write->mode == WH_WRITE_APPEND && c->p->read.dataset.len)
    wh_pipeline_problem(
        c, c->p->to.node,
        "to: each version of a dataset holds all of its rows, which append would add again. "
        "Write mode: replace, or upsert");
  check_key_columns(c);
  check_deletes(c);
  bool same_place = c->from == c->to && wh_str_eq(c->p->from.thing, c->p->to.thing);
  if (same_place && c->p->to.thing.len) {
    wh_pipeline_problem(c, c->p->to.node, "to: this is the table it reads");
  }
}

void wh_pipeline_check_to(wh_pipeline_checker *c) {
  if (!c->to) return;
  if (c->p->many) wh_load_many(c->l, c->p, c->owner, wh_pipeline_writes_objects(c));
  if (wh_pipeline_writes_objects(c))
    check_to_objects(c);
  else if (!c->p->many)
    check_to_rows(c);
}

void wh_pipeline_find_to(wh_pipeline_checker *c) {
  const wh_node *node = wh_node_get(c->node, "to");
  if (!wh_node_given(node) && !c->p->table.len &&
      !wh_option_misspelt(wh_pipeline_options, c->node, NULL, "to"))
    wh_problems_error(&c->l->problems, node ? node : c->node,
                      "%s needs 'to': address that is written: connection:table, "
                      "connection:template of objects, or connection:folder/ of a dataset",
                      c->owner);
  if (!wh_load_address(c->l, node, wh_load_owner(c->l, "%s: to", c->owner), &c->p->to)) return;
  const wh_connection_info *info = wh_config_find_connection(c->l->config, c->p->to.connection);
  if (info->type->sink || info->type->store) {
    c->to = info;
    return;
  }
  wh_pipeline_problem(c, node, "to: %.*s cannot be written: a %s only gives data",
                      WH_SHOWN(info->name), info->type->name);
}

void wh_pipeline_load_write(wh_pipeline_checker *c) {
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
      .incremental = words.incremental,
      .sort_by = words.sort_by,
  };
  bool says = wh_node_given(wh_node_get(c->words.write, "deletes"));
  if (c->p->write.mode == WH_WRITE_APPEND && !says) c->p->write.deletes = WH_DELETES_MARK;
  if (c->p->write.mode == WH_WRITE_REPLACE) c->p->write.deletes = WH_DELETES_IGNORE;
}
