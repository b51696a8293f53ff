// The dictionary of one column chunk: each distinct value once, found again by hash.
//
// Values are hashed by the batch before they are looked up, so that the one does not wait for the
// other. A text is known by its first eight bytes, its last eight, and its length; only what is
// longer than sixteen is compared further.
#pragma once

#include "codec/parquet/shred.h"

enum {
  PQ_DICT_VALUES_MAX = 32768, // indices are 15 bits
  PQ_DICT_PROBES_MAX = 64,    // a value that collides more is taken to overflow the dictionary
};

typedef struct pq_dict {
  wh_mem *mem;
  size_t count;
  size_t limit_bytes; // of its page, about
  pq_store values;    // its page, as PLAIN has it
  pq_store entries;   // text: dict_entry each
  uint32_t *table;    // hash << 16 | index + 1; 0: empty
  unsigned bits;      // of its size
} pq_dict;

void pq_dict_init(pq_dict *dict, wh_mem *mem, size_t limit_bytes);
void pq_dict_free(pq_dict *dict);
void pq_dict_reset(pq_dict *dict); // no values; keeps its memory
// The index of each value, those that are new being added. *ret_full: they do not all fit, and
// what is in `indices` counts for nothing; the dictionary may hold some of the new ones.
wh_status pq_dict_add(pq_dict *dict, const pq_leaf *leaf, const pq_values *values,
                      uint16_t *indices, bool *ret_full, wh_error *err);
// Bytes that it takes.
size_t pq_dict_size(const pq_dict *dict);
// Forgets all but the first `count` values. Nothing can be added from then on.
void pq_dict_cut(pq_dict *dict, const pq_leaf *leaf, size_t count);
// The first eight bytes of text `index`, as a number that compares as they do, and the whole.
uint64_t pq_dict_head(const pq_dict *dict, size_t index);
wh_str pq_dict_text(const pq_dict *dict, size_t index);
