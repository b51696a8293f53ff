"""A site whose every file says which version it is of, published to a folder or a bucket, and readers who
come in by its door."""
import functools
import http.server
import json
import pathlib
import re
import threading

import tap
from project import Project

ASSETS = ("style.css", "app.js", "data/rows.json", "a/orders.html", "index.html")
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>version {n}</title>
<link rel="stylesheet" href="{up}style.css"><script src="{up}app.js" defer></script><h1>version {n}</h1>
<a href="{up}a/orders.html">Orders</a>"""


def write(folder, n, extra=()):
    """The pages of version `n`, of which some files are the same in all versions."""
    files = {"index.html": PAGE.format(n=n, up=""), "a/orders.html": PAGE.format(n=n, up="../"),
             "style.css": f"h1 {{ --version: '{n}' }} /* version {n} */", "app.js": f"window.version = 'version {n}';",
             "data/rows.json": json.dumps({"version": f"version {n}"}), "logo.svg": "<svg/>", **dict(extra)}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Site(Project):
    """Publishes report/ to `web`, which is a connection in YAML."""

    def __init__(self, web="{ type: local, path: web }", to="web:report/", keep=3, env=None, folder=None):
        super().__init__(config=f"version: 1\nconnections:\n  web: {web}\npipelines: {{}}\n"
                                f"sites:\n  report: {{ from: report, to: \"{to}\", keep: {keep} }}\n", folder=folder)
        self.env, self.to, self.report = env, to, self.folder / "report"

    def write(self, n, extra=()):
        write(self.report, n, extra)

    def site(self, *args, code=0):
        result = self.wherry("site", *args, "--json", env=self.env, code=code)
        return result.lines()[-1] if code == 0 else result

    def publish(self, n, extra=()):
        self.write(n, extra)
        return self.site()

    def versions(self):
        return self.wherry("versions", self.to, "--json", env=self.env).lines()


def shown(get):
    """The folder that the door leads to; None: there is no door. `get(path)` gives bytes, or None."""
    door = get("index.html")
    found = door and re.search(r'const now = "([0-9a-z]{26})"', door.decode())
    return found and found[1]


def read(get):
    """Which version somebody sees who comes in by the door now; None: none is there yet."""
    folder = shown(get)
    if not folder:
        return None
    seen = {}
    for name in ASSETS:
        text = get(f"_versions/{folder}/{name}")
        assert text is not None, f"{name} of {folder} is missing"
        seen[name] = re.findall(r"version (\d+)", text.decode())[0]
    assert len(set(seen.values())) == 1, f"pages of several versions: {seen}"
    return int(seen["index.html"])


def of_folder(path):
    def get(name):
        try:
            return (pathlib.Path(path) / name).read_bytes()
        except FileNotFoundError:
            return None
    return get


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # the browser went on to another page


class Web:
    """A web server over a folder; with `fallback` it shows the front door for what is not there, as a
    distribution of CloudFront can."""

    def __init__(self, folder, fallback=False):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def send_error(self, code, *more):
                if code != 404 or not fallback:
                    return super().send_error(code, *more)
                text = (pathlib.Path(folder) / "index.html").read_bytes()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def end_headers(self):
                kept = "/_versions/" in self.path
                self.send_header("Cache-Control", "max-age=31536000, immutable" if kept else "no-store")
                super().end_headers()

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Reader(threading.Thread):
    """Comes in by the door again and again, until it is stopped."""

    def __init__(self, get):
        super().__init__(daemon=True)
        self.get, self.over, self.seen, self.trouble = get, threading.Event(), [], None
        self.start()

    def run(self):
        try:
            while not self.over.is_set():
                self.seen.append(read(self.get))
        except BaseException as trouble:  # noqa: BLE001: told by whoever stops it
            self.trouble = trouble

    def stop(self):
        self.over.set()
        self.join()
        if self.trouble:
            raise self.trouble
        in_order = [n for n in self.seen if n is not None]
        tap.equal(in_order, sorted(in_order), "an older version came back")
        return in_order
