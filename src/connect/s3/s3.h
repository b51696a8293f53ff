// A bucket of S3, or of a server that speaks like it, as a store of objects: the object with key
// "inbound/x.json" is <prefix>inbound/x.json in the bucket. This header is the folder's own;
// outside it only wh_connector_s3 matters.
//
// A version is "<ETag>-<seconds since 1970>", of the last modification: what listing, asking and
// reading all tell, with the same permissions, whether the bucket keeps versions or not. (A listing
// does not tell S3's version ids.) Reading goes under the condition of the ETag and compares the
// time. Earlier versions are found by it, and by S3's version id. It cannot tell two objects with
// the same bytes apart that came within one second, and neither can the order of objects.
//
// Attempts are complete objects under <prefix>_wherry/attempts/. Publishing one is a PutObject of
// its bytes while they are few, else a multipart upload whose parts S3 copies; both say
// "If-None-Match: *" where nothing may be replaced. The published object's metadata names the
// attempt, so that a publish whose answer was lost, or which a restart repeats, is known to be
// done.
#pragma once

#include "base/arena.h"
#include "connect/aws_place.h"
#include "connect/connect.h"
#include "connect/sealed_store.h"
#include "net/aws.h"
#include "net/xml.h"

typedef struct wh_s3_options {
  wh_str bucket, prefix;
  int path_style; // wh_s3_path_style
  int encryption; // wh_s3_encryption
  wh_str
      encryption_key; // of KMS; empty: the account's own for S3. For ENVELOPE also one of 32 bytes
  wh_str_list encryption_keys_old; // ENVELOPE
  bool bucket_key;                 // fewer requests to KMS
  wh_str storage_class;            // empty: the bucket's
  wh_str_list tags;                // "name=value"
  bool requester_pays;
  int conditional_writes; // wh_s3_conditional
  wh_aws_place place;
} wh_s3_options;

typedef enum wh_s3_path_style { WH_S3_PATH_AUTO, WH_S3_PATH_YES, WH_S3_PATH_NO } wh_s3_path_style;
typedef enum wh_s3_encryption {
  WH_S3_ENCRYPT_BUCKET, // as the bucket says
  WH_S3_ENCRYPT_S3,     // SSE-S3
  WH_S3_ENCRYPT_KMS,    // SSE-KMS
  WH_S3_ENVELOPE,       // before it leaves the machine: connect/sealed_store.h
} wh_s3_encryption;
typedef enum wh_s3_conditional { WH_S3_REQUIRE, WH_S3_OFF } wh_s3_conditional;

extern const wh_connector wh_connector_s3;
extern const wh_store_type wh_s3_store;
wh_status wh_s3_permits(const wh_connection *c, const wh_use *use, wh_iam_policy *policy,
                        wh_error *err);

#define WH_S3_ATTEMPTS     WH_OWN_PREFIX "attempts/"
#define WH_S3_PROBE        WH_OWN_PREFIX "conditional"
#define WH_S3_META_ATTEMPT "x-amz-meta-wherry-attempt"
#define WH_S3_META_MTIME   "x-amz-meta-mtime"
// Of an encrypted object, for people and other programs; its header has both.
#define WH_S3_META_KEY         "x-amz-meta-wherry-key"
#define WH_S3_META_CONTEXT     "x-amz-meta-wherry-context"
#define WH_S3_ABANDONED_US     INT64_C(86400000000)
#define WH_S3_COPY_BYTES       INT64_C(268435456)  // a part that S3 copies
#define WH_S3_COPY_WHOLE_BYTES INT64_C(5368709120) // that CopyObject takes

enum {
  WH_S3_PART_BYTES_MIN = 5 << 20, // what S3 takes but for the last
  WH_S3_PART_BYTES_MAX = 64 << 20,
  WH_S3_PARTS_MAX = 10000,
  WH_S3_PARTS_IN_FLIGHT = 4,   // at most
  WH_S3_FIRST_BYTES = 1 << 20, // what opening reads
  WH_S3_RANGE_BYTES_MIN = 1 << 20,
  WH_S3_RANGE_BYTES_MAX = 8 << 20,
  WH_S3_RANGES = 4,                 // read ahead
  WH_S3_ANSWER_BYTES_MAX = 4 << 20, // of XML: a thousand keys
  WH_S3_HEADERS_MAX = 48,
  // One upload and one object being read, with the least that they take.
  WH_S3_RESERVE_BYTES = 2 * WH_S3_PART_BYTES_MIN + 2 * WH_S3_RANGE_BYTES_MIN,
};

