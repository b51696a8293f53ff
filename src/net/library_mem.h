// Memory of libcurl and expat under the accountant.
#pragma once

#include "base/error.h"
#include "base/mem.h"

#include <expat.h>

// libcurl is made ready when the first holder comes, and shut down when the last goes, so that
// nothing is left in the accountant. All holders at one time have the same accountant.
wh_status wh_curl_hold(wh_mem *mem, wh_error *err);
void wh_curl_release(void);

// A parser whose memory comes from `mem`. expat's hooks know no context, so this thread's parser is
// the one made last: no other may be made before wh_expat_free.
XML_Parser wh_expat_new(wh_mem *mem); // NULL without memory
void wh_expat_free(XML_Parser parser);
