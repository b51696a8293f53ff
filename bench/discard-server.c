// A server that speaks as much S3, DynamoDB and Splunk as a client needs to be measured, and does as
// little as a server can: what is written to it is thrown away unread, what is read from it are
// zeroes.
//
//   discard-server OBJECT_BYTES OBJECTS
//
// It listens on a free port of the loopback interface and says "listening PORT". Signatures are not
// looked at. Every key of every bucket is an object of OBJECT_BYTES, a prefix lists OBJECTS of
// them, every write succeeds, every DynamoDB table is there with the key "id" (N) and without
// items, events for Splunk are taken without acknowledgement. One thread; ends with its standard input.
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETAG     "\"discarded\"" // no MD5: clients that compare those leave it alone
#define MODIFIED "Sat, 01 Nov 2025 00:00:00 GMT"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

enum {
  HEAD_MAX_BYTES = 16 << 10,
  ZEROES_BYTES = 8 << 20,
  PAGE_KEYS = 1000,
  KEY_XML_BYTES = 1200,    // an entry of a listing, with the longest prefix
  WRITTEN_SLOTS = 1 << 20, // many more than there are keys
  EVENTS = 64,
  BACKLOG = 512
};

typedef struct line {
  int fd;
  char head[HEAD_MAX_BYTES];
  size_t len;       // bytes in head
  uint64_t discard; // of the body of the request that is being answered
  char *out;        // the answer: these bytes,
  size_t out_len, out_at, out_capacity;
  uint64_t zeroes; // and then so many zeroes
  bool close;
} line;

typedef struct request {
  const char *method, *target;
  const char *action;   // of X-Amz-Target; NULL: S3
  const char *range;    // "bytes=..."; NULL: all
  uint64_t body;        // bytes
  bool waits, has_size; // for 100 Continue; whether the body's length is known
  bool if_none;         // "If-None-Match: *"
} request;

static uint64_t object_bytes, objects, discarded_bytes;
static int poller, zero_file;
static line listening; // stands for the listener among the events

// --- objects that were written -------------------------------------------------------------------

static uint64_t written[WRITTEN_SLOTS]; // the hash of the path; 0: free

// The path's slot: it has the path's hash, or is free.
static uint64_t *slot_of(const char *target, uint64_t *ret_hash) {
  uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
  for (size_t i = 0; i < strcspn(target, "?"); i++)
    hash = (hash ^ (unsigned char)target[i]) * 0x100000001b3u;
  size_t at = hash % WRITTEN_SLOTS;
  while (written[at] && written[at] != hash)
    at = (at + 1) % WRITTEN_SLOTS;
  *ret_hash = hash;
  return &written[at];
}

static void write_object(const char *target) {
  uint64_t hash, *slot = slot_of(target, &hash);
  *slot = hash;
}

// What Wherry keeps for itself is there only if it was written.
static bool is_own(const char *target) {
  return strstr(target, "_wherry/") != NULL;
}

static bool is_there(const char *target) {
  uint64_t hash;
  return (objects && !is_own(target)) || *slot_of(target, &hash);
}

// --- answers -------------------------------------------------------------------------------------

static void out(line *l, const char *bytes, size_t len) {
  if (l->out_len + len > l->out_capacity) {
    l->out_capacity = (l->out_len + len) * 2;
    l->out = realloc(l->out, l->out_capacity);
    if (!l->out) abort();
  }
  memcpy(l->out + l->out_len, bytes, len);
  l->out_len += len;
}