// What all verbs of a connection share.
typedef struct wh_s3 {
  wh_arena arena;
  wh_aws *aws;
  wh_str prefix;        // of keys in the bucket: empty, or ending in '/'
  wh_str tagging;       // as x-amz-tagging says it
  wh_sealed_keys *keys; // that objects are encrypted with here; of the sealed store around this one
  bool path_style;
  bool is_amazon; // the endpoint is AWS's own
  size_t part_bytes, range_bytes;
  size_t parts_in_flight, ranges;
  atomic_bool conditions_hold; // this server was seen to keep them
} wh_s3;

static inline const wh_s3_options *wh_s3_options_of(const wh_connection *c) {
  return c->options;
}
static inline wh_s3 *wh_s3_of(const wh_connection *c) {
  return c->own;
}

// --- call.c: requests ----------------------------------------------------------------------------

// One verb at work: a client and memory that ends with it. Zero it first, end it in any case.
typedef struct wh_s3_session {
  wh_connection *c;
  wh_s3 *s3;
  wh_aws_client *client;
  wh_arena arena;
  bool keys_are_encoded; // in the page being read
} wh_s3_session;
wh_status wh_s3_begin(wh_connection *c, wh_s3_session *ret, wh_error *err);
void wh_s3_end(wh_s3_session *s);
#define WH_CLEAN_S3 __attribute__((cleanup(wh_s3_end)))

typedef struct wh_s3_request {
  wh_aws_request aws;
  const char *action; // the permission it takes, "s3:GetObject"
  wh_str key;         // of the connection; empty: the bucket
  wh_http_header headers[WH_S3_HEADERS_MAX];
  wh_str body;
  char hash[WH_SIGV4_HEX_CHARS + 1];
} wh_s3_request;

// Over an object, or the bucket where `key` is empty. `query` is percent-encoded. `ret` keeps what
// it is given by reference, in `arena`, which has to live until the request is started; `ret`
// itself with its body until it is done.
wh_status wh_s3_request_init(const wh_connection *c, wh_arena *arena, const char *method,
                             const char *action, wh_str key, wh_str query, wh_s3_request *ret,
                             wh_error *err);
wh_status wh_s3_version_query(wh_str version_id, wh_arena *arena, wh_str *ret, wh_error *err);
void wh_s3_header(wh_s3_request *r, const char *name, wh_str value); // an empty value: not at all
// The bytes of a body, with the checksum that the server compares them with.
// `ret_checksum`, in base64, may be NULL.
wh_status wh_s3_body(wh_s3_request *r, wh_arena *arena, wh_str body, wh_str *ret_checksum,
                     wh_error *err);
// Sends it and waits. The exchange, to be ended in any case, may be wanted of a failure too.
wh_status wh_s3_call(wh_s3_session *s, const wh_s3_request *r, wh_aws_exchange **ret,
                     wh_error *err);
// The same without interest in the answer.
wh_status wh_s3_do(wh_s3_session *s, const wh_s3_request *r, wh_error *err);
// The error of an exchange that ended: names the key and what to do.
wh_status wh_s3_judge(const wh_connection *c, const wh_s3_request *r, const wh_aws_exchange *x,
                      wh_error *err);
wh_status wh_s3_no_bucket(const wh_connection *c, wh_error *err);
// Passes `status` on, with the connection's name in front of the text when it is an error. Only the
// verbs that other code calls do this; what is below them speaks of keys alone.
wh_status wh_s3_say(const wh_connection *c, wh_status status, wh_error *err);

// --- object.c: what answers say of an object -----------------------------------------------------

typedef struct wh_s3_head {
  wh_object object;  // key, version: in the arena
  wh_str etag;       // with its quotes, as conditions take it
  wh_str version_id; // empty where the bucket keeps none
  wh_str attempt;    // that was published
} wh_s3_head;

// From the header fields of an answer to GET or HEAD.
wh_status wh_s3_head_read(const wh_aws_exchange *x, wh_str key, wh_arena *arena, wh_s3_head *ret,
                          wh_error *err);
