// The mark of a load whose target has no place for it (wh_sink_type.mark is NULL): a note in the
// ledger's queue, which whoever takes the object up next reads.
#pragma once

#include "ledger/ledger.h"

enum { WH_NOTED_MARK_BYTES_MAX = 8 << 10 };

wh_status wh_noted_mark_put(wh_ledger *ledger, const wh_lease *lease, uint64_t work,
                            const wh_mark *mark, const wh_load *load, wh_mem *mem, wh_error *err);
// Of wh_work.progress; empty: none was found. WH_ERR_DATA: it is none of ours.
wh_status wh_noted_mark_read(wh_str progress, wh_arena *arena, wh_mark *ret, wh_error *err);
