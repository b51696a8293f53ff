// What a connection is at AWS, for whoever has to make it (src/deploy): told from its options
// alone.
#pragma once

#include "base/str.h"
#include "data/type.h"

typedef enum wh_cloud_kind {
  WH_CLOUD_BUCKET,
  WH_CLOUD_QUEUE,
  WH_CLOUD_TOPIC,
  WH_CLOUD_TABLES, // of DynamoDB, each named by who reads or writes it
  WH_CLOUD_STREAM, // of what changes in a table, which `name` says
} wh_cloud_kind;

typedef enum wh_cloud_encryption {
  WH_CLOUD_KMS,          // with `key`, or the account's own for the service
  WH_CLOUD_SERVICE_KEYS, // the service's own, which nobody sees
} wh_cloud_encryption;

typedef struct wh_cloud_place {
  wh_cloud_kind kind;
  wh_str endpoint; // not AWS's; empty: AWS's own
  wh_str region;   // empty: the environment says
  wh_str account;  // empty: it does not say
  wh_str name;     // of the bucket, queue or topic; of a ledger its table
  // BUCKET
  wh_str prefix; // of all keys: empty, or ending in '/'
  wh_cloud_encryption encryption;
  wh_str key; // of KMS, as the user named it; empty: none that has a name
  // TABLES
  wh_str marks;                          // the table of marks; empty: there is none
  wh_str ttl;                            // the attribute by which items expire; empty: none
  int64_t read_capacity, write_capacity; // 0: on demand
  char (*key_kind)(const wh_type *type); // 'S', 'N' or 'B'; 0: cannot be a key
} wh_cloud_place;
