// Reading an object: one version of it, or nothing. Opening reads its beginning, which is the whole
// of a small one; a reader that goes on has ranges read ahead.
#include "connect/s3/s3.h"

typedef struct range {
  wh_aws_exchange *x; // NULL when it is not on its way
  char *data;
  uint64_t at;
  size_t len, got;
} range;

typedef struct s3_input {
  wh_input base;
  wh_s3_session s;
  wh_arena arena, request; // request: emptied after each
  wh_s3_head head;
  wh_aws_exchange *first; // holds the beginning
  uint64_t at, ahead;     // read so far; asked for so far
  range ranges[WH_S3_RANGES];
  size_t oldest, count;
} s3_input;

static wh_status changed(wh_str key, wh_error *err) {
  wh_status status = wh_fail(err, WH_ERR_CHANGED, "%.*s: is another version now", WH_STR_ARG(key));
  if (err) err->retry = true;
  return status;
}

// --- one range -----------------------------------------------------------------------------------

static wh_status ask_range(const wh_connection *c, const wh_s3_head *head, wh_arena *arena,
                           uint64_t at, size_t len, wh_s3_request *r, wh_error *err) {
  wh_str query;
  WH_TRY(wh_s3_version_query(head->version_id, arena, &query, err));
  const char *action = query.len ? "s3:GetObjectVersion" : "s3:GetObject";
  WH_TRY(wh_s3_request_init(c, arena, "GET", action, head->object.key, query, r, err));
  wh_str text = wh_arena_printf(arena, "bytes=%llu-%llu", (unsigned long long)at,
                                (unsigned long long)(at + len - 1));
  if (!text.data) return wh_fail_memory(err);
  wh_s3_header(r, "Range", text);
  wh_s3_header(r, "If-Match", head->etag);
  return WH_OK;
}

static wh_status take_bytes(void *context, uint64_t at, const void *data, size_t len,
                            wh_error *err) {
  range *p = context;
  if (at > p->len || len > p->len - at) {
    return wh_fail(err, WH_ERR_DATA, "the server sends more than it was asked for");
  }
  if (len) memcpy(p->data + at, data, len);
  p->got = at + len;
  return WH_OK;
}

static wh_status check_range(const wh_connection *c, const wh_s3_head *head, const range *p,
                             const wh_s3_request *r, wh_error *err) {
  if (p->x->status == WH_ERR_CHANGED || p->x->status == WH_ERR_NOT_FOUND)
    return changed(head->object.key, err);
  WH_TRY(wh_s3_judge(c, r, p->x, err));
  if (!wh_str_eq(wh_aws_header(p->x, "etag"), head->etag)) return changed(head->object.key, err);
  if (p->got == p->len) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%.*s: the server sends %zu bytes of %zu",
                 WH_STR_ARG(head->object.key), p->got, p->len);
}

// --- reading on ----------------------------------------------------------------------------------

static size_t first_len(const s3_input *in) {
  return in->first ? in->first->body.len : 0;
}

static wh_status start_range(s3_input *in, wh_error *err) {
  range *p = &in->ranges[(in->oldest + in->count) % WH_S3_RANGES];
  uint64_t left = in->base.size - in->ahead;
  size_t len = left < in->s.s3->range_bytes ? (size_t)left : in->s.s3->range_bytes;
  wh_s3_request r;
  *p = (range){.at = in->ahead, .len = len};
  wh_arena_reset(&in->request);
  WH_TRY(ask_range(in->s.c, &in->head, &in->request, p->at, len, &r, err));
  p->data = wh_mem_alloc(in->s.c->mem, len);
  if (!p->data) return wh_fail_memory(err);
  r.aws.take = take_bytes;
  r.aws.take_context = p;
  wh_status status = wh_aws_start(in->s.client, &r.aws, &p->x, err);
  if (status != WH_OK) {
    wh_mem_free(in->s.c->mem, p->data, len);
    return status;
  }
  in->ahead += len;
  in->count++;
  return WH_OK;
}

static void drop_oldest(s3_input *in) {
  range *p = &in->ranges[in->oldest];
  wh_aws_end(p->x);
  wh_mem_free(in->s.c->mem, p->data, p->len);
  *p = (range){0};
  in->oldest = (in->oldest + 1) % WH_S3_RANGES;
  in->count--;
}

