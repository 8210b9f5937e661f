#!/usr/bin/python3
"""report_test.py: the page of report.py: what stands in it, that it needs nothing else, that everybody can read it; in a browser too."""
import contextlib
import html
import html.parser
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "scripts")]
import make_example  # noqa: E402
import report  # noqa: E402
from qsweep_plot import page, reading, table  # noqa: E402

CONTRAST = 4.5     # WCAG 2, AA, for text
MOST_BYTES = 5e6
WIDTHS = (390, 1280)
DPI, QUICK = page.DPI, 60         # dots per inch, where nobody looks
VOID = {"meta", "img", "br", "link", "input", "hr"}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Element:
    def __init__(self, tag, attributes):
        self.tag, self.attributes, self.children, self.text = tag, dict(attributes), [], ""

    def all(self, *tags):
        """The elements below of these tags, in the order of the page."""
        for child in self.children:
            if not tags or child.tag in tags:
                yield child
            yield from child.all(*tags)

    def words(self):
        return " ".join((self.text + " " + " ".join(child.words() for child in self.children)).split())


class Tree(html.parser.HTMLParser):
    """The page as elements; every element must be closed by its own tag."""

    def __init__(self, text):
        super().__init__()
        self.root = Element("", {})
        self.open, self.wrong = [self.root], []
        self.feed(text)
        self.close()
        self.wrong += [element.tag for element in self.open[1:]]

    def handle_starttag(self, tag, attributes):
        element = Element(tag, attributes)
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        if self.open[-1].tag != tag:
            self.wrong.append(tag)
        else:
            self.open.pop()

    def handle_data(self, data):
        self.open[-1].text += data


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= .04045 else ((c + .055) / 1.055) ** 2.4 for c in parts)
    return .2126 * r + .7152 * g + .0722 * b


def contrast(first, second):
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + .05) / (dark + .05)


def write(arguments):
    """(exit code, what it said on stdout and stderr)"""
    said, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(wrong):
        try:
            code = report.main(arguments)
        except SystemExit as left:
            code = left.code
    return code, said.getvalue(), wrong.getvalue()


