// `format` of `read` and `write`: the codec of objects, and its options.
#include "codec/codec.h"
#include "config/private.h"
#include "config/yaml.h"

#include <stdio.h>

// The ending that every object has, whatever stands for the wildcards or names in front of it;
// empty when it is not fixed.
static wh_str fixed_ending(wh_str thing) {
  wh_str inner;
  wh_compression_of(thing, &inner);
  size_t at = inner.len;
  while (at > 0 && !strchr("/*?]}", inner.data[at - 1])) {
    if (inner.data[--at] == '.') return wh_str_sub(thing, at, thing.len);
  }
  return (wh_str){0};
}

static bool is_able(const wh_codec_type *codec, bool reads) {
  return reads || codec->open_writer;
}

static void fail_ending(wh_loader *l, const wh_address *address, bool reads, const char *owner,
                        wh_str ending) {
  char list[256];
  size_t len = 0;
  list[0] = 0;
  for (size_t i = 0; wh_codecs[i]; i++) {
    if (!is_able(wh_codecs[i], reads)) continue;
    for (const char *const *e = wh_codecs[i]->extensions; *e && len < sizeof list; e++) {
      int n = snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "", *e);
      len += n > 0 ? (size_t)n : 0;
    }
  }
  if (reads && wh_str_eq_nocase(ending, WH_STR(".zip")))
    wh_problems_error(&l->problems, address->node,
                      "%s: from: a ZIP archive holds files of other formats. Say which of them are "
                      "read, such as read: { members: \"*.csv\" }",
                      owner);
  else
    wh_problems_error(&l->problems, address->node,
                      "%s: %s: no format that Wherry %s ends in '%.*s'. There are: %s", owner,
                      reads ? "from" : "to", reads ? "reads" : "writes", WH_SHOWN(ending), list);
}

static wh_hint hint_of_codec(wh_str word) {
  enum { CODECS_MAX = 32 };
  wh_str words[CODECS_MAX];
  size_t count = 0;
  for (; count < CODECS_MAX && wh_codecs[count]; count++)
    words[count] = wh_str_of(wh_codecs[count]->name);
  return wh_hint_of(word, words, count);
}

// What `type` says. NULL after a problem.
static const wh_codec_type *codec_by_type(wh_loader *l, const wh_node *type, const char *owner) {
  if (!wh_load_is_text(l, type, owner, "the name of a codec")) return NULL;
  const wh_codec_type *codec = wh_codec_by_name(type->text);
  if (codec) return codec;
  wh_problems_error(&l->problems, type, "%s: no codec '%.*s'.%s", owner, WH_SHOWN(type->text),
                    hint_of_codec(type->text).text);
  return NULL;
}

static const char *const not_options[] = {"type", NULL};

// Fills the options of format->codec from the map; for the ones of `context` see base/option.h.
static wh_status parse_options(const wh_node *map, bool reads, const char *owner,
                               const wh_option_context *context, wh_format *format, wh_error *err) {
  static const wh_option none[] = {{0}};
  const wh_codec_type *codec = format->codec;
  const wh_option *table = reads ? codec->read_options : codec->write_options;
  size_t size = reads ? codec->read_options_size : codec->write_options_size;
  if (!table) return wh_options_parse(none, map, not_options, owner, context, &size, err);
  char *options = wh_arena_alloc(context->arena, size);
  if (!options) return wh_fail_memory(err);
  memset(options, 0, size);
  WH_TRY(wh_options_parse(table, map, not_options, owner, context, options, err));
  wh_status (*check)(const void *, wh_error *) = reads ? codec->check_read : codec->check_write;
  wh_error why = {0};
  if (check && check(options, &why) != WH_OK) {
    wh_status status = wh_node_fail(map, err, "%s: %s", owner, why.text);
    return context->problem ? context->problem(context->problem_context, err) : status;
  }
  format->options = options;
  return WH_OK;
}

