#include "connect/dynamodb/flight.h"

void wh_dynamodb_flight_init(wh_dynamodb_flight *f, wh_connection *c, wh_aws_client *client) {
  *f = (wh_dynamodb_flight){.connection = c, .client = client};
  wh_dynamodb_pace_init(&f->pace, c->os, WH_DYNAMODB_FLIGHT_MAX);
  for (size_t i = 0; i < WH_DYNAMODB_FLIGHT_MAX; i++)
    wh_buf_init(&f->jobs[i].body, c->mem, 0);
}

static void make_idle(wh_dynamodb_flight *f, wh_dynamodb_job *job) {
  f->flying -= job->state == WH_DYNAMODB_FLYING;
  f->waiting -= job->state == WH_DYNAMODB_WAITING;
  if (job->state != WH_DYNAMODB_IDLE) f->bytes -= job->piece.len;
  job->state = WH_DYNAMODB_IDLE;
  wh_aws_end(job->exchange);
  job->exchange = NULL;
}

void wh_dynamodb_flight_stop(wh_dynamodb_flight *f) {
  for (size_t i = 0; i < WH_DYNAMODB_FLIGHT_MAX; i++)
    make_idle(f, &f->jobs[i]);
}

void wh_dynamodb_flight_free(wh_dynamodb_flight *f) {
  wh_dynamodb_flight_stop(f);
  for (size_t i = 0; i < WH_DYNAMODB_FLIGHT_MAX; i++)
    wh_buf_free(&f->jobs[i].body);
}

static void make_waiting(wh_dynamodb_flight *f, wh_dynamodb_job *job) {
  make_idle(f, job);
  job->piece = wh_buf_str(&job->body);
  job->state = WH_DYNAMODB_WAITING;
  f->waiting++;
  f->bytes += job->piece.len;
}

static wh_status start(wh_dynamodb_flight *f, wh_dynamodb_job *job, wh_error *err) {
  WH_TRY(wh_buf_check(&job->body, err));
  wh_status status =
      wh_dynamodb_start(f->client, job->action, &job->piece, job, &job->exchange, err);
  if (status != WH_OK) {
    wh_error_prefix(err, "%.*s: ", WH_STR_ARG(f->connection->name));
    return status;
  }
  job->state = WH_DYNAMODB_FLYING;
  f->waiting--;
  f->flying++;
  return WH_OK;
}

static wh_status start_waiting(wh_dynamodb_flight *f, wh_error *err) {
  if (f->waiting == 0 || wh_dynamodb_pace_left(&f->pace) > 0) return WH_OK;
  for (size_t i = 0; i < WH_DYNAMODB_FLIGHT_MAX && f->flying < f->pace.window; i++)
    if (f->jobs[i].state == WH_DYNAMODB_WAITING) WH_TRY(start(f, &f->jobs[i], err));
  return WH_OK;
}

static wh_status refused(wh_dynamodb_flight *f, const wh_aws_exchange *x, wh_error *err) {
  if (wh_dynamodb_pace_refused(&f->pace)) return WH_OK;
  if (x->status != WH_OK) return wh_dynamodb_fail(f->connection, x, err);
  wh_status status = wh_fail(err, WH_ERR_BUSY,
                             "%.*s: the table took nothing for two minutes: its capacity is too "
                             "low, or others use it",
                             WH_STR_ARG(f->connection->name));
  if (err) err->retry = true;
  return status;
}

static wh_status take_answer(wh_dynamodb_flight *f, wh_dynamodb_job *job, wh_error *err) {
  const wh_aws_exchange *x = job->exchange;
  bool again = false, too_much = x->status == WH_ERR_BUSY;
  if (!too_much) {
    WH_TRY(f->answered(f->context, job, x, &again, &too_much, err));
    if (!too_much) wh_dynamodb_pace_answered(&f->pace);
  } else {
    again = true;
  }
  if (too_much) WH_TRY(refused(f, x, err));
  if (again)
    make_waiting(f, job);
  else
    make_idle(f, job);
  return WH_OK;
}

// Goes on until one more request is answered, or a pause is over.
static wh_status step(wh_dynamodb_flight *f, wh_error *err) {
  WH_TRY(start_waiting(f, err));
  if (f->flying == 0) return wh_dynamodb_pace_wait(&f->pace, f->connection, err);
  int64_t left_us = wh_dynamodb_pace_left(&f->pace) / 1000;
  wh_aws_exchange *x = NULL;
  WH_TRY(wh_aws_wait(f->client, NULL, f->waiting && left_us ? left_us : -1, &x, err));
  return x ? take_answer(f, x->tag, err) : WH_OK;
}

wh_status wh_dynamodb_flight_room(wh_dynamodb_flight *f, wh_dynamodb_job **ret, wh_error *err) {
  while (f->flying + f->waiting >= f->pace.window || f->bytes >= WH_DYNAMODB_FLIGHT_BYTES_MAX)
    WH_TRY(step(f, err));
  for (size_t i = 0; i < WH_DYNAMODB_FLIGHT_MAX; i++) {
    wh_dynamodb_job *job = &f->jobs[i];
    if (job->state != WH_DYNAMODB_IDLE) continue;
    wh_buf_clear(&job->body);
    job->count = 0;
    job->step = job->turns = 0;
    *ret = job;
    return WH_OK;
  }
  return wh_fail(err, WH_ERR_BUG, "no job is idle");
}

wh_status wh_dynamodb_flight_go(wh_dynamodb_flight *f, wh_dynamodb_job *job, wh_error *err) {
  WH_TRY(wh_buf_check(&job->body, err));
  make_waiting(f, job);
  return start_waiting(f, err);
}

static bool has_key(const wh_dynamodb_flight *f, uint64_t key) {
  for (size_t i = 0; i < WH_DYNAMODB_FLIGHT_MAX; i++) {
    const wh_dynamodb_job *job = &f->jobs[i];
    for (size_t k = 0; job->state != WH_DYNAMODB_IDLE && k < job->count; k++)
      if (job->keys[k] == key) return true;
  }
  return false;
}

wh_status wh_dynamodb_flight_clear(wh_dynamodb_flight *f, uint64_t key, wh_error *err) {
  while (has_key(f, key))
    WH_TRY(step(f, err));
  return WH_OK;
}

wh_status wh_dynamodb_flight_finish(wh_dynamodb_flight *f, wh_error *err) {
  while (f->flying + f->waiting > 0)
    WH_TRY(step(f, err));
  return WH_OK;
}