def example(folder, experiment, name=None, seeds=2):
    axes, settings = make_example.settings_of(experiment)
    return make_example.make(os.path.join(folder, (name or experiment) + ".h5"), name or experiment, axes=axes,
                             settings=[s for s in settings if s["run.seed"] <= seeds], points=20)


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.files = [example(cls.folder, "dimension_linear"), example(cls.folder, "resolution_linear", 'a <b> & "c"', 1)]
        with h5py.File(cls.files[1], "a") as file:
            first = next(iter(file["runs"].values()))
            first.attrs["status"], first.attrs["diverged_iteration"] = "diverged", 77
        cls.output = os.path.join(cls.folder, "a page.html")
        page.DPI = QUICK
        code, cls.said, wrong = write([*cls.files, cls.files[1], "-o", cls.output])
        assert code == 0, wrong
        with open(cls.output, encoding="utf-8") as file:
            cls.text = file.read()
        parsed = Tree(cls.text)
        assert not parsed.wrong, parsed.wrong
        cls.tree = parsed.root

    def test_says_what_it_wrote(self):
        self.assertEqual(self.said, self.output + "\n")

    def test_needs_nothing_else(self):
        for element in self.tree.all():
            self.assertNotIn(element.tag, ("script", "link", "iframe", "object", "base"))
            for name in ("src", "href", "srcset", "data"):
                value = element.attributes.get(name, "#")
                self.assertTrue(value.startswith(("#", "data:image/png;base64,")), value[:60])
            self.assertFalse([a for a in element.attributes if a.startswith("on") or a == "style"])
        css = next(self.tree.all("style")).text
        self.assertNotRegex(css, r"url\(|@import|https?:")

    def test_structure(self):
        self.assertEqual(next(self.tree.all("html")).attributes["lang"], "en")
        self.assertIn("width=device-width", [m.attributes.get("content", "") for m in self.tree.all("meta")][1])
        self.assertTrue(next(self.tree.all("title")).words())
        levels = [int(h.tag[1]) for h in self.tree.all("h1", "h2", "h3", "h4")]
        self.assertEqual((levels[0], levels.count(1)), (1, 1))
        for above, below in itertools.pairwise(levels):
            self.assertLessEqual(below, above + 1)
        names = [e.attributes["id"] for e in self.tree.all() if "id" in e.attributes]
        self.assertEqual(len(names), len(set(names)))
        for link in self.tree.all("a"):
            self.assertIn(link.attributes["href"][1:], names)
        self.assertEqual(len(list(next(self.tree.all("nav")).all("a"))), 3)
        self.assertEqual([len(list(self.tree.all(tag))) for tag in ("main", "header", "footer", "section")], [1, 1, 1, 3])
        for section in self.tree.all("section"):
            self.assertIn(section.attributes["aria-labelledby"], names)
            self.assertEqual([s.words() for s in section.all("summary")][-2:], ["Settings", "Provenance"])

    def test_figures(self):
        images = list(self.tree.all("img"))
        self.assertEqual(len(images), 3)
        text = images[0].attributes["alt"]
        for expected in ("dimension_linear", "6 panels", "(a) Average training loss, quantized weights", "over iteration", "d = 64",
                         "Figure 3a"):
            self.assertIn(expected, text)
        for image in images:
            self.assertTrue(80 < len(image.attributes["alt"]) < 2500, image.attributes["alt"])
            self.assertNotRegex(image.attributes["alt"], r"[$\\{}]")
            self.assertGreater(int(image.attributes["width"]), 6 * QUICK)
            self.assertGreater(int(image.attributes["height"]), 2 * QUICK)
        self.assertIn("Iterations to the same level", next(self.tree.all("figcaption")).words())

    def test_tables(self):
        for made in self.tree.all("table"):
            self.assertEqual(made.children[0].tag, "caption")
            self.assertIn("at the end of the runs", made.children[0].words())
            heads, body = next(made.all("thead")), next(made.all("tbody"))
            columns = list(heads.all("th"))
            self.assertTrue(all(h.attributes["scope"] == "col" and h.words() for h in columns))
            for row in body.all("tr"):
                self.assertEqual(len(row.children), len(columns))
                self.assertEqual((row.children[0].tag, row.children[0].attributes["scope"]), ("th", "row"))
                self.assertEqual({c.tag for c in row.children[1:]}, {"td"})
        first, second = list(self.tree.all("table"))[:2]
        self.assertIn("mean ± standard deviation over 2 seeds", first.words())
        self.assertIn("diverged at t = 77", second.words())
        self.assertEqual(len(list(next(first.all("tbody")).all("tr"))), len(reading.read(self.files[0]).runs) / 2)

    def test_values(self):
        results = reading.read(self.files[0])
        made = table.table(results)
        self.assertEqual(made.heads[:2], ["dimension", "gradients"])
        column = next(j for j, head in enumerate(made.heads) if head.startswith("average loss"))
        for row in made.rows:
            runs = [r for r in results.runs if (f"{r.key('model.dimension')}", r.key("gradients.quantizer").upper()) == tuple(row[:2])]
            finals = [r.final("average_loss") for r in runs]
            mean, spread = (float(re.sub(r"[\u2007\u2008]", "", part)) for part in row[column].split("±"))
            self.assertLessEqual(abs(spread - numpy.std(finals, ddof=1)), .06 * numpy.std(finals, ddof=1))
            self.assertLessEqual(abs(mean - numpy.mean(finals)), .06 * spread)
        lowest = {}  # of each dimension: another one is another problem
        for row in made.rows:
            loss = float(row[column].split("±")[0])
            lowest[row[0]] = min(loss, lowest.get(row[0], loss))
        self.assertEqual([row[column] for row in made.best], [float(row[column].split("±")[0]) == lowest[row[0]] for row in made.rows])

    def test_numbers(self):
        for sample, expected in (([1.7341, 1.7461, 1.7221], ("1.734", "0.012")), ([5], ("5", "")), ([0, 0], ("0", "")),
                                 ([1e-9, 3e-9], ("2e-09", "1e-09")), ([57.58], ("57.58", "")), ([14.1, 14.1 + 1e-14], ("14.1", "")), ([99.5, 100.5], ("100.00", "0.71"))):
            self.assertEqual(table.sample_text(numpy.array(sample, float)), expected)
        self.assertEqual(table.padded(["1.5", "12", "", "0.125"]), ["\u20071.5\u2007\u2007", "12\u2008\u2007\u2007\u2007", "", "\u20070.125"])

    def test_settings_and_provenance(self):
        section = next(self.tree.all("section"))
        settings = next(section.all("pre")).text
        self.assertIn("[gradients]\n", settings)
        self.assertRegex(settings, r"(?m)^quantizer = fp, sq2")
        self.assertNotRegex(settings, r"(?m)= -?$")
        provenance = {dt.words(): dd.words() for dt, dd in zip(section.all("dt"), section.all("dd"))}
        self.assertIn("dimension_linear.h5", provenance["file"])
        self.assertIn("complete", provenance["runs"])
        self.assertIn(next(iter(reading.read(self.files[0]).runs)).id, provenance["run ids"])

    def test_names_are_escaped(self):
        self.assertIn("a &lt;b&gt; &amp; &quot;c&quot;", self.text)
        self.assertIn('a <b> & "c"', [h.words() for h in self.tree.all("h2")])

    def test_contrast_of_the_style_sheet(self):
        css = next(self.tree.all("style")).text
        themes = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
        self.assertEqual(len(themes), 2)
        self.assertIn("prefers-color-scheme: dark", css)
        for theme in themes:
            colour = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", theme))
            for text, ground in (*itertools.product(("text", "muted", "link"), ("ground", "card")), ("text", "best")):
                self.assertGreaterEqual(contrast(colour[text], colour[ground]), CONTRAST, f"{text} on {ground}")
        rest = re.sub(r":root \{.*?\}", "", css, flags=re.DOTALL)
        self.assertNotRegex(rest, r"#[0-9a-fA-F]{3,8}\b|rgb\(", "a colour that no theme changes")


