#!/usr/bin/env python3
"""The lookup page in a real browser, used as a person would."""
import urllib.parse

import tap
from looks import check_looks
from lookups import Server, make_table
from webdriver import Browser

LOOSE = "      rate: { by_address: 100000, by_key: 100000 }\n"
LOGO = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 120 40'><rect width='120' height='40' fill='#0b6e69'/></svg>"

def ask(browser, number, postcode):
    browser.type(browser.labelled("Order number"), number)
    browser.type(browser.labelled("Postcode"), postcode)
    browser.send(browser.find("button"))


def complaints(browser):
    """What the console says, but for the status of a miss, which browsers tell there too."""
    return [m for m in browser.console() if "the server responded with a status of 404" not in m["message"]]


def branded(**more):
    folder = tap.folder()
    (folder / "logo.svg").write_text(LOGO)
    return Server(folder=folder, lookup=LOOSE + "      title: Where is my order?\n      logo: logo.svg\n", **more)


def test_a_person_looks_an_order_up():
    with branded() as s, Browser() as b:
        b.go(s.address)
        tap.equal(b.title(), "Where is my order?")
        tap.equal(b.text("h1"), "Where is my order?")
        ask(b, "SO1001", "sw1a 1aa")
        tap.equal(b.title(), "Result \u2013 Where is my order?")
        text = b.text("dl")
        for part in ("Order status\nShipped", "Order date\n21 November 2026", "Updated at\n21 November 2026, 08:55",
                     "Carrier\nNarrow & Broad <Boats>"):
            tap.contains(text, part)
        assert "47.11" not in b.text() and "SO1001" not in b.text()
        tap.equal(b.run("return location.search + location.hash"), "")
        assert not b.attribute(b.labelled("Order number"), "value")
        ask(b, "SO1002", "EH11YZ")
        tap.contains(b.text("dl"), "Order status\nOpen\nOrder date\nNot set")
        tap.equal(complaints(b), [])


def test_a_miss_is_told_kindly_and_the_form_is_there_again():
    with branded() as s, Browser() as b:
        pages = []
        for number, postcode in (("SO1001", "SW1A 1AB"), ("SO9999", "SW1A 1AA")):
            b.go(s.address + "/order-status")
            ask(b, number, postcode)
            tap.equal(b.title(), "Nothing found \u2013 Where is my order?")
            tap.contains(b.text("[role=status]"), "does not match our records")
            pages.append(b.run("return document.documentElement.outerHTML"))
        tap.equal(pages[0], pages[1])
        ask(b, "SO1001", "SW1A 1AA")
        tap.contains(b.text("dl"), "Shipped")
        tap.equal(complaints(b), [])


def test_nothing_is_asked_for_elsewhere_and_the_policy_holds():
    with branded() as s, Browser() as b:
        b.go(s.address + "/order-status")
        ask(b, "SO1001", "SW1A 1AA")
        base = urllib.parse.urlsplit(s.address)
        asked = []

        def has_asked():  # Chromium tells a little later
            asked.extend(r for r in b.requests() if not r[1].startswith(("chrome:", "data:")))
            return any(method == "POST" for method, _ in asked)

        b.until(has_asked)
        for method, url in asked:
            parts = urllib.parse.urlsplit(url)
            tap.equal(parts.netloc, base.netloc)
            tap.equal(parts.query, "")
            assert parts.path in ("/order-status", "/order-status/logo", "/icon.svg"), url
        tap.equal([p for m, p in asked if m == "POST"], [s.address + "/order-status"])
        tap.equal(complaints(b), [])
        # the style is applied although the policy allows one style sheet alone
        tap.equal(b.run("return getComputedStyle(document.querySelector('button')).cursor"), "pointer")
        tap.equal(b.run("return document.querySelector('.logo').naturalWidth > 0"), True)
        tap.equal(b.run("return document.scripts.length + document.querySelectorAll('[style], iframe, object').length"), 0)
        # and whatever somebody smuggles in does not run
        b.run("const e = document.createElement('script'); e.textContent = 'window.hacked = 1'; document.body.append(e);"
              "const i = new Image(); i.src = 'http://127.0.0.1:9/x'; document.body.append(i);")
        tap.equal(b.run("return window.hacked || null"), None)
        assert any("Content Security Policy" in m["message"] for m in b.console())