void wh_load_format(wh_loader *l, const wh_address *address, const wh_node *format, bool reads,
                    const char *pipeline, wh_format *ret) {
  *ret = (wh_format){0};
  bool given = format && !wh_node_is_null(format);
  const char *owner = wh_load_owner(l, "%s: %s: format", pipeline, reads ? "read" : "write");
  const wh_node *type = given ? wh_node_get(format, "type") : NULL;
  if (given && !wh_load_is_map(l, format, owner)) return;
  if (type) {
    ret->codec = codec_by_type(l, type, owner);
  } else {
    wh_str ending = fixed_ending(address->thing);
    if (ending.len >= 2) {
      ret->codec = wh_codec_by_key(wh_arena_printf(l->arena, "x%.*s", WH_SHOWN(ending)));
      if (ret->codec && !is_able(ret->codec, reads)) ret->codec = NULL;
      if (!ret->codec) fail_ending(l, address, reads, pipeline, ending);
    } else if (given) {
      wh_problems_error(&l->problems, format,
                        "%s: say which codec these options are of, such as type: csv", owner);
    }
  }
  if (type && ret->codec && !is_able(ret->codec, reads)) {
    wh_problems_error(&l->problems, type, "%s: %s is only read, not written", owner,
                      ret->codec->name);
    ret->codec = NULL;
  }
  if (!given || !ret->codec) return;
  wh_option_context context = {.arena = l->arena,
                               .base_folder = l->config->folder,
                               .problem = wh_problems_take,
                               .problem_context = &l->problems};
  wh_error err = {0};
  wh_status status = parse_options(format, reads, owner, &context, ret, &err);
  if (status == WH_ERR_MEMORY)
    l->problems.out_of_memory = true;
  else if (status != WH_OK)
    wh_problems_add(&l->problems, false, &err);
}

// A flag has no lines: "--read:1:1: --read has no word ..." says it once.
static void drop_place(const char *owner, wh_error *err) {
  size_t len = strlen(owner), at = len;
  if (!err || strncmp(err->text, owner, len) != 0) return;
  while (err->text[at] == ':' || (err->text[at] >= '0' && err->text[at] <= '9'))
    at++;
  if (at == len || err->text[at] != ' ') return;
  const char *rest = err->text + at + 1;
  memmove(err->text, rest, strlen(rest) + 1);
}

wh_status wh_format_parse(wh_str yaml, bool reads, wh_str path, wh_arena *arena, wh_format *ret,
                          wh_error *err) {
  const char *owner = reads ? "--read" : "--write";
  wh_problems problems;
  wh_problems_init(&problems, arena, NULL);
  wh_node *map;
  WH_TRY(wh_yaml_parse(yaml, owner, arena, &problems, &map, err));
  if (problems.count) return wh_fail(err, WH_ERR_USAGE, "%s", problems.entries[0].text);
  *ret = (wh_format){0};
  if (wh_node_is_null(map)) return WH_OK;
  if (map->kind != WH_NODE_MAP) return wh_fail(err, WH_ERR_USAGE, "%s: takes option=value", owner);
  const wh_node *type = wh_node_get(map, "type");
  if (type && type->kind != WH_NODE_SCALAR)
    return wh_fail(err, WH_ERR_USAGE, "%s: type is the name of a codec", owner);
  ret->codec = type ? wh_codec_by_name(type->text) : wh_codec_by_key(wh_path_name(path));
  if (!ret->codec && type) {
    return wh_fail(err, WH_ERR_USAGE, "%s: no codec '%.*s'.%s", owner, WH_SHOWN(type->text),
                   hint_of_codec(type->text).text);
  }
  // Whoever opens the file says so.
  if (!ret->codec || !is_able(ret->codec, reads)) return WH_OK;
  wh_option_context context = {.arena = arena};
  wh_status status = parse_options(map, reads, owner, &context, ret, err);
  if (status != WH_OK) drop_place(owner, err);
  return status;
}

static const wh_codec_type *read_codec(const wh_pipeline *p) {
  return p->read.format.codec ? p->read.format.codec : wh_codec_by_key(p->from.thing);
}

size_t wh_config_codec_reserve(const wh_config *config) {
  size_t bytes = 0;
  for (size_t c = 0; wh_codecs[c]; c++) {
    bool used = false;
    for (size_t i = 0; i < config->pipeline_count; i++)
      used = used || read_codec(&config->pipelines[i]) == wh_codecs[c];
    if (used) bytes += wh_codecs[c]->reserve_bytes;
  }
  return bytes;
}
