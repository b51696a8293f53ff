// The one list of codecs.
#include "codec/csv/csv.h"
#include "codec/json/json.h"
#include "codec/parquet/parquet.h"

const wh_codec_type *const wh_codecs[] = {
    &wh_codec_csv, &wh_codec_json, &wh_codec_ndjson, &wh_codec_parquet, NULL,
};

const wh_codec_type *wh_codec_by_name(wh_str name) {
  for (size_t i = 0; wh_codecs[i]; i++) {
    if (wh_str_is(name, wh_codecs[i]->name)) return wh_codecs[i];
  }
  return NULL;
}

// Whether the key ends in the extension, with something before it in its last part.
static bool has_extension(wh_str key, const char *extension) {
  size_t n = strlen(extension);
  if (key.len <= n ||
      !wh_str_eq_nocase(wh_str_sub(key, key.len - n, key.len), wh_str_of(extension)))
    return false;
  return key.data[key.len - n - 1] != '/';
}

const wh_codec_type *wh_codec_by_key(wh_str key) {
  for (size_t i = 0; wh_codecs[i]; i++) {
    for (const char *const *e = wh_codecs[i]->extensions; *e; e++) {
      if (has_extension(key, *e)) return wh_codecs[i];
    }
  }
  return NULL;
}
