// A stack: what a configuration needs at AWS, as resources in CloudFormation's words. They are made
// once (deploy.h); cloudformation.c and terraform.c write the same ones down.
//
// Texts in it have variables: what is known only where the stack is made, and other resources.
// WH_STACK_ACCOUNT and the like stand for pseudo parameters, wh_stack_arn() for a resource's ARN,
// wh_stack_ref() for what CloudFormation's Ref and Terraform's `id` say of it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/json_doc.h"

// A variable's name between two characters that no name has.
#define WH_STACK_VAR(name)    "\x1e" name "\x1f"
#define WH_STACK_ACCOUNT      WH_STACK_VAR("account")
#define WH_STACK_REGION       WH_STACK_VAR("region")
#define WH_STACK_PARTITION    WH_STACK_VAR("partition")
#define WH_STACK_ARN(what)    "arn:" WH_STACK_PARTITION ":" what
#define WH_STACK_OPENS        '\x1e'
#define WH_STACK_CLOSES       '\x1f'
#define WH_STACK_IS_REF       '@' // first in a variable's name
#define WH_STACK_IS_PARAMETER '='

enum {
  WH_STACK_DEPENDS_MAX = 64, // on policies of queues, and routes of an API
  WH_STACK_ID_CHARS_MAX = 200,
};

typedef struct wh_stack_resource wh_stack_resource;
struct wh_stack_resource {
  wh_stack_resource *next;
  const char *type; // "AWS::S3::Bucket"
  wh_str id;        // letters and digits; stays the same as long as the configuration's names do
  json_t *properties;
  bool keeps; // what is in it: it stays when the stack goes
  const wh_stack_resource *depends[WH_STACK_DEPENDS_MAX]; // besides those its texts name
  size_t depend_count;
};

// What whoever makes the stack says.
typedef struct wh_stack_parameter wh_stack_parameter;
struct wh_stack_parameter {
  wh_stack_parameter *next;
  wh_str name, help;
  bool hides; // its value is shown to nobody
};

typedef struct wh_stack_text wh_stack_text;
struct wh_stack_text {
  wh_stack_text *next;
  wh_str text;
};

typedef struct wh_stack {
  wh_arena *arena;
  wh_str name;            // begins the names that the configuration does not say
  wh_str description;     // a sentence
  wh_str region, account; // where it has to be made; empty: anywhere
  wh_stack_resource *resources, **last_resource;
  wh_stack_parameter *parameters, **last_parameter;
  wh_stack_text *before, **last_before; // what has to be there first, a sentence each
  wh_stack_text *notes, **last_note;    // for whoever asked, a sentence each
} wh_stack;

void wh_stack_init(wh_stack *stack, wh_arena *arena, wh_str name);
void wh_stack_free(wh_stack *stack); // the trees; zeroed is fine
#define WH_CLEAN_STACK __attribute__((cleanup(wh_stack_free)))

// An id of `name` and `what` ("order-lake", "Bucket": OrderLakeBucket) that no other has.
wh_status wh_stack_id(wh_stack *stack, wh_str name, const char *what, wh_str *ret, wh_error *err);
// "WEBSITE_HOST" and "order-lake" as WebsiteHost and OrderLake; without data: no memory.
wh_str wh_stack_camel(wh_arena *arena, wh_str name);
// Takes the tree; NULL: there was no memory for it.
wh_status wh_stack_add(wh_stack *stack, const char *type, wh_str name, const char *what,
                       json_t *properties, wh_stack_resource **ret, wh_error *err);
// The resource of the type whose property has this text; NULL: none.
wh_stack_resource *wh_stack_find(const wh_stack *stack, const char *type, const char *property,
                                 wh_str text);
const wh_stack_resource *wh_stack_by_id(const wh_stack *stack, wh_str id); // NULL: none
wh_status wh_stack_depend(wh_stack_resource *resource, const wh_stack_resource *on, wh_error *err);
// Each is kept once.
wh_status wh_stack_parameter_add(wh_stack *stack, wh_str name, wh_str help, bool hides,
                                 wh_error *err);
__attribute__((format(printf, 3, 4))) wh_status wh_stack_before(wh_stack *stack, wh_error *err,
                                                                const char *fmt, ...);
__attribute__((format(printf, 3, 4))) wh_status wh_stack_note(wh_stack *stack, wh_error *err,
                                                              const char *fmt, ...);

// Variables, as texts in the arena; without data: no memory.
wh_str wh_stack_arn(const wh_stack *stack, const wh_stack_resource *resource);
wh_str wh_stack_ref(const wh_stack *stack, const wh_stack_resource *resource);
wh_str wh_stack_parameter_ref(const wh_stack *stack, wh_str name);

// Takes the next piece off a text with variables: false at its end. *ret_is_variable: `ret` is
// one's name.
bool wh_stack_next(wh_str *rest, wh_str *ret, bool *ret_is_variable);

// A copy of the tree in which each text is what `text` makes of it; NULL: no memory.
json_t *wh_stack_encode(const wh_stack *stack, const json_t *tree,
                        json_t *(*text)(const wh_stack *stack, wh_str text));

// --- the writers ---------------------------------------------------------------------------------

// `lines`: over many lines, for people; else on one.
// A template of CloudFormation, as JSON.
wh_status wh_stack_write_cloudformation(const wh_stack *stack, bool lines, wh_buf *out,
                                        wh_error *err);
// A configuration in Terraform's JSON syntax [1], of the provider hashicorp/aws.
// [1] https://developer.hashicorp.com/terraform/language/syntax/json
wh_status wh_stack_write_terraform(const wh_stack *stack, bool lines, wh_buf *out, wh_error *err);
wh_status wh_stack_write_json(const json_t *tree, bool lines, wh_buf *out, wh_error *err);
