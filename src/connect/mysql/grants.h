// The verb `grants` of the connector (connect/connect.h).
#pragma once

#include "connect/connect.h"

wh_status wh_mysql_grants(wh_connection *c, const wh_grants_request *request, wh_arena *arena,
                          wh_grant_visit visit, void *context, wh_error *err);
