#!/usr/bin/python3
"""Opens reports of redoubt-sim in a real browser, as wide as a phone and as a desk's screen.

browser_test.py PROGRAM [TEST ...]: PROGRAM is redoubt-sim. Uses Debian's chromium, chromium-driver
and python3-selenium. Each test is run in each size; nothing may be logged as an error, and nothing
but the page itself may be asked for.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.chrome.service import Service

SIZES = {"narrow": (360, 740), "wide": (1600, 1000)}
FAULTS = ["pause=900", "pause_ms=120", "kill=1500", "down_ms=200", "net_partition=1200",
          "net_cut_off_ms=300", "clock_jump=3000"]
RUNS = {
    "failing": ["--seed", "3", "--bug", "wrong_ttl"] + [x for f in FAULTS for x in ("--fault", f)],
    "passing": ["--seed", "7", "--commands", "2000"],
    "large": ["--seed", "9", "--commands", "60000"],
}
EVIL = "</script><script>document.title='gone'</script><img src=x onerror=\"document.title='gone'\">"


def make_reports(program, folder):
    reports = {}
    for name, arguments in RUNS.items():
        path = folder / f"{name}.html"
        ran = subprocess.run([program, "run", "--scenario", "single", *arguments,
                              "--report", str(path)], capture_output=True, text=True, check=False)
        wanted = 1 if name == "failing" else 0
        if ran.returncode != wanted:
            raise SystemExit(f"{name}: status {ran.returncode}\n{ran.stdout}{ran.stderr}")
        reports[name] = path
    return reports


def hostile_copy(path):
    """The report with all texts replaced by markup, escaped as sim/report does."""
    page = path.read_text()
    escaped = "".join(f"\\u{ord(c):04x}" for c in EVIL)
    found = re.search(r'"texts":\[(.*?)\],"cause"', page)
    texts = re.sub(r'"(?:[^"\\]|\\.)*"', lambda m: m.group() if m.group() == '""' else f'"{escaped}"',
                   found.group(1))
    page = page[:found.start(1)] + texts + page[found.end(1):]
    page = re.sub(r'"(expected|seen|replay|scenario|node|checker|digest|drawn)":"(?:[^"\\]|\\.)*"',
                  lambda m: f'"{m.group(1)}":"{escaped}"', page)
    copy = path.with_name("hostile.html")
    copy.write_text(page)
    return copy


def start_browser(width, height):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                     "--hide-scrollbars", f"--window-size={width},{height}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    return browser


class ReportTests:
    """What is true of each size."""

    size = ""
    reports = {}

    @classmethod
    def setUpClass(cls):
        cls.browser = start_browser(*SIZES[cls.size])

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()

    def setUp(self):
        self.browser.get_log("browser")
        self.browser.get_log("performance")

    def tearDown(self):
        errors = [entry["message"] for entry in self.browser.get_log("browser")
                  if entry["level"] in ("SEVERE", "WARNING") and entry.get("source") != "rendering"]
        self.assertEqual(errors, [])
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                self.assertTrue(url.startswith(("file:", "data:")), url)
                self.assertNotIn("favicon", url)

    # --- steps

    def open(self, name, fragment="", path=None):
        self.browser.get("about:blank")
        self.browser.get((path or self.reports[name]).as_uri() + fragment)
        self.settle()

    def settle(self):
        self.js("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
                wait=True)

    def js(self, code, *arguments, wait=False):
        if wait:
            return self.browser.execute_async_script(
                "const done = arguments[arguments.length - 1];"
                f"(function() {{{code}}})().then(done)", *arguments)
        return self.browser.execute_script(code, *arguments)

    def at(self, element_id):
        return self.browser.find_element(By.ID, element_id)

    def click(self, element_id):
        element = self.at(element_id)
        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        self.settle()

    def keys(self, *keys):
        self.js("document.activeElement.blur()")
        ActionChains(self.browser).send_keys(*keys).perform()
        self.settle()

    @property
    def selected(self):
        return int(self.at("picture").get_attribute("data-selected"))

    @property
    def view(self):
        picture = self.at("picture")
        return (float(picture.get_attribute("data-from")), float(picture.get_attribute("data-until")))

    @property
    def span(self):
        return self.view[1] - self.view[0]

    def pixels(self, canvas, colour):
        """How many pixels of the canvas have about the colour of this name."""
        return self.js("""
            const canvas = document.getElementById(arguments[0]);
            const probe = document.createElement('canvas').getContext('2d');
            probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--' + arguments[1]);
            probe.fillRect(0, 0, 1, 1);
            const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
            const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4) {
              if (Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24) ++count;
            }
            return count;""", canvas, colour)

    # --- tests

    def test_violation_is_visible(self):
        self.open("failing")
        self.assertEqual(self.at("badge").text, "Violation")
        name = self.at("violation-name")
        self.assertTrue(name.is_displayed())
        self.assertIn("model", name.text)
        box = name.rect
        self.assertLess(box["y"] + box["height"], SIZES[self.size][1])
        for part in ("expected", "seen"):
            self.assertTrue(self.at(part).is_displayed())
            self.assertGreater(len(self.at(part).text), 5)
        self.assertIn("redoubt-sim run --scenario single --seed 3", self.at("replay").text)
        self.assertGreater(self.pixels("picture", "alarm"), 300)
        self.assertGreater(self.pixels("overview", "alarm"), 20)
        self.assertIn("violation of model", self.at("event-title").text)
        at = self.js("return viewer.run.violation.at")
        self.assertTrue(self.view[0] < at < self.view[1])

    def test_passing_run(self):
        self.open("passing")
        self.assertEqual(self.at("badge").text, "Passed")
        self.assertIn("Every checker held", self.at("verdict").text)
        self.assertFalse(self.at("to-violation").is_displayed())
        self.assertEqual(self.selected, -1)
        self.assertGreater(self.pixels("picture", "running"), 200)
        self.keys("v")  # there is none, and nothing happens
        self.assertEqual(self.selected, -1)
        self.keys(Keys.ARROW_RIGHT)
        self.assertGreaterEqual(self.selected, 0)

    def test_nothing_is_wider_than_the_page(self):
        for name in self.reports:
            self.open(name)
            self.click("filter-open")
            for tab in ("tab-event", "tab-list", "tab-run"):
                self.click(tab)
                self.assertLessEqual(self.js("return document.documentElement.scrollWidth"),
                                     SIZES[self.size][0], f"{name} {tab}")

    def test_steps_by_buttons_and_keys(self):
        self.open("failing")
        end = self.selected
        self.click("step-back")
        before = self.selected
        self.assertLess(before, end)
        self.click("step-on")
        self.assertEqual(self.selected, end)
        self.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
        self.assertLess(self.selected, before)
        at = self.js("return viewer.run.at[viewer.view.selected]")
        self.assertTrue(self.view[0] <= at <= self.view[1])
        self.keys(Keys.HOME)
        self.assertEqual(self.selected, self.js("return viewer.filter.list[0]"))
        first = self.selected
        self.keys(Keys.ARROW_LEFT)
        self.assertEqual(self.selected, first)
        self.keys(Keys.END)
        self.assertEqual(self.selected, self.js("return viewer.filter.list[viewer.filter.list.length - 1]"))
        self.keys("v")
        self.assertEqual(self.selected, end)
        self.keys(Keys.ESCAPE)
        self.assertEqual(self.selected, -1)

    def test_every_event_can_be_stepped_to(self):
        self.open("passing")
        self.keys(Keys.HOME)
        seen = [self.selected]
        for _ in range(40):
            self.keys(Keys.ARROW_RIGHT)
            seen.append(self.selected)
        self.assertEqual(seen, self.js("return viewer.filter.list.slice(0, 41)"))

    def test_zoom_and_pan(self):
        self.open("failing")
        before = self.span
        self.click("zoom-in")
        self.assertAlmostEqual(self.span / before, 0.5, delta=0.01)
        self.click("zoom-out")
        self.assertAlmostEqual(self.span / before, 1, delta=0.01)
        self.keys("+", "+")
        self.assertAlmostEqual(self.span / before, 0.25, delta=0.01)
        self.keys("-")
        self.assertAlmostEqual(self.span / before, 0.5, delta=0.01)
        for _ in range(40):
            self.keys("+")
        self.assertGreaterEqual(self.span, 199)
        self.assertGreater(self.pixels("picture", "running") + self.pixels("picture", "turn"), 0)
        self.click("zoom-fit")
        self.assertGreater(self.span, self.js("return viewer.run.end"))
        self.keys("+", "+", "+")
        left = self.view[0]
        ActionChains(self.browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT).key_up(Keys.SHIFT) \
            .perform()
        self.settle()
        self.assertLess(self.view[0], left)

    def test_wheel_and_drag(self):
        self.open("failing")
        self.js("document.getElementById('picture').scrollIntoView({block: 'center'})")
        before = self.span
        self.js("""viewer.picture.canvas.dispatchEvent(new WheelEvent('wheel',
            {deltaY: -100, clientX: 200, clientY: 300, bubbles: true, cancelable: true}))""")
        self.settle()
        self.assertLess(self.span, before)
        left = self.view[0]
        ActionChains(self.browser).move_to_element_with_offset(self.at("picture"), 60, -20) \
            .click_and_hold().move_by_offset(-70, 0).release().perform()
        self.settle()
        self.assertGreater(self.view[0], left)

    def test_pinch(self):
        self.open("failing")
        before = self.span
        self.js("""
            const canvas = viewer.picture.canvas;
            canvas.setPointerCapture = () => {};
            const box = canvas.getBoundingClientRect();
            const tell = (type, id, x) => canvas.dispatchEvent(new PointerEvent(type,
                {pointerId: id, pointerType: 'touch', clientX: box.left + x, clientY: box.top + 90}));
            tell('pointerdown', 1, 200);
            tell('pointerdown', 2, 240);
            for (let by = 0; by <= 40; by += 5) { tell('pointermove', 1, 200 - by); tell('pointermove', 2, 240 + by); }
            tell('pointerup', 1, 160);
            tell('pointerup', 2, 280);""")
        self.settle()
        self.assertAlmostEqual(self.span / before, 1 / 3, delta=0.02)

    def test_overview_scrubs(self):
        self.open("failing")
        overview = self.at("overview")
        self.js("arguments[0].scrollIntoView({block: 'center'})", overview)
        width = overview.rect["width"]
        ActionChains(self.browser).move_to_element_with_offset(overview, int(-width / 4), 0).click().perform()
        self.settle()
        middle = sum(self.view) / 2 / self.js("return viewer.run.end")
        self.assertAlmostEqual(middle, 0.25, delta=0.05)
        left = self.view[0]
        overview.send_keys(Keys.ARROW_RIGHT)
        self.settle()
        self.assertGreater(self.view[0], left)
        self.assertIn(" s to ", overview.get_attribute("aria-valuetext"))

    def test_search(self):
        self.open("failing")
        self.keys("/")
        box = self.browser.switch_to.active_element
        self.assertEqual(box.get_attribute("id"), "search")
        box.send_keys("get")
        self.settle()
        total = self.js("return viewer.view.matches.length")
        self.assertGreater(total, 1)
        self.assertRegex(self.at("search-count").text, rf"^\d+/{total}$")
        text = self.js("const v = viewer; return v.run.textOf(v.view.selected) + v.run.replyOf(v.view.selected)")
        self.assertIn("get", text.lower())
        first = self.selected
        box.send_keys(Keys.ENTER)
        self.settle()
        self.assertNotEqual(self.selected, first)
        self.keys("N")
        self.assertEqual(self.selected, first)
        self.click("search-on")
        self.click("search-back")
        self.assertEqual(self.selected, first)
        self.keys("/")
        self.at("search").send_keys(" no such text")
        self.settle()
        self.assertEqual(self.at("search-count").text, "none")

    def test_click_shows_details_and_the_path(self):
        self.open("failing")
        item, x, y = self.js("""
            const {picture, run} = viewer;
            const isData = (i) => run.kind[i] === Kind.message && run.detail[i] === 0 && run.flags[i] === 0;
            viewer.select(-1);
            for (const item of viewer.filter.list.filter(isData).reverse().slice(0, 200)) {
              const half = 0.8 * (run.until[item] - run.at[item]) + 1000;
              viewer.setView(run.at[item] - half, run.until[item] + half);
              picture.draw();
              const line = picture.arrow(item);
              for (const share of [0.5, 0.3, 0.7, 0.15, 0.85]) {
                if (!line) break;
                const x = Math.round(line.x0 + (line.x1 - line.x0) * share);
                const y = Math.round(line.y0 + (line.y1 - line.y0) * share);
                if (x > picture.label + 5 && x < picture.width - 5 && y > 40 && y < picture.height - 70 &&
                    picture.hit(x, y, 8) === item) return [item, x, y];
              }
            }
            return [-1, 0, 0];""")
        self.assertGreaterEqual(item, 0)
        picture = self.at("picture")
        self.js("arguments[0].scrollIntoView({block: 'center'})", picture)
        box = picture.rect
        ActionChains(self.browser).move_to_element_with_offset(
            picture, int(x - box["width"] / 2), int(y - box["height"] / 2)).click().perform()
        self.settle()
        self.assertEqual(self.js("return viewer.run.kind[viewer.view.selected] === Kind.message"), True)
        details = self.at("panel-event").text
        self.assertIn("\u2192", self.at("event-title").text)
        self.assertIn("Until", details)
        rows = self.browser.find_elements(By.CSS_SELECTOR, "#path button[data-item]")
        self.assertGreater(len(rows), 0)
        wanted = int(rows[0].get_attribute("data-item"))
        self.js("arguments[0].scrollIntoView({block: 'center'})", rows[0])
        rows[0].click()
        self.settle()
        self.assertEqual(self.selected, wanted)

    def test_the_path_leads_from_a_reply_to_its_call(self):
        self.open("passing")
        kinds = self.js("""
            const {run} = viewer;
            let item = -1;
            for (let i = 0; i < run.n; ++i) {
              if (run.kind[i] === Kind.operation && run.detail[i] === Outcome.replied) item = i;
            }
            viewer.select(item, {show: true});
            return viewer.view.path.slice(0, 8).map((step) => KIND_NAMES[run.kind[step]]);""")
        # A turn that another one of the same process brought about stands beside it.
        kinds = [kind for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1]]
        self.assertEqual(kinds[:5], ["Operation", "Turn", "Message", "Turn", "Message"])
        self.keys("c")
        self.assertEqual(self.selected, self.js("return viewer.run.kind[viewer.view.selected] === Kind.turn ? viewer.view.selected : -2"))
        self.keys(Keys.ENTER)
        self.assertEqual(self.browser.switch_to.active_element.get_attribute("id"), "panel-event")

    def test_filter(self):
        self.open("failing")
        self.click("filter-open")

        def shown():
            return int(self.at("picture").get_attribute("data-shown"))

        def chip(name):
            for button in self.browser.find_elements(By.CSS_SELECTOR, "#filters .chip"):
                if button.text == name:
                    self.js("arguments[0].scrollIntoView({block: 'center'})", button)
                    button.click()
                    self.settle()
                    return
            self.fail(f"no chip {name}")

        everything = shown()
        chip("Messages")
        without = shown()
        self.assertLess(without, everything)
        self.assertEqual(self.js("return viewer.filter.list.some((i) => viewer.run.kind[i] === Kind.message)"), False)
        chip("Messages")
        self.assertEqual(shown(), everything)
        chip("data")
        self.assertLess(shown(), everything)
        chip("data")
        chip("none")
        self.assertLess(shown(), everything / 10)
        chip("node")
        self.assertEqual(self.js("return viewer.picture.lanes.length"), 1)
        chip("all")
        self.assertEqual(shown(), everything)
        chip("on the path")
        self.assertGreater(self.js("return viewer.picture.lanes.length"), 0)
        chip("all")
        text = self.at("filter-text")
        text.send_keys("GET")
        self.settle()
        self.assertLess(shown(), everything)
        self.assertGreater(shown(), 0)

    def test_themes(self):
        self.open("failing")
        colour = "return getComputedStyle(document.body).backgroundColor"
        light = self.js(colour)
        self.click("theme")
        dark = self.js(colour)
        self.assertNotEqual(light, dark)
        self.assertGreater(self.pixels("picture", "alarm"), 300)
        self.keys("t")
        self.assertEqual(self.js(colour), light)
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        try:
            self.open("failing")
            self.assertEqual(self.js(colour), dark)
        finally:
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def test_contrast(self):
        self.open("failing")
        for theme in ("light", "dark"):
            ratios = self.js("""
                viewer.setTheme(arguments[0]);
                const style = getComputedStyle(document.documentElement);
                const context = document.createElement('canvas').getContext('2d');
                const light = (name) => {
                  context.fillStyle = style.getPropertyValue('--' + name);
                  context.fillRect(0, 0, 1, 1);
                  const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) =>
                      (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
                  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
                };
                const pairs = [['ink', 'surface'], ['soft', 'surface'], ['faint', 'surface'], ['faint', 'sunken'],
                    ['soft', 'page'], ['alarm', 'surface'], ['good', 'surface'], ['accent', 'surface'],
                    ['ink', 'accent-soft'], ['ink', 'operation-soft'], ['on-alarm', 'alarm'], ['ink', 'alarm-soft']];
                return pairs.map(([a, b]) => {
                  const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
                  return [a + ' on ' + b, (high + 0.05) / (low + 0.05)];
                });""", theme)
            for pair, ratio in ratios:
                self.assertGreaterEqual(ratio, 4.5, f"{theme}: {pair}")

    def test_address_leads_back(self):
        self.open("failing")
        self.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, "+")
        time.sleep(0.3)
        address = self.browser.current_url
        fragment = address[address.index("#"):]
        selected, view = self.selected, self.view
        self.open("failing", fragment)
        self.assertEqual(self.selected, selected)
        self.assertAlmostEqual(self.view[0], view[0], delta=2)
        self.assertAlmostEqual(self.view[1], view[1], delta=2)
        self.open("failing", "#e=99999999&v=9:1&q=%3Cimg%3E")
        self.assertEqual(self.at("badge").text, "Violation")
        self.open("failing", "#e=5")
        self.assertEqual(self.selected, 5)

    def test_list(self):
        self.open("failing")
        self.keys("l")
        rows = self.browser.find_elements(By.CSS_SELECTOR, "#event-list button[data-item]")
        self.assertGreater(len(rows), 20)
        current = self.browser.find_element(By.CSS_SELECTOR, "#event-list [aria-current=true]")
        self.assertEqual(int(current.get_attribute("data-item")), self.selected)
        row = rows[len(rows) // 2]
        wanted = int(row.get_attribute("data-item"))
        self.js("arguments[0].click()", row)
        self.settle()
        self.assertEqual(self.selected, wanted)

    def test_help(self):
        self.open("failing")
        self.keys("?")
        self.assertTrue(self.at("help").is_displayed())
        self.assertIn("search", self.at("help").text)
        ActionChains(self.browser).send_keys(Keys.ESCAPE).perform()
        self.settle()
        self.assertFalse(self.at("help").is_displayed())

    def test_large_run_says_what_is_left_out(self):
        self.open("large")
        self.assertLessEqual(self.reports["large"].stat().st_size, 2_000_000)
        self.assertRegex(self.at("left-out").text, r"of [\d\u2009]+ events are shown")
        self.assertGreater(self.js("return viewer.run.gap.some((gap) => gap > 0) ? 1 : 0"), 0)
        for action in ("fit", "zoom", "draw"):
            took = self.js("""
                const began = performance.now();
                if (arguments[0] === 'fit') viewer.fit();
                if (arguments[0] === 'zoom') viewer.zoom(0.1);
                viewer.picture.draw();
                return performance.now() - began;""", action)
            self.assertLess(took, 1000, action)

    def test_hostile_texts_do_nothing(self):
        path = hostile_copy(self.reports["failing"])
        self.open("hostile", path=path)
        for key in ("l", Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ENTER):
            self.keys(key)
        self.click("tab-run")
        self.assertNotEqual(self.browser.title, "gone")
        self.assertEqual(self.js("return document.images.length"), 0)
        self.assertEqual(self.js("return document.scripts.length"), 2)
        self.assertIn("<img src=x", self.at("expected").text)


class Narrow(ReportTests, unittest.TestCase):
    size = "narrow"


class Wide(ReportTests, unittest.TestCase):
    size = "wide"


def main():
    program, *names = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        ReportTests.reports = make_reports(program, pathlib.Path(folder))
        suite = unittest.TestSuite()
        for case in (Narrow, Wide):
            for test in unittest.defaultTestLoader.loadTestsFromTestCase(case):
                if not names or any(name in test.id() for name in names):
                    suite.addTest(test)
        total = suite.countTestCases()
        with open("/dev/null", "w", encoding="utf-8") as nowhere:
            result = unittest.TextTestRunner(stream=nowhere).run(suite)
    for test, text in result.errors + result.failures:
        print(f"--- {test}\n{text}")
    bad = len({str(test) for test, _ in result.errors + result.failures})
    print(f"{total - bad} passed, {bad} failed")
    return 1 if bad or total == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