// Asks. WH_ERR_NOT_FOUND.
wh_status wh_s3_head_get(wh_s3_session *s, wh_str key, wh_arena *arena, wh_s3_head *ret,
                         wh_error *err);
// "2009-10-12T17:50:30.000Z" in whole seconds, as microseconds since 1970.
bool wh_s3_time(wh_str text, int64_t *ret_us);
// Without the quotes around it.
wh_str wh_s3_bare_etag(wh_str etag);
wh_status wh_s3_version(wh_arena *arena, wh_str etag, int64_t modified_us, wh_str *ret,
                        wh_error *err);
// The ETag and the time of a version; false when it can be none of ours.
bool wh_s3_version_split(wh_str version, wh_str *ret_etag, int64_t *ret_modified_us);

// --- list.c --------------------------------------------------------------------------------------

// One answer to a question about the bucket, read as XML.
wh_status wh_s3_page(wh_s3_session *s, const char *action, const wh_buf *query,
                     const wh_xml_visitor *visitor, wh_error *err);
// Keys as listings write them.
wh_status wh_s3_decode(const wh_s3_session *s, wh_arena *arena, wh_str text, wh_str *ret,
                       wh_error *err);

wh_status wh_s3_list(wh_connection *c, wh_str prefix, wh_object_visit visit, void *context,
                     wh_error *err);
wh_status wh_s3_stat(wh_connection *c, wh_str key, wh_arena *arena, wh_object *ret, wh_error *err);
wh_status wh_s3_attempts(wh_connection *c, wh_object_visit visit, void *context, wh_error *err);

// An upload in parts that was begun and neither completed nor aborted.
typedef struct wh_s3_unfinished {
  wh_str key, id;
  int64_t begun_us;
} wh_s3_unfinished;
typedef wh_status (*wh_s3_unfinished_visit)(void *context, const wh_s3_unfinished *u,
                                            wh_error *err);
wh_status wh_s3_list_unfinished(wh_s3_session *s, wh_str prefix, wh_s3_unfinished_visit visit,
                                void *context, wh_error *err);

// --- read.c --------------------------------------------------------------------------------------

wh_status wh_s3_open(wh_connection *c, wh_str key, wh_str version, wh_input **ret, wh_error *err);

// --- target.c: what an object is that is written -------------------------------------------------

// Where the bytes go, and as what.
typedef struct wh_s3_target {
  wh_str key;
  wh_str attempt;                  // a name that is nobody else's; the object's metadata has it
  bool is_attempt;                 // it is one, and not yet an object
  bool replace;                    // else WH_ERR_EXISTS where the key is taken
  const wh_attributes *attributes; // may be NULL
} wh_s3_target;

wh_status wh_s3_target_headers(const wh_connection *c, wh_s3_request *r, const wh_s3_target *target,
                               wh_arena *arena, wh_error *err);
void wh_s3_encryption_headers(const wh_connection *c, wh_s3_request *r);
// Whether writing says "If-None-Match: *".
bool wh_s3_asks_condition(const wh_connection *c, const wh_s3_target *target);
// What has to be known first where nothing may be replaced.
wh_status wh_s3_before_writing(wh_s3_session *s, const wh_s3_target *target, wh_error *err);
wh_status wh_s3_put_whole(wh_s3_session *s, const wh_s3_target *target, wh_str bytes,
                          wh_error *err);
// What came of it, after the `status` of writing: the object that is there now, or WH_ERR_EXISTS.
wh_status wh_s3_settle(wh_s3_session *s, const wh_s3_target *target, wh_status status,
                       wh_arena *arena, wh_s3_head *ret, wh_error *err);

// --- parts.c: an upload in parts -----------------------------------------------------------------

typedef struct wh_s3_part {
  wh_str etag, checksum; // checksum: base64 of SHA-256; empty for those that S3 copied
} wh_s3_part;

typedef struct wh_s3_parts {
  wh_str key, id; // id: empty before it was begun, and after it was completed or aborted
  wh_s3_part *items;
  size_t count, cap;
  bool has_checksums;
  wh_arena arena;
} wh_s3_parts;

// `with_checksums` when the parts will be sent, and not copied.
wh_status wh_s3_parts_begin(wh_s3_session *s, const wh_s3_target *target, bool with_checksums,
                            wh_s3_parts *ret, wh_error *err);
