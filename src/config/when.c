#include "config/private.h"

#include "data/zone.h"

enum { EVERY_MIN_US = 1000000, DAYS_MAX = 366 };
#define EVERY_MAX_US (DAYS_MAX * 86400ll * 1000000)

static const char *const catch_up_choices[] = {"last", "none", "all", NULL};

typedef struct when_words {
  int64_t every_us, jitter_us;
  wh_str cron, timezone, event;
  const wh_node *gathered;
  int catch_up;
} when_words;

const wh_option wh_when_options[] = {
    {.name = "every",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(when_words, every_us),
     .min = EVERY_MIN_US,
     .max = EVERY_MAX_US,
     .help = "time from one start to the next"},
    {.name = "cron",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(when_words, cron),
     .help = "minute hour day month weekday, as in crontab(5), or @daily and the like"},
    {.name = "timezone",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(when_words, timezone),
     .def = "UTC",
     .help = "of the cron fields, such as Europe/London"},
    {.name = "catch_up",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(when_words, catch_up),
     .choices = catch_up_choices,
     .def = "last",
     .help = "which of the cron times that passed while nothing ran are made up for"},
    {.name = "jitter",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(when_words, jitter_us),
     .min = 0,
     .max = EVERY_MAX_US,
     .help = "starts by every or cron come up to so much later, so that those of one time do not "
             "come together"},
    {.name = "event",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(when_words, event),
     .help = "name of a connection to a queue that announces the objects"},
    {.name = "gathered",
     .type = WH_OPTION_NODE,
     .offset = offsetof(when_words, gathered),
     .shape = "{ rows: 10000, bytes: 16MiB, age: 10s }",
     .help =
         "events that serve.ingest takes, or messages of a queue: a run starts when so many wait"},
    {0}};

const wh_option wh_gathered_options[] = {{.name = "rows",
                                          .type = WH_OPTION_INT,
                                          .offset = offsetof(wh_gather_limits, rows),
                                          .def = "10000",
                                          .min = 1,
                                          .max = 0,
                                          .help = "events that wait"},
                                         {.name = "bytes",
                                          .type = WH_OPTION_SIZE,
                                          .offset = offsetof(wh_gather_limits, bytes),
                                          .def = "16MiB",
                                          .min = 1,
                                          .max = 0,
                                          .help = "of these"},
                                         {.name = "age",
                                          .type = WH_OPTION_DURATION,
                                          .offset = offsetof(wh_gather_limits, age_us),
                                          .def = "10s",
                                          .min = 1000,
                                          .max = DAYS_MAX * 86400ll * 1000000,
                                          .help = "of the oldest of them"},
                                         {0}};

static void check_zone(wh_loader *l, const wh_node *node, const char *owner, wh_str name) {
  if (name.len == 0 || wh_str_is(name, "UTC")) return;
  wh_error problem = {0};
  const wh_zone *zone;
  wh_status status = wh_zone_open(l->config->source.os, name, l->arena, &zone, &problem);
  if (status == WH_OK) return;
  if (status == WH_ERR_MEMORY)
    l->problems.out_of_memory = true;
  else
    wh_problems_error(&l->problems, node, "%s: timezone: %s", owner, problem.text);
}

void wh_load_zone(wh_loader *l, const wh_node *map, const char *owner, wh_str name) {
  const wh_node *node = wh_node_get(map, "timezone");
  if (node && node->kind == WH_NODE_SCALAR) check_zone(l, node, owner, name);
}

static void load_cron(wh_loader *l, const wh_node *map, const char *owner, const when_words *words,
                      wh_when *ret) {
  ret->kind = WH_WHEN_CRON;
  ret->cron_text = words->cron;
  ret->timezone = wh_str_is(words->timezone, "UTC") ? (wh_str){0} : words->timezone;
  ret->catch_up = (wh_catch_up)words->catch_up;
  wh_error problem = {0};
  if (wh_cron_parse(words->cron, &ret->cron, &problem) != WH_OK) {
    wh_problems_error(&l->problems, wh_node_get(map, "cron"), "%s: cron: %s", owner, problem.text);
  }
  wh_load_zone(l, map, owner, words->timezone);
}