// Without memory for more, what is on its way is enough.
static wh_status read_ahead(s3_input *in, wh_error *err) {
  while (in->count < in->s.s3->ranges && in->ahead < in->base.size) {
    wh_status status = start_range(in, in->count ? NULL : err);
    if (status == WH_ERR_MEMORY && in->count) return WH_OK;
    WH_TRY(status);
  }
  return WH_OK;
}

static wh_status wait_oldest(s3_input *in, wh_error *err) {
  range *p = &in->ranges[in->oldest];
  if (!p->x) return WH_OK;
  wh_aws_exchange *done;
  WH_TRY(wh_aws_wait(in->s.client, p->x, -1, &done, err));
  wh_s3_request r = {.action = "s3:GetObject", .key = in->head.object.key};
  WH_TRY(check_range(in->s.c, &in->head, p, &r, err));
  wh_aws_end(p->x);
  p->x = NULL;
  return WH_OK;
}

static wh_status read_some(s3_input *in, char *data, size_t cap, size_t *ret_len, wh_error *err) {
  size_t have = first_len(in);
  *ret_len = 0;
  if (in->at >= in->base.size || cap == 0) return WH_OK;
  WH_TRY(read_ahead(in, err));
  if (in->at < have) {
    size_t n = have - (size_t)in->at;
    if (n > cap) n = cap;
    memcpy(data, in->first->body.data + in->at, n);
    *ret_len = n;
    return WH_OK;
  }
  WH_TRY(wait_oldest(in, err));
  range *p = &in->ranges[in->oldest];
  size_t from = (size_t)(in->at - p->at), n = p->len - from;
  if (n > cap) n = cap;
  memcpy(data, p->data + from, n);
  if (from + n == p->len) drop_oldest(in);
  *ret_len = n;
  return WH_OK;
}

static wh_status input_read(wh_input *base, void *data, size_t cap, size_t *ret_len,
                            wh_error *err) {
  s3_input *in = (s3_input *)base;
  size_t got = 0;
  WH_TRY(wh_s3_say(in->s.c, read_some(in, data, cap, &got, err), err));
  in->at += got;
  *ret_len = got;
  return WH_OK;
}

// --- reading anywhere ----------------------------------------------------------------------------

// With a client of its own: threads may do this side by side.
static wh_status read_range(const s3_input *in, uint64_t at, void *data, size_t len,
                            wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  WH_TRY(wh_s3_begin(in->s.c, &s, err));
  range p = {.data = data, .at = at, .len = len};
  wh_s3_request r;
  WH_TRY(ask_range(s.c, &in->head, &s.arena, at, len, &r, err));
  r.aws.take = take_bytes;
  r.aws.take_context = &p;
  wh_status status = wh_aws_call(s.client, &r.aws, &p.x, err);
  if (p.x && p.x->status == status) status = check_range(s.c, &in->head, &p, &r, err);
  wh_aws_end(p.x);
  return status;
}

static wh_status input_read_at(wh_input *base, uint64_t offset, void *data, size_t len,
                               wh_error *err) {
  s3_input *in = (s3_input *)base;
  if (offset > base->size || len > base->size - offset) {
    return wh_s3_say(in->s.c,
                     wh_fail(err, WH_ERR_END, "%.*s: ends at byte %llu",
                             WH_STR_ARG(in->head.object.key), (unsigned long long)base->size),
                     err);
  }
  if (len == 0) return WH_OK;
  if (offset + len <= first_len(in)) {
    memcpy(data, in->first->body.data + offset, len);
    return WH_OK;
  }
  return wh_s3_say(in->s.c, read_range(in, offset, data, len, err), err);
}

static void input_close(wh_input *base) {
  s3_input *in = (s3_input *)base;
  wh_mem *mem = in->s.c->mem;
  while (in->count)
    drop_oldest(in);
  wh_aws_end(in->first);
  wh_arena_free(&in->arena);
  wh_arena_free(&in->request);
  wh_s3_end(&in->s);
  wh_mem_free(mem, in, sizeof *in);
}

// --- opening -------------------------------------------------------------------------------------

// What was sent is what was stored, where S3 has a checksum of the whole.
static wh_status check_whole(const s3_input *in, wh_error *err) {
  wh_str checksum = wh_aws_header(in->first, "x-amz-checksum-sha256");
  if (!checksum.len || memchr(checksum.data, '-', checksum.len)) return WH_OK;
  if (first_len(in) != in->base.size) return WH_OK;
  uint8_t digest[WH_SHA256_BYTES];
  wh_sha256_of(in->first->body, digest);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, in->s.c->mem, 0);
  if (!wh_base64_encode(WH_BASE64_STANDARD, wh_str_n((const char *)digest, sizeof digest), &text))
    return wh_fail_memory(err);
  if (wh_str_eq(wh_buf_str(&text), checksum)) return WH_OK;
  return wh_fail(err, WH_ERR_DATA,
                 "%.*s: the bytes that came are not those of the checksum that S3 keeps",
                 WH_STR_ARG(in->head.object.key));
}

