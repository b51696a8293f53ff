#include "codec/parquet/plan_read.h"

#include "data/cast.h"

typedef struct planning {
  pq_file *file;
  const wh_codec_context *context;
  wh_arena *arena;
  wh_error *err;
  pq_plan *plan;
} planning;

static bool is_wanted(const wh_codec_context *c, wh_str name) {
  if (!c->wanted) return true;
  for (size_t i = 0; i < c->wanted_count; i++)
    if (wh_str_eq(c->wanted[i], name)) return true;
  return false;
}

static wh_status check_readable(const planning *p, const pq_tree_node *column) {
  for (uint32_t l = column->first_leaf; l < column->first_leaf + column->leaf_count; l++) {
    const pq_tree_node *leaf = p->file->tree.leaves[l];
    if (!leaf->refused) continue;
    return wh_fail(p->err, WH_ERR_TYPE, "column %.*s cannot be read: %s. Leave it out of columns",
                   WH_STR_ARG(column->field.name), leaf->refused);
  }
  return WH_OK;
}

static wh_status add_column(planning *p, const pq_tree_node *column) {
  WH_TRY(check_readable(p, column));
  p->plan->nodes[p->plan->count++] = column;
  p->plan->leaf_count += column->leaf_count;
  return WH_OK;
}

static size_t find_node(const pq_plan *plan, const pq_tree_node *node) {
  for (size_t i = 0; i < plan->count; i++)
    if (plan->nodes[i] == node) return i;
  return PQ_NO_COLUMN;
}

// Those that conditions need and that are not shown come last.
static wh_status add_conditions(planning *p) {
  for (size_t i = 0; i < p->plan->where.count; i++) {
    pq_condition *c = &p->plan->where.conditions[i];
    c->index = find_node(p->plan, c->node);
    if (c->index != PQ_NO_COLUMN) continue;
    c->index = p->plan->count;
    WH_TRY(add_column(p, c->node));
  }
  return WH_OK;
}

static wh_status set_read_schema(planning *p) {
  wh_field *fields = WH_NEW_ARRAY(p->arena, p->plan->count, wh_field);
  if (!fields) return wh_fail_memory(p->err);
  for (size_t i = 0; i < p->plan->count; i++)
    fields[i] = p->plan->nodes[i]->field;
  p->plan->read = (wh_schema){p->plan->count, fields};
  p->plan->schema = (wh_schema){p->plan->shown, fields};
  return WH_OK;
}

static bool is_given(const wh_schema *given, wh_str name) {
  return wh_schema_find(given, name) >= 0;
}

// The given columns that are wanted, and where each comes from.
static wh_status set_given(planning *p, const wh_schema *given) {
  wh_field *fields = WH_NEW_ARRAY(p->arena, given->count, wh_field);
  size_t *sources = WH_NEW_ARRAY(p->arena, given->count, size_t);
  if (!fields || !sources) return wh_fail_memory(p->err);
  size_t count = 0;
  for (size_t i = 0; i < given->count; i++) {
    if (!is_wanted(p->context, given->fields[i].name)) continue;
    wh_schema shown = {p->plan->shown, p->plan->read.fields};
    ptrdiff_t at = wh_schema_find(&shown, given->fields[i].name);
    WH_TRY(wh_type_copy(&given->fields[i].type, p->arena, &fields[count].type, p->err));
    fields[count].name = wh_arena_str(p->arena, given->fields[i].name);
    if (!fields[count].name.data) return wh_fail_memory(p->err);
    fields[count].nullable = given->fields[i].nullable;
    fields[count].privacy = given->fields[i].privacy;
    sources[count++] = at < 0 ? PQ_NO_COLUMN : (size_t)at;
  }
  p->plan->schema = (wh_schema){count, fields};
  p->plan->sources = sources;
  p->plan->casts =
      !wh_schema_eq(&p->plan->schema, &(wh_schema){p->plan->shown, p->plan->read.fields});
  return WH_OK;
}

// Whether the file's column fits the one given as it is: the same type, or one that holds all its
// values by the rules of widening.
static bool holds(planning *p, const wh_field *given, const wh_field *found) {
  wh_type wider;
  if (found->nullable && !given->nullable) return false;
  if (wh_type_eq(&given->type, &found->type)) return true;
  return wh_type_widen(&given->type, &found->type, p->arena, &wider) &&
         wh_type_eq(&wider, &given->type);
}

