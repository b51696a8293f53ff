// Stores to test against, and what tests do with any store. A place is a connection that is ready
// to use and empty; the test gives it back with store_place_free.
#pragma once

#include "connect/connect.h"
#include "connect/local/local.h"
#ifdef WHERRY_S3
#include "connect/s3/s3.h"
#endif
#ifdef WHERRY_SFTP
#include "connect/sftp/sftp.h"
#endif
#include "test.h"

typedef struct store_place {
  wh_connection connection;
  wh_local_options local;
#ifdef WHERRY_S3
  wh_s3_options s3;
#endif
#ifdef WHERRY_SFTP
  wh_sftp_options sftp;
#endif
  wh_os_real real;
  wh_os *simulated; // to be freed with the place
  const wh_store_type *store;
  bool versioning;
  bool is_remote;  // a request is a thousand times as dear as in a folder
  bool one_writer; // it cannot tell which of two came first
  // Its earlier versions have the time when they ceased to be the present one, and a removed object
  // is still there for If-None-Match.
  bool odd_versions;
  bool is_missing; // there is none on this machine
} store_place;

// On the real system, in the test's folder.
bool store_place_local(store_place *place, bool versioning);
// The same with encrypted objects, with store_key.
bool store_place_sealed(store_place *place, bool versioning);
extern const char store_key[];
// On another system, which stays the test's, under /lake.
void store_place_on(store_place *place, wh_os *os, bool versioning);
// On a simulated system of its own.
bool store_place_simulated(store_place *place, bool versioning);
// A new bucket of "moto", "swift" or "versity". False where there is none on this machine: the test
// is skipped.
bool store_place_s3(store_place *place, const char *kind, bool versioning);
// The same with encrypted objects, with a key of KMS.
bool store_place_kms(store_place *place, const char *kind, bool versioning);
// A new folder of an OpenSSH server. False where there is none on this machine: the test is
// skipped.
bool store_place_sftp(store_place *place);
void store_place_free(store_place *place);

// The file of a key of store_place_local or store_place_sealed, as other programs see it; the last
// two stay.
const char *store_path(const char *key);

// A whole object under an attempt of its own: created, written, sealed, published.
wh_status store_put(store_place *place, const char *attempt, const char *key, const char *text,
                    bool replace, wh_error *err);
// Created, written and sealed.
wh_status store_seal(store_place *place, const char *attempt, const void *data, size_t len,
                     wh_error *err);
// What is under the key in that version ("" for the present one), in the arena; at most 1 MiB.
wh_status store_get(store_place *place, wh_arena *arena, const char *key, wh_str version,
                    wh_str *ret, wh_error *err);
// The keys under the prefix, each with ';' behind it.
wh_status store_list(store_place *place, wh_arena *arena, const char *prefix, wh_str *ret,
                     wh_error *err);
// The attempts, likewise.
wh_status store_attempts(store_place *place, wh_arena *arena, wh_str *ret, wh_error *err);
// The version of what is under the key, in the arena; empty when there is nothing.
wh_str store_version(store_place *place, wh_arena *arena, const char *key);
