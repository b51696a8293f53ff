#include "cli/cli.h"
#include "engine/members.h"

typedef struct pipeline_list {
  wh_cli *cli;
  const wh_pipeline **items;
  size_t count, cap;
} pipeline_list;

static wh_status add(pipeline_list *l, const wh_pipeline *p, wh_error *err) {
  if (l->count == l->cap) {
    size_t cap = l->cap ? 2 * l->cap : 32;
    const wh_pipeline **items = WH_NEW_ARRAY(&l->cli->arena, cap, const wh_pipeline *);
    if (!items) return wh_fail_memory(err);
    if (l->count) memcpy(items, l->items, l->count * sizeof *items);
    l->items = items;
    l->cap = cap;
  }
  l->items[l->count++] = p;
  return WH_OK;
}

static wh_status add_with_members(pipeline_list *l, const wh_pipeline *p, wh_error *err) {
  wh_pipeline *members;
  size_t count;
  WH_TRY(add(l, p, err));
  if (!p->many) return WH_OK;
  WH_TRY(wh_members_known(&l->cli->engine, p, &l->cli->arena, &members, &count, err));
  for (size_t i = 0; i < count; i++)
    WH_TRY(add(l, &members[i], err));
  return WH_OK;
}

wh_status wh_cli_pipelines(wh_cli *cli, const wh_args *args, size_t first, const wh_pipeline ***ret,
                           size_t *ret_count, wh_error *err) {
  pipeline_list l = {.cli = cli};
  const wh_config *config = cli->config;
  for (size_t i = first; args && i < args->count; i++) {
    const wh_pipeline *p;
    WH_TRY(wh_config_find_any(config, args->words[i], &cli->arena, &p, err));
    WH_TRY(add_with_members(&l, p, err));
  }
  bool all = !args || args->count <= first;
  for (size_t i = 0; all && i < config->pipeline_count; i++)
    WH_TRY(add_with_members(&l, &config->pipelines[i], err));
  *ret = l.items;
  *ret_count = l.count;
  return WH_OK;
}
