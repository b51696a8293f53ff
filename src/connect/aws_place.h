// The words that connections to AWS share: where the service is, and who asks. A connector's option
// table begins with WH_AWS_PLACE_OPTIONS, its struct with a wh_aws_place.
#pragma once

#include "base/option.h"
#include "connect/connection.h"
#include "connect/server.h"
#include "net/aws.h"
#include "net/iam.h"

typedef struct wh_aws_place {
  wh_str region, endpoint, profile;
  int tls; // wh_tls
  wh_str tls_ca;
} wh_aws_place;

// `struct_` has the members region, endpoint and profile behind `at`, which may be nothing.
#define WH_AWS_ACCOUNT_OPTIONS(struct_, at)                                                        \
  {.name = "region",                                                                               \
   .type = WH_OPTION_TEXT,                                                                         \
   .offset = offsetof(struct_, at region),                                                         \
   .help = "AWS region; else AWS_REGION, or the profile's"},                                       \
      {.name = "endpoint",                                                                         \
       .type = WH_OPTION_TEXT,                                                                     \
       .offset = offsetof(struct_, at endpoint),                                                   \
       .help = "URL of a server that speaks like the service; AWS's own without it"},              \
  {                                                                                                \
    .name = "profile", .type = WH_OPTION_TEXT, .offset = offsetof(struct_, at profile),            \
    .help = "profile of the AWS tools' shared files; else AWS_PROFILE, or default"                 \
  }

// `struct_`: the connector's struct, whose member `place` is a wh_aws_place.
#define WH_AWS_PLACE_OPTIONS(struct_)                                                              \
  WH_AWS_ACCOUNT_OPTIONS(struct_, place.),                                                         \
      {.name = "tls",                                                                              \
       .type = WH_OPTION_ENUM,                                                                     \
       .offset = offsetof(struct_, place.tls),                                                     \
       .def = "verify",                                                                            \
       .choices = wh_tls_choices,                                                                  \
       .help = "verify the server's certificate and name, only encrypt, or neither"},              \
  {                                                                                                \
    .name = "tls_ca", .type = WH_OPTION_PATH, .offset = offsetof(struct_, place.tls_ca),           \
    .help = "certificates of the authorities to trust; the system's without it"                    \
  }

// What an ARN or a URL names: "arn:aws:sqs:eu-west-1:123456789012:orders", or
// "https://sqs.eu-west-1.amazonaws.com/123456789012/orders". Views into the text.
typedef struct wh_aws_name {
  wh_str region;   // empty: it does not say
  wh_str endpoint; // of a URL whose host is not AWS's; else empty
  wh_str account, name;
} wh_aws_name;
// `example` ends the message of WH_ERR_USAGE. URLs are taken where `takes_url` says so.
wh_status wh_aws_name_parse(wh_str text, const char *service, bool takes_url, const char *example,
                            wh_aws_name *ret, wh_error *err);

// What a client for the connection's service is made with.
wh_aws_options wh_aws_place_options(const wh_connection *c, const wh_aws_place *place,
                                    const char *service);
// A shared client, at what the place says, else the name, which may be NULL.
wh_status wh_aws_place_open(wh_connection *c, const wh_aws_place *place, const wh_aws_name *name,
                            const char *service, wh_aws **ret, wh_error *err);

// One request of this thread's: takes a client, calls, gives it back. *ret_body, which may be NULL,
// is in the arena. Errors begin with the connection's name.
wh_status wh_aws_place_call(wh_connection *c, wh_aws *aws, const wh_aws_request *request,
                            wh_arena *arena, wh_str *ret_body, wh_error *err);

// Where ARNs have the connection's service; `name` as in wh_aws_place_open. Reaches nothing.
wh_status wh_aws_place_iam(const wh_connection *c, const wh_aws_place *place,
                           const wh_aws_name *name, const char *service,
                           const wh_iam_policy *policy, wh_iam_place *ret, wh_error *err);
