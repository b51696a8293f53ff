#include "engine/hashed_upload.h"

struct wh_hashed_upload {
  wh_output output; // what the codec writes to: hashes, and passes on
  wh_mem *mem;
  wh_upload *upload;
  wh_sha256 sha;
  bool has_sha;
  wh_compressor *compressor; // NULL: the object is not compressed
  wh_writer *writer;
};

static wh_status hashing_write(wh_output *base, const void *data, size_t len, wh_error *err) {
  wh_hashed_upload *u = (wh_hashed_upload *)base;
  WH_TRY(wh_sha256_add(&u->sha, data, len, err));
  WH_TRY(wh_output_write(&u->upload->output, data, len, err));
  u->output.written += len;
  return WH_OK;
}

static wh_status open_writer(wh_hashed_upload *u, wh_str key, const wh_encoding *e, wh_error *err) {
  WH_TRY(wh_sha256_init(&u->sha, err));
  u->has_sha = true;
  wh_output *to = &u->output;
  wh_compression compression = wh_codec_compression(e->codec, key);
  if (compression != WH_UNCOMPRESSED) {
    WH_TRY(wh_compress_open(u->mem, to, compression, &u->compressor, err));
    to = &u->compressor->output;
  }
  return e->codec->open_writer(&e->context, to, e->options, e->schema, &u->writer, err);
}

wh_status wh_hashed_upload_open(wh_mem *mem, wh_upload *upload, wh_str key,
                                const wh_encoding *encoding, wh_hashed_upload **ret,
                                wh_error *err) {
  wh_hashed_upload *u = wh_mem_alloc_zero(mem, sizeof *u);
  if (!u) {
    upload->close(upload);
    return wh_fail_memory(err);
  }
  *u = (wh_hashed_upload){.output.write = hashing_write, .mem = mem, .upload = upload};
  wh_status status = open_writer(u, key, encoding, err);
  if (status == WH_OK)
    *ret = u;
  else
    wh_hashed_upload_close(u);
  return status;
}

wh_status wh_hashed_upload_write(wh_hashed_upload *u, const wh_batch *batch, wh_error *err) {
  return u->writer->write(u->writer, batch, err);
}

wh_status wh_hashed_upload_append(wh_hashed_upload *u, wh_block *block, wh_error *err) {
  return u->writer->append(u->writer, block, err);
}

uint64_t wh_hashed_upload_bytes(const wh_hashed_upload *u) {
  return u->output.written;
}

wh_status wh_hashed_upload_seal(wh_hashed_upload *u, char sha256[WH_SHA256_HEX + 1],
                                uint64_t *ret_bytes, wh_error *err) {
  WH_TRY(u->writer->finish(u->writer, err));
  if (u->compressor) WH_TRY(u->compressor->finish(u->compressor, err));
  WH_TRY(u->upload->seal(u->upload, err));
  *ret_bytes = u->output.written;
  return wh_sha256_finish_hex(&u->sha, sha256, err);
}

void wh_hashed_upload_close(wh_hashed_upload *u) {
  if (!u) return;
  wh_writer_close(u->writer);
  wh_compressor_close(u->compressor);
  u->upload->close(u->upload);
  if (u->has_sha) wh_sha256_free(&u->sha);
  wh_mem_free(u->mem, u, sizeof *u);
}
