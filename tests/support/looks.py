"""Whether a page can be read: contrast, sizes, and that it is no wider than the screen."""
import tap

# The contrast of every text with what is behind it (WCAG 2.2, 1.4.3), and of edges of fields (1.4.11).
CONTRAST = """
const channel = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const parse = text => (text.match(/[0-9.]+/g) || []).map(Number);
const back = e => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
const ratio = (a, b) => { const x = light(a), y = light(b); return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
const found = [];
for (const e of document.querySelectorAll('h1, h2, p, dt, dd, th, td, time, label, button, input, span, a, b, code, caption, figcaption'))
  found.push([e.tagName + ' ' + e.textContent.slice(0, 20), ratio(parse(getComputedStyle(e).color), back(e)), 4.5]);
for (const e of document.querySelectorAll('input'))
  found.push(['edge of ' + e.name, ratio(parse(getComputedStyle(e).borderTopColor), back(e.parentElement)), 3]);
return found.filter(f => f[1] < f[2]);
"""

# Sizes that fingers need (WCAG 2.2, 2.5.8 asks for 24; the usual advice is 44), and text that people can read.
SMALL = """
const found = [];
for (const e of document.querySelectorAll('input, button')) {
  const box = e.getBoundingClientRect();
  if (box.height < 44 || box.width < 44) found.push([e.outerHTML, box.width, box.height]);
}
for (const e of document.querySelectorAll('h1, h2, p, dt, dd, th, td, label, input, button, code'))
  if (parseFloat(getComputedStyle(e).fontSize) < 14) found.push([e.outerHTML, getComputedStyle(e).fontSize]);
return found;
"""


def check_looks(browser, what):
    tap.equal(browser.run(CONTRAST), [], f"contrast, {what}")
    wide = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"{what} is wider than the screen: {wide}"
    tap.equal(browser.run(SMALL), [], what)
