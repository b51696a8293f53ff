// The AWS tools' shared files (~/.aws/config and ~/.aws/credentials, or where AWS_CONFIG_FILE and
// AWS_SHARED_CREDENTIALS_FILE say), and what they and the environment say about region and
// endpoint. What the file of credentials says of a profile goes before what the other says.
#pragma once

#include "base/arena.h"
#include "base/environment.h"
#include "base/os.h"

enum { WH_AWS_FILE_BYTES_MAX = 1 << 20 };

typedef struct wh_aws_setting wh_aws_setting;

typedef struct wh_aws_profiles {
  wh_arena arena;
  wh_str profile;           // the one chosen
  bool was_chosen;          // by the configuration or AWS_PROFILE, not for want of another
  const char *config_path;  // where was looked; NULL: nowhere, for want of HOME
  const char *secrets_path; // the file of credentials
  wh_aws_setting *settings; // the one that counts first
  wh_str texts[2];          // the files' contents, secrets and all
} wh_aws_profiles;

// Missing files are fine. `profile` empty: AWS_PROFILE, else "default". WH_ERR_USAGE: a line that
// cannot be read, with file and line, or a profile that was asked for and is not there.
wh_status wh_aws_profiles_read(wh_os *os, wh_mem *mem, const wh_environment *environment,
                               wh_str profile, wh_aws_profiles *ret, wh_error *err);
void wh_aws_profiles_free(wh_aws_profiles *profiles); // wipes what was read; zeroed is fine
bool wh_aws_profiles_have(const wh_aws_profiles *profiles, wh_str profile);
// Without data when the profile does not say.
wh_str wh_aws_profile_get(const wh_aws_profiles *profiles, wh_str profile, const char *name);

// The region: as given, else AWS_REGION, AWS_DEFAULT_REGION, the profile. WH_ERR_USAGE when nobody
// says, with what to write.
wh_status wh_aws_region(const wh_environment *environment, const wh_aws_profiles *profiles,
                        wh_str given, wh_arena *arena, wh_str *ret, wh_error *err);
// The endpoint's URL, without '/' at its end: as given, else AWS_ENDPOINT_URL_<SERVICE>,
// AWS_ENDPOINT_URL, the profile (endpoint_url, or that of its `services`), else AWS's own for the
// region. AWS_IGNORE_CONFIGURED_ENDPOINT_URLS leaves all but the given one out. `service` is as
// endpoints name it: "s3", "dynamodb", "secretsmanager", "logs".
wh_status wh_aws_endpoint(const wh_environment *environment, const wh_aws_profiles *profiles,
                          wh_str given, const char *service, wh_str region, wh_arena *arena,
                          wh_str *ret, wh_error *err);
bool wh_aws_is_amazon(wh_str host); // "sqs.eu-west-1.amazonaws.com"
