// Rows that are put, 25 at a time. An item that has a row's key is replaced; of rows with one key
// the last one stays.
#include "connect/dynamodb/sink.h"

enum {
  TOGETHER, // steps of a job; ALONE + i: row i by itself
  ALONE,
  BATCH_BYTES_MAX = 1 << 20,
};

typedef struct appending {
  wh_dynamodb_writing *w;
  wh_dynamodb_job *job; // being filled; NULL: none
} appending;

// --- One by one: something is wrong with one of them ---------------------------------------------

static wh_status put_alone(wh_dynamodb_writing *w, wh_dynamodb_job *job, bool *again,
                           wh_error *err) {
  size_t at = (size_t)(job->step - ALONE);
  *again = at < job->count;
  if (!*again) return WH_OK;
  bool fine;
  WH_TRY(wh_dynamodb_row_encode(w, job->rows[at], &w->again, &fine, err));
  if (!fine) return wh_fail(err, WH_ERR_BUG, "a row fits once only");
  job->action = WH_DYNAMODB_ACTION("PutItem");
  wh_buf_clear(&job->body);
  wh_buf_add_c(&job->body, "{\"TableName\":");
  wh_buf_add_json(&job->body, w->target->spec.table);
  wh_buf_add_c(&job->body, ",\"Item\":");
  wh_dynamodb_row_add_item(w, &w->again, &job->body);
  wh_buf_add_char(&job->body, '}');
  return wh_buf_check(&job->body, err);
}

static wh_status answered_alone(wh_dynamodb_writing *w, wh_dynamodb_job *job,
                                const wh_aws_exchange *x, bool *again, wh_error *err) {
  bool refused = false;
  size_t at = (size_t)(job->step - ALONE);
  if (x->status == WH_OK)
    w->counts->written++;
  else
    WH_TRY(wh_dynamodb_row_refused(w, job->rows[at], x, &refused, err));
  if (x->status != WH_OK && !refused) return wh_dynamodb_fail(w->sink->connection, x, err);
  job->step++;
  return put_alone(w, job, again, err);
}

// --- Together ------------------------------------------------------------------------------------

// What the table could not take yet goes again, and later.
static wh_status take_unprocessed(wh_dynamodb_writing *w, wh_dynamodb_job *job,
                                  const wh_aws_exchange *x, bool *again, bool *refused,
                                  wh_error *err) {
  WH_CLEAN_JSON json_t *answer = NULL;
  WH_TRY(wh_dynamodb_parse(w->sink->connection, x->body, &answer, err));
  const json_t *rest = json_object_get(answer, "UnprocessedItems");
  void *first = json_object_iter((json_t *)(uintptr_t)rest);
  size_t left = first ? json_array_size(json_object_iter_value(first)) : 0;
  if (left == 0) {
    w->counts->written += job->count;
    return WH_OK;
  }
  if (left < (size_t)job->turns) wh_dynamodb_pace_answered(&w->sink->flight.pace);
  job->turns = (int)left;
  *again = *refused = true;
  wh_buf_clear(&job->body);
  wh_buf_add_c(&job->body, "{\"RequestItems\":");
  WH_TRY(wh_dynamodb_dump(rest, &job->body, err));
  wh_buf_add_char(&job->body, '}');
  return wh_buf_check(&job->body, err);
}

static wh_status answered(void *context, wh_dynamodb_job *job, const wh_aws_exchange *x,
                          bool *again, bool *refused, wh_error *err) {
  wh_dynamodb_writing *w = context;
  if (job->step >= ALONE) return answered_alone(w, job, x, again, err);
  if (x->status == WH_OK) return take_unprocessed(w, job, x, again, refused, err);
  if (!wh_aws_is(x, "ValidationException")) return wh_dynamodb_fail(w->sink->connection, x, err);
  job->step = ALONE;
  return put_alone(w, job, again, err);
}

static wh_status send(appending *a, wh_error *err) {
  wh_dynamodb_job *job = a->job;
  if (!job) return WH_OK;
  a->job = NULL;
  wh_buf_add_c(&job->body, "]}}");
  job->turns = (int)job->count;
  return wh_dynamodb_flight_go(&a->w->sink->flight, job, err);
}

// A batch cannot have a key twice, and batches overtake each other.
static wh_status clear_key(appending *a, uint64_t key, wh_error *err) {
  for (size_t i = 0; a->job && i < a->job->count; i++)
    if (a->job->keys[i] == key) WH_TRY(send(a, err));
  return wh_dynamodb_flight_clear(&a->w->sink->flight, key, err);
}

static wh_status add(appending *a, size_t row, wh_error *err) {
  wh_dynamodb_writing *w = a->w;
  WH_TRY(clear_key(a, w->row.hash, err));
  if (!a->job) {
    WH_TRY(wh_dynamodb_flight_room(&w->sink->flight, &a->job, err));
    a->job->action = WH_DYNAMODB_ACTION("BatchWriteItem");
    wh_buf_add_c(&a->job->body, "{\"RequestItems\":{");
    wh_buf_add_json(&a->job->body, w->target->spec.table);
    wh_buf_add_c(&a->job->body, ":[");
  }
  wh_dynamodb_job *job = a->job;
  wh_buf_add_c(&job->body,
               job->count ? ",{\"PutRequest\":{\"Item\":" : "{\"PutRequest\":{\"Item\":");
  wh_dynamodb_row_add_item(w, &w->row, &job->body);
  wh_buf_add_c(&job->body, "}}");
  job->rows[job->count] = row;
  job->keys[job->count++] = w->row.hash;
  bool full = job->count == WH_DYNAMODB_BATCH_ITEMS || job->body.len >= BATCH_BYTES_MAX;
  return full ? send(a, err) : WH_OK;
}

wh_status wh_dynamodb_append(wh_dynamodb_writing *w, wh_error *err) {
  wh_dynamodb_flight *f = &w->sink->flight;
  appending a = {.w = w};
  f->answered = answered;
  f->context = w;
  for (size_t row = 0; row < w->batch->rows; row++) {
    bool fine;
    WH_TRY(wh_dynamodb_row_encode(w, row, &w->row, &fine, err));
    if (fine) WH_TRY(add(&a, row, err));
  }
  WH_TRY(send(&a, err));
  return wh_dynamodb_flight_finish(f, err);
}
