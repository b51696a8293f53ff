"""AWS Lambda, as far as a custom runtime sees it: the Runtime API on loopback, and the runtime's process.

    function = Function(folder, env)      # starts `bootstrap` in the folder, as Lambda does in /var/task
    function.invoke({"pipeline": "x"})    # ("response", {...}) or ("error", {"errorMessage": ...})
    function.init_error                   # what it said instead of asking for work
    function.first_seconds                # from its start to the first request for work
    function.stop()                       # SIGTERM; its exit status

It is strict where the service is: an invocation has to be answered before the next is asked for, once, under
its own id, and errors say their type. Whatever breaks that is in `broken`, which invoke() asserts to be empty.
"""
import http.server
import json
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid

import servers
import tap

API = "/2018-06-01/runtime/"
PATIENCE_SECONDS = 120


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        api = self.server.api
        if self.path != API + "invocation/next":
            return self.refuse(404, f"GET {self.path}")
        api.first.set()
        if api.in_hand:
            return self.refuse(400, f"{api.in_hand} was not answered")
        work = api.work.get()
        if work is None:
            return self.close_now()
        api.in_hand = work["id"]
        self.say(200, work["event"], Lambda_Runtime_Aws_Request_Id=work["id"], Content_Type="application/json",
                 Lambda_Runtime_Deadline_Ms=str(work["deadline_ms"]), Lambda_Runtime_Trace_Id="Root=1-0-0",
                 Lambda_Runtime_Invoked_Function_Arn="arn:aws:lambda:eu-west-1:123456789012:function:wherry")

    def do_POST(self):
        api = self.server.api
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/error") and not self.headers["Lambda-Runtime-Function-Error-Type"]:
            return self.refuse(400, "an error without its type")
        if self.path == API + "init/error":
            api.init_error = json.loads(body)
            api.first.set()
            return self.say(202)
        for kind in ("response", "error"):
            if self.path == f"{API}invocation/{api.in_hand}/{kind}":
                api.in_hand = None
                api.answers.put((kind, json.loads(body)))
                return self.say(202)
        return self.refuse(400, f"POST {self.path} while {api.in_hand} is in hand")

    def refuse(self, status, what):
        self.server.api.broken.append(what)
        self.say(status, json.dumps({"errorMessage": what, "errorType": "InvalidRequest"}).encode())

    def close_now(self):
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        """The function was killed, or stopped while it waited."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, address)


class Function:
    def __init__(self, folder, env, handler="wherry", program=None):
        self.work, self.answers = queue.Queue(), queue.Queue()
        self.in_hand, self.init_error, self.broken = None, None, []
        self.first = threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.api = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        bootstrap = tap.folder() / "bootstrap"
        bootstrap.symlink_to(program or tap.WHERRY)
        self.log_path = tap.folder() / "log"
        self.scratch = tap.folder()
        env = {**env, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}", "_HANDLER": handler,
               "TMPDIR": str(self.scratch), "LAMBDA_TASK_ROOT": str(folder)}
        began = time.monotonic()
        self.process = subprocess.Popen([str(bootstrap)], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                                        stdout=open(self.log_path, "ab"), stderr=subprocess.STDOUT,
                                        preexec_fn=servers.die_with_parent)
        assert self.first.wait(PATIENCE_SECONDS), "the function does not ask for work"
        self.first_seconds = time.monotonic() - began

    @property
    def log(self):
        return self.log_path.read_text()

    def invoke(self, event, seconds=PATIENCE_SECONDS):
        deadline = int((time.time() + seconds) * 1000)
        event = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.work.put({"id": str(uuid.uuid4()), "event": event, "deadline_ms": deadline})
        try:
            answer = self.answers.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            raise AssertionError(f"no answer; it broke {self.broken}; {self.log[-3000:]}") from None
        assert not self.broken, self.broken
        return answer

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_SECONDS)
        self.server.shutdown()
        return code


def sqs(*bodies):
    """An event of SQS: [(message id, body), ...] in one batch."""
    return {"Records": [{"messageId": name, "receiptHandle": "r", "eventSource": "aws:sqs", "body": body,
                         "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:uploads"} for name, body in bodies]}


def s3(bucket, *keys):
    """An event of S3; keys as S3 writes them."""
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
        "bucket": {"name": bucket}, "object": {"key": key, "size": 1}}} for key in keys]}


def failures(answer):
    kind, body = answer
    assert kind == "response", answer
    return [f["itemIdentifier"] for f in body["batchItemFailures"]]
