#include "codec/text_block.h"

enum { APPEND_READ_BYTES = 256 * 1024 };

static void block_free(wh_block *base) {
  wh_text_block *block = (wh_text_block *)base;
  wh_buf_free(&block->text);
  wh_mem_free(block->mem, block, sizeof *block);
}

wh_status wh_text_block_new(wh_mem *mem, wh_text_block **ret, wh_error *err) {
  wh_text_block *block = wh_mem_alloc_zero(mem, sizeof *block);
  if (!block) return wh_fail_memory(err);
  block->base.free = block_free;
  block->mem = mem;
  wh_buf_init(&block->text, mem, 0);
  *ret = block;
  return WH_OK;
}

// --- Files ---------------------------------------------------------------------------------------

// Bytes [at, at + len) of the file are these of what it must have at `from`, as far as they meet.
static bool agree(wh_str must, uint64_t from, const char *data, uint64_t at, size_t len) {
  uint64_t low = from > at ? from : at;
  uint64_t high = from + must.len < at + len ? from + must.len : at + len;
  return low >= high || memcmp(must.data + (low - from), data + (low - at), high - low) == 0;
}

static wh_status append_all(wh_input *file, wh_str head, wh_str tail, wh_output *out, char *data,
                            wh_error *err) {
  uint64_t end = file->size - tail.len;
  size_t n = 1;
  for (uint64_t at = 0; n; at += n) {
    WH_TRY(wh_input_read(file, data, APPEND_READ_BYTES, &n, err));
    if (n == 0 && at != file->size)
      return wh_fail(err, WH_ERR_DATA, "the file ends early, at byte %llu", (unsigned long long)at);
    if (!agree(head, 0, data, at, n) || !agree(tail, end, data, at, n))
      return wh_fail(err, WH_ERR_DATA, "the file does not begin and end as it should");
    uint64_t from = head.len > at ? head.len - at : 0, to = end > at ? end - at : 0;
    if (to > n) to = n;
    if (from < to) WH_TRY(wh_output_write(out, data + from, (size_t)(to - from), err));
  }
  return WH_OK;
}

wh_status wh_text_append(wh_input *file, wh_str head, wh_str tail, wh_output *out, wh_mem *mem,
                         wh_error *err) {
  if (file->size < head.len + tail.len)
    return wh_fail(err, WH_ERR_DATA, "the file does not begin and end as it should");
  char *data = wh_mem_alloc_aligned(mem, APPEND_READ_BYTES);
  if (!data) return wh_fail_memory(err);
  wh_status status = append_all(file, head, tail, out, data, err);
  wh_mem_free(mem, data, APPEND_READ_BYTES);
  return status;
}
