#include "engine/stage.h"

#include "data/deleted.h"
#include "data/rowhash.h"
#include "engine/deletes.h"

// --- making ------------------------------------------------------------------------------------

static wh_status add_step(wh_stage *stage, wh_step *step, wh_error *err) {
  if (stage->step_count == WH_STAGE_STEPS_MAX) {
    wh_step_close(step);
    return wh_fail(err, WH_ERR_LIMIT, "a pipeline has at most %d steps", WH_STAGE_STEPS_MAX - 2);
  }
  stage->steps[stage->step_count++] = step;
  stage->schema = step->schema;
  return WH_OK;
}

static wh_status bind_one(wh_stage *stage, const wh_step_context *context, const wh_node *node,
                          wh_error *err) {
  if (node->kind != WH_NODE_MAP || node->count != 1) {
    return wh_node_fail(node, err, "a step is one name with its options, like `- trim: [name]`");
  }
  const wh_step_type *type = wh_step_by_name(node->entries[0].key->text);
  if (!type) {
    return wh_node_fail(node, err, "no step '%.*s'", WH_STR_ARG(node->entries[0].key->text));
  }
  wh_step *step;
  WH_TRY(type->bind(context, node->entries[0].value, stage->schema, &step, err));
  return add_step(stage, step, err);
}

static wh_status bind_steps(wh_stage *stage, wh_error *err) {
  const wh_pipeline *p = stage->options.pipeline;
  wh_engine *engine = stage->options.engine;
  wh_step_context context = {.os = engine->os, .mem = stage->mem};
  context.scratch =
      wh_arena_printf(&stage->arena, "%.*s/scratch", WH_STR_ARG(engine->config->state_folder));
  if (!context.scratch.data) return wh_fail_memory(err);
  context.state_limit_bytes = (size_t)engine->config->memory_bytes / 16;
  context.tables = stage->options.tables;
  context.start_us = stage->options.start_us ? stage->options.start_us : wh_now_us(engine->os);
  if (p->read.timezone.len) {
    WH_TRY(wh_zone_open(engine->os, p->read.timezone, &stage->arena, &context.zone, err));
  }
  if (stage->options.window) {
    context.cursor = stage->options.window->cursor;
    context.clock_us = stage->options.window->clock_us;
  }
  size_t count = p->steps ? p->steps->count : 0;
  for (size_t i = 0; i < count; i++)
    WH_TRY(bind_one(stage, &context, p->steps->items[i], err));
  wh_step *step;
  WH_TRY(wh_gate_bind(&context, stage->options.gate, stage->schema, &step, err));
  WH_TRY(add_step(stage, step, err));
  if (!p->expect) return WH_OK;
  WH_TRY(wh_expect_bind(&context, p->expect, stage->schema, &step, err));
  stage->expect_at = stage->step_count;
  stage->fresh = wh_expect_fresh(step, &stage->fresh_count);
  return add_step(stage, step, err);
}

wh_status wh_stage_add_gate(wh_stage *stage, const wh_gate *gate, wh_error *err) {
  wh_step_context context = {.os = stage->options.engine->os, .mem = stage->mem};
  wh_step *step;
  WH_TRY(wh_gate_bind(&context, gate, stage->schema, &step, err));
  return add_step(stage, step, err);
}

wh_status wh_slot_init(wh_slot *s, wh_stage *stage, wh_error *err) {
  s->made_count = stage->step_count + (stage->options.window ? 1 : 0);
  wh_reject_lines_init(&s->lines, stage->mem, stage->row_limit);
  s->lines.skip_through = stage->skip_through;
  WH_TRY(wh_batch_init(&s->read, stage->mem, stage->options.reader->schema, err));
  s->made = wh_mem_alloc_zero(stage->mem, s->made_count * sizeof *s->made);
  if (!s->made) return wh_fail_memory(err);
  for (size_t i = 0; i < s->made_count; i++) {
    const wh_schema *schema = i < stage->step_count ? stage->steps[i]->schema : stage->schema;
    WH_TRY(wh_batch_init(&s->made[i], stage->mem, schema, err));
  }
  return WH_OK;
}

void wh_slot_free(wh_slot *s, wh_stage *stage) {
  wh_reject_lines_free(&s->lines);
  // Later batches may show earlier ones' columns: free from the end.
  for (size_t i = s->made ? s->made_count : 0; i-- > 0;)
    wh_batch_free(&s->made[i]);
  if (s->made) wh_mem_free(stage->mem, s->made, s->made_count * sizeof *s->made);
  wh_batch_free(&s->read);
}

// --- one batch ---------------------------------------------------------------------------------

static uint64_t filtered_so_far(const wh_stage *stage) {
  uint64_t total = 0;
  for (size_t i = 0; i < stage->step_count; i++)
    total += stage->steps[i]->rows_filtered;
  return total;
}

