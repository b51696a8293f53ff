// The dynalite server of aws_server.h as a place: each `open` finds it without tables. moto, which
// knows other things, as a second one, and DynamoDB Local, Amazon's own, as a third.
#pragma once

#include "connect/connect.h"

void test_dynamodb_open(wh_connection *c, const char **reason);
void test_dynamodb_open_moto(wh_connection *c, const char **reason);
void test_dynamodb_open_local(wh_connection *c, const char **reason);
// The same, of a name in aws_server.h.
void test_dynamodb_open_at(const char *server, wh_connection *c, const char **reason);
void test_dynamodb_close(wh_connection *c);
// Knows "DROP TABLE IF EXISTS name" alone, several with ';' between.
void test_dynamodb_sql(wh_connection *c, const char *text);
// A request of another program: "PutItem" and its JSON. The answer, until the next call; a failure
// fails the test.
const char *test_dynamodb_do(wh_connection *c, const char *action, const char *body);
