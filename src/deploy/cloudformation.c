// A stack as a template of CloudFormation.
#include "deploy/stack.h"

static bool ref_is_arn(const char *type) {
  return strcmp(type, "AWS::SNS::Topic") == 0 || strcmp(type, "AWS::IAM::ManagedPolicy") == 0;
}

static const char *pseudo_of(wh_str name) {
  static const char *const pseudo[][2] = {
      {"account", "AWS::AccountId"}, {"region", "AWS::Region"}, {"partition", "AWS::Partition"}};
  for (size_t i = 0; i < sizeof pseudo / sizeof *pseudo; i++)
    if (wh_str_is(name, pseudo[i][0])) return pseudo[i][1];
  return NULL;
}

// What Ref takes for the variable; *ret_arn: it is GetAtt's Arn instead.
static wh_str named(const wh_stack *stack, wh_str variable, bool *ret_arn) {
  const char *pseudo = pseudo_of(variable);
  *ret_arn = false;
  if (pseudo) return wh_str_of(pseudo);
  char first = variable.data[0];
  if (first == WH_STACK_IS_REF || first == WH_STACK_IS_PARAMETER)
    return wh_str_sub(variable, 1, variable.len);
  *ret_arn = !ref_is_arn(wh_stack_by_id(stack, variable)->type);
  return variable;
}

static json_t *whole(const wh_stack *stack, wh_str variable) {
  bool is_arn;
  wh_str name = named(stack, variable, &is_arn);
  return is_arn ? json_pack("{s:[s%,s]}", "Fn::GetAtt", name.data, name.len, "Arn")
                : json_pack("{s:s%}", "Ref", name.data, name.len);
}

// Behind Fn::Sub a "${" of the text's own is "${!".
static void add_literal(wh_buf *out, wh_str text) {
  for (size_t i = 0; i < text.len; i++) {
    wh_buf_add_char(out, text.data[i]);
    if (text.data[i] == '{' && i > 0 && text.data[i - 1] == '$') wh_buf_add_char(out, '!');
  }
}

static json_t *substituted(const wh_stack *stack, wh_str text) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, stack->arena->mem, 0);
  wh_str piece;
  bool is_variable, is_arn;
  while (wh_stack_next(&text, &piece, &is_variable)) {
    if (!is_variable) {
      add_literal(&out, piece);
      continue;
    }
    wh_str name = named(stack, piece, &is_arn);
    wh_buf_printf(&out, "${%.*s%s}", WH_STR_ARG(name), is_arn ? ".Arn" : "");
  }
  if (out.failed) return NULL;
  return json_pack("{s:s%}", "Fn::Sub", out.data, out.len);
}

static json_t *encode_text(const wh_stack *stack, wh_str text) {
  wh_str rest = text, piece;
  bool is_variable = false;
  if (wh_str_find(text, 0, WH_STACK_OPENS) == text.len) return json_stringn(text.data, text.len);
  wh_stack_next(&rest, &piece, &is_variable);
  return is_variable && rest.len == 0 ? whole(stack, piece) : substituted(stack, text);
}

// --- parts of the template -----------------------------------------------------------------------

static bool set(json_t *object, wh_str key, json_t *value) {
  return json_object_setn_new(object, key.data, key.len, value) == 0;
}

static bool add_depends(json_t *entry, const wh_stack_resource *r) {
  if (r->depend_count == 0) return true;
  json_t *list = json_array();
  bool ok = json_object_set_new(entry, "DependsOn", list) == 0;
  for (size_t i = 0; ok && i < r->depend_count; i++)
    ok = json_array_append_new(list, json_stringn(r->depends[i]->id.data, r->depends[i]->id.len)) ==
         0;
  return ok;
}

// One that could not be made is not kept: its name would be taken at the next attempt.
static bool add_keeping(json_t *entry, const wh_stack_resource *r) {
  return !r->keeps ||
         (json_object_set_new(entry, "DeletionPolicy", json_string("RetainExceptOnCreate")) == 0 &&
          json_object_set_new(entry, "UpdateReplacePolicy", json_string("Retain")) == 0);
}

static bool add_resource(const wh_stack *stack, const wh_stack_resource *r, json_t *resources) {
  json_t *entry = json_pack("{s:s}", "Type", r->type);
  return set(resources, r->id, entry) && add_depends(entry, r) && add_keeping(entry, r) &&
         json_object_set_new(entry, "Properties",
                             wh_stack_encode(stack, r->properties, encode_text)) == 0;
}

static bool add_parameters(const wh_stack *stack, json_t *template) {
  if (!stack->parameters) return true;
  json_t *parameters = json_object();
  bool ok = json_object_set_new(template, "Parameters", parameters) == 0;
  for (const wh_stack_parameter *p = stack->parameters; ok && p; p = p->next) {
    json_t *entry =
        json_pack("{s:s,s:s%}", "Type", "String", "Description", p->help.data, p->help.len);
    ok = set(parameters, p->name, entry) &&
         (!p->hides || json_object_set_new(entry, "NoEcho", json_true()) == 0);
  }
  return ok;
}

static bool add_before(const wh_stack *stack, json_t *template) {
  if (!stack->before) return true;
  json_t *list = json_array();
  bool ok =
      json_object_set_new(template, "Metadata", json_pack("{s:o}", "Prerequisites", list)) == 0;
  for (const wh_stack_text *t = stack->before; ok && t; t = t->next)
    ok = json_array_append_new(list, json_stringn(t->text.data, t->text.len)) == 0;
  return ok;
}

wh_status wh_stack_write_cloudformation(const wh_stack *stack, bool lines, wh_buf *out,
                                        wh_error *err) {
  WH_CLEAN_JSON json_t *template =
      json_pack("{s:s,s:s%}", "AWSTemplateFormatVersion", "2010-09-09", "Description",
                stack->description.data, stack->description.len);
  json_t *resources = json_object();
  bool ok = template && add_before(stack, template) && add_parameters(stack, template);
  if (!ok) json_decref(resources);
  ok = ok && json_object_set_new(template, "Resources", resources) == 0;
  for (const wh_stack_resource *r = stack->resources; ok && r; r = r->next)
    ok = add_resource(stack, r, resources);
  return ok ? wh_stack_write_json(template, lines, out, err) : wh_fail_memory(err);
}
