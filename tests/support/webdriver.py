"""Headless Chromium through chromedriver, by the W3C WebDriver protocol and nothing else."""
import atexit
import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import tap
from servers import free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
START_SECONDS = 60
PAGE_SECONDS = 30
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage", "--hide-scrollbars", "--ignore-certificate-errors"]


class Browser:
    def __init__(self, width=1200, height=900, scripts=True, dark=False):
        driver = shutil.which("chromedriver")
        chromium = shutil.which("chromium")
        if not driver or not chromium:
            raise tap.Skip("needs chromium and chromedriver (Debian: chromium chromium-driver)")
        self.profile = tempfile.mkdtemp(prefix="wherry-browser-")
        atexit.register(shutil.rmtree, self.profile, ignore_errors=True)
        port = free_port()
        self.process = subprocess.Popen([driver, f"--port={port}"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        self.session = None
        try:
            self._wait()
            self._open(chromium, width, height, scripts, dark)
        except BaseException:
            self.close()
            raise

    def _wait(self):
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._call("GET", "/status")
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _open(self, chromium, width, height, scripts, dark):
        preferences = {} if scripts else {"profile.managed_default_content_settings.javascript": 2}
        arguments = ARGUMENTS + [f"--user-data-dir={self.profile}", f"--window-size={width},{height}"]
        if dark:
            arguments.append("--force-dark-mode")
        wanted = {"browserName": "chrome", "acceptInsecureCerts": True,
                  "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                  "goog:chromeOptions": {"binary": chromium, "args": arguments, "prefs": preferences}}
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = answer["sessionId"]

    def _call(self, method, path, data=None):
        body = json.dumps(data).encode() if data is not None else (b"{}" if method == "POST" else None)
        request = urllib.request.Request(self.base + path, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return json.loads(response.read())["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode(errors='replace')[:500]}") from None

    def do(self, method, path, data=None):
        return self._call(method, f"/session/{self.session}{path}", data)

    def close(self):
        if self.session:
            try:
                self.do("DELETE", "")
            except (AssertionError, urllib.error.URLError, ConnectionError):
                pass
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()

    def go(self, url):
        self.do("POST", "/url", {"url": url})

    def title(self):
        return self.do("GET", "/title")

    def find(self, css):
        return self.do("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def find_all(self, css):
        found = self.do("POST", "/elements", {"using": "css selector", "value": css})
        return [f[ELEMENT] for f in found]

    def labelled(self, label):
        """The input that a label stands for, found as a person finds it."""
        found = self.do("POST", "/element", {"using": "xpath", "value": f"//label[normalize-space()='{label}']"})
        target = self.attribute(found[ELEMENT], "for")
        assert target, f"the label {label} is for nothing"
        return self.find(f"#{target}")

    def attribute(self, element, name):
        return self.do("GET", f"/element/{element}/attribute/{name}")

    def text(self, css="body"):
        return self.do("GET", f"/element/{self.find(css)}/text")

    def type(self, element, text):
        self.do("POST", f"/element/{element}/value", {"text": text})

    def click(self, element):
        self.do("POST", f"/element/{element}/click")

    def send(self, button):
        """Clicks a button that leads to another page, and waits until it is there."""
        before = self.find("html")
        self.click(button)
        self.until(lambda: not self.is_there(before))
        self.until(lambda: self.run("return document.readyState") == "complete")

    def is_there(self, element):
        try:
            self.do("GET", f"/element/{element}/name")
            return True
        except AssertionError:
            return False

    def until(self, condition):
        end = time.monotonic() + PAGE_SECONDS
        while not condition():
            assert time.monotonic() < end, "the page did not come in time"
            time.sleep(0.05)

    def run(self, script, *arguments):
        return self.do("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def role(self, element):
        return self.do("GET", f"/element/{element}/computedrole")

    def name(self, element):
        return self.do("GET", f"/element/{element}/computedlabel")

    def command(self, name, **parameters):
        """Chromium's own protocol, for what WebDriver has no word for."""
        return self.do("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def phone(self, width=360, height=740):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=True)

    def dark(self, on=True):
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self.command("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path):
        with open(path, "wb") as out:
            out.write(base64.b64decode(self.do("GET", "/screenshot")))

    def console(self):
        return self.do("POST", "/se/log", {"type": "browser"})

    def requests(self):
        """(method, url) of everything that was asked for since the last call."""
        found = []
        for entry in self.do("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                request = message["params"]["request"]
                found.append((request["method"], request["url"]))
        return found
