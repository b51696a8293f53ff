// The one list of codecs.
#include "codec/csv/csv.h"
#include "codec/hdf5/hdf5.h"
#include "codec/json/json.h"
#include "codec/parquet/parquet.h"

const wh_codec_type *const wh_codecs[] = {
    &wh_codec_csv,
    &wh_codec_json,
    &wh_codec_ndjson,
    &wh_codec_parquet,
#ifdef WHERRY_HDF5
    &wh_codec_hdf5,
#endif
    NULL,
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

wh_compression wh_compression_of(wh_str key, wh_str *ret_inner) {
  static const struct {
    const char *extension;
    wh_compression kind;
  } known[] = {{".gz", WH_GZIP}, {".zst", WH_ZSTD}};
  if (ret_inner) *ret_inner = key;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (!has_extension(key, known[i].extension)) continue;
    if (ret_inner) *ret_inner = wh_str_sub(key, 0, key.len - strlen(known[i].extension));
    return known[i].kind;
  }
  return WH_UNCOMPRESSED;
}

const wh_codec_type *wh_codec_by_key(wh_str key) {
  wh_str inner;
  bool compressed = wh_compression_of(key, &inner) != WH_UNCOMPRESSED;
  for (size_t i = 0; wh_codecs[i]; i++) {
    if (compressed && wh_codecs[i]->compresses) continue;
    for (const char *const *e = wh_codecs[i]->extensions; *e; e++) {
      if (has_extension(inner, *e)) return wh_codecs[i];
    }
  }
  return NULL;
}

wh_compression wh_codec_compression(const wh_codec_type *codec, wh_str key) {
  return codec->compresses ? WH_UNCOMPRESSED : wh_compression_of(key, NULL);
}
