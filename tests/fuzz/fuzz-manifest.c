// Any bytes as a manifest. See document.h for what must hold.
#include "ledger/manifest.h"

#include "document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static wh_status parse_document(wh_str text, wh_arena *arena, void *ret, wh_error *err) {
  return wh_manifest_parse(text, arena, ret, err);
}

static bool write_document(const void *document, wh_buf *out) {
  return wh_manifest_write(document, out);
}

static bool same(const void *a, const void *b) {
  const wh_manifest *left = a, *right = b;
  return wh_schema_eq(&left->schema, &right->schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wh_manifest first, second;
  const document_kind kind = {.parse = parse_document,
                              .write = write_document,
                              .same = same,
                              .first = &first,
                              .second = &second};
  return fuzz_document(&kind, data, size);
}
