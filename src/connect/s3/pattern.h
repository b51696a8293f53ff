// Globs as patterns of IAM, in which '*' and '?' are all there is, and cross '/'
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html).
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

enum { WH_S3_PATTERNS_MAX = 8 };

// Keys that the glob matches are matched by one of the items, which are the narrowest.
typedef struct wh_s3_patterns {
  wh_str items[WH_S3_PATTERNS_MAX];
  size_t count;
  bool wider; // they match other keys, too
} wh_s3_patterns;

// Of a glob as wh_glob_match takes it; the items are in the arena.
wh_status wh_s3_patterns_of(wh_str glob, wh_arena *arena, wh_s3_patterns *ret, wh_error *err);
