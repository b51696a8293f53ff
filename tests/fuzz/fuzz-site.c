// Any bytes as the index of a site. See document.h for what must hold.
#include "ledger/site_index.h"

#include "document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static wh_status parse_document(wh_str text, wh_arena *arena, void *ret, wh_error *err) {
  return wh_site_parse(text, arena, ret, err);
}

static bool write_document(const void *document, wh_buf *out) {
  return wh_site_write(document, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wh_site_index first, second;
  const document_kind kind = {
      .parse = parse_document, .write = write_document, .first = &first, .second = &second};
  return fuzz_document(&kind, data, size);
}
