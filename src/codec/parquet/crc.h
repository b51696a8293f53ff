// CRC-32 as RFC 1952 has it, with the processor's carry-less multiplication where it has one.
#pragma once

#include <stddef.h>
#include <stdint.h>

uint32_t pq_crc32(const uint8_t *data, size_t len);
