// The documentation page, made from the OpenAPI document and from nothing else: for each operation
// what it is, who may, what is sent, what is answered, and examples to paste.
#pragma once

#include "base/buf.h"
#include "base/json_doc.h"

// A whole HTML document. False: memory or `out` has run out.
bool wh_docs_write(const json_t *document, wh_mem *mem, wh_buf *out);
