// `log`: text or json to standard error, or a stream of CloudWatch Logs.
#include "config/private.h"
#include "connect/aws_place.h"

enum { GROUP_CHARS_MAX = 512, STREAM_CHARS_MAX = 512 };

static const char *const kinds[] = {
    [WH_LOG_TEXT] = "text", [WH_LOG_JSON] = "json", [WH_LOG_CLOUDWATCH] = "cloudwatch", NULL};

const wh_option wh_log_options[] = {
    {.name = "to",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(wh_log_place, to),
     .choices = kinds,
     .required = true,
     .help = "standard error as text or JSON, or CloudWatch Logs"},
    {.name = "group",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_log_place, group),
     .def = "wherry",
     .help = "cloudwatch: the log group; created when it is missing"},
    {.name = "stream",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_log_place, stream),
     .help = "cloudwatch: the log stream; without it HOST-PROCESS"},
    WH_AWS_ACCOUNT_OPTIONS(wh_log_place, ),
    {0}};

static bool is_group(wh_str name) {
  bool ok = name.len > 0 && name.len <= GROUP_CHARS_MAX;
  for (size_t i = 0; ok && i < name.len; i++) {
    char c = name.data[i];
    ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         strchr("_-/.#", c);
  }
  return ok;
}

static bool is_stream(wh_str name) {
  return name.len <= STREAM_CHARS_MAX && wh_str_find(name, 0, ':') == name.len &&
         wh_str_find(name, 0, '*') == name.len;
}

static void check_names(wh_loader *l, const wh_node *node) {
  const wh_log_place *log = &l->config->log;
  if (log->group.len && !is_group(log->group))
    wh_problems_error(&l->problems, wh_node_get(node, "group"),
                      "log: '%.*s' cannot be a log group: 1 to %d letters, digits or _ - / . #",
                      WH_SHOWN(log->group), (int)GROUP_CHARS_MAX);
  if (!is_stream(log->stream))
    wh_problems_error(&l->problems, wh_node_get(node, "stream"),
                      "log: '%.*s' cannot be a log stream: at most %d bytes, without ':' and '*'",
                      WH_SHOWN(log->stream), (int)STREAM_CHARS_MAX);
}

static void refuse_words(wh_loader *l, const wh_node *node) {
  for (const wh_option *o = wh_log_options + 1; o->name; o++) {
    const wh_node *key = wh_node_key(node, o->name);
    if (key)
      wh_problems_error(&l->problems, key, "log: %s is for CloudWatch Logs: write to: cloudwatch",
                        o->name);
  }
}

// `log: json` is short for { to: json }.
void wh_load_log(wh_loader *l, const wh_node *node) {
  wh_node_entry entry;
  wh_node key, map;
  if (!node || wh_node_is_null(node)) return;
  if (node->kind == WH_NODE_SCALAR) {
    key = map = *node;
    key.text = WH_STR("to");
    entry = (wh_node_entry){.key = &key, .value = (wh_node *)node};
    map.kind = WH_NODE_MAP;
    map.entries = &entry;
    map.count = 1;
    node = &map;
  }
  if (!wh_load_is_map(l, node, "log")) return;
  wh_load_options(l, wh_log_options, node, NULL, "log", false, &l->config->log);
  if (l->config->log.to == WH_LOG_CLOUDWATCH)
    check_names(l, node);
  else
    refuse_words(l, node);
}
