// Addresses of datasets: those of objects that end in '/'. What is read and written under such an
// address are the indexes of its versions (ledger/dataset.h), so that in here `thing` becomes their
// names, and everything that is known of objects holds for them.
#include "config/private.h"

#include "connect/store.h"

bool wh_address_is_dataset(wh_str thing) {
  return wh_str_ends(thing, "/");
}

static bool check_prefix(wh_loader *l, const wh_address *address, const char *owner) {
  wh_str prefix = address->thing;
  for (size_t i = 0; i < prefix.len; i++) {
    char c = prefix.data[i];
    if (c != '*' && c != '?' && c != '[' && c != '{' && c != '}') continue;
    wh_problems_error(&l->problems, address->node,
                      "%s: '%.*s' ends in '/', so it is a dataset, whose address has no '%c'",
                      owner, WH_SHOWN(prefix), c);
    return false;
  }
  wh_error why = {0};
  wh_status status = wh_key_check(wh_str_sub(prefix, 0, prefix.len - 1), &why);
  if (status == WH_OK && wh_str_starts(prefix, WH_OWN_PREFIX))
    status =
        wh_fail(&why, WH_ERR_USAGE, "'%s' is Wherry's own folder. Choose another", WH_OWN_PREFIX);
  if (status != WH_OK) wh_problems_error(&l->problems, address->node, "%s: %s", owner, why.text);
  return status == WH_OK;
}

bool wh_load_dataset(wh_loader *l, wh_address *address, const char *owner, bool writes,
                     wh_str *ret_prefix) {
  if (!check_prefix(l, address, owner)) return false;
  *ret_prefix = address->thing;
  wh_str names = wh_arena_printf(l->arena, "%.*s" WH_DATASET_VERSIONS "%s.json",
                                 WH_STR_ARG(address->thing), writes ? "{part}" : "*");
  if (!names.data) l->problems.out_of_memory = true;
  if (names.data) address->thing = names;
  return names.data;
}

void wh_load_dataset_format(wh_loader *l, const wh_address *address, wh_str prefix,
                            const wh_node *node, bool reads, const char *owner, wh_format *ret) {
  wh_address files = *address;
  files.thing = prefix; // which has no ending that could name a codec
  wh_load_format(l, &files, node, reads, owner, ret);
  bool is_given = node && !wh_node_is_null(node);
  if (!reads && !is_given) ret->codec = wh_codec_by_name(WH_STR("parquet"));
}

// --- their files ---------------------------------------------------------------------------------

// One by one they are those of all versions, and of runs that have published nothing yet.
static void check_pattern(wh_loader *l, const wh_address *from, const wh_pipeline *writer) {
  wh_str prefix = writer->write.dataset;
  wh_str files = wh_arena_printf(l->arena, "%.*s**", WH_STR_ARG(prefix));
  if (!files.data) l->problems.out_of_memory = true;
  if (!files.data || !from->thing.len ||
      !wh_load_same_place(l, from->connection, writer->to.connection) ||
      !wh_load_overlap(l, files, from->thing))
    return;
  wh_problems_error(&l->problems, from->node,
                    "this reads files of the dataset that pipeline %.*s writes, those of earlier "
                    "versions too. Read %.*s:%.*s, or a narrower pattern",
                    WH_SHOWN(writer->name), WH_SHOWN(from->connection), WH_SHOWN(prefix));
}

static void check_reader(wh_loader *l, const wh_pipeline *p, const wh_pipeline *writer) {
  const wh_connection_info *info = wh_config_find_connection(l->config, p->from.connection);
  if (info && info->type && info->type->store && !p->read.dataset.len)
    check_pattern(l, &p->from, writer);
  for (size_t i = 0; p->model && i < p->model->table_count; i++)
    if (!p->model->datasets[i].len) check_pattern(l, &p->model->tables[i], writer);
}

void wh_load_datasets(wh_loader *l) {
  const wh_config *config = l->config;
  for (size_t i = 0; i < config->pipeline_count; i++)
    for (size_t j = 0; config->pipelines[i].write.dataset.len && j < config->pipeline_count; j++)
      check_reader(l, &config->pipelines[j], &config->pipelines[i]);
}

// --- as they are written -------------------------------------------------------------------------

wh_str wh_pipeline_reads(const wh_pipeline *p) {
  return p->read.dataset.len ? p->read.dataset : p->from.thing;
}

wh_str wh_pipeline_writes(const wh_pipeline *p) {
  return p->write.dataset.len ? p->write.dataset : p->to.thing;
}
