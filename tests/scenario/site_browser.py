#!/usr/bin/env python3
"""A published site in a real browser, while it is switched."""
import tap
from sites import Site, Web
from webdriver import Browser

SEEN = """const style = getComputedStyle(document.querySelector('h1')).getPropertyValue('--version');
return [document.title, 'version ' + style.replaceAll("'", "").trim(), window.version || null]"""


def version(browser):
    """The version that page, style and script are of, once they are loaded."""
    browser.until(lambda: browser.run(
        "return document.readyState === 'complete' && location.pathname.includes('/_versions/')"))
    title, style, script = browser.run(SEEN)
    tap.equal([style, script], [title, title])
    return int(title.split()[1])


def test_somebody_reads_while_it_is_switched():
    """Each page has the style and the script of its own version, and goes on to have them"""
    s = Site(keep=3)
    s.publish(1)
    with Web(s.folder / "web/report") as web, Browser() as b:
        for n in range(1, 9):
            b.go(web.address + "/")
            tap.equal(version(b), n)
            s.publish(n + 1)
            # what the page fetches now is what belongs to it, and so is the next page
            rows = b.run("const r = new XMLHttpRequest(); r.open('GET', 'data/rows.json', false); r.send(); return r.responseText")
            tap.contains(rows, f"version {n}\"")
            b.click(b.find("a"))
            b.until(lambda: b.run("return location.pathname.endsWith('/a/orders.html')"))
            tap.equal(version(b), n)
        b.go(web.address + "/index.html?from=mail#part")
        tap.equal(version(b), 9)
        tap.equal(b.run("return location.search + location.hash"), "?from=mail#part")
        tap.equal([m for m in b.console() if "favicon" not in m["message"]], [])


def test_a_page_has_an_address_that_stays():
    s = Site(keep=2)
    with Web(s.folder / "web") as web, Browser() as b:
        for n in (1, 2):
            s.publish(n, {"two words & more.html": s_page(n)})
            for path in ("a/orders.html", "two%20words%20%26%20more.html"):
                b.go(f"{web.address}/report/{path}")
                tap.equal(version(b), n)
                assert b.run("return location.pathname").endswith(path)


def s_page(n):
    return f"""<!doctype html><title>version {n}</title><link rel="stylesheet" href="style.css">
<script src="app.js" defer></script><h1>version {n}</h1>"""


def test_the_door_opens_without_scripts():
    s = Site()
    s.publish(1)
    with Web(s.folder / "web/report") as web, Browser(scripts=False) as b:
        b.go(web.address + "/")
        b.until(lambda: b.title() == "version 1")


def test_addresses_of_versions_that_went():
    """Where the server shows the door for what is not there, an old address leads to the same page of now"""
    s = Site(keep=2)
    s.publish(1, {"gone.html": "<h1>gone</h1>"})
    with Web(s.folder / "web/report", fallback=True) as web, Browser() as b:
        b.go(web.address + "/a/orders.html")
        tap.equal(version(b), 1)
        old = b.run("return location.href")
        (s.report / "gone.html").unlink()
        for n in (2, 3):
            s.publish(n)
        b.go(old + "?row=7")
        tap.equal(version(b), 3)
        assert b.run("return location.href").endswith("/a/orders.html?row=7")
        for lost in ("/gone.html", "/a/gone.html", "/x/y/z.html", old.replace("a/orders", "gone")[len(web.address):]):
            b.go(web.address + lost)
            b.until(lambda: b.run("return location.pathname.endsWith('/index.html')"))
            tap.equal(version(b), 3)
        # an address that is made up leads nowhere else
        b.go(f"{web.address}//elsewhere.example/_versions/{'0' * 26}/index.html")
        assert b.run("return location.host") == web.address[7:]
        b.go(f"{web.address}/#///elsewhere.example/")
        assert b.run("return location.host") == web.address[7:]


tap.run()