static void load_event(wh_loader *l, const wh_node *map, const char *owner, wh_str name,
                       wh_when *ret) {
  ret->kind = WH_WHEN_EVENT;
  ret->queue = name;
  const wh_node *node = wh_node_get(map, "event");
  const wh_connection_info *info = wh_load_connection(l, node, owner, name);
  if (!info || !info->type) return;
  if (info->type->store)
    wh_problems_error(&l->problems, node,
                      "%s: event: %.*s holds the objects itself. Write when: new, or name a queue",
                      owner, WH_SHOWN(name));
  else if (info->type->queue && wh_node_get(info->node, "columns"))
    wh_problems_error(&l->problems, node,
                      "%s: event: the messages of %.*s are rows, as its columns say: they are read "
                      "with from: %.*s",
                      owner, WH_SHOWN(name), WH_SHOWN(name));
  else if (!info->type->queue)
    wh_problems_error(&l->problems, node, "%s: event: %.*s is no queue: it is of type %s", owner,
                      WH_SHOWN(name), info->type->name);
}

static void refuse_word(wh_loader *l, const wh_node *map, const char *word, const char *owner,
                        const char *whose) {
  const wh_node *key = wh_node_key(map, word);
  if (key) wh_problems_error(&l->problems, key, "%s: %s is for %s", owner, word, whose);
}

static void load_every(wh_loader *l, const wh_node *map, const char *owner, const when_words *words,
                       wh_when *ret) {
  ret->kind = WH_WHEN_EVERY;
  ret->every_us = words->every_us;
  if (words->jitter_us >= words->every_us)
    wh_problems_error(&l->problems, wh_node_get(map, "jitter"),
                      "%s: jitter is shorter than every, or starts would pass each other", owner);
}

void wh_load_when(wh_loader *l, const wh_node *node, const char *owner, wh_when *ret) {
  if (!node || wh_node_is_null(node)) return;
  if (node->kind == WH_NODE_SCALAR && wh_str_is(node->text, "new")) {
    ret->kind = WH_WHEN_NEW;
    return;
  }
  if (node->kind != WH_NODE_MAP) {
    wh_problems_error(&l->problems, node,
                      "%s: expected new, { every: 5m }, { cron: \"0 6 * * *\" }, { event: QUEUE "
                      "} or { gathered: {} }, found %s%.*s%s",
                      owner, node->kind == WH_NODE_SCALAR ? "'" : wh_node_kind_name(node),
                      node->kind == WH_NODE_SCALAR ? (int)wh_utf8_cut(node->text, 60) : 0,
                      node->kind == WH_NODE_SCALAR ? node->text.data : "",
                      node->kind == WH_NODE_SCALAR ? "'" : "");
    return;
  }
  when_words words = {0};
  size_t before = l->problems.count;
  wh_load_options(l, wh_when_options, node, NULL, owner, true, &words);
  bool has_cron = words.cron.len > 0, has_every = words.every_us > 0;
  bool has_gathered = words.gathered && !wh_node_is_null(words.gathered);
  int given = has_cron + has_every + (words.event.len > 0) + has_gathered;
  if (given != 1) {
    if (l->problems.count > before) return; // a word that is wrong is not one that is missing
    wh_problems_error(&l->problems, node, "%s needs %s of every, cron, event and gathered", owner,
                      given ? "only one" : "one");
    return;
  }
  ret->jitter_us = words.jitter_us;
  if (has_cron) {
    load_cron(l, node, owner, &words, ret);
    return;
  }
  refuse_word(l, node, "timezone", owner, "cron");
  refuse_word(l, node, "catch_up", owner, "cron");
  if (has_every) {
    load_every(l, node, owner, &words, ret);
    return;
  }
  refuse_word(l, node, "jitter", owner, "every and cron");
  if (has_gathered) {
    ret->kind = WH_WHEN_GATHERED;
    wh_load_options(l, wh_gathered_options, words.gathered, NULL,
                    wh_load_owner(l, "%s: gathered", owner), false, &ret->gathered);
  } else {
    load_event(l, node, owner, words.event, ret);
  }
}