// An empty object has no range.
static wh_status open_empty(s3_input *in, wh_str key, wh_error *err) {
  WH_TRY(wh_s3_head_get(&in->s, key, &in->arena, &in->head, err));
  return in->head.object.size == 0 ? WH_OK : changed(key, err);
}

// `want`: key, and as far as they matter ETag and version id.
static wh_status read_first(s3_input *in, const wh_s3_head *want, wh_error *err) {
  wh_s3_request r;
  wh_str key = want->object.key;
  wh_arena_reset(&in->request);
  WH_TRY(ask_range(in->s.c, want, &in->request, 0, WH_S3_FIRST_BYTES, &r, err));
  wh_s3_header(&r, "x-amz-checksum-mode", WH_STR("ENABLED"));
  r.aws.body_bytes_max = WH_S3_FIRST_BYTES;
  wh_aws_end(in->first);
  in->first = NULL;
  wh_status status = wh_s3_call(&in->s, &r, &in->first, err);
  if (status == WH_ERR_CHANGED) return changed(key, err);
  if (in->first && in->first->http == 416) {
    wh_aws_end(in->first);
    in->first = NULL;
    return open_empty(in, key, err);
  }
  WH_TRY(status);
  WH_TRY(wh_s3_head_read(in->first, key, &in->arena, &in->head, err));
  in->base.size = in->head.object.size;
  return check_whole(in, err);
}

// It may be among the earlier versions.
static wh_status open_kept(s3_input *in, wh_str key, wh_str version, wh_status otherwise,
                           wh_error *err) {
  wh_s3_head kept;
  wh_error inner = {0};
  wh_status status = wh_s3_find_version(&in->s, key, version, &in->arena, &kept, &inner);
  bool none = status == WH_ERR_NOT_FOUND || status == WH_ERR_REFUSED || status == WH_ERR_DENIED;
  if (none || (status == WH_OK && kept.object.is_latest && !kept.version_id.len))
    return otherwise; // whose words stand
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  return read_first(in, &kept, err);
}

static wh_status open_version(s3_input *in, wh_str key, wh_str version, wh_error *err) {
  wh_s3_head want = {.object = {.key = key}};
  wh_str etag;
  int64_t modified_us;
  if (!version.len) return read_first(in, &want, err);
  if (!wh_s3_version_split(version, &etag, &modified_us))
    return open_kept(in, key, version, changed(key, err), err);
  want.etag = wh_arena_printf(&in->arena, "\"%.*s\"", WH_STR_ARG(etag));
  if (!want.etag.data) return wh_fail_memory(err);
  wh_status status = read_first(in, &want, err);
  if (status == WH_OK && !wh_str_eq(version, in->head.object.version)) status = changed(key, err);
  if (status == WH_ERR_CHANGED || status == WH_ERR_NOT_FOUND)
    return open_kept(in, key, version, status, err);
  return status;
}

static wh_status open_input(wh_connection *c, wh_str key, wh_str version, wh_input **ret,
                            wh_error *err) {
  s3_input *in = wh_mem_alloc_zero(c->mem, sizeof *in);
  if (!in) return wh_fail_memory(err);
  in->base = (wh_input){0, input_read, input_read_at, input_close};
  in->s.c = c;
  wh_arena_init(&in->arena, c->mem);
  wh_arena_init(&in->request, c->mem);
  wh_status status = wh_s3_begin(c, &in->s, err);
  if (status == WH_OK) status = open_version(in, key, version, err);
  if (status != WH_OK) {
    input_close(&in->base);
    return status;
  }
  in->base.size = in->head.object.size;
  in->ahead = first_len(in);
  *ret = &in->base;
  return WH_OK;
}

wh_status wh_s3_open(wh_connection *c, wh_str key, wh_str version, wh_input **ret, wh_error *err) {
  wh_status status = wh_key_check(key, err);
  if (status == WH_OK) status = open_input(c, key, version, ret, err);
  return wh_s3_say(c, status, err);
}
