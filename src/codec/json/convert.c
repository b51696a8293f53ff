#include "codec/json/decode.h"
#include "codec/json/temporal.h"
#include "codec/json/text.h"
#include "data/value.h"

bool json_append_failed(json_decoder *decoder) {
  return json_fault_at(decoder->feed, JSON_FAILED, decoder->feed->pos, "append");
}

bool json_no_memory(json_decoder *decoder) {
  WH_IGNORE(wh_fail_memory(decoder->err));
  return json_append_failed(decoder);
}

// Marks a fault that is there as one of type.
static bool of_type(json_decoder *d) {
  d->feed->fault.rule = "type";
  return false;
}

bool json_misfit(json_decoder *decoder, const json_slot *slot, size_t at, const char *found) {
  wh_str name = wh_type_friendly(&slot->type, &decoder->scratch);
  json_fault_at(decoder->feed, JSON_MISFIT, at, "%s, where %.*s is expected", found,
                WH_STR_ARG(name));
  return of_type(decoder);
}

bool json_item_missing(json_decoder *decoder, const json_slot *slot, size_t at) {
  json_fault_at(decoder->feed, JSON_MISFIT, at,
                "an empty list, where an item of '%.*s' is required", WH_STR_ARG(slot->name));
  decoder->feed->fault.rule = "missing";
  return false;
}

bool json_convert_null(json_decoder *decoder, json_slot *slot, wh_column *column, size_t at) {
  if (slot->nullable) {
    return wh_column_add_null(column, decoder->err) == WH_OK || json_append_failed(decoder);
  }
  json_fault_at(decoder->feed, JSON_MISFIT, at, "null, where a value is required");
  decoder->feed->fault.rule = "missing";
  return false;
}

// By way of the data layer, which knows every type, its limits, and the words for what is wrong.
static bool by_text(json_decoder *d, json_slot *slot, wh_column *column, wh_str text, size_t at) {
  wh_value value;
  wh_error why;
  wh_status status = wh_value_parse(text, &slot->type, &d->scratch, &value, &why);
  if (status == WH_OK) {
    return wh_value_add(column, &value, d->err) == WH_OK || json_append_failed(d);
  }
  if (status == WH_ERR_TYPE) {
    json_fault_at(d->feed, JSON_MISFIT, at, "%s", why.text);
    return of_type(d);
  }
  if (d->err) *d->err = why;
  return json_append_failed(d);
}

static bool add_decimal(json_decoder *d, json_slot *slot, wh_column *column, wh_str token,
                        const json_number *number) {
  int shift = number->exponent + slot->type.scale;
  size_t at = json_at(d->feed, token.data);
  if (slot->shape) {
    uint8_t whole, scale;
    json_number_extent(token, &whole, &scale);
    if (!json_note_extent(&d->notes, slot, whole, 0, false)) return json_no_memory(d);
  }
  if (number->more || shift < 0 || shift > 18) return by_text(d, slot, column, token, at);
  __int128 value = (__int128)number->digits * wh_pow10(shift);
  if (value >= wh_pow10(slot->type.precision)) return by_text(d, slot, column, token, at);
  if (number->negative) value = -value;
  return wh_column_add_decimal(column, value, d->err) == WH_OK || json_append_failed(d);
}

static bool add_float(json_decoder *d, json_slot *slot, wh_column *column, wh_str token,
                      const json_number *number) {
  double value;
  size_t at = json_at(d->feed, token.data);
  // An inferred column must give every digit back.
  if (slot->shape && slot->type.kind == WH_FLOAT64) {
    if (!wh_str_to_f64(token, &value) || !json_number_survives_f64(token, number, value)) {
      return json_misfit(d, slot, at, "a number with more digits than float64 keeps");
    }
    uint8_t whole, scale;
    json_number_extent(token, &whole, &scale);
    if (!json_note_extent(&d->notes, slot, whole, scale, false)) return json_no_memory(d);
    return wh_column_add_f64(column, value, d->err) == WH_OK || json_append_failed(d);
  }
  return by_text(d, slot, column, token, at);
}

static bool convert_number(json_decoder *d, json_slot *slot, wh_column *column, wh_str token,
                           const json_number *number) {
  size_t at = json_at(d->feed, token.data);
  int64_t whole;
  switch (slot->type.kind) {
  case WH_FLOAT32:
  case WH_FLOAT64:
    return add_float(d, slot, column, token, number);
  case WH_DECIMAL:
    return add_decimal(d, slot, column, token, number);
  case WH_INT8:
  case WH_INT16:
  case WH_INT32:
  case WH_INT64:
  case WH_UINT8:
  case WH_UINT16:
  case WH_UINT32:
  case WH_UINT64:
    if (json_number_fast_i64(number, &whole) && wh_int_fits(slot->type.kind, whole)) {
      return wh_column_add_i64(column, whole, d->err) == WH_OK || json_append_failed(d);
    }
    if (!by_text(d, slot, column, token, at)) return false;
    if (!slot->shape) return true;
    // It is the least of 64 bit.
    return json_note_extent(&d->notes, slot, 19, 0, true) || json_no_memory(d);
  default:
    return json_misfit(d, slot, at, "a number");
  }
}

bool json_convert_scalar(json_decoder *decoder, json_slot *slot, wh_column *column, wh_str token) {
  size_t at = json_at(decoder->feed, token.data);
  json_number number;
  if (wh_str_is(token, "null")) return json_convert_null(decoder, slot, column, at);
  if (json_number_parse(token.data, token.data + token.len, &number)) {
    return convert_number(decoder, slot, column, token, &number);
  }
  json_value value = {.kind = JSON_SCALAR, .text = token};
  if (!json_check_value(decoder->feed, &value)) return false;
  bool yes = wh_str_is(token, "true");
  if (slot->type.kind != WH_BOOL) {
    return json_misfit(decoder, slot, at, yes ? "true" : "false");
  }
  return wh_column_add_bool(column, yes, decoder->err) == WH_OK || json_append_failed(decoder);
}

bool json_convert_text(json_decoder *decoder, json_slot *slot, wh_column *column,
                       const json_value *value) {
  size_t at = json_at(decoder->feed, value->text.data) - 1;
  wh_str text = value->text;
  int64_t number;
  if (!value->plain) {
    char *out = wh_arena_alloc(&decoder->scratch, text.len + JSON_TEXT_SLACK);
    if (!out) return json_no_memory(decoder);
    if (!json_text_unescape(decoder->feed, value, out, &text.len)) return false;
    text.data = out;
  }
  switch (slot->type.kind) {
  case WH_FLOAT32:
  case WH_FLOAT64:
    // What a number cannot say, and what our writer writes for it.
    if (!wh_str_is(text, "NaN") && !wh_str_is(text, "Infinity") && !wh_str_is(text, "-Infinity")) {
      return json_misfit(decoder, slot, at, "text");
    }
    if (slot->shape) return json_misfit(decoder, slot, at, "text");
    [[fallthrough]];
  case WH_DECIMAL:
    if (slot->shape) return json_misfit(decoder, slot, at, "text");
    [[fallthrough]];
  case WH_DATE:
  case WH_TIMESTAMP:
    if (json_fast_temporal(&decoder->day, text, &slot->type, &number)) {
      return wh_column_add_i64(column, number, decoder->err) == WH_OK ||
             json_append_failed(decoder);
    }
    [[fallthrough]];
  case WH_TIME:
  case WH_BINARY:
    return by_text(decoder, slot, column, text, at);
  default:
    return json_misfit(decoder, slot, at, "text");
  }
}