// The schema given, made to hold the file's columns too. False: there is none that does.
static wh_status widen(planning *p, bool *ret_changed) {
  const wh_schema *read = &(wh_schema){p->plan->shown, p->plan->read.fields};
  const wh_schema *given = &p->plan->schema;
  wh_field *fields = WH_NEW_ARRAY(p->arena, given->count + read->count, wh_field);
  if (!fields) return wh_fail_memory(p->err);
  size_t count = given->count;
  *ret_changed = false;
  memcpy(fields, given->fields, count * sizeof *fields);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_schema_find(read, fields[i].name);
    if (at < 0) {
      *ret_changed |= !fields[i].nullable;
      fields[i].nullable = true;
    } else if (!holds(p, &fields[i], &read->fields[at])) {
      if (!wh_type_widen(&fields[i].type, &read->fields[at].type, p->arena, &fields[i].type))
        continue; // the cast will say what does not fit
      fields[i].nullable |= read->fields[at].nullable;
      *ret_changed = true;
    }
  }
  for (size_t i = 0; i < read->count; i++) {
    if (is_given(given, read->fields[i].name)) continue;
    fields[count] = read->fields[i];
    fields[count++].nullable = true;
    *ret_changed = true;
  }
  if (*ret_changed) p->plan->schema = (wh_schema){count, fields};
  return WH_OK;
}

static wh_status friendly_fail(planning *p, const wh_field *to, const wh_field *from) {
  wh_str a = wh_type_friendly(&from->type, p->arena), b = wh_type_friendly(&to->type, p->arena);
  return wh_fail(p->err, WH_ERR_DATA, "column %.*s is %.*s in the file, and cannot become %.*s",
                 WH_STR_ARG(to->name), WH_STR_ARG(a), WH_STR_ARG(b));
}

// What is certain not to work is said before a row is read.
static wh_status check_given(planning *p) {
  const wh_schema *s = &p->plan->schema;
  for (size_t i = 0; i < s->count; i++) {
    const wh_field *to = &s->fields[i];
    size_t source = p->plan->sources[i];
    if (source == PQ_NO_COLUMN) {
      if (to->nullable) continue;
      return wh_fail(p->err, WH_ERR_DATA, "the file has no column %.*s, which must have values",
                     WH_STR_ARG(to->name));
    }
    const wh_field *from = &p->plan->read.fields[source];
    if (!wh_cast_possible(&from->type, &to->type)) return friendly_fail(p, to, from);
  }
  for (size_t i = 0; i < p->plan->shown; i++) {
    wh_str name = p->plan->read.fields[i].name;
    if (is_given(s, name)) continue;
    return wh_fail(p->err, WH_ERR_DATA,
                   "the file has a column %.*s, which the schema given does not have",
                   WH_STR_ARG(name));
  }
  return WH_OK;
}

wh_status pq_plan_make(pq_file *file, const wh_codec_context *context,
                       const pq_read_options *options, const wh_schema *given, wh_arena *arena,
                       pq_plan *ret, bool *ret_widen, wh_error *err) {
  pq_plan *plan = ret;
  planning p = {file, context, arena, err, plan};
  *plan = (pq_plan){.mem = context->mem, .file = file, .context = *context};
  *ret_widen = false;
  if (plan->context.batch_rows == 0) plan->context.batch_rows = WH_BATCH_ROWS_DEFAULT;
  if (plan->context.batch_rows > WH_BATCH_ROWS_MAX) plan->context.batch_rows = WH_BATCH_ROWS_MAX;
  if (plan->context.batch_bytes == 0) plan->context.batch_bytes = WH_BATCH_BYTES_DEFAULT;
  WH_TRY(pq_where_make(options->where, &file->tree, arena, &plan->where, err));
  plan->nodes = WH_NEW_ARRAY(arena, file->tree.count, const pq_tree_node *);
  if (!plan->nodes) return wh_fail_memory(err);
  for (size_t i = 0; i < file->tree.count; i++) {
    if (is_wanted(context, file->tree.columns[i].field.name))
      WH_TRY(add_column(&p, &file->tree.columns[i]));
  }
  plan->shown = plan->count;
  WH_TRY(add_conditions(&p));
  WH_TRY(set_read_schema(&p));
  if (!given) return WH_OK;
  WH_TRY(set_given(&p, given));
  if (context->schema_may_widen) WH_TRY(widen(&p, ret_widen));
  return *ret_widen ? WH_OK : check_given(&p);
}
