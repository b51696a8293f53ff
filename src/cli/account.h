// AWS accounts as people give them.
#pragma once

#include "base/str.h"

enum { WH_ACCOUNT_DIGITS = 12 };
#define WH_ACCOUNT_FORMS "--account takes the 12 digits of an AWS account"

static inline bool wh_is_account(wh_str text) {
  bool ok = text.len == WH_ACCOUNT_DIGITS;
  for (size_t i = 0; ok && i < text.len; i++)
    ok = text.data[i] >= '0' && text.data[i] <= '9';
  return ok;
}
