// The readers of the codec: of one table, and of several.
#pragma once

#include "codec/hdf5/hdf5.h"

wh_status h5_open_reader(const wh_codec_context *context, wh_input *in, const void *options,
                         const wh_schema *given, wh_reader **ret, wh_error *err);
wh_status h5_open_tables(const wh_codec_context *context, wh_input *in,
                         const struct wh_table_spec *specs, size_t count,
                         struct wh_tables_reader **ret, wh_error *err);
