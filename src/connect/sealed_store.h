// A store whose objects are encrypted before they leave the machine, around any other. Every verb
// of connect/store.h means the same: sizes and bytes are those of the plain text, versions and
// names those of the inner store; only what lies there is another thing (connect/sealed_format.h).
// Keys of objects, times, attributes and lengths are not hidden.
//
// An object that is not encrypted is refused: whoever can write there could otherwise put forged
// rows into a lake that was thought to be sealed. What a store keeps for itself and never opens
// (locks, markers) stays plain.
//
// A connector calls wh_sealed_open at the end of its `open`, and wh_sealed_close at the beginning
// of its `close`. In between, the connection's type is one whose store is this one.
#pragma once

#include "connect/connect.h"
#include "connect/sealed_keys.h"

// Owns `keys` from now on, also when it fails.
wh_status wh_sealed_open(wh_connection *c, wh_sealed_keys *keys, wh_error *err);
bool wh_sealed_is(const wh_connection *c);
// The connection as it was before; nothing, where it was never sealed.
void wh_sealed_close(wh_connection *c);
