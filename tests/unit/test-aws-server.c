// That tests in C can have the AWS peers.
#include "aws_server.h"

#include "test.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

// The status of the answer to this request; 0: there is none.
static int ask(int port, const char *request) {
  char answer[64] = "";
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)port),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int status = 0;
  if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
      write(fd, request, strlen(request)) > 0 && read(fd, answer, sizeof answer - 1) > 0)
    sscanf(answer, "HTTP/1.%*d %d", &status);
  close(fd);
  return status;
}

TEST(moto_runs_obeys_and_ends) {
  const char *reason = aws_server_start("moto");
  if (reason) SKIP(reason);
  int port = aws_server_port("moto");
  CHECK(aws_server_start("moto") == NULL); // as it is
  CHECK_EQ(aws_server_port("moto"), port);
  CHECK(aws_server_value("moto", "AWS_ENDPOINT_URL") != NULL);
  CHECK(aws_server_value("moto", "AWS_ACCESS_KEY_ID") != NULL);
  CHECK(aws_server_value("moto", "AWS_ACCESS_KEY") == NULL);
  const char *list = "GET /lake?list-type=2 HTTP/1.1\r\nHost: localhost\r\n\r\n";
  CHECK_EQ(ask(port, list), 404);
  aws_server_do("moto", "make_bucket lake");
  CHECK_EQ(ask(port, list), 200);
  int proxy = (int)strtol(aws_server_do("moto", "disturb 7 1"), NULL, 10);
  int answers = 0;
  for (int i = 0; i < 3; i++)
    answers += ask(proxy, list) == 200;
  CHECK(answers > 0); // who tries thrice gets through
  CHECK(strstr(aws_server_do("moto", "story"), "GET list-type #1: ") != NULL);
  aws_server_do("moto", "enforce");
  CHECK_EQ(ask(port, list), 500); // what moto has for requests that nobody signed
  aws_server_stop("moto");
  CHECK_EQ(ask(port, list), 0);
}
