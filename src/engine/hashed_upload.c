#include "engine/hashed_upload.h"

#include "engine/checksum.h"

struct wh_hashed_upload {
  wh_mem *mem;
  wh_upload *upload;
  wh_sha256_output hashing;  // what the codec writes to
  wh_compressor *compressor; // NULL: the object is not compressed
  wh_writer *writer;
};

static wh_status open_writer(wh_hashed_upload *u, wh_str key, const wh_encoding *e, wh_error *err) {
  WH_TRY(wh_sha256_output_init(&u->hashing, &u->upload->output, err));
  wh_output *to = &u->hashing.base;
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
  u->mem = mem;
  u->upload = upload;
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

wh_status wh_hashed_upload_append_file(wh_hashed_upload *u, wh_input *file, wh_error *err) {
  return u->writer->append_file(u->writer, file, err);
}

uint64_t wh_hashed_upload_bytes(const wh_hashed_upload *u) {
  return u->hashing.base.written;
}

wh_status wh_hashed_upload_seal(wh_hashed_upload *u, char sha256[WH_SHA256_HEX + 1],
                                uint64_t *ret_bytes, wh_error *err) {
  WH_TRY(u->writer->finish(u->writer, err));
  if (u->compressor) WH_TRY(u->compressor->finish(u->compressor, err));
  WH_TRY(u->upload->seal(u->upload, err));
  *ret_bytes = u->hashing.base.written;
  return wh_sha256_finish_hex(&u->hashing.sha, sha256, err);
}

void wh_hashed_upload_close(wh_hashed_upload *u) {
  if (!u) return;
  wh_writer_close(u->writer);
  wh_compressor_close(u->compressor);
  u->upload->close(u->upload);
  wh_sha256_output_free(&u->hashing);
  wh_mem_free(u->mem, u, sizeof *u);
}