wh_status wh_s3_parts_add(wh_s3_parts *parts, size_t *ret_number, wh_error *err); // from 1
// Adds up to the part with that number, where there are fewer.
wh_status wh_s3_parts_reach(wh_s3_parts *parts, size_t number, wh_error *err);
// The query of a request about the part, or, with 0, about the upload.
wh_status wh_s3_parts_query(const wh_s3_parts *parts, size_t number, wh_arena *arena, wh_str *ret,
                            wh_error *err);
wh_status wh_s3_parts_keep(wh_s3_parts *parts, size_t number, wh_str etag, wh_str checksum,
                           wh_error *err);
// Makes the object of them. `if_none_match`: WH_ERR_CHANGED where the key is taken.
wh_status wh_s3_parts_complete(wh_s3_session *s, wh_s3_parts *parts, bool if_none_match,
                               wh_error *err);
void wh_s3_parts_abort(wh_s3_session *s, wh_s3_parts *parts);                  // as well as it can
wh_status wh_s3_abort(wh_s3_session *s, wh_str key, wh_str id, wh_error *err); // gone is fine
void wh_s3_parts_free(wh_s3_parts *parts);                                     // zeroed is fine

// --- upload.c ------------------------------------------------------------------------------------

wh_status wh_s3_create(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err);
wh_status wh_s3_put(wh_connection *c, wh_str key, const wh_put_options *options, wh_upload **ret,
                    wh_error *err);

// --- copy.c: from one key to another, within the bucket ------------------------------------------

// In parts that S3 copies; `source` must have at least one byte.
wh_status wh_s3_copy_parts(wh_s3_session *s, const wh_s3_head *source, const wh_s3_target *target,
                           wh_error *err);
// What is under the key is replaced. With everything that the source is, unless it has more than
// WH_S3_COPY_WHOLE_BYTES.
wh_status wh_s3_copy_object(wh_s3_session *s, const wh_s3_head *source, wh_str key, wh_error *err);

// As a verb: the present version of a key, to another.
wh_status wh_s3_copy(wh_connection *c, wh_str key, wh_str to, wh_error *err);

// --- publish.c -----------------------------------------------------------------------------------

wh_status wh_s3_attempt_key(wh_arena *arena, wh_str attempt, wh_str *ret, wh_error *err);
// Its bytes too, in a bucket that keeps versions. Missing is fine.
wh_status wh_s3_remove_attempt(wh_s3_session *s, wh_str key, wh_error *err);
wh_status wh_s3_publish(wh_connection *c, wh_str attempt, wh_str key, bool replace, wh_arena *arena,
                        wh_object *ret, wh_error *err);
wh_status wh_s3_discard(wh_connection *c, wh_str attempt, wh_error *err);
// Missing is fine. With a version's id nothing of it stays; with an ETag, another object does.
wh_status wh_s3_delete(wh_s3_session *s, wh_str key, wh_str version_id, wh_str etag, wh_error *err);
wh_status wh_s3_remove(wh_connection *c, wh_str key, wh_error *err);
wh_status wh_s3_withdraw(wh_connection *c, wh_str key, wh_str version, wh_str to, wh_error *err);

// --- attributes.c --------------------------------------------------------------------------------

wh_status wh_s3_attributes(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                           wh_attributes *ret, wh_error *err);
// As header fields.
wh_status wh_s3_attribute_headers(wh_s3_request *r, const wh_attributes *attributes,
                                  wh_arena *arena, wh_error *err);
wh_status wh_s3_attributes_read(const wh_aws_exchange *x, wh_arena *arena, wh_attributes *ret,
                                wh_error *err);

// --- versions.c ----------------------------------------------------------------------------------

wh_status wh_s3_versions(wh_connection *c, wh_str key, wh_object_visit visit, void *context,
                         wh_error *err);
wh_status wh_s3_purge(wh_connection *c, wh_str key, int64_t before_us, uint64_t *ret_count,
                      wh_error *err);
wh_status wh_s3_restore(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                        wh_object *ret, wh_error *err);
// A version that is kept, also if it is not the present one. WH_ERR_NOT_FOUND.
wh_status wh_s3_find_version(wh_s3_session *s, wh_str key, wh_str version, wh_arena *arena,
                             wh_s3_head *ret, wh_error *err);
