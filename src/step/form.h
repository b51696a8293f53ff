// Normal forms of text, so that what means the same is the same: what the step `normalize` writes.
#pragma once

#include "base/buf.h"
#include "base/node.h"

enum {
  // RFC 5321, 4.5.3.1: octets of what stands before the @, and of all (a path less its brackets).
  WH_EMAIL_LOCAL_MAX = 64,
  WH_EMAIL_MAX = 254,
  // E.164, 6.2: digits of an international number. The least is ours.
  WH_PHONE_DIGITS_MIN = 7,
  WH_PHONE_DIGITS_MAX = 15,
};

typedef enum wh_form_kind {
  WH_FORM_WHITESPACE, // none at the ends; one blank for each run of it within
  WH_FORM_LOWER,
  WH_FORM_UPPER,
  WH_FORM_NFC,   // Unicode Standard Annex 15, by libutf8proc, which is loaded for it
  WH_FORM_EMAIL, // no white space around it, the domain in lower case
  WH_FORM_PHONE, // E.164: +442079460958
} wh_form_kind;

typedef struct wh_form {
  wh_form_kind kind;
  char country[4]; // of numbers that name none: digits of its code; empty: they have no form
} wh_form;

// lower, nfc, "phone +44", ... `owner` begins the message of WH_ERR_USAGE, which is also
// what comes of it where libutf8proc is wanted and not installed.
wh_status wh_form_read(const wh_node *node, const char *owner, wh_form *ret, wh_error *err);
// Puts the form of `text`, which is UTF-8, into `out`, which is emptied before and must not hold
// `text`. *ret_why, else NULL: why it has none, as a phrase behind the value.
wh_status wh_form_write(const wh_form *form, wh_str text, wh_buf *out, const char **ret_why,
                        wh_error *err);
