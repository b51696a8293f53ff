// Small tables that rows are looked up in, by key. A table is read once, when its step is first
// bound, and kept in memory, where every lane of the run finds it.
//
// Threads: whoever binds first is alone; from then on nothing changes, and any thread may look.
#pragma once

#include "base/node.h"
#include "codec/codec.h"

enum {
  WH_KEYED_TABLE_SHARE = 8, // of `memory`: what the tables of a run may take together
};

// A table that can be read, made by whoever knows connections.
typedef struct wh_table_input wh_table_input;
struct wh_table_input {
  const wh_schema *all; // every column there is
  // Called once; of the columns at least those named come. The reader is the input's.
  wh_status (*open)(wh_table_input *in, const wh_str *columns, size_t count, wh_reader **ret,
                    wh_error *err);
  void (*close)(wh_table_input *in); // frees it
};

// Where a run's tables come from, and where they stay.
typedef struct wh_keyed_table wh_keyed_table;
typedef struct wh_keyed_tables {
  wh_mem *mem;
  size_t limit_bytes; // of all tables together
  // `from` is the address as it stands in the configuration.
  wh_status (*describe)(void *context, const wh_node *from, wh_table_input **ret, wh_error *err);
  void *context;
  size_t bytes;
  wh_keyed_table *first;
} wh_keyed_tables;

void wh_keyed_tables_free(wh_keyed_tables *tables); // zeroed is fine

// What of a table is wanted: scalars that name its columns.
typedef struct wh_keyed_wanted {
  const wh_node *from;
  const wh_node *const *keys;
  const wh_node *const *values;
  size_t key_count, value_count;
  const char *owner; // the step, for messages
} wh_keyed_wanted;

typedef struct wh_keyed_entry {
  size_t key;   // where its bytes begin
  uint64_t row; // of the table as it was read, for messages
} wh_keyed_entry;

// A key is the values of all key columns, none of them NULL: rows with a NULL key are left out, and
// so are those that say that a row is gone. Each key is there once.
struct wh_keyed_table {
  const wh_node *from; // which tells the tables of a run apart
  wh_mem *mem;
  wh_arena arena;
  wh_schema keys, values; // their fields
  wh_column *columns;     // of `values`: one value a key
  size_t count, cap;      // of keys
  wh_keyed_entry *entries;
  wh_buf bytes;    // of the keys, one behind the other
  uint32_t *slots; // by hash: an entry's number + 1
  size_t slot_count;
  wh_keyed_table *next;
};

// The table, from memory where it is there already. A column that it has not, a column that can be
// no key, a key that is there twice, a row that cannot be read, and a table that is too large are
// all WH_ERR_USAGE: nothing is wrong with what the run reads.
wh_status wh_keyed_table_get(wh_keyed_tables *tables, const wh_keyed_wanted *wanted,
                             const wh_keyed_table **ret, wh_error *err);
// The row of `columns` that has the key, written by wh_key_bytes_add from columns of the types of
// `keys`; -1: none.
ptrdiff_t wh_keyed_table_find(const wh_keyed_table *table, wh_str key);