__attribute__((format(printf, 2, 3))) static void say(line *l, const char *fmt, ...) {
  char text[KEY_XML_BYTES];
  va_list args;
  va_start(args, fmt);
  int len = vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  out(l, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

static void answer(line *l, const char *status, const char *type, const char *body) {
  say(l, "HTTP/1.1 %s\r\nContent-Type: %s\r\nETag: " ETAG "\r\nContent-Length: %zu\r\n\r\n", status,
      type, strlen(body));
  out(l, body, strlen(body));
}

static void answer_xml(line *l, const char *body) {
  answer(l, "200 OK", "application/xml", body);
}

// The value of a parameter of the query as it stands there; false: it is not there.
static bool parameter(const char *target, const char *name, char *value, size_t capacity) {
  size_t len = strlen(name);
  const char *at = strchr(target, '?');
  while (at) {
    at++;
    if (strncmp(at, name, len) == 0 && (at[len] == '=' || at[len] == '&' || !at[len])) {
      at += len + (at[len] == '=');
      snprintf(value, capacity, "%.*s", (int)strcspn(at, "&"), at);
      return true;
    }
    at = strchr(at, '&');
  }
  return false;
}

// "%2F" and its like.
static void decode(char *text) {
  char *to = text;
  for (const char *from = text; *from; from++) {
    unsigned code;
    if (*from == '%' && sscanf(from + 1, "%2x", &code) == 1) {
      *to++ = (char)code;
      from += 2;
    } else {
      *to++ = *from;
    }
  }
  *to = 0;
}

// A page of the listing: the prefix and a number. The token is the number it goes on with.
static void answer_list(line *l, const char *target) {
  static line body; // its buffer is kept
  char prefix[512] = "", token[32] = "0", last[512];
  (void)parameter(target, "prefix", prefix, sizeof prefix);
  (void)parameter(target, "continuation-token", token, sizeof token);
  decode(prefix);
  uint64_t first = strtoull(token, NULL, 10);
  if (parameter(target, "marker", last,
                sizeof last)) // the listing of old: the last key that it gave
    first = strtoull(last + (strlen(last) < 8 ? 0 : strlen(last) - 8), NULL, 10) + 1;
  uint64_t all = is_own(prefix) ? 0 : objects;
  uint64_t end = first + PAGE_KEYS < all ? first + PAGE_KEYS : all;
  body.out_len = 0;
  say(&body,
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult>"
      "<Prefix>%s</Prefix><MaxKeys>%d</MaxKeys><KeyCount>%" PRIu64 "</KeyCount>",
      prefix, PAGE_KEYS, end > first ? end - first : 0);
  say(&body, "<IsTruncated>%s</IsTruncated>", end < all ? "true" : "false");
  if (end < all) say(&body, "<NextContinuationToken>%" PRIu64 "</NextContinuationToken>", end);
  for (uint64_t i = first; i < end; i++)
    say(&body,
        "<Contents><Key>%s%08" PRIu64 "</Key><LastModified>2025-11-01T00:00:00.000Z</LastModified>"
        "<ETag>&quot;discarded&quot;</ETag><Size>%" PRIu64 "</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>",
        prefix, i, object_bytes);
  out(&body, "</ListBucketResult>", strlen("</ListBucketResult>") + 1);
  answer_xml(l, body.out);
}

static void answer_object(line *l, const request *r, bool with_body) {
  uint64_t first = 0, last = object_bytes ? object_bytes - 1 : 0, length = object_bytes;
  bool is_part = false;
  if (r->range) {
    is_part = sscanf(r->range, "bytes=%" SCNu64 "-%" SCNu64, &first, &last) >= 1;
    if (last >= object_bytes) last = object_bytes - 1;
    if (first > last) {
      answer(l, "416 Range Not Satisfiable", "application/xml", "");
      return;
    }
    length = last - first + 1;
  }
  say(l,
      "HTTP/1.1 %s\r\nContent-Type: binary/octet-stream\r\nETag: " ETAG
      "\r\nLast-Modified: " MODIFIED "\r\nAccept-Ranges: bytes\r\n",
      is_part ? "206 Partial Content" : "200 OK");
  if (is_part)
    say(l, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", first, last,
        object_bytes);
  say(l, "Content-Length: %" PRIu64 "\r\n\r\n", length);
  if (with_body) l->zeroes = length;
}

static void answer_table(line *l, const char *keys, const char *definitions) {
  const char *form = "{\"Table\":{\"TableName\":\"items\",\"TableStatus\":\"ACTIVE\",\"TableArn\":"
                     "\"arn:aws:dynamodb:eu-west-1:123456789012:table/items\",\"ItemCount\":0,"
                     "\"KeySchema\":[%s],\"AttributeDefinitions\":[%s],"
                     "\"BillingModeSummary\":{\"BillingMode\":\"PAY_PER_REQUEST\"}}}";
  char text[1024];
  snprintf(text, sizeof text, form, keys, definitions);
  answer(l, "200 OK", "application/x-amz-json-1.0", text);
}

// `body`: as much of it as came with the head, which for a small one is all.
static void answer_dynamodb(line *l, const char *action, const char *body, size_t len) {
  const char *type = "application/x-amz-json-1.0";
  if (strcmp(action, "BatchWriteItem") == 0)
    answer(l, "200 OK", type, "{\"UnprocessedItems\":{}}");
  else if (strcmp(action, "DescribeTable") == 0 && memmem(body, len, "_wherry_marks", 13))
    answer_table(l,
                 "{\"AttributeName\":\"pipeline\",\"KeyType\":\"HASH\"},"
                 "{\"AttributeName\":\"id\",\"KeyType\":\"RANGE\"}",
                 "{\"AttributeName\":\"pipeline\",\"AttributeType\":\"S\"},"
                 "{\"AttributeName\":\"id\",\"AttributeType\":\"S\"}");
  else if (strcmp(action, "DescribeTable") == 0)
    answer_table(l, "{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}",
                 "{\"AttributeName\":\"id\",\"AttributeType\":\"N\"}");
  else if (strcmp(action, "Scan") == 0 || strcmp(action, "Query") == 0)
    answer(l, "200 OK", type, "{\"Items\":[],\"Count\":0,\"ScannedCount\":0}");
  else
    answer(l, "200 OK", type, "{}");
}

static void answer_bucket(line *l, const request *r) {
  char none[2];
  if (strcmp(r->method, "GET") != 0)
    answer_xml(l, "");
  else if (parameter(r->target, "location", none, sizeof none))
    answer_xml(l, "<LocationConstraint>eu-west-1</LocationConstraint>");
  else if (parameter(r->target, "versioning", none, sizeof none))
    answer_xml(l, "<VersioningConfiguration/>");
  else if (parameter(r->target, "uploads", none, sizeof none))
    answer_xml(l, "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
                  "</ListMultipartUploadsResult>");
  else
    answer_list(l, r->target);
}

// The path begins with the bucket: "/lake/in/k".
static bool has_key(const char *target) {
  const char *slash = target[0] ? strchr(target + 1, '/') : NULL;
  return slash && slash < target + strcspn(target, "?") && slash[1] && slash[1] != '?';
}

// A part, an object at once, or the end of one that came in parts.
static void answer_write(line *l, const request *r) {
  char none[2];
  bool is_end = strcmp(r->method, "POST") == 0;
  if (r->if_none && is_there(r->target)) {
    answer(l, "412 Precondition Failed", "application/xml",
           "<Error><Code>PreconditionFailed</Code></Error>");
    return;
  }
  if (!parameter(r->target, "partNumber", none, sizeof none)) write_object(r->target);
  answer_xml(l, is_end ? "<CompleteMultipartUploadResult><ETag>&quot;discarded&quot;</ETag>"
                         "</CompleteMultipartUploadResult>"
                       : "");
}

static void answer_s3(line *l, const request *r) {
  char none[2], sum[24];
  snprintf(sum, sizeof sum, "%" PRIu64, discarded_bytes);
  if (strcmp(r->target, "/") == 0)
    answer(l, "200 OK", "text/plain", sum);
  else if (!has_key(r->target))
    answer_bucket(l, r);
  else if ((strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0) &&
           !is_there(r->target))
    say(l, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  else if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
    answer_object(l, r, r->method[0] == 'G');
  else if (strcmp(r->method, "DELETE") == 0)
    say(l, "HTTP/1.1 204 No Content\r\n\r\n");
  else if (strcmp(r->method, "POST") == 0 && parameter(r->target, "uploads", none, sizeof none))
    answer_xml(l, "<InitiateMultipartUploadResult><UploadId>discarded</UploadId>"
                  "</InitiateMultipartUploadResult>");
  else
    answer_write(l, r);
}

// --- requests ------------------------------------------------------------------------------------

// Takes the head apart where it stands; `head` ends with NUL before its empty line.
static request parse(char *head) {
  request r = {.has_size = true};
  char *rest, *text = strtok_r(head, "\r\n", &rest), *words;
  r.method = strtok_r(text, " ", &words);
  r.target = strtok_r(NULL, " ", &words);
  while ((text = strtok_r(NULL, "\r\n", &rest))) {
    char *value = strchr(text, ':');
    if (!value) continue;
    *value++ = 0;
    value += strspn(value, " ");
    if (strcasecmp(text, "Content-Length") == 0)
      r.body = strtoull(value, NULL, 10);
    else if (strcasecmp(text, "Transfer-Encoding") == 0)
      r.has_size = false;
    else if (strcasecmp(text, "Expect") == 0)
      r.waits = true;
    else if (strcasecmp(text, "If-None-Match") == 0)
      r.if_none = true;
    else if (strcasecmp(text, "Range") == 0)
      r.range = value;
    else if (strcasecmp(text, "X-Amz-Target") == 0)
      r.action = strrchr(value, '.') ? strrchr(value, '.') + 1 : value;
  }
  return r;
}

static void take(line *l, size_t bytes) {
  memmove(l->head, l->head + bytes, l->len - bytes);
  l->len -= bytes;
}

// Whether there was a whole head; its answer is then made.
static bool take_request(line *l) {
  char *end = memmem(l->head, l->len, "\r\n\r\n", 4);
  if (!end) {
    l->close = l->len == sizeof l->head;
    return false;
  }
  *end = 0;
  request r = parse(l->head);
  if (!r.method || !r.target) {
    l->close = true;
    return false;
  }
  if (!r.has_size) {
    answer(l, "411 Length Required", "text/plain", "The length of the body has to be known.\n");
    l->close = true;
    return true;
  }
  if (r.waits) (void)!write(l->fd, CONTINUE, strlen(CONTINUE)); // nothing else is on its way
  if (r.action)
    answer_dynamodb(l, r.action, end + 4, (size_t)(l->head + l->len - (end + 4)));
  else if (strncmp(r.target, "/services/collector/", 20) == 0)
    answer(l, "200 OK", "application/json", "{\"text\":\"Success\",\"code\":0}");
  else
    answer_s3(l, &r);
  take(l, (size_t)(end + 4 - l->head));
  size_t here = l->len < r.body ? l->len : (size_t)r.body;
  take(l, here);
  l->discard = r.body - here;
  discarded_bytes += r.body;
  return true;
}

// Sends what the line has room for; false: not all of it.
static bool send_some(line *l) {
  while (l->out_at < l->out_len) {
    ssize_t n = send(l->fd, l->out + l->out_at, l->out_len - l->out_at,
                     MSG_NOSIGNAL | (l->zeroes ? MSG_MORE : 0));
    if (n < 0) return false;
    l->out_at += (size_t)n;
  }
  l->out_len = l->out_at = 0;
  while (l->zeroes) {
    off_t at = 0;
    ssize_t n =
        sendfile(l->fd, zero_file, &at, l->zeroes < ZEROES_BYTES ? l->zeroes : ZEROES_BYTES);
    if (n <= 0) return false;
    l->zeroes -= (uint64_t)n;
  }
  return true;
}

// TCP throws away what MSG_TRUNC takes, without a copy.
static ssize_t receive(line *l) {
  if (!l->discard) return recv(l->fd, l->head + l->len, sizeof l->head - l->len, 0);
  ssize_t n = recv(l->fd, NULL, l->discard < 1 << 30 ? (size_t)l->discard : 1 << 30, MSG_TRUNC);
  if (n > 0) l->discard -= (uint64_t)n;
  return n;
}

static void end(line *l) {
  close(l->fd);
  free(l->out);
  free(l);
}

// Until the line has nothing more to give or to take. false: it has ended.
static bool serve(line *l) {
  for (;;) {
    while (!l->discard && l->len && !l->out_len && !l->zeroes && take_request(l))
      if (!l->discard) {
        if (!send_some(l)) return errno == EAGAIN;
      }
    if (!l->discard && (l->out_len || l->zeroes) && !send_some(l)) return errno == EAGAIN;
    if (l->close) return false;
    bool is_body = l->discard != 0;
    ssize_t n = receive(l);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN;
    if (!is_body) l->len += (size_t)n;
  }
}

// --- lines ---------------------------------------------------------------------------------------

static void accept_all(int listener) {
  int fd, on = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    line *l = calloc(1, sizeof *l);
    if (!l) abort();
    l->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = l};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }
}

static int listen_on_loopback(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) || listen(fd, BACKLOG) ||
      getsockname(fd, (struct sockaddr *)&at, &len)) {
    perror("discard-server");
    exit(1);
  }
  printf("listening %d\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

static void wait_for_events(void) {
  struct epoll_event events[EVENTS];
  char none[64];
  for (;;) {
    int count = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      line *l = events[i].data.ptr;
      if (l == &listening)
        accept_all(l->fd);
      else if (l && !serve(l))
        end(l);
      else if (!l && read(0, none, sizeof none) <= 0)
        return;
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: discard-server OBJECT_BYTES OBJECTS\n");
    return 2;
  }
  object_bytes = strtoull(argv[1], NULL, 10);
  objects = strtoull(argv[2], NULL, 10);
  zero_file = memfd_create("zeroes", MFD_CLOEXEC);
  poller = epoll_create1(EPOLL_CLOEXEC);
  // A page that was never written is not there to be sent.
  char *zeroes = calloc(1, ZEROES_BYTES);
  if (zero_file < 0 || poller < 0 || !zeroes ||
      write(zero_file, zeroes, ZEROES_BYTES) != ZEROES_BYTES)
    return 1;
  free(zeroes);
  listening.fd = listen_on_loopback();
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listening};
  epoll_ctl(poller, EPOLL_CTL_ADD, listening.fd, &event);
  event.data.ptr = NULL;
  epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event); // for its end; a file has none, and cannot be added
  wait_for_events();
  return 0;
}
