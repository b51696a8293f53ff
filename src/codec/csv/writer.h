// The writing half of the codec.
#pragma once

#include "codec/csv/csv.h"

// `options` are a wh_csv_write_options. WH_ERR_USAGE where they contradict themselves.
wh_status csv_check_write(const void *options, wh_error *err);
wh_status csv_open_writer(const wh_codec_context *context, wh_output *out, const void *options,
                          const wh_schema *schema, wh_writer **ret, wh_error *err);
wh_status csv_open_encoder(const wh_codec_context *context, const void *options,
                           const wh_schema *schema, wh_encoder **ret, wh_error *err);
