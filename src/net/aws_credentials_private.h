// What the sources of credentials share.
#pragma once

#include "net/aws_credentials.h"

enum {
  WH_AWS_ID_BYTES = 160,
  WH_AWS_SECRET_BYTES = 256,
  WH_AWS_TOKEN_BYTES = 16 * 1024,
  WH_AWS_TRIED_BYTES = 700, // of the list of what was tried
};

// What a source says. It lives on one stack and is wiped there.
typedef struct wh_aws_found {
  char access_key_id[WH_AWS_ID_BYTES];
  char secret_access_key[WH_AWS_SECRET_BYTES];
  char session_token[WH_AWS_TOKEN_BYTES]; // empty: none
  int64_t expires_us;                     // INT64_MAX: never
  const char *source;
} wh_aws_found;

// One search.
typedef struct wh_aws_search {
  const wh_aws_credentials_options *options;
  const atomic_bool *cancel;
  wh_aws_profiles profiles;
  char tried[WH_AWS_TRIED_BYTES];
} wh_aws_search;

// Each source: WH_OK, WH_ERR_NOT_FOUND when it is not set up here (noted in `tried`), or an error
// that ends the search.
typedef wh_status wh_aws_source(wh_aws_search *search, wh_aws_found *ret, wh_error *err);

wh_aws_source wh_aws_from_environment;
wh_aws_source wh_aws_from_web_identity; // named by the environment
wh_aws_source wh_aws_from_profile;
wh_aws_source wh_aws_from_container;
wh_aws_source wh_aws_from_instance;

// Notes what was tried: "NAME: WHY". Returns WH_ERR_NOT_FOUND.
__attribute__((format(printf, 3, 4))) wh_status wh_aws_tried(wh_aws_search *search, wh_error *err,
                                                             const char *fmt, ...);
// Fills a field; WH_ERR_DATA when it is too long. `what` is for the message.
wh_status wh_aws_found_set(char *field, size_t size, wh_str text, const char *what, wh_error *err);
// "2026-11-21T10:00:00Z"
wh_status wh_aws_found_expires(wh_aws_found *found, wh_str text, wh_error *err);

// aws_sts.c
typedef struct wh_aws_role {
  wh_str arn, session_name, external_id, duration; // but for the arn they may be empty
} wh_aws_role;
wh_status wh_aws_assume(wh_aws_search *search, const wh_aws_role *role, const wh_aws_found *from,
                        wh_aws_found *ret, wh_error *err);
// With the token in the file.
wh_status wh_aws_assume_by_web_identity(wh_aws_search *search, const wh_aws_role *role,
                                        const char *token_file, wh_aws_found *ret, wh_error *err);
