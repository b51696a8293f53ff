#include "engine/noted_mark.h"

#include "base/json_doc.h"
#include "connect/sink_table.h"

// A list of the numbers, then the texts.
wh_status wh_noted_mark_put(wh_ledger *ledger, const wh_lease *lease, uint64_t work,
                            const wh_mark *mark, const wh_load *load, wh_mem *mem, wh_error *err) {
  int64_t numbers[WH_MARK_NUMBERS];
  wh_str texts[WH_MARK_TEXTS];
  WH_CLEAN_BUF wh_buf note;
  wh_buf_init(&note, mem, WH_NOTED_MARK_BYTES_MAX);
  wh_mark_write(mark, load, numbers, texts);
  for (int i = 0; i < WH_MARK_NUMBERS; i++)
    wh_buf_printf(&note, "%c%lld", i ? ',' : '[', (long long)numbers[i]);
  for (int i = 0; i < WH_MARK_TEXTS; i++) {
    wh_buf_add_char(&note, ',');
    wh_buf_add_json(&note, texts[i]);
  }
  wh_buf_add_char(&note, ']');
  WH_TRY(wh_buf_check(&note, err));
  return ledger->type->note(ledger, lease, work, wh_buf_str(&note), err);
}

static bool take(const json_t *list, int64_t numbers[WH_MARK_NUMBERS],
                 wh_str texts[WH_MARK_TEXTS]) {
  if (json_array_size(list) != WH_MARK_NUMBERS + WH_MARK_TEXTS) return false;
  bool fine = true;
  for (size_t i = 0; i < WH_MARK_NUMBERS; i++) {
    const json_t *item = json_array_get(list, i);
    fine = fine && json_is_integer(item);
    numbers[i] = json_integer_value(item);
  }
  for (size_t i = 0; i < WH_MARK_TEXTS; i++) {
    const json_t *item = json_array_get(list, WH_MARK_NUMBERS + i);
    fine = fine && json_is_string(item);
    texts[i] = wh_str_n(json_string_value(item), json_string_length(item));
  }
  return fine;
}

wh_status wh_noted_mark_read(wh_str progress, wh_arena *arena, wh_mark *ret, wh_error *err) {
  *ret = (wh_mark){0};
  if (!progress.len) return WH_OK;
  WH_CLEAN_JSON json_t *list = NULL;
  int64_t numbers[WH_MARK_NUMBERS];
  wh_str texts[WH_MARK_TEXTS];
  WH_TRY(
      wh_json_load(progress, WH_NOTED_MARK_BYTES_MAX, "the note of how far a load is", &list, err));
  if (!take(list, numbers, texts))
    return wh_fail(err, WH_ERR_DATA, "the ledger's note of how far a load is cannot be read");
  return wh_mark_read(numbers, texts, arena, ret, err);
}
