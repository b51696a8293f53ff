"""A proxy before a server of AWS's that lets pass what IAM would: each request is an action on a resource, and
some statement of the policy has to allow it.

    judge = Judge(server.port, document)
    server.env(url=judge.url)
    judge.used       # the actions that passed
    judge.denied     # (action, resource) of what did not

It has what the policies of the tests have: Allow, wildcards and their escapes, StringEquals, StringLike and
ForAllValues. As S3 does, it answers 403 for an object that is missing where it may not be listed: ListBucket
with the key as s3:prefix. Unlike IAM:

- It does not know who asks: the policy is everybody's who comes this way. Signatures are for the server.
- What services do with KMS on a caller's behalf is not seen.
- It knows S3 in path style, DynamoDB, SQS, CloudWatch Logs, Systems Manager and Secrets Manager.
"""
import http.client
import http.server
import json
import re
import threading
import urllib.parse

ACCOUNT = "123456789012"


def pattern(text):
    parts = re.findall(r"\$\{[*?$]\}|.", text, re.S)
    return "".join({"*": ".*", "?": "."}.get(p, re.escape(p[2] if len(p) > 1 else p)) for p in parts)


def like(text, value):
    return re.fullmatch(pattern(text), value, re.S) is not None


def condition_holds(how, wanted, values):
    if how.startswith("ForAllValues:"):
        return all(value in wanted for value in values)
    compare = {"StringEquals": str.__eq__, "StringLike": like}[how]
    return any(compare(one, value) for one in wanted for value in values)


def allows(document, action, resource, context):
    for s in document["Statement"]:
        if action in s["Action"] and any(like(r, resource) for r in s["Resource"]):
            if all(condition_holds(how, wanted, context.get(key, []))
                   for how, keys in s.get("Condition", {}).items() for key, wanted in keys.items()):
                return True
    return False


def of_s3(method, path, query, headers):
    bucket, _, key = urllib.parse.unquote(path[1:]).partition("/")
    resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
    if not key:
        if "uploads" in query:
            return [("s3:ListBucketMultipartUploads", resource, {})]
        action = "s3:ListBucketVersions" if "versions" in query else "s3:ListBucket"
        return [(action, resource, {"s3:prefix": query.get("prefix", [])})]
    version = "Version" if "versionId" in query else ""
    if method in ("GET", "HEAD"):
        return [("s3:GetObject" + version, resource, {})]
    if method == "DELETE":
        return [("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject" + version, resource, {})]
    asked = [("s3:PutObject", resource, {})]
    if "x-amz-tagging" in headers:
        asked.append(("s3:PutObjectTagging", resource, {}))
    if source := headers.get("x-amz-copy-source"):
        where, _, of = source.partition("?")
        asked.append(("s3:GetObject" + ("Version" if of else ""),
                      "arn:aws:s3:::" + urllib.parse.unquote(where.lstrip("/")), {}))
    return asked


def of_dynamodb(action, body, place):
    def arn(table):
        return f"arn:aws:dynamodb:{place}:{ACCOUNT}:table/{table}"
    if action == "ListTables":
        return [("dynamodb:ListTables", "*", {})]
    if action == "BatchWriteItem":
        return [("dynamodb:BatchWriteItem", arn(table), {}) for table in body["RequestItems"]]
    key = (body.get("Key") or body.get("Item") or {}).get("pipeline", {}).get("S")
    return [("dynamodb:" + action, arn(body["TableName"]), {"dynamodb:LeadingKeys": [key] if key else []})]


def of_json(target, text, place):
    service, action = target.split(".")
    body = json.loads(text)
    if service.startswith("DynamoDB"):
        return of_dynamodb(action, body, place)
    if service == "AmazonSQS":
        return [("sqs:" + action.removesuffix("Batch"), f"arn:aws:sqs:{place}:{ACCOUNT}:{body['QueueUrl'].rsplit('/', 1)[1]}", {})]
    if service.startswith("Logs"):
        stream = f":log-stream:{body['logStreamName']}" if "logStreamName" in body else ""
        return [("logs:" + action, f"arn:aws:logs:{place}:{ACCOUNT}:log-group:{body['logGroupName']}{stream}", {})]
    if service == "AmazonSSM":
        return [("ssm:" + action, f"arn:aws:ssm:{place}:{ACCOUNT}:parameter/{body['Name'].lstrip('/')}", {})]
    return [("secretsmanager:" + action, f"arn:aws:secretsmanager:{place}:{ACCOUNT}:secret:{body['SecretId']}-AbCdEf", {})]


class Judge:
    def __init__(self, port, document):
        self.document, self.used, self.denied = document, set(), []
        judge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def send_whole(self, status, headers, body):
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                        self.send_header(name, value)
                length = next((v for n, v in headers if n.lower() == "content-length"), None)
                is_head = self.command == "HEAD"
                self.send_header("Content-Length", length if is_head and length else str(len(body)))
                self.end_headers()
                if not is_head:
                    self.wfile.write(body)

            def deny(self, target):
                if target:
                    return self.send_whole(400, [("Content-Type", "application/x-amz-json-1.0")], json.dumps(
                        {"__type": "AccessDeniedException", "message": "not authorized"}).encode())
                self.send_whole(403, [("Content-Type", "application/xml")],
                                b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")

            def ask_server(self, body):
                line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                line.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    line.putheader(name, value)
                line.endheaders(body)
                answer = line.getresponse()
                text = answer.read()
                line.close()
                return answer.status, answer.getheaders(), text

            def handle_request(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                place = re.search(r"Credential=[^/]+/\d+/([^/]+)/", self.headers.get("Authorization", "")).group(1)
                target = self.headers.get("X-Amz-Target")
                path, _, query = self.path.partition("?")
                asked = of_json(target, body, place) if target else of_s3(
                    self.command, path, urllib.parse.parse_qs(query, keep_blank_values=True), self.headers)
                for one in asked:
                    if not judge.allows(*one):
                        return self.deny(target)
                status, headers, text = self.ask_server(body)
                if status == 404 and asked[0][0].startswith("s3:Get") and not target:
                    bucket, _, key = asked[0][1].partition("/")
                    if not judge.allows("s3:ListBucket", bucket, {"s3:prefix": [key]}):
                        return self.deny(target)
                self.send_whole(status, headers, text)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def allows(self, action, resource, context):
        if allows(self.document, action, resource, context):
            self.used.add(action)
            return True
        self.denied.append((action, resource))
        return False