def test_it_works_without_scripts():
    with branded() as s, Browser() as b:
        b.command("Emulation.setScriptExecutionDisabled", value=True)
        b.go(s.address)
        ask(b, "SO1001", "SW1A 1AA")
        tap.contains(b.text("dl"), "Order status\nShipped")
        ask(b, "SO1001", "x")
        tap.contains(b.text(), "Nothing found")


def test_it_reads_well_with_a_screen_reader():
    with branded() as s, Browser() as b:
        b.go(s.address + "/order-status")
        tap.equal(b.run("return document.documentElement.lang"), "en")
        for label, complete in (("Order number", "off"), ("Postcode", "postal-code")):
            field = b.labelled(label)
            tap.equal((b.role(field), b.name(field)), ("textbox", label))
            tap.equal(b.attribute(field, "autocomplete"), complete)
            assert b.attribute(field, "inputmode") and b.attribute(field, "required")
        tap.equal((b.role(b.find("button")), b.name(b.find("button"))), ("button", "Look up"))
        headings = lambda: b.run("return [...document.querySelectorAll('h1,h2,h3')].map(h => h.tagName + ' ' + h.textContent)")
        tap.equal(headings(), ["H1 Where is my order?"])
        # from field to field to button by the keyboard alone, and enter sends
        b.run("document.body.focus()")
        order = []
        for _ in range(3):
            b.do("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": [
                {"type": "keyDown", "value": "\ue004"}, {"type": "keyUp", "value": "\ue004"}]}]})
            order.append(b.run("return document.activeElement.name || document.activeElement.tagName"))
        tap.equal(order, ["OrderNumber", "PostcodeProof", "BUTTON"])
        assert b.run("return getComputedStyle(document.activeElement).outlineWidth") != "0px"
        b.type(b.labelled("Order number"), "SO1001")
        b.type(b.labelled("Postcode"), "SW1A 1AA\ue007")
        b.until(lambda: b.title() == "Result \u2013 Where is my order?")
        tap.equal(headings(), ["H1 Where is my order?", "H2 Result", "H2 Look up another"])
        region = b.find("[role=status]")
        tap.equal((b.role(region), b.name(region)), ("status", "Result"))
        # reading starts at the answer, and goes on to the form
        tap.equal(b.run("return document.activeElement.textContent"), "Result")
        tap.equal(b.run("return [...document.querySelectorAll('dt')].every(t => t.nextElementSibling.tagName == 'DD')"), True)
        tap.equal(b.run("const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return new Set(ids).size == ids.length"), True)


def test_it_fits_a_phone_in_the_light_and_in_the_dark():
    orders = {"SO1001": ("Shipped", "2026-11-21", "2026-11-21 08:55:00", "W" * 300, "SW1A 1AA")}
    with branded() as s, Browser() as b:
        make_table(s.folder / "website.db", orders)
        for width in (320, 360, 1200):
            b.phone(width)
            for dark in (False, True):
                b.dark(dark)
                what = f"{width} px, {'dark' if dark else 'light'}"
                b.go(s.address + "/order-status")
                check_looks(b, what)
                ask(b, "SO1001", "SW1A 1AA")
                check_looks(b, what + ", found")
                ask(b, "SO1001", "x")
                check_looks(b, what + ", missed")
                b.go(s.address + "/nowhere")
                check_looks(b, what + ", not found")
        back = lambda: b.run("return getComputedStyle(document.body).backgroundColor")
        b.dark(False)
        light = back()
        b.dark(True)
        assert back() != light


def test_large_text_still_fits():
    with branded() as s, Browser() as b:
        b.phone(360)
        b.go(s.address + "/order-status")
        b.command("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=False)
        b.run("document.documentElement.style.fontSize = '32px'")
        wide = b.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], wide


tap.run()
