#include "connect/dynamodb/shards.h"

#define DONE "done"
#define NONE '-' // no record was read yet

void wh_dynamodb_shards_init(wh_dynamodb_shards *all, wh_mem *mem) {
  *all = (wh_dynamodb_shards){.mem = mem};
}

void wh_dynamodb_shards_free(wh_dynamodb_shards *all) {
  for (size_t i = 0; i < all->count; i++)
    wh_mem_free(all->mem, all->items[i], sizeof *all->items[i]);
  if (all->items) wh_mem_free(all->mem, all->items, all->cap * sizeof *all->items);
  *all = (wh_dynamodb_shards){.mem = all->mem};
}

static wh_dynamodb_shard *find(const wh_dynamodb_shards *all, wh_str id) {
  for (size_t i = 0; i < all->count; i++)
    if (wh_str_is(id, all->items[i]->id)) return all->items[i];
  return NULL;
}

static wh_status grow(wh_dynamodb_shards *all, wh_error *err) {
  enum { FIRST = 16 };
  size_t cap = all->cap ? 2 * all->cap : FIRST;
  wh_dynamodb_shard **items =
      wh_mem_realloc(all->mem, all->items, all->cap * sizeof *items, cap * sizeof *items);
  if (!items) return wh_fail_memory(err);
  all->items = items;
  all->cap = cap;
  return WH_OK;
}

static bool copy(char *to, size_t room, wh_str from) {
  if (from.len >= room || memchr(from.data ? from.data : "", 0, from.len)) return false;
  if (from.len) memcpy(to, from.data, from.len);
  to[from.len] = 0;
  return true;
}

// The shard of the name, a new one where there is none.
static wh_status add(wh_dynamodb_shards *all, wh_str id, wh_dynamodb_shard **ret, wh_error *err) {
  *ret = find(all, id);
  if (*ret) return WH_OK;
  if (all->count == WH_DYNAMODB_SHARDS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "the stream has more than %d shards", WH_DYNAMODB_SHARDS_MAX);
  if (all->count == all->cap) WH_TRY(grow(all, err));
  wh_dynamodb_shard *shard = wh_mem_alloc_zero(all->mem, sizeof *shard);
  if (!shard) return wh_fail_memory(err);
  all->items[all->count++] = shard;
  if (!id.len || !copy(shard->id, sizeof shard->id, id))
    return wh_fail(err, WH_ERR_DATA, "'%.*s' is no name of a shard", (int)wh_utf8_cut(id, 80),
                   id.data ? id.data : "");
  *ret = shard;
  return WH_OK;
}

// --- Positions -----------------------------------------------------------------------------------

wh_status wh_dynamodb_shards_restore(wh_dynamodb_shards *all, const wh_feed_position *position,
                                     wh_error *err) {
  if (!wh_str_starts(position->name, WH_DYNAMODB_SHARD_POSITION)) return WH_OK;
  size_t prefix = sizeof WH_DYNAMODB_SHARD_POSITION - 1;
  wh_str id = wh_str_sub(position->name, prefix, position->name.len), rest = position->value, after;
  wh_dynamodb_shard *shard;
  WH_TRY(add(all, id, &shard, err));
  shard->is_done = wh_str_starts(rest, DONE " ");
  bool fine = wh_str_split(&rest, ' ', &after) && wh_str_to_i64(rest, &shard->fresh_us) &&
              copy(shard->after, sizeof shard->after, after);
  if (!fine)
    return wh_fail(err, WH_ERR_DATA, "the position of shard %s, '%.*s', is none", shard->id,
                   WH_STR_ARG(position->value));
  if (shard->after[0] == NONE || shard->is_done) shard->after[0] = 0;
  shard->told_us = shard->fresh_us;
  return WH_OK;
}

void wh_dynamodb_shard_write(const wh_dynamodb_shard *shard, wh_buf *out) {
  if (shard->is_done)
    wh_buf_printf(out, DONE " %lld", (long long)shard->fresh_us);
  else if (shard->after[0])
    wh_buf_printf(out, "%s %lld", shard->after, (long long)shard->fresh_us);
  else
    wh_buf_printf(out, "%c %lld", NONE, (long long)shard->fresh_us);
}

// --- Descriptions --------------------------------------------------------------------------------

void wh_dynamodb_shards_forget(wh_dynamodb_shards *all) {
  for (size_t i = 0; i < all->count; i++)
    all->items[i]->is_listed = false;
}

wh_status wh_dynamodb_shards_list(wh_dynamodb_shards *all, const json_t *description,
                                  wh_str *ret_last, wh_error *err) {
  size_t i;
  json_t *item;
  const json_t *shards = json_object_get(description, "Shards");
  if (!json_is_array(shards))
    return wh_fail(err, WH_ERR_DATA, "the server's description of the stream has no shards");
  json_array_foreach(shards, i, item) {
    wh_dynamodb_shard *shard;
    WH_TRY(add(all, wh_json_text(item, "ShardId"), &shard, err));
    if (!copy(shard->parent, sizeof shard->parent, wh_json_text(item, "ParentShardId")))
      return wh_fail(err, WH_ERR_DATA, "the parent of shard %s has no name", shard->id);
    shard->is_listed = true;
  }
  *ret_last = wh_json_text(description, "LastEvaluatedShardId");
  return WH_OK;
}

wh_status wh_dynamodb_shards_settle(wh_dynamodb_shards *all,
                                    wh_status (*gone)(void *context, wh_dynamodb_shard *shard,
                                                      wh_error *err),
                                    void *context, wh_error *err) {
  size_t kept = 0;
  wh_status status = WH_OK;
  for (size_t i = 0; i < all->count; i++) {
    wh_dynamodb_shard *shard = all->items[i];
    if (shard->is_listed || status != WH_OK) {
      all->items[kept++] = shard;
      continue;
    }
    if (!shard->is_done) {
      status =
          wh_fail(err, WH_ERR_CHANGED, "shard %s is gone, and was not read to its end", shard->id);
      all->items[kept++] = shard;
      continue;
    }
    status = gone(context, shard, err);
    wh_mem_free(all->mem, shard, sizeof *shard);
  }
  all->count = kept;
  for (size_t i = 0; i < kept; i++) {
    wh_dynamodb_shard *shard = all->items[i];
    shard->of = shard->parent[0] ? find(all, wh_str_of(shard->parent)) : NULL;
    // It began when its parent ended.
    if (!shard->fresh_us && shard->of && shard->of->is_done) shard->fresh_us = shard->of->fresh_us;
  }
  return status;
}
