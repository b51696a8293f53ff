// Secrets that AWS keeps: parameters of Systems Manager (${ssm:/erp/password}) and secrets of
// Secrets Manager (${secretsmanager:erp}). Account, region and keys are those of the environment
// (net/aws_credentials.h, net/aws_profile.h); AWS is asked only when a value is needed.
//
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
#pragma once

#include "base/arena.h"
#include "base/environment.h"
#include "base/error.h"
#include "base/os.h"
#include "base/str.h"

enum {
  WH_CLOUD_SECRET_BYTES_MAX = 64 * 1024, // what Secrets Manager keeps at most
  WH_PARAMETER_BYTES_MAX = 8 * 1024,     // an advanced parameter's; a standard one has 4 KiB
};

typedef enum wh_cloud_keeper { WH_KEEPER_SSM, WH_KEEPER_SECRETS_MANAGER } wh_cloud_keeper;

typedef struct wh_cloud_secrets {
  wh_os *os;
  wh_mem *mem;
  wh_environment environment;
} wh_cloud_secrets;

// `name` of a secret may end in "#member": the secret is JSON then, and the value that member of
// it. WH_ERR_NOT_FOUND, WH_ERR_DENIED and WH_ERR_UNAVAILABLE, each with what to do. The value lives
// in the arena.
wh_status wh_cloud_secret_get(const wh_cloud_secrets *s, wh_cloud_keeper keeper, wh_str name,
                              wh_arena *arena, wh_str *ret, wh_error *err);
// A parameter of type SecureString, under the account's own key; what was there is replaced.
wh_status wh_parameter_set(const wh_cloud_secrets *s, wh_str name, wh_str value, wh_error *err);
wh_status wh_parameter_remove(const wh_cloud_secrets *s, wh_str name, wh_error *err);
