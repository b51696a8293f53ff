// A person's rows among the rejected ones. Folders count, not the ledger's entries: a crash may
// have left files that no entry tells of.
#include "engine/erase.h"

#include "engine/reject_parts.h"

#include <jansson.h>
#include <stdio.h>

typedef struct folder {
  wh_erasure *e;
  uint64_t rows;    // in it
  uint64_t theirs;  // that go
  uint64_t unknown; // the subject's column was not read
} folder;

static bool is_word_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (unsigned char)c >= 0x80;
}

// What never became a row is the person's where it has the key as a word of its own.
static bool has_word(wh_str text, wh_str word) {
  for (size_t at = 0; word.len && at + word.len <= text.len; at++) {
    const char *hit = memmem(text.data + at, text.len - at, word.data, word.len);
    if (!hit) return false;
    at = (size_t)(hit - text.data);
    size_t end = at + word.len;
    bool begins = at == 0 || !is_word_byte(text.data[at - 1]) || !is_word_byte(word.data[0]);
    bool ends =
        end == text.len || !is_word_byte(text.data[end]) || !is_word_byte(word.data[word.len - 1]);
    if (begins && ends) return true;
  }
  return false;
}

static bool is_value(const json_t *value, wh_str key) {
  if (json_is_string(value))
    return wh_str_eq(wh_str_n(json_string_value(value), json_string_length(value)), key);
  if (!json_is_integer(value)) return false;
  char digits[24];
  snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(value));
  return wh_str_is(key, digits);
}

// `f` may be NULL: nothing is counted.
static wh_status is_theirs(const wh_erasure *e, wh_str line, folder *f, bool *ret, wh_error *err) {
  *ret = false;
  if (wh_str_starts(line, "{\"wherry\":")) return WH_OK; // the header of a part
  json_t *row = json_loadb(line.data, line.len, JSON_ALLOW_NUL, NULL);
  if (!row) return wh_fail(err, WH_ERR_DATA, "a line of the quarantine is damaged");
  const json_t *data = json_object_get(row, "data"), *text = json_object_get(row, "text");
  const json_t *value = json_object_getn(data, e->column.data, e->column.len);
  if (value)
    *ret = is_value(value, e->request->key);
  else if (text)
    *ret = has_word(wh_str_n(json_string_value(text), json_string_length(text)), e->request->key);
  if (f) {
    f->rows++;
    f->theirs += *ret;
    f->unknown += !value && !text;
  }
  json_decref(row);
  return WH_OK;
}

static wh_status count_line(void *context, wh_str line, wh_error *err) {
  folder *f = context;
  bool theirs;
  return is_theirs(f->e, line, f, &theirs, err);
}

static wh_status test_line(void *context, wh_str line, bool *ret_stays, wh_error *err) {
  bool theirs;
  WH_TRY(is_theirs(context, line, NULL, &theirs, err));
  *ret_stays = !theirs;
  return WH_OK;
}

typedef struct search {
  wh_str run;
  wh_arena *arena;
  wh_quarantine_entry entry;
  bool found;
} search;

static wh_status match_entry(void *context, const wh_quarantine_entry *entry, wh_error *err) {
  search *s = context;
  if (s->found || !wh_str_eq(entry->run, s->run)) return WH_OK;
  s->found = true;
  s->entry = *entry;
  s->entry.object = wh_arena_str(s->arena, entry->object);
  return s->entry.object.data ? WH_OK : wh_fail_memory(err);
}

// First the ledger learns how many rows are left, so that a crash in between leaves more than it
// says, which hurts nobody.
static wh_status correct_entry(wh_erasure *e, wh_str where, wh_str run, uint64_t rows,
                               wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, e->engine->mem);
  wh_ledger *ledger = e->engine->ledger;
  search s = {.run = run, .arena = e->arena};
  WH_TRY(ledger->type->quarantined(ledger, e->pipeline->name, &scratch, match_entry, &s, err));
  if (!s.found) return WH_OK;
  if (rows == 0) return ledger->type->quarantine_drop(ledger, run, err);
  s.entry.run = run;
  s.entry.pipeline = e->pipeline->name;
  s.entry.file = where;
  s.entry.rows = rows;
  return ledger->type->quarantine_put(ledger, &s.entry, err);
}

static wh_status erase_folder(void *context, wh_str where, wh_str run, wh_error *err) {
  wh_erasure *e = context;
  folder f = {.e = e};
  wh_str kept = wh_reject_folder_text(e->engine, where, e->arena);
  if (!kept.data) return wh_fail_memory(err);
  WH_TRY(wh_reject_folder_lines(e->engine, where, count_line, &f, err));
  if (f.unknown)
    WH_TRY(wh_erase_tell(e, "quarantine", kept, 0,
                         "some rows there were read without the subject's column: nobody knows "
                         "whose they are. Replay or drop them",
                         err));
  if (f.theirs == 0) return WH_OK;
  if (!e->request->dry) {
    WH_TRY(correct_entry(e, where, run, f.rows - f.theirs, err));
    WH_TRY(wh_reject_folder_rewrite(e->engine, where, test_line, e, err));
    if (f.rows == f.theirs) WH_TRY(wh_reject_folder_remove(e->engine, where, err));
  }
  return wh_erase_tell(e, "quarantine", kept, f.theirs, NULL, err);
}

wh_status wh_erase_quarantine(wh_erasure *e, wh_error *err) {
  return wh_reject_folders(e->engine, e->pipeline, erase_folder, e, err);
}