// Pushes `in` through the steps from `first` on; *ret_out is the last batch.
static wh_status push_through(wh_stage *stage, wh_slot *s, size_t first, wh_batch *in,
                              wh_batch **ret_out, wh_error *err) {
  for (size_t i = first; i < stage->step_count; i++) {
    wh_batch_reset(&s->made[i]);
    WH_TRY(stage->steps[i]->push(stage->steps[i], in, &s->made[i], &s->lines.rejects, err));
    in = &s->made[i];
    if (i == stage->expect_at) wh_fresh_look(stage->fresh, stage->fresh_count, in, s->item.newest);
  }
  *ret_out = in;
  return WH_OK;
}

static wh_status apply_window(wh_stage *stage, wh_slot *s, const wh_batch *read, wh_batch **out,
                              wh_error *err) {
  if (!stage->options.window || (*out)->rows == 0) {
    if (stage->options.window && read && read->rows) {
      uint64_t none;
      return wh_window_pass(stage->options.window, read, *out, NULL, &none, err);
    }
    return WH_OK;
  }
  size_t bytes = ((*out)->rows + 7) / 8;
  uint8_t *keep = wh_arena_alloc(&s->read.arena, bytes);
  if (!keep) return wh_fail_memory(err);
  memset(keep, 0xFF, bytes);
  uint64_t unchanged = 0;
  WH_TRY(wh_window_pass(stage->options.window, read, *out, keep, &unchanged, err));
  if (unchanged == 0) return WH_OK;
  wh_batch *kept = &s->made[s->made_count - 1];
  wh_batch_reset(kept);
  WH_TRY(wh_batch_filter(*out, keep, kept, err));
  s->item.counts.unchanged += unchanged;
  *out = kept;
  return WH_OK;
}

// After a restart: rows that committed chunks have consumed go through the steps, whose state needs
// them, and no further. Leaves the others in s->read.
static wh_status drop_early_rows(wh_stage *stage, wh_slot *s, wh_error *err) {
  uint64_t through = stage->skip_through;
  wh_batch *read = &s->read;
  if (read->rows == 0 || wh_batch_place(read, 0).row > through) return WH_OK;
  size_t early = read->rows;
  while (early > 0 && wh_batch_place(read, early - 1).row > through)
    early--;
  size_t bytes = (read->rows + 7) / 8;
  uint8_t *keep = wh_arena_alloc(&s->read.arena, bytes);
  uint8_t *rest = wh_arena_alloc(&s->read.arena, bytes);
  if (!keep || !rest) return wh_fail_memory(err);
  for (size_t i = 0; i < read->rows; i++)
    wh_bit_set(i < early ? keep : rest, i);
  if (!stage->early.schema) WH_TRY(wh_batch_init(&stage->early, stage->mem, read->schema, err));
  wh_batch_reset(&stage->early);
  WH_TRY(wh_batch_filter(read, keep, &stage->early, err));
  wh_batch *ignored;
  WH_TRY(push_through(stage, s, 0, &stage->early, &ignored, err));
  // What remains, as if it had been read alone.
  wh_batch later = {0};
  WH_TRY(wh_batch_init(&later, stage->mem, read->schema, err));
  wh_status status = wh_batch_filter(read, rest, &later, err);
  if (status == WH_OK) {
    wh_batch before = *read;
    *read = later;
    later = before;
  }
  wh_batch_free(&later);
  return status;
}

static uint64_t count_deleted(const wh_batch *batch) {
  ptrdiff_t column = wh_deleted_column(batch->schema);
  uint64_t count = 0;
  for (size_t i = 0; column >= 0 && i < batch->rows; i++)
    count += wh_row_is_deleted(batch, column, i);
  return count;
}

static wh_status finish_steps(wh_stage *stage, wh_slot *s, wh_error *err) {
  uint64_t filtered = filtered_so_far(stage);
  wh_reject_lines_clear(&s->lines, NULL);
  while (stage->finishing < stage->step_count) {
    wh_step *step = stage->steps[stage->finishing];
    wh_batch *held = &s->made[stage->finishing];
    wh_batch_reset(held);
    if (step->finish) WH_TRY(step->finish(step, held, &s->lines.rejects, err));
    s->lines.rows = held; // as near to what was read as there is
    if (held->rows == 0 && s->lines.count == 0) {
      stage->finishing++;
      continue;
    }
    wh_batch *out;
    WH_TRY(push_through(stage, s, stage->finishing + 1, held, &out, err));
    s->item.batch = out;
    if (stage->options.hash_out) s->item.hash_out = wh_batch_hash_sum(out);
    s->item.counts.deleted = count_deleted(out);
    s->item.counts.filtered = filtered_so_far(stage) - filtered;
    s->item.counts.quarantined = s->lines.count;
    return WH_OK;
  }
  return WH_ERR_END;
}