class Errors(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.output = self.path("report.html")

    def path(self, name):
        return os.path.join(self.folder, name)

    def refused(self, files, *expected, code=3, output=None):
        found, said, wrong = write([*files, "-o", output or self.output])
        self.assertEqual(found, code, wrong)
        self.assertNotIn("Traceback", wrong)
        for words in expected:
            self.assertIn(words, wrong)
        self.assertFalse(os.path.exists(self.output))
        self.assertEqual([f for f in os.listdir(self.folder) if "part" in f], [])

    def test_files_that_are_wrong(self):
        good = example(self.folder, "resolution_linear", seeds=1)
        with h5py.File(self.path("foreign.h5"), "w") as file:
            file["x"] = 1
        with open(good, "rb") as whole, open(self.path("damaged.h5"), "wb") as part:
            part.write(whole.read()[:3000])
        os.mkdir(self.path("empty"))
        with h5py.File(self.path("no_runs.h5"), "w") as file:
            file.attrs["format"] = "qsweep-results"
        names = {"foreign.h5": "not a qsweep results file", "damaged.h5": "damaged", "missing.h5": "no such file", "empty": "no run files",
                 "no_runs.h5": "holds no runs"}
        for name, words in names.items():
            self.refused([good, self.path(name)], "report.py: " + self.path(name), words)
        self.refused([self.path(n) for n in names], *(self.path(n) for n in names))

    def test_output_that_cannot_be_written(self):
        good = example(self.folder, "resolution_linear", seeds=1)
        self.refused([good], "no/report.html", "No such file", output=self.path("no/report.html"))
        self.refused([good], good, "exists and is no page", output=good)

    def test_arguments(self):
        code, said, wrong = write(["--help"])
        self.assertEqual(code, 0)
        self.assertIn("FILE.h5", said)
        self.assertEqual(write(["--wrong"])[0], 2)

    def test_no_curves_is_no_error(self):
        good = example(self.folder, "resolution_linear", "plain", seeds=1)
        with h5py.File(good, "a") as file:
            for run in file["runs"].values():
                del run["curves"]
        self.assertEqual(write([good, "-o", self.output])[0], 0)
        with open(self.output, encoding="utf-8") as file:
            self.assertIn("No figure: ", file.read())


# Put into a page around the report: opens it at each width, with all details closed and open, and tells what is wrong there.
MEASURE = """
const luminance = c => { const [r, g, b] = c.map(x => x / 255).map(x => x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
                         return .2126 * r + .7152 * g + .0722 * b; };
const parts = c => c.match(/[\\d.]+/g).map(Number);
function ground(e, view) { for (; e; e = e.parentElement) { const c = parts(view.getComputedStyle(e).backgroundColor);
                           if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; }
function look(frame) {
  const page = frame.contentDocument, view = frame.contentWindow, width = page.documentElement.clientWidth;
  const found = {width, scroll: page.documentElement.scrollWidth, wide: [], faint: [], blank: 0, texts: 0, least: 99};
  for (const e of page.querySelectorAll('body *')) {
    const box = e.getBoundingClientRect(), boxed = e.parentElement.closest('.scroll, .plate, pre');
    if (box.width && box.right > width + .5 && !boxed) found.wide.push(e.tagName);
    if (![...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim()) || !box.width) continue;
    const a = luminance(parts(view.getComputedStyle(e).color).slice(0, 3)), b = luminance(ground(e, view));
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    found.texts += 1; found.least = Math.min(found.least, contrast);
    if (!(contrast >= 4.5)) found.faint.push(e.tagName + ' ' + contrast.toFixed(2));
  }
  for (const image of page.images) found.blank += !(image.complete && image.naturalWidth > 0);
  found.images = page.images.length;
  found.ground = view.getComputedStyle(page.body).backgroundColor;
  return found;
}
addEventListener('load', () => {
  const found = [];
  for (const frame of [...document.querySelectorAll('iframe')]) {
    found.push(look(frame));
    frame.contentDocument.querySelectorAll('details').forEach(d => d.open = true);
    found.push(look(frame));
    frame.remove();
  }
  document.getElementById('found').textContent = JSON.stringify(found);
});
"""


def browse(folder, address, *options):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
               "--user-data-dir=" + os.path.join(folder, "profile"), *options, "file://" + address]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, env={**os.environ, "HOME": folder})


