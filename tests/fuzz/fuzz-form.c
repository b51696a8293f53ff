// Normal forms of any text (step/form.h). The input's first byte chooses the form, the rest is the
// text, as far as it is UTF-8. A form is its own form, and UTF-8.
#include "step/form.h"

#include "nodes.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const wh_form forms[] = {
    {WH_FORM_WHITESPACE, ""}, {WH_FORM_LOWER, ""},  {WH_FORM_UPPER, ""},   {WH_FORM_NFC, ""},
    {WH_FORM_EMAIL, ""},      {WH_FORM_PHONE, ""},  {WH_FORM_PHONE, "44"}, {WH_FORM_PHONE, "1"},
    {WH_FORM_PHONE, "36"},    {WH_FORM_PHONE, "7"}, {WH_FORM_PHONE, "39"}, {WH_FORM_PHONE, "378"},
};

// As a step is bound: this loads what the form needs. False where it is not installed.
static bool is_ready(wh_mem *mem) {
  wh_arena arena;
  wh_form form;
  wh_arena_init(&arena, mem);
  bool ready = wh_form_read(test_nodes(&arena, "nfc"), "fuzz", &form, NULL) == WH_OK;
  wh_arena_free(&arena);
  return ready;
}

static wh_str write(const wh_form *form, wh_str text, wh_buf *out, const char **ret_why) {
  wh_error err = {0};
  if (wh_form_write(form, text, out, ret_why, &err) != WH_OK) abort();
  return wh_buf_str(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wh_str text = wh_str_n((const char *)data + 1, size ? size - 1 : 0);
  if (!size || !wh_utf8_valid(text)) return 0;
  wh_mem mem;
  wh_mem_init(&mem, 64 << 20);
  const wh_form *form = &forms[data[0] % (sizeof forms / sizeof forms[0])];
  if (form->kind == WH_FORM_NFC && !is_ready(&mem)) return 0;
  wh_buf once, twice;
  wh_buf_init(&once, &mem, 0);
  wh_buf_init(&twice, &mem, 0);
  const char *why;
  wh_str first = write(form, text, &once, &why);
  if (!why) {
    if (!wh_utf8_valid(first)) abort();
    wh_str second = write(form, first, &twice, &why);
    if (why || !wh_str_eq(first, second)) abort();
  }
  wh_buf_free(&once);
  wh_buf_free(&twice);
  if (atomic_load(&mem.used) != 0) abort();
  return 0;
}