static void begin_item(const wh_stage *stage, wh_slot *s, uint64_t bytes_read) {
  s->item = (wh_flow_item){.branch = stage->options.branch,
                           .rejected = &s->lines,
                           .batch = &s->read,
                           .bytes_read = bytes_read};
  wh_newest_init(s->item.newest);
}

// What was read, through the steps.
static wh_status pass(wh_stage *stage, wh_slot *s, wh_error *err) {
  if (stage->skip_through) WH_TRY(drop_early_rows(stage, s, err));
  s->item.counts.read = s->read.rows + s->lines.count;
  s->lines.window = stage->options.window;
  uint64_t filtered = filtered_so_far(stage);
  wh_batch *out;
  WH_TRY(push_through(stage, s, 0, &s->read, &out, err));
  if (stage->options.deletes) WH_TRY(wh_deletes_note(stage->options.deletes, &s->read, out, err));
  WH_TRY(apply_window(stage, s, &s->read, &out, err));
  s->item.counts.deleted = count_deleted(out);
  s->item.counts.unchanged += s->lines.known;
  s->lines.window = NULL; // what the sink rejects was remembered as sent
  s->item.batch = out;
  if (stage->options.hash_read) s->item.hash_read = wh_batch_hash_sum(&s->read);
  if (stage->options.hash_out) s->item.hash_out = wh_batch_hash_sum(out);
  s->item.counts.filtered = filtered_so_far(stage) - filtered;
  s->item.counts.quarantined = s->lines.count;
  return WH_OK;
}

static wh_status fill(wh_stage *stage, wh_slot *s, wh_error *err) {
  wh_reader *reader = stage->options.reader;
  begin_item(stage, s, reader->bytes_read);
  if (stage->at_end) return finish_steps(stage, s, err);
  wh_batch_reset(&s->read);
  wh_reject_lines_clear(&s->lines, &s->read);
  wh_status status = reader->next(reader, &s->read, &s->lines.rejects, err);
  s->reader_failed = status != WH_OK;
  WH_TRY(status);
  s->item.bytes_read = reader->bytes_read;
  s->item.rows_through = s->lines.last_row;
  if (s->read.rows) {
    uint64_t last = wh_batch_place(&s->read, s->read.rows - 1).row;
    if (last > s->item.rows_through) s->item.rows_through = last;
  }
  if (s->read.rows == 0 && !reader->paused) {
    stage->at_end = true;
    if (s->lines.count == 0) return finish_steps(stage, s, err);
  }
  return pass(stage, s, err);
}

static wh_status take(wh_stage *stage, wh_slot *s, wh_reject_lines *rejected, wh_error *err) {
  wh_reject_lines_clear(&s->lines, &s->read);
  WH_TRY(wh_reject_lines_move(&s->lines, rejected, err));
  return pass(stage, s, err);
}

void wh_stage_take(wh_stage *stage, wh_slot *s, wh_batch *read, wh_reject_lines *rejected,
                   uint64_t bytes_read) {
  wh_batch before = s->read;
  s->read = *read;
  *read = before;
  s->error = (wh_error){0};
  s->reader_failed = false;
  begin_item(stage, s, bytes_read);
  s->status = take(stage, s, rejected, &s->error);
}

void wh_stage_fill(wh_stage *stage, wh_slot *s) {
  s->error = (wh_error){0};
  s->reader_failed = false;
  s->status = fill(stage, s, &s->error);
}

// Before it waits for its next turn: large rows give their memory back at once.
void wh_slot_empty(wh_slot *s) {
  for (size_t i = s->made_count; i-- > 0;)
    wh_batch_reset(&s->made[i]);
  wh_batch_reset(&s->read);
  wh_reject_lines_clear(&s->lines, NULL);
}

// --- outside -----------------------------------------------------------------------------------

wh_status wh_stage_open(wh_stage *stage, const wh_flow_options *options, wh_error *err) {
  stage->options = *options;
  stage->mem = options->engine->mem;
  wh_arena_init(&stage->arena, stage->mem);
  stage->schema = options->reader->schema;
  stage->row_limit = (size_t)options->engine->config->memory_bytes / WH_ROW_SHARE_OF_MEMORY;
  return bind_steps(stage, err);
}

bool wh_stage_holds_back(const wh_stage *stage) {
  for (size_t i = 0; i < stage->step_count; i++) {
    if (stage->steps[i]->finish) return true;
  }
  return false;
}

bool wh_stage_remembers(const wh_stage *stage) {
  for (size_t i = 0; i < stage->step_count; i++) {
    if (stage->steps[i]->remembers) return true;
  }
  return false;
}

void wh_stage_close(wh_stage *stage) {
  wh_batch_free(&stage->early);
  for (size_t i = stage->step_count; i-- > 0;)
    wh_step_close(stage->steps[i]);
  stage->step_count = 0;
  wh_arena_free(&stage->arena);
}
