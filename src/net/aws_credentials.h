// Where AWS credentials come from: the standard chain of the AWS tools. What is given in the
// configuration; AWS_ACCESS_KEY_ID and its like; AWS_WEB_IDENTITY_TOKEN_FILE; the profile in the
// shared files; the container's address (ECS, EKS); the instance's metadata (EC2, version 2). The
// first that has any is taken; one that is set up but fails ends the search with its error.
//
// Threads: shared by any; one of them fetches, the others wait. Credentials that expire are
// fetched again WH_AWS_REFRESH_US before.
#pragma once

#include "net/aws_profile.h"
#include "net/http.h"
#include "net/sigv4.h"

enum {
  WH_AWS_METADATA_US = 1 * 1000000,  // how long the instance's metadata has to answer, two tries
  WH_AWS_CONTAINER_US = 2 * 1000000, // and a container's address
  WH_AWS_SOURCE_DEPTH_MAX = 8,       // profiles that lead to one another
};
#define WH_AWS_REFRESH_US INT64_C(300000000)

typedef struct wh_aws_credentials wh_aws_credentials;

typedef struct wh_aws_credentials_options {
  wh_os *os;
  wh_mem *mem;
  wh_environment environment;
  wh_str profile;      // empty: AWS_PROFILE, else "default"
  wh_sigv4_keys given; // used when it has an access_key_id
  wh_str region;       // of STS, where a role is assumed; empty: as wh_aws_region finds it
  wh_str tls_ca, proxy;
} wh_aws_credentials_options;

// One thread's copy. Zero it first, and free it: its secrets are wiped.
typedef struct wh_aws_keys {
  wh_sigv4_keys keys;
  const char *source; // "the environment", for messages
  uint64_t generation;
  int64_t expires_us; // INT64_MAX: never
  wh_mem *mem;
  char *bytes;
  size_t size;
} wh_aws_keys;
void wh_aws_keys_free(wh_aws_keys *keys);

// Looks nowhere yet.
wh_status wh_aws_credentials_new(const wh_aws_credentials_options *options,
                                 wh_aws_credentials **ret, wh_error *err);
void wh_aws_credentials_free(wh_aws_credentials *credentials); // NULL is fine

// Brings `keys` up to date; that costs nothing while they hold. WH_ERR_DENIED where there are none,
// with everything that was tried; WH_ERR_UNAVAILABLE where their source does not answer now.
wh_status wh_aws_credentials_get(wh_aws_credentials *credentials, const atomic_bool *cancel,
                                 wh_aws_keys *keys, wh_error *err);
// The server called this generation expired: the next get fetches anew.
void wh_aws_credentials_expired(wh_aws_credentials *credentials, uint64_t generation);
