#include "codec/parquet/crc.h"

#include <zlib.h>

uint32_t pq_crc32(const uint8_t *data, size_t len) {
  return (uint32_t)crc32_z(0, data, len);
}
