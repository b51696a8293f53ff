// IAM policy documents: what is allowed, gathered piece by piece and written as the JSON that AWS
// takes (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html). The
// same pieces in another order make the same document.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/environment.h"
#include "base/error.h"
#include "base/os.h"

enum {
  WH_IAM_TESTS_MAX = 2,                // of one piece
  WH_IAM_DOCUMENT_CHARS_MAX = 6 * 1024 // of a managed policy, without white space
};

typedef struct wh_iam_set {
  wh_str *items;
  size_t count, cap;
} wh_iam_set;

// A condition: `value` under `key`, as `how` compares.
typedef struct wh_iam_test {
  const char *how, *key; // "StringLike", "s3:prefix"; NULL: none
  wh_str value;
} wh_iam_test;

// One thing that is allowed. Pieces with the same place, what, actions and kinds of tests become
// one statement, whose Sid is place and what: "LakeReadObjects".
typedef struct wh_iam_permit {
  wh_str place;               // a connection's name
  const char *what;           // letters: "ReadObjects"
  const char *const *actions; // "s3:GetObject"; NULL ends
  wh_str resource;            // an ARN, whose wildcards are IAM's
  wh_iam_test tests[WH_IAM_TESTS_MAX];
} wh_iam_permit;

typedef struct wh_iam_statement {
  wh_str sid;
  wh_iam_set actions, resources;
  struct {
    const char *how, *key; // NULL: none
    wh_iam_set values;
  } tests[WH_IAM_TESTS_MAX];
} wh_iam_statement;

typedef struct wh_iam_policy {
  wh_arena *arena; // holds all of it
  wh_str account;  // that ARNs have which do not say; empty: '*', and a note
  wh_iam_statement *statements;
  size_t count, cap;
  wh_iam_set notes; // sentences for whoever asked, without a full stop
} wh_iam_policy;

void wh_iam_init(wh_iam_policy *policy, wh_arena *arena, wh_str account);
// Copies what it is given.
wh_status wh_iam_allow(wh_iam_policy *policy, const wh_iam_permit *permit, wh_error *err);
// A sentence that is kept once.
__attribute__((format(printf, 3, 4))) wh_status wh_iam_note(wh_iam_policy *policy, wh_error *err,
                                                            const char *fmt, ...);
// Sorts everything, makes each Sid one of a kind, and notes when the document is longer than AWS
// takes. Once, after the last piece.
wh_status wh_iam_finish(wh_iam_policy *policy, wh_error *err);
// `lines`: over many lines, for people; else on one.
void wh_iam_write(const wh_iam_policy *policy, bool lines, wh_buf *out);

// The text as itself, where a wildcard or a variable could stand: '*', '?' and '$' are escaped.
void wh_iam_add_literal(wh_buf *out, wh_str text);

// Where a service is, as far as it can be known without asking AWS.
typedef struct wh_iam_asked {
  wh_os *os;
  wh_environment environment;
  const char *service;              // as endpoints name it: "s3"
  wh_str profile, region, endpoint; // as given; empty: not
} wh_iam_asked;
typedef struct wh_iam_place {
  const char *service;   // as ARNs name it, which is the same
  wh_str region;         // '*' where nobody says
  const char *partition; // "aws", "aws-cn", "aws-us-gov"
  bool is_amazon;        // not another server that speaks like it
} wh_iam_place;
// As given, else as the environment and the shared files say.
wh_status wh_iam_find_place(const wh_iam_policy *policy, const wh_iam_asked *asked,
                            wh_iam_place *ret, wh_error *err);
// "arn:aws:sqs:eu-west-1:123456789012:uploads"; `account` empty: the policy's. What nobody says is
// a '*', and noted.
wh_status wh_iam_arn(wh_iam_policy *policy, const wh_iam_place *place, wh_str account,
                     wh_str resource, wh_str *ret, wh_error *err);
