// Writing: few bytes in one request, more in parts that are sent while the next ones are filled, or
// that threads of the caller send side by side.
#include "connect/s3/s3.h"

#include "base/ulid.h"

#include <pthread.h>

#define PUT_PREFIX "put-"

// One part, filled, on its way, or free.
typedef struct slot {
  wh_buf bytes;
  size_t number;
  wh_aws_exchange *x; // NULL: not on its way
  wh_str checksum;
  wh_arena arena; // of its request
} slot;

typedef struct s3_upload {
  wh_upload base;
  wh_s3_session s;
  wh_s3_target target;
  wh_arena arena;        // of the target
  pthread_mutex_t mutex; // of `parts` and `s` while threads write parts
  wh_s3_parts parts;
  bool by_threads; // the bytes come that way
  slot slots[WH_S3_PARTS_IN_FLIGHT + 1];
  slot *filling;
  bool sealed;
  bool tried; // to seal: the object may be there though it failed
} s3_upload;

// --- parts on their way --------------------------------------------------------------------------

static wh_status take_answer(s3_upload *u, wh_aws_exchange *x, wh_error *err) {
  slot *part = x->tag;
  wh_s3_request r = {.action = "s3:PutObject", .key = u->target.key};
  wh_status status = wh_s3_judge(u->s.c, &r, x, err);
  if (status == WH_OK) {
    status =
        wh_s3_parts_keep(&u->parts, part->number, wh_aws_header(x, "etag"), part->checksum, err);
  }
  wh_aws_end(x);
  part->x = NULL;
  wh_buf_clear(&part->bytes);
  wh_arena_reset(&part->arena);
  return status;
}

// Goes on with what is under way; with `wait` until one more has arrived. Says whether any was.
static wh_status go_on(s3_upload *u, bool wait, bool *ret_any, wh_error *err) {
  wh_aws_exchange *x = NULL;
  *ret_any = false;
  wh_status status = wh_aws_wait(u->s.client, NULL, wait ? -1 : 0, &x, err);
  if (status == WH_ERR_END) return WH_OK;
  WH_TRY(status);
  if (!x) return WH_OK;
  *ret_any = true;
  return take_answer(u, x, err);
}

static slot *free_slot(s3_upload *u) {
  for (size_t i = 0; i <= u->s.s3->parts_in_flight; i++)
    if (!u->slots[i].x && &u->slots[i] != u->filling) return &u->slots[i];
  return NULL;
}

static wh_status send_part(s3_upload *u, slot *part, wh_error *err) {
  if (!u->parts.id.len) WH_TRY(wh_s3_parts_begin(&u->s, &u->target, true, &u->parts, err));
  WH_TRY(wh_s3_parts_add(&u->parts, &part->number, err));
  wh_str query;
  WH_TRY(wh_s3_parts_query(&u->parts, part->number, &part->arena, &query, err));
  wh_s3_request r;
  WH_TRY(wh_s3_request_init(u->s.c, &part->arena, "PUT", "s3:PutObject", u->target.key, query, &r,
                            err));
  WH_TRY(wh_s3_body(&r, &part->arena, wh_buf_str(&part->bytes), &part->checksum, err));
  r.aws.tag = part;
  return wh_aws_start(u->s.client, &r.aws, &part->x, err);
}

// The part that is full goes off; the next one is filled as soon as there is room for it.
static wh_status next_part(s3_upload *u, wh_error *err) {
  WH_TRY(send_part(u, u->filling, err));
  u->filling = NULL;
  while (!(u->filling = free_slot(u))) {
    bool any;
    WH_TRY(go_on(u, true, &any, err));
  }
  return WH_OK;
}

// --- parts by threads of the caller --------------------------------------------------------------

static wh_status take_number(s3_upload *u, uint64_t offset, size_t *ret, wh_error *err) {
  size_t number = (size_t)(offset / u->s.s3->part_bytes) + 1;
  pthread_mutex_lock(&u->mutex);
  wh_status status = WH_OK;
  u->by_threads = true;
  if (!u->parts.id.len) status = wh_s3_parts_begin(&u->s, &u->target, true, &u->parts, err);
  if (status == WH_OK) status = wh_s3_parts_reach(&u->parts, number, err);
  pthread_mutex_unlock(&u->mutex);
  *ret = number;
  return status;
}

