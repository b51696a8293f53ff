// Whatever an SFTP server sends, reading it stays within its bytes.
#include "connect/sftp/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef WHERRY_SFTP
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wh_sftp_reader in = wh_sftp_reader_of(wh_str_n((const char *)data, size));
  uint8_t what = wh_sftp_take_u8(&in);
  wh_sftp_attrs attrs;
  wh_sftp_name name;
  if (what == WH_SFTP_ATTRS) {
    wh_sftp_take_attrs(&in, &attrs);
    if (in.bad && (attrs.has_size || attrs.has_mode || attrs.has_times)) __builtin_trap();
    return 0;
  }
  while (in.at < in.end && !in.bad) {
    wh_sftp_take_name(&in, &name);
    if (in.bad) break;
    if (name.name.data + name.name.len > (const char *)in.end) __builtin_trap();
    if (name.attrs.has_mode && wh_sftp_kind_of(&name.attrs) > WH_SFTP_KIND_OTHER) __builtin_trap();
  }
  return 0;
}
#else
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  (void)data, (void)size;
  return 0;
}
#endif
