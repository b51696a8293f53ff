// When an object of somebody else's is whole: it was given its name when it was, or a marker beside
// it says so.
#include "config/private.h"

typedef struct complete_words {
  wh_str_list renamed_from;
  wh_str marker;
} complete_words;

const wh_option wh_complete_options[] = {
    {.name = "marker",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(complete_words, marker),
     .help = "name of an object that is put beside it when it is whole, such as "
             "{name}.{ext}.done or {name}.ok"},
    {.name = "renamed_from",
     .type = WH_OPTION_LIST,
     .offset = offsetof(complete_words, renamed_from),
     .help = "patterns of the names that objects have until they are whole, such as *.part, *.tmp "
             "or .*"},
    {0}};

// --- of a key ------------------------------------------------------------------------------------

static bool has_early_name(const wh_complete *complete, wh_str key) {
  for (size_t i = 0; i < complete->renamed_from.count; i++)
    if (wh_glob_match(complete->renamed_from.items[i], wh_path_name(key))) return true;
  return false;
}

bool wh_pipeline_takes(const wh_pipeline *p, wh_str key) {
  const wh_complete *complete = &p->complete;
  return wh_glob_match(p->from.thing, key) && !has_early_name(complete, key) &&
         !(wh_complete_has_marker(complete) && wh_glob_match(complete->markers, key));
}

wh_str wh_pipeline_watches(const wh_pipeline *p) {
  return wh_complete_has_marker(&p->complete) ? p->complete.watched : p->from.thing;
}

wh_str wh_complete_marker(const wh_complete *complete, wh_str key, wh_arena *arena) {
  wh_str whole = wh_path_name(key), folder = wh_str_sub(key, 0, key.len - whole.len);
  wh_template_values values = {0};
  wh_template_name(&values, key);
  return wh_arena_printf(arena, "%.*s%.*s%.*s%.*s", WH_STR_ARG(folder),
                         WH_STR_ARG(complete->marker_before),
                         WH_STR_ARG(complete->marker_has_ext ? whole : values.name),
                         WH_STR_ARG(complete->marker_behind));
}

// --- loading -------------------------------------------------------------------------------------

// A name that matches the pattern's last part.
static wh_str sample_of(wh_loader *l, wh_str pattern) {
  wh_str name = wh_path_name(pattern);
  char *sample = wh_arena_alloc(l->arena, name.len + 1);
  size_t len = 0;
  if (!sample) l->problems.out_of_memory = true;
  for (size_t i = 0; sample && i < name.len; i++) {
    size_t end = name.data[i] == '[' ? wh_glob_class_end(name, i) : 0;
    sample[len++] = end || name.data[i] == '*' || name.data[i] == '?' ? 'x' : name.data[i];
    if (end) i = end - 1;
  }
  return sample ? wh_str_n(sample, len) : (wh_str){0};
}

static wh_str without_wildcards(wh_loader *l, wh_str text) {
  wh_str glob = {0};
  wh_status status = wh_template_glob(text, l->arena, &glob, NULL);
  if (status == WH_ERR_MEMORY) l->problems.out_of_memory = true;
  return glob;
}

// The keys of markers, and those of all that tells of objects.
static bool set_patterns(wh_loader *l, const wh_pipeline *p, wh_complete *ret) {
  wh_str last = wh_path_name(p->from.thing);
  wh_str folder = wh_str_sub(p->from.thing, 0, p->from.thing.len - last.len);
  const char *below = "";
  for (size_t i = 1; i < last.len; i++)
    if (last.data[i] == '*' && last.data[i - 1] == '*') below = "**/";
  ret->watched = wh_arena_printf(l->arena, "%.*s%s*", WH_STR_ARG(folder), below);
  ret->markers = wh_arena_printf(l->arena, "%.*s%s%.*s*%.*s", WH_STR_ARG(folder), below,
                                 WH_STR_ARG(without_wildcards(l, ret->marker_before)),
                                 WH_STR_ARG(without_wildcards(l, ret->marker_behind)));
  if (!ret->watched.data || !ret->markers.data) l->problems.out_of_memory = true;
  return ret->markers.len > 0 && ret->markers.len <= WH_GLOB_MAX;
}

// "before{name}behind" or "before{name}.{ext}behind".
static bool take_apart(wh_str text, wh_complete *ret) {
  static const char *const names[] = {"{name}.{ext}", "{name}"};
  size_t at = wh_str_find(text, 0, '{');
  ret->marker_before = wh_str_sub(text, 0, at);
  wh_str rest = wh_str_sub(text, at, text.len);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (!wh_str_starts(rest, names[i])) continue;
    ret->marker_has_ext = i == 0;
    ret->marker_behind = wh_str_sub(rest, strlen(names[i]), rest.len);
    return ret->marker_before.len + ret->marker_behind.len > 0;
  }
  return false;
}

static bool is_plain(wh_str text) {
  for (size_t i = 0; i < text.len; i++)
    if (strchr("{}*?/", text.data[i])) return false;
  return true;
}

static void load_marker(wh_loader *l, const wh_pipeline *p, wh_str text, const wh_node *node,
                        const char *owner, wh_complete *ret) {
  if (!take_apart(text, ret) || !is_plain(ret->marker_before) || !is_plain(ret->marker_behind) ||
      !set_patterns(l, p, ret)) {
    wh_problems_error(&l->problems, node,
                      "%s: marker: expected the name of an object beside another, by that one's "
                      "{name}, or {name}.{ext}, and more: {name}.{ext}.done or {name}.ok",
                      owner);
    return;
  }
  wh_str sample = sample_of(l, p->from.thing);
  if (wh_glob_match(wh_path_name(ret->markers), sample))
    wh_problems_error(&l->problems, node,
                      "%s: marker: every object that matches `from` would be taken for a marker. "
                      "Give markers an ending of their own",
                      owner);
  if (p->when.kind == WH_WHEN_EVENT)
    wh_problems_error(&l->problems, node,
                      "%s: marker: an object and its marker are looked for together, and events "
                      "tell of one at a time. Write when: new",
                      owner);
}

static void check_early_names(wh_loader *l, const wh_pipeline *p, const wh_node *node,
                              const char *owner) {
  wh_str sample = sample_of(l, p->from.thing);
  for (size_t i = 0; i < p->complete.renamed_from.count; i++) {
    wh_str pattern = p->complete.renamed_from.items[i];
    if (pattern.len == 0 || pattern.len > WH_GLOB_MAX || wh_str_find(pattern, 0, '/') < pattern.len)
      wh_problems_error(&l->problems, node,
                        "%s: renamed_from: expected patterns of names without folders, such as "
                        "*.part, found '%.*s'",
                        owner, WH_SHOWN(pattern));
    else if (wh_glob_match(pattern, sample))
      wh_problems_error(&l->problems, node,
                        "%s: renamed_from: what matches `from` is called '%.*s', and none of it "
                        "would ever be taken",
                        owner, WH_SHOWN(pattern));
  }
}

void wh_load_complete(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner) {
  if (!node || wh_node_is_null(node)) return;
  complete_words words = {0};
  size_t before = l->problems.count;
  wh_load_options(l, wh_complete_options, node, NULL, owner, true, &words);
  p->complete.renamed_from = words.renamed_from;
  check_early_names(l, p, wh_node_get(node, "renamed_from"), owner);
  if (words.marker.len)
    load_marker(l, p, words.marker, wh_node_get(node, "marker"), owner, &p->complete);
  else if (words.renamed_from.count == 0 && l->problems.count == before)
    wh_problems_error(&l->problems, node, "%s needs marker, renamed_from, or both", owner);
}