// With a client of the thread's own.
static wh_status send_one(s3_upload *u, size_t number, wh_str bytes, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_str query, checksum;
  wh_s3_request r;
  wh_aws_exchange *x;
  WH_TRY(wh_s3_begin(u->s.c, &s, err));
  WH_TRY(wh_s3_parts_query(&u->parts, number, &s.arena, &query, err));
  WH_TRY(wh_s3_request_init(s.c, &s.arena, "PUT", "s3:PutObject", u->target.key, query, &r, err));
  WH_TRY(wh_s3_body(&r, &s.arena, bytes, &checksum, err));
  wh_status status = wh_s3_call(&s, &r, &x, err);
  if (status == WH_OK) {
    pthread_mutex_lock(&u->mutex);
    status = wh_s3_parts_keep(&u->parts, number, wh_aws_header(x, "etag"), checksum, err);
    pthread_mutex_unlock(&u->mutex);
  }
  wh_aws_end(x);
  return status;
}

static wh_status upload_write_part(wh_upload *base, uint64_t offset, const void *data, size_t len,
                                   wh_error *err) {
  s3_upload *u = (s3_upload *)base;
  size_t number;
  wh_status status = offset % base->part_bytes || len > base->part_bytes || !len
                         ? wh_fail(err, WH_ERR_BUG, "a part of %zu bytes at byte %llu", len,
                                   (unsigned long long)offset)
                         : take_number(u, offset, &number, err);
  if (status == WH_OK) status = send_one(u, number, wh_str_n(data, len), err);
  return wh_s3_say(u->s.c, status, err);
}

static wh_status check_complete(const s3_upload *u, wh_error *err) {
  for (size_t i = 0; i < u->parts.count; i++)
    if (!u->parts.items[i].etag.len)
      return wh_fail(err, WH_ERR_BUG, "sealed without its part %zu", i + 1);
  return WH_OK;
}

// --- the stream ----------------------------------------------------------------------------------

static wh_status write_bytes(s3_upload *u, const char *data, size_t len, wh_error *err) {
  if (u->sealed || u->tried) return wh_fail(err, WH_ERR_BUG, "written to after it was sealed");
  if (u->by_threads) return wh_fail(err, WH_ERR_BUG, "written to in parts and in order");
  while (len) {
    size_t room = u->s.s3->part_bytes - u->filling->bytes.len, n = len < room ? len : room;
    if (n == 0) {
      WH_TRY(next_part(u, err));
      continue;
    }
    wh_buf_add(&u->filling->bytes, data, n);
    WH_TRY(wh_buf_check(&u->filling->bytes, err));
    data += n;
    len -= n;
  }
  bool any = u->parts.count > 0;
  while (any)
    WH_TRY(go_on(u, false, &any, err));
  return WH_OK;
}

static wh_status upload_write(wh_output *out, const void *data, size_t len, wh_error *err) {
  s3_upload *u = (s3_upload *)out;
  WH_TRY(wh_s3_say(u->s.c, write_bytes(u, data, len, err), err));
  out->written += len;
  return WH_OK;
}

static wh_status finish_sending(s3_upload *u, wh_error *err) {
  WH_TRY(send_part(u, u->filling, err));
  for (bool any = true; any;)
    WH_TRY(go_on(u, true, &any, err));
  return WH_OK;
}

static wh_status finish_parts(s3_upload *u, wh_error *err) {
  WH_TRY(u->by_threads ? check_complete(u, err) : finish_sending(u, err));
  u->tried = true;
  return wh_s3_parts_complete(&u->s, &u->parts, wh_s3_asks_condition(u->s.c, &u->target), err);
}

static wh_status finish_whole(s3_upload *u, wh_error *err) {
  u->tried = true;
  return wh_s3_put_whole(&u->s, &u->target, wh_buf_str(&u->filling->bytes), err);
}

static wh_status seal(s3_upload *u, wh_error *err) {
  WH_TRY(wh_s3_before_writing(&u->s, &u->target, err));
  wh_status status = u->parts.id.len ? finish_parts(u, err) : finish_whole(u, err);
  if (status == WH_OK) return WH_OK;
  wh_s3_head head;
  return wh_s3_settle(&u->s, &u->target, status, &u->s.arena, &head, err);
}

static wh_status upload_seal(wh_upload *base, wh_error *err) {
  s3_upload *u = (s3_upload *)base;
  if (u->sealed) return WH_OK;
  wh_status status = seal(u, err);
  u->sealed = status == WH_OK;
  return wh_s3_say(u->s.c, status, err);
}

