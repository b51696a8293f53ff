// A server that speaks AWS, of the test program's own: moto, Swift, versitygw, dynalite or DynamoDB
// Local as tests/support/aws.py starts and describes them. It ends with the program.
#pragma once

// Starts "moto", "swift", "versity", "dynalite" or "dynamodb-local" where it does not run. NULL, or
// why there is none here.
const char *aws_server_start(const char *kind);
int aws_server_port(const char *kind);
// What a client has to know of one that runs: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION
// and the endpoint, which is AWS_ENDPOINT_URL of moto, AWS_ENDPOINT_URL_S3 of Swift and versitygw,
// and AWS_ENDPOINT_URL_DYNAMODB of the last two. NULL: no such word.
const char *aws_server_value(const char *kind, const char *name);
// Has it do what a method of its class in aws.py does: "make_bucket lake", "enforce", or "disturb 7
// 0.2", which gives the port of a proxy before it that breaks every fifth request, by seed 7, and
// "story", which tells what that did. What the method returned, until the next call; fails the test
// when it fails.
const char *aws_server_do(const char *kind, const char *call);
void aws_server_stop(const char *kind); // as if the machine were switched off: what it held is gone
