// An object as it is encrypted before it leaves the machine: a header of fixed length, then the
// bytes in chunks, each with AES-256-GCM (NIST SP 800-38D) under a data key that is this object's
// alone. docs/decisions/023-sealed-objects.md says why it is so.
//
//   header, 1024 bytes; numbers are big-endian
//      0  8  magic 89 57 48 52 59 0D 0A 1A
//      8  1  version of the format, 1
//      9  1  how the data key is wrapped: wh_sealed_wrap
//     10  2  0
//     12  4  bytes of plain text in a chunk, 65536
//     16  7  random; the beginning of every chunk's nonce
//     23  1  0
//     24  2  bytes of the wrapped data key
//     26  2  bytes of the key's id
//     28  2  bytes of the place
//     30  2  0
//     32  .  wrapped data key, id of the key that wraps it, place; then 0
//   chunk n, from 0: ciphertext as long as the plain text, then the tag, 16 bytes
//
// All chunks but the last are full; the last has at least a byte, unless the object is empty. So
// the length of either text tells that of the other. A chunk's nonce is the header's 7 bytes, n in
// 4 bytes, and 1 for the last chunk, else 0 (the STREAM construction of Hoang, Reyhanitabar,
// Rogaway and Vizar, 2015); SHA-256 of the header is authenticated with each. So a chunk can be
// neither changed, left out, moved nor taken from another object, and the end cannot be cut off,
// without being noticed by whoever reads it. What an object is called is not bound: an attempt is
// published under another name. That it is the right one is for its manifest's checksum to say.
#pragma once

#include "base/crypto.h"
#include "base/stream.h"

enum {
  WH_SEALED_HEADER_BYTES = 1024,
  WH_SEALED_CHUNK_BYTES = 65536, // of plain text
  WH_SEALED_STORED_BYTES = WH_SEALED_CHUNK_BYTES + WH_SEAL_TAG_BYTES,
  WH_SEALED_NONCE_BYTES = 7, // of the header's
  WH_SEALED_MAGIC_BYTES = 8,
};
#define WH_SEALED_CHUNKS_MAX (UINT64_C(1) << 32) // 256 TiB

typedef enum wh_sealed_wrap {
  WH_SEALED_BY_KEY = 1, // AES-256-GCM under a key of the configuration: connect/sealed_keys.h
  WH_SEALED_BY_KMS = 2, // AWS KMS; its encryption context has the place
} wh_sealed_wrap;

typedef struct wh_sealed_header {
  wh_sealed_wrap wrap;
  uint8_t nonce[WH_SEALED_NONCE_BYTES];
  wh_str wrapped; // the data key
  wh_str key_id;  // of the key that unwraps it
  wh_str place;   // where it was written to: the bucket; empty in a folder, which has no name
} wh_sealed_header;

// WH_ERR_LIMIT where the texts do not fit.
wh_status wh_sealed_header_write(const wh_sealed_header *header,
                                 uint8_t ret[WH_SEALED_HEADER_BYTES], wh_error *err);
// The texts are views into `data`. WH_ERR_DATA.
wh_status wh_sealed_header_read(const uint8_t data[WH_SEALED_HEADER_BYTES], wh_sealed_header *ret,
                                wh_error *err);
bool wh_sealed_has_magic(const void *data, size_t len);
// Whether what was opened begins as an encrypted object; moves nothing, and says no where it cannot
// tell.
bool wh_sealed_looks_so(wh_input *in);

// --- lengths -------------------------------------------------------------------------------------

uint64_t wh_sealed_stored_size(uint64_t plain);
// False: no encrypted object has this length.
bool wh_sealed_plain_size(uint64_t stored, uint64_t *ret_plain);
// At least one.
uint64_t wh_sealed_chunks(uint64_t plain);

// --- chunks --------------------------------------------------------------------------------------

// Seals or unseals the chunks of one object; one thread's at a time. Free it in any case; zeroed is
// fine.
typedef struct wh_sealed_cipher {
  wh_gcm gcm;
  uint8_t nonce[WH_SEALED_NONCE_BYTES];
  uint8_t header[WH_SHA256_BYTES]; // its digest
} wh_sealed_cipher;

wh_status wh_sealed_cipher_init(wh_sealed_cipher *cipher, const uint8_t key[WH_SEAL_KEY_BYTES],
                                const uint8_t header[WH_SEALED_HEADER_BYTES], bool seals,
                                wh_error *err);
void wh_sealed_cipher_free(wh_sealed_cipher *cipher);
// `out` takes plain.len + WH_SEAL_TAG_BYTES.
wh_status wh_sealed_chunk_seal(wh_sealed_cipher *cipher, uint64_t number, bool is_last,
                               wh_str plain, uint8_t *out, wh_error *err);
// `out` takes stored.len - WH_SEAL_TAG_BYTES and may not be `stored`. WH_ERR_DATA names the chunk,
// its first byte and, as far as it can be told, what was done to it.
wh_status wh_sealed_chunk_unseal(wh_sealed_cipher *cipher, uint64_t number, bool is_last,
                                 wh_str stored, uint8_t *out, wh_error *err);