static void upload_close(wh_upload *base) {
  if (!base) return;
  s3_upload *u = (s3_upload *)base;
  wh_mem *mem = u->s.c->mem;
  for (size_t i = 0; i <= WH_S3_PARTS_IN_FLIGHT; i++) {
    wh_aws_end(u->slots[i].x);
    wh_buf_free(&u->slots[i].bytes);
    wh_arena_free(&u->slots[i].arena);
  }
  if (!u->sealed && u->s.client) {
    wh_s3_parts_abort(&u->s, &u->parts);
    if (u->tried && u->target.is_attempt)
      WH_IGNORE(wh_s3_remove_attempt(&u->s, u->target.key, NULL));
  }
  wh_s3_parts_free(&u->parts);
  wh_arena_free(&u->arena);
  pthread_mutex_destroy(&u->mutex);
  wh_s3_end(&u->s);
  wh_mem_free(mem, u, sizeof *u);
}

// --- beginning -----------------------------------------------------------------------------------

static wh_status fill_upload(s3_upload *u, wh_connection *c, wh_error *err) {
  WH_TRY(wh_s3_begin(c, &u->s, err));
  for (size_t i = 0; i <= WH_S3_PARTS_IN_FLIGHT; i++) {
    wh_buf_init(&u->slots[i].bytes, c->mem, u->s.s3->part_bytes);
    wh_arena_init(&u->slots[i].arena, c->mem);
  }
  u->filling = &u->slots[0];
  return WH_OK;
}

static wh_status new_upload(wh_connection *c, s3_upload **ret, wh_error *err) {
  s3_upload *u = wh_mem_alloc_zero(c->mem, sizeof *u);
  if (!u) return wh_fail_memory(err);
  u->base = (wh_upload){
      {0, upload_write}, upload_seal, upload_close, upload_write_part, wh_s3_of(c)->part_bytes};
  u->s.c = c;
  pthread_mutex_init(&u->mutex, NULL);
  wh_arena_init(&u->arena, c->mem);
  wh_status status = fill_upload(u, c, err);
  if (status != WH_OK)
    upload_close(&u->base);
  else
    *ret = u;
  return status;
}

static wh_status aim_at_attempt(s3_upload *u, wh_str attempt, wh_error *err) {
  u->target = (wh_s3_target){.is_attempt = true, .replace = true};
  u->target.attempt = wh_arena_str(&u->arena, attempt);
  if (!u->target.attempt.data) return wh_fail_memory(err);
  WH_TRY(wh_s3_attempt_key(&u->arena, attempt, &u->target.key, err));
  wh_s3_head head;
  wh_status status = wh_s3_head_get(&u->s, u->target.key, &u->s.arena, &head, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  WH_TRY(status);
  return wh_fail(err, WH_ERR_EXISTS, "%.*s: this attempt was begun already", WH_STR_ARG(attempt));
}

static wh_status aim_at_key(s3_upload *u, wh_str key, const wh_put_options *options,
                            wh_error *err) {
  char name[WH_ULID_CHARS + 1];
  WH_TRY(wh_ulid_new(u->s.c->os, name, err));
  u->target = (wh_s3_target){.replace = options->replace, .attributes = options->attributes};
  u->target.key = wh_arena_str(&u->arena, key);
  u->target.attempt = wh_arena_printf(&u->arena, PUT_PREFIX "%s", name);
  return u->target.key.data && u->target.attempt.data ? WH_OK : wh_fail_memory(err);
}

static wh_status finish_beginning(s3_upload *u, wh_status status, wh_upload **ret, wh_error *err) {
  wh_connection *c = u->s.c;
  if (status == WH_OK)
    *ret = &u->base;
  else
    upload_close(&u->base);
  return wh_s3_say(c, status, err);
}

wh_status wh_s3_create(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err) {
  s3_upload *u;
  wh_status status = wh_attempt_check(attempt, err);
  if (status == WH_OK) status = new_upload(c, &u, err);
  if (status != WH_OK) return wh_s3_say(c, status, err);
  return finish_beginning(u, aim_at_attempt(u, attempt, err), ret, err);
}

wh_status wh_s3_put(wh_connection *c, wh_str key, const wh_put_options *options, wh_upload **ret,
                    wh_error *err) {
  s3_upload *u;
  wh_status status = wh_key_check(key, err);
  if (status == WH_OK) status = new_upload(c, &u, err);
  if (status != WH_OK) return wh_s3_say(c, status, err);
  return finish_beginning(u, aim_at_key(u, key, options, err), ret, err);
}
