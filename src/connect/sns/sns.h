// The sns connector: a topic of Amazon SNS, or of a server that speaks like it, in its query
// protocol (API version 2010-03-31). It takes messages for whoever subscribed.
//
//   alerts:
//     type: sns
//     topic: arn:aws:sns:eu-west-1:123456789012:alerts
//
// Topics whose name ends in ".fifo" keep the order of a pipeline's messages and leave out what they
// were sent within the last five minutes.
//
// Actions of the API that each verb uses, for policies on the topic:
//   check --connect  GetTopicAttributes
//   send             Publish
#pragma once

#include "connect/aws_place.h"
#include "connect/connect.h"

enum {
  WH_SNS_SEND_US = 10 * 1000000, // of one attempt
  WH_SNS_SEND_ATTEMPTS = 2,      // the outbox tries again, too
  WH_SNS_LIBRARY_BYTES = 1 << 20,
};

typedef struct wh_sns_options {
  wh_aws_place place;
  wh_str topic;
} wh_sns_options;

typedef struct wh_sns {
  wh_aws *aws;
  bool is_fifo;
} wh_sns;

extern const wh_connector wh_connector_sns;
