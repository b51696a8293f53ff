// Data keys of AWS KMS, for objects that are encrypted before they leave the machine
// (connect/sealed_store.h): one GenerateDataKey for each object written, one Decrypt for each that
// is read and was not lately. KMS turns its own keys over; objects of before stay readable.
//
// What it takes: kms:GenerateDataKey on encryption_key to write, kms:Decrypt on it and on
// encryption_keys_old to read. The encryption context is {"wherry-bucket": BUCKET}, of the bucket
// that the object was written to, so that a policy can say
// "StringEquals": {"kms:EncryptionContext:wherry-bucket": BUCKET}.
//
// An object is read with the keys of the configuration only, whatever key its header names:
// somebody else's key that we happen to be allowed to use must not vouch for rows.
#pragma once

#include "connect/aws_place.h"
#include "connect/sealed_keys.h"

enum {
  WH_KMS_CACHED_KEYS = 256, // data keys that were asked for last
  WH_KMS_BLOB_BYTES_MAX = 896,
  WH_KMS_ANSWER_BYTES_MAX = 65536,
};
#define WH_KMS_CONTEXT "wherry-bucket"

// `place` says where KMS is, but for its endpoint, which is AWS's own or AWS_ENDPOINT_URL_KMS; an
// ARN's region goes before. Nothing is asked. What is given has to live as long.
wh_status wh_kms_keys_new(wh_connection *c, const wh_aws_place *place, wh_str key,
                          const wh_str_list *old, wh_str bucket, wh_sealed_keys **ret,
                          wh_error *err);