class Browser(unittest.TestCase):
    """The page of all reference results, as a person would open it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        reference = os.path.join(ROOT, "results", "reference")
        files = sorted(os.path.join(reference, f) for f in os.listdir(reference) if f.endswith(".h5"))
        cls.output = os.path.join(cls.folder, "report.html")
        page.DPI = DPI
        code, _, wrong = write([*files, "-o", cls.output])
        assert code == 0, wrong
        cls.count = len(files)

    def test_size(self):
        self.assertLess(os.path.getsize(self.output), MOST_BYTES)

    def measured(self, *options):
        with open(self.output, encoding="utf-8") as file:
            report_page = html.escape(file.read())
        frames = "".join(f'<iframe style="border:0;width:{w}px;height:900px" srcdoc="{report_page}"></iframe>' for w in WIDTHS)
        around = os.path.join(self.folder, "around.html")
        with open(around, "w", encoding="utf-8") as file:
            file.write(f'<!DOCTYPE html><meta charset="utf-8"><body><pre id="found"></pre><script>{MEASURE}</script>{frames}</body>')
        dumped = browse(self.folder, around, "--dump-dom", *options)
        found = re.search(r'<pre id="found">(.*?)</pre>', dumped.stdout, re.DOTALL)
        self.assertTrue(found and found.group(1), dumped.stderr[-2000:])
        return json.loads(html.unescape(found.group(1)))

    @unittest.skipUnless(CHROMIUM, "chromium is not installed")
    def test_widths_and_contrast_in_light_and_dark(self):
        grounds = set()
        for options in ([], ["--blink-settings=preferredColorScheme=0"]):
            found = self.measured(*options)
            self.assertEqual([f["width"] for f in found], [w for w in WIDTHS for _ in range(2)])
            for f in found:
                self.assertLessEqual(f["scroll"], f["width"], "the page scrolls sideways")
                self.assertEqual((f["wide"], f["faint"], f["blank"], f["images"]), ([], [], 0, self.count))
                self.assertGreater(f["texts"], 50 * self.count)
                self.assertGreaterEqual(f["least"], CONTRAST)
                grounds.add(f["ground"])
        self.assertEqual(len(grounds), 2, "dark and light look alike")

    @unittest.skipUnless(CHROMIUM, "chromium is not installed")
    def test_is_drawn(self):
        import matplotlib.image
        picture = os.path.join(self.folder, "page.png")
        ran = browse(self.folder, self.output, "--window-size=1280,2400", "--screenshot=" + picture)
        self.assertTrue(os.path.exists(picture), ran.stderr[-2000:])
        pixels = matplotlib.image.imread(picture)[:, :, :3]
        self.assertEqual(pixels.shape[:2], (2400, 1280))
        for part in numpy.array_split(pixels, 4):
            self.assertGreater(part.std(), .02, "a quarter of the page is blank")


if __name__ == "__main__":
    if not CHROMIUM:
        print("SKIPPED: the report was not opened in a browser (Debian: apt-get install chromium)")
    unittest.main()
