// Rows that cannot be read, and the words for what is wrong with them.
#include "codec/csv/reader.h"

static const char *rule_of(csv_fault fault) {
  switch (fault) {
  case CSV_FIELDS:
    return "fields";
  case CSV_TYPE:
    return "type";
  case CSV_MISSING:
    return "missing";
  default:
    return "csv";
  }
}

// What is wrong with a row as a whole.
static void describe(const csv_reader *r, const csv_bad *bad, wh_error *why) {
  switch (bad->fault) {
  case CSV_FIELDS:
    WH_IGNORE(wh_fail(why, WH_ERR_DATA, "has %u field%s, the %s has %u", bad->fields,
                      bad->fields == 1 ? "" : "s", r->dialect.header ? "header" : "first row",
                      r->cut.columns));
    break;
  case CSV_QUOTE_INSIDE:
    WH_IGNORE(wh_fail(why, WH_ERR_DATA, "a quote inside a field that does not begin with one"));
    break;
  case CSV_AFTER_QUOTE:
    WH_IGNORE(wh_fail(why, WH_ERR_DATA, "text behind a closing quote"));
    break;
  default:
    WH_IGNORE(wh_fail(why, WH_ERR_DATA, "byte 0x%02X is not valid UTF-8",
                      (unsigned char)r->feed.data[bad->at]));
  }
}

static wh_status hand_out(csv_reader *r, wh_rejects *rejects, const wh_reject *reject, wh_str text,
                          wh_error *err) {
  if (!rejects) {
    wh_place p = reject->place;
    return wh_fail_at(err, WH_ERR_DATA, p, "%.*s (row %llu, line %llu, byte %llu)",
                      WH_STR_ARG(reject->reason), (unsigned long long)p.row,
                      (unsigned long long)p.line, (unsigned long long)p.byte);
  }
  r->rejected_bytes += text.len + sizeof *reject;
  return rejects->raw(rejects, reject, text, err);
}

static wh_status reject_bad(csv_reader *r, const csv_bad *bad, uint32_t number, wh_rejects *rejects,
                            wh_error *err) {
  wh_error why;
  describe(r, bad, &why);
  wh_reject reject = {.rule = wh_str_of(rule_of(bad->fault)),
                      .reason = wh_str_of(why.text),
                      .place = csv_reader_place(r, bad->at, bad->start, bad->line, number)};
  return hand_out(r, rejects, &reject, wh_str_n(r->feed.data + bad->start, bad->end - bad->start),
                  err);
}

// A right row with a wrong value.
wh_status csv_explain(csv_reader *r, uint32_t row, wh_reject *ret, wh_error *why, wh_error *err) {
  const csv_cut *cut = &r->cut;
  const csv_misfit *m = &r->decoder.misfits[row];
  const csv_column *column = &r->table.columns[m->column];
  *ret = (wh_reject){.rule = wh_str_of(rule_of(m->fault)), .column = column->name};
  size_t at = cut->starts[row];
  if (column->source != CSV_NO_SOURCE) at = csv_field_start(cut, row, column->source);
  WH_IGNORE(wh_fail(why, WH_ERR_DATA, "no value, where one is required"));
  if (m->fault == CSV_TYPE) {
    csv_value field;
    wh_value value;
    if (!csv_field_get(&r->decoder, at, csv_field_end(cut, row, column->source), &field)) {
      return wh_fail_memory(err);
    }
    wh_status status = csv_decode_odd(&r->decoder, column, field.text, &value, why);
    if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  }
  ret->reason = wh_str_of(why->text);
  ret->place = csv_reader_place(r, at, cut->starts[row], cut->lines[row], cut->numbers[row]);
  return WH_OK;
}

static wh_status reject_misfit(csv_reader *r, uint32_t row, wh_rejects *rejects, wh_error *err) {
  const csv_cut *cut = &r->cut;
  size_t start = cut->starts[row], end = csv_field_end(cut, row, cut->columns - 1);
  wh_str text = wh_str_n(r->feed.data + start, end - start);
  if (r->decoder.misfits[row].fault == CSV_UTF8) {
    csv_bad bad = {.fault = CSV_UTF8,
                   .start = (uint32_t)start,
                   .end = (uint32_t)end,
                   .line = cut->lines[row],
                   .at = (uint32_t)(start + wh_utf8_valid_prefix(text))};
    return reject_bad(r, &bad, cut->numbers[row], rejects, err);
  }
  wh_reject reject;
  wh_error why;
  WH_TRY(csv_explain(r, row, &reject, &why, err));
  return hand_out(r, rejects, &reject, text, err);
}

wh_status csv_reject_rows(csv_reader *r, wh_rejects *rejects, wh_error *err) {
  const csv_cut *cut = &r->cut;
  uint32_t bad = 0;
  for (uint32_t row = 0; row <= cut->rows; row++) {
    for (; bad < cut->bad_count && cut->bads[bad].row <= row; bad++)
      WH_TRY(reject_bad(r, &cut->bads[bad], cut->bads[bad].row + bad, rejects, err));
    if (row == cut->rows || !wh_bit_get(r->decoder.misfit_rows, row)) continue;
    WH_TRY(reject_misfit(r, row, rejects, err));
  }
  return WH_OK;
}
