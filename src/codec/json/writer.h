// The writers and encoders of both codecs.
#pragma once

#include "codec/json/json.h"

wh_status json_open_writer(const wh_codec_context *context, wh_output *out, const void *options,
                           const wh_schema *schema, wh_writer **ret, wh_error *err);
wh_status json_open_lines_writer(const wh_codec_context *context, wh_output *out,
                                 const void *options, const wh_schema *schema, wh_writer **ret,
                                 wh_error *err);
wh_status json_open_encoder(const wh_codec_context *context, const void *options,
                            const wh_schema *schema, wh_encoder **ret, wh_error *err);
wh_status json_open_lines_encoder(const wh_codec_context *context, const void *options,
                                  const wh_schema *schema, wh_encoder **ret, wh_error *err);
