"""Reports in a real browser: Debian's chromium, driven by playwright (pip install -e '.[browser]')."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

import hoptim
from hoptim import report
from tests import builders, report_studies

api = pytest.importorskip("playwright.sync_api", reason="needs pip install -e '.[browser]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("needs a chromium: apt-get install chromium", allow_module_level=True)

PLOTS = ".plot"
MARKED = ".mark .line"


class Opened:
    """A report that a browser shows, and all that the browser said and asked for."""

    def __init__(self, browser, study, path, **options):
        report.write(study, path)
        self.study, self.uri = study, path.as_uri()
        self.said, self.asked = [], []
        self.page = browser.new_page(**options)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(self.uri)
        if study.trials:
            self.page.wait_for_selector(".axes text")

    def box(self, plot):
        """A plot's place in the window, scrolled into view."""
        found = self.page.locator(plot).first
        found.scroll_into_view_if_needed()
        return found.bounding_box()

    def point(self, plot, across, down):
        """Move the pointer to a place of a plot, both from 0 to 1; the trial that is highlighted then."""
        box = self.box(plot)
        self.page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        return self.highlighted()

    def highlighted(self):
        """The trial that all plots mark, None when none does."""
        numbers = self.page.locator(MARKED).evaluate_all("all => all.map(e => e.dataset.trial)")
        members = self.page.locator(MARKED).evaluate_all("all => all.map(e => e.dataset.member)")
        if not numbers:
            return None
        assert len(numbers) == self.page.locator(PLOTS).count()
        assert len({*numbers}) == len({*members}) == 1
        trial = {t.number: t for t in self.study.trials}[int(numbers[0])]
        assert trial.member == int(members[0])
        return trial

    def tooltip(self):
        """The names and texts of the tooltip."""
        names = self.page.locator(".tooltip dt").all_inner_texts()
        return dict(zip(names, self.page.locator(".tooltip dd").all_inner_texts(), strict=True))

    def ends_of(self, plot):
        """How many points the marked line has in a plot."""
        return len(re.findall("[ML]", self.page.locator(f"{plot} {MARKED}").get_attribute("d")))


@pytest.fixture(scope="module")
def browser():
    """A browser without a window."""
    with api.sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM) as found:
        yield found


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory):
    """A finished study of all kinds of dimensions; tests leave nothing pinned."""
    study = report_studies.mixed(size=6, steps=12)
    return Opened(browser, study, tmp_path_factory.mktemp("shown") / "report.html")


@pytest.fixture(autouse=True)
def nothing_pinned(request):
    """Each test begins with the pointer away."""
    if "shown" in request.fixturenames:
        page = request.getfixturevalue("shown").page
        page.mouse.move(1, 1)
        page.keyboard.press("Escape")
        page.check("input[value=member]")


def lineage(study, trial):
    """A trial and its ancestors."""
    trials, line = {t.number: t for t in study.trials}, [trial]
    while line[-1].parent is not None:
        line.append(trials[line[-1].parent])
    return line[::-1]


def all_failed(path):
    """A study whose every trial has failed for good."""
    study = builders.study(path)
    with pytest.raises(hoptim.StudyFailed):
        for trial in study:
            trial.fail("no GPU", retry=False)
    return study


STUDIES = {
    "mixed": report_studies.mixed,
    "hostile": report_studies.hostile,
    "conditional": report_studies.conditional,
    "stateful": lambda path: builders.train(builders.study(path), saves=True),
    "one trial": lambda path: report_studies.mixed(path, size=1, steps=1),
    "one member": lambda path: report_studies.mixed(path, size=1, steps=9),
    "all failed": all_failed,
    "none finished": builders.study,
}


@pytest.mark.parametrize("name", STUDIES)
def test_it_opens_without_a_word_or_a_request(browser, tmp_path, name):
    """Each study's page loads, fits into any window, says nothing and asks for itself alone."""
    opened = Opened(browser, STUDIES[name](tmp_path / "study"), tmp_path / "report.html")
    page = opened.page
    if opened.study.trials:
        opened.point("#value-plot .plot", 0.9, 0.5)
        page.locator("tbody button").first.focus()
        page.check("#tree")
    assert (opened.said, opened.asked) == ([], [opened.uri])
    for width in (1400, 420, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("typeof window.attacked") == "undefined"
    assert page.locator("img, iframe, b, a").count() == 0
    assert page.locator("main").is_visible() == bool(opened.study.trials)
    page.close()


def test_a_thinned_page_says_so_and_keeps_the_schedule(browser, tmp_path, monkeypatch):
    """Of a long study not all trials are shown, but the winner's schedule and all counts are whole."""
    study = report_studies.mixed(steps=60)
    monkeypatch.setattr("hoptim.report.data._MOST", 100)
    opened = Opened(browser, study, tmp_path / "run.html")
    page, results = opened.page, study.results()
    assert (opened.said, opened.asked) == ([], [opened.uri])
    text = page.locator("#thinned").inner_text()
    assert re.match(r"The page shows \d+ of 480 trials: those of every 5 steps, ", text)
    assert f"{results.failed}" in page.locator("#headline").inner_text().partition("Failures")[2]
    assert f"{len(results.family.exploits)}" in page.locator("#headline").inner_text()
    name, offered = downloaded(page, "Download JSON")
    (tmp_path / name).write_text(offered, encoding="utf-8", newline="")
    assert hoptim.Schedule.load(tmp_path / name).to_json() == results.schedule().to_json()
    page.locator("#member").fill("0")
    page.locator("#member").press("Enter")
    assert opened.highlighted() == next(trial for trial in results.latest if trial.member == 0)
    assert opened.said == []
    page.close()


def test_hostile_texts_are_shown_as_they_are(browser, tmp_path):
    """A name that looks like HTML reads as it was given, in headings, tooltips and tables."""
    opened = Opened(browser, report_studies.hostile(), tmp_path / "report.html")
    titles = opened.page.locator("h3").evaluate_all("all => all.map(e => e.title)")
    assert report_studies.ATTACK in titles
    assert any(opened.point("#value-plot .plot", 0.5, y / 20) for y in range(20))
    assert report_studies.ATTACK in opened.tooltip()
    assert report_studies.ATTACK in opened.page.locator("#failures").inner_text()
    opened.page.close()


def test_pointing_highlights_everywhere_and_tells_the_numbers(shown):
    """Wherever the pointer is, all plots mark one trial, and the tooltip has its values."""
    plots = shown.page.locator(PLOTS)
    plots.evaluate_all("all => all.forEach((e, i) => e.setAttribute('data-i', i))")
    for i in range(plots.count()):
        found = [shown.point(f"[data-i='{i}']", x, y) for x in (0.4, 0.7) for y in (0.3, 0.7)]
        assert any(found)
    trial = next(t for t in (shown.point("#value-plot .plot", 0.6, y / 20) for y in range(20)) if t)
    told = shown.tooltip()
    assert float(told["value"].split()[0]) == pytest.approx(trial.value, rel=1e-5)
    for name, value in shown.study.space.record(trial.params).items():
        shows = told[name]
        assert shows == value if isinstance(value, str) else float(shows) == pytest.approx(value, rel=1e-5)
    assert float(told["step size"]) == pytest.approx(trial.memo["sigma"], rel=1e-5)
    heading = shown.page.locator(".tooltip strong").inner_text()
    assert heading == f"Member {trial.member}, step {trial.step}"


@pytest.mark.parametrize(
    ("plot", "log"), [("value", True), ("value", False), ("lr", True), ("batch", True)]
)
def test_a_point_lies_where_the_axes_say(shown, plot, log):
    """The marked point's place, read off the plot's own tick labels, is the trial's value and step."""
    page = shown.page
    page.set_checked("#value", log if plot == "value" else True)
    where = "#value-plot .plot" if plot == "value" else f"figure:has(h3[title='{plot}']) .plot"
    trial = next(t for t in (shown.point(where, 0.5, y / 30) for y in range(30)) if t and t.finite)
    circle = page.locator(f"{where} .mark circle")
    texts = page.locator(f"{where} .axes text").evaluate_all(
        "all => all.map(e => [e.lastChild.data, +e.getAttribute('x'), +e.getAttribute('y'),"
        " e.getAttribute('text-anchor')])"
    )
    up = [(y, float(text)) for text, _, y, anchor in texts if anchor == "end"]
    along = [(x, float(text)) for text, x, _, anchor in texts if anchor == "middle" and text.isdigit()]
    value = trial.value if plot == "value" else trial.params[plot]
    scale = math.log if log else float
    places = [(y, scale(at)) for y, at in up]
    assert read_off(places, float(circle.get_attribute("cy"))) == pytest.approx(scale(value), abs=0.02)
    assert read_off(along, float(circle.get_attribute("cx"))) == pytest.approx(trial.step, abs=0.02)


def read_off(ticks, place):
    """The number at a place, by the line through the first and the last tick."""
    (p, a), (q, b) = ticks[0], ticks[-1]
    return a + (b - a) * (place - p) / (q - p)


def test_a_click_pins_and_escape_unpins(shown):
    """A pinned member stays highlighted wherever the pointer goes, until it is unpinned."""
    pinned = next(t for t in (shown.point("#value-plot .plot", 0.3, y / 20) for y in range(20)) if t)
    shown.page.mouse.down()
    shown.page.mouse.up()
    assert f"member {pinned.member}, trial {pinned.number}" in shown.page.locator("#pinned").inner_text()
    elsewhere = [shown.point("#tree-plot .plot", 0.8, y) for y in (0.2, 0.5, 0.8)]
    assert {t.member for t in elsewhere} == {pinned.member}
    assert {t.step for t in elsewhere} != {pinned.step}
    shown.page.mouse.move(1, 1)
    assert shown.highlighted().number == pinned.number
    shown.page.keyboard.press("Escape")
    assert shown.highlighted() is None


def test_the_switch_follows_members_or_weights(shown):
    """The marked line is the member's own trials, or all that is in its weights, through every exploit."""
    study, page = shown.study, shown.page
    page.fill("#member", str(study.best.member))
    page.press("#member", "Tab")
    assert shown.highlighted().number == study.best.number
    assert shown.ends_of("#tree-plot") == study.steps
    assert page.locator("#tree-plot .mark .line").get_attribute("d") != winner(page)
    page.check("input[value=weights]")
    assert shown.ends_of("#tree-plot") == len(lineage(study, study.best))
    assert page.locator("#tree-plot .mark .line").get_attribute("d") == winner(page)


def winner(page):
    """The path of the line that is always there."""
    return page.locator("#tree-plot .winner .line").get_attribute("d")


def test_a_keyboard_does_what_a_pointer_does(shown):
    """From the winner along its steps and across members; Enter pins, Escape unpins."""
    study, page = shown.study, shown.page
    page.locator("#value-plot .plot").focus()
    for key, member, step in [
        ("ArrowRight", study.best.member, study.steps - 1),
        ("ArrowLeft", study.best.member, study.steps - 2),
        ("Home", study.best.member, 0),
        ("ArrowDown", (study.best.member + 1) % 6, 0) if study.best.member < 5 else ("Home", 5, 0),
    ]:
        page.keyboard.press(key)
        found = shown.highlighted()
        assert (found.member, found.step) == (member, step)
        assert page.locator(".tooltip strong").inner_text() == f"Member {member}, step {step}"
    page.keyboard.press("Enter")
    assert page.locator("#pinned").inner_text().startswith("Pinned")
    page.keyboard.press("Escape")
    assert shown.highlighted() is None


def test_tables_list_exploits_and_failures(shown):
    """Who copied whom with both values, and why trials failed; a row highlights its trial."""
    study, page = shown.study, shown.page
    trials = {t.number: t for t in study.trials}
    own = {(t.member, t.step): t for t in study.trials}
    children = [t for t in study.trials if t.step and t.parent is not None]
    hops = [t for t in children if trials[t.parent].member != t.member]
    rows = page.locator("#exploits tbody tr")
    assert rows.count() == min(50, len(hops))
    for i, trial in enumerate(hops[:5]):
        left, donor = own[trial.member, trial.step - 1], trials[trial.parent]
        cells = rows.nth(i).locator("td").all_inner_texts()
        assert cells[:3] == [str(trial.number), str(trial.step), str(trial.member)]
        assert cells[4] == f"member {donor.member}"
        for cell, value in zip((cells[3], *cells[5:]), (left.value, donor.value, trial.value), strict=True):
            assert float(cell) == pytest.approx(value, rel=1e-5, nan_ok=True)
    rows.nth(2).hover()
    assert shown.highlighted().number == hops[2].number
    page.select_option("#exploits-of", "winner")
    won = [str(t.number) for t in hops if t in lineage(study, study.best)]
    assert page.locator("#exploits tbody button").all_inner_texts() == won
    page.select_option("#exploits-of", "all")
    failed = [str(t.number) for t in study.trials if not t.finite]
    assert page.locator("#failures tbody button").all_inner_texts() == failed
    text = page.locator("#failures").inner_text()
    assert all(t.failed.splitlines()[0] in text for t in study.trials if t.failed)


def test_one_is_no_plural_and_nothing_is_said_twice(browser, tmp_path):
    """One trial that was released once and needed two attempts, and no worker for the rest."""
    made = builders.study()
    made.ask().release()
    made.ask().fail("no GPU")
    made.ask().tell(0.5)
    opened = Opened(browser, made, tmp_path / "report.html")
    assert opened.page.locator("#failure-note").inner_text() == (
        "1 other trial succeeded after failed attempts. "
        "1 time a trial was handed out again because its worker was lost or released it."
    )
    said = opened.page.locator("section", has_text="Workers").last.inner_text().split("\n")
    assert [*filter(None, said)] == [
        "Workers",
        "No active workers; 19 trials remain: start a worker to continue.",
    ]
    opened.page.close()


@pytest.fixture(scope="module")
def phone(browser, tmp_path_factory):
    """A report on a phone that is held upright."""
    study = report_studies.mixed(size=6, steps=12)
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    return Opened(browser, study, tmp_path_factory.mktemp("phone") / "report.html", **options)


def test_a_phone_shows_the_first_curve_at_once(phone):
    """The first plot is whole in sight before anything is touched."""
    phone.page.evaluate("scrollTo(0, 0)")
    box = phone.page.locator(PLOTS).first.bounding_box()
    assert box["y"] + box["height"] <= 844


def test_a_phone_breaks_no_number(phone):
    """A value with six digits and an exponent stands on one line."""
    lines = phone.page.locator("#headline dd:not(.note)").evaluate_all(
        """all => all.map(e => {
            const { textContent } = e;
            e.textContent = "-1.23457e-05";
            const lines = Math.round(e.offsetHeight / parseFloat(getComputedStyle(e).lineHeight));
            e.textContent = textContent;
            return lines;
        })"""
    )
    assert lines == [1] * 6


def test_a_finger_hits_every_control(phone):
    """Whatever can be touched, with its label, is 40 pixels wide and high."""
    small = phone.page.locator("button, select, input, a").evaluate_all(
        """all => all.filter(e => e.checkVisibility()).flatMap(e => {
            const { width, height } = (e.closest("label") ?? e).getBoundingClientRect();
            return width < 40 || height < 40 ? [[e.outerHTML, width, height]] : [];
        })"""
    )
    assert small == []


def test_a_tooltip_leaves_the_touched_plot_free(phone):
    """What a finger touches, in any plot and place of the window, is never under the numbers about it."""
    page = phone.page
    plots = page.locator(PLOTS)
    for i, where in itertools.product(range(plots.count()), ("start", "end")):
        plot = plots.nth(i)
        plot.evaluate("(e, where) => e.scrollIntoView({ block: where })", where)
        x, y = plot.locator(".winner .line").evaluate(
            """line => {
                const { x, y } = line.getPointAtLength(0).matrixTransform(line.getScreenCTM());
                return [x, y];
            }"""
        )
        page.touchscreen.tap(x, y)
        assert phone.highlighted()
        tip, box = page.evaluate(
            """() => {
                scrollBy(0, 40);  // nor does it come there when the page is scrolled
                const boxes = [".tooltip", ".plot:focus"].map((name) => document.querySelector(name));
                return boxes.map((box) => box.getBoundingClientRect().toJSON());
            }"""
        )
        assert tip["top"] >= box["bottom"] or tip["bottom"] <= box["top"]
        assert 0 <= tip["left"] < tip["right"] <= 390
        assert 0 <= tip["top"] < tip["bottom"] <= 844
    assert phone.said == []


def downloaded(page, button):
    """The name and text of what a button offers."""
    with page.expect_download() as offer:
        page.get_by_role("button", name=button).click()
    with open(offer.value.path(), encoding="utf-8", newline="") as file:
        return offer.value.suggested_filename, file.read()


@pytest.mark.parametrize(
    "make",
    [report_studies.mixed, report_studies.hostile, report_studies.conditional],
    ids=["mixed", "hostile", "conditional"],
)
def test_downloads_are_the_winners_schedule_exactly(browser, tmp_path, make):
    """JSON and CSV hold every interval with every digit, and asking for them asks no network."""
    opened = Opened(browser, make(), tmp_path / "report.html")
    study, line = opened.study, lineage(opened.study, opened.study.best)
    fixed = [(t.age, t.seed, t.value, t.number, t.member, t.step) for t in line]
    recorded = [study.space.record(t.params) for t in line]
    name, text = downloaded(opened.page, "Download JSON")
    found = json.loads(text)
    keys = ("age", "seed", "value", "trial", "member", "step")
    assert name == "study-in-memory-schedule.json"
    assert found["space"] == study.space.to_json()
    assert [repr([row[key] for key in keys]) for row in found["intervals"]] == [repr([*f]) for f in fixed]
    assert [repr(row["params"]) for row in found["intervals"]] == [repr(params) for params in recorded]
    name, text = downloaded(opened.page, "Download CSV")
    head, *rows = csv.reader(io.StringIO(text))
    assert name == "study-in-memory-schedule.csv"
    assert head == [*keys, *study.space.dimensions]
    for row, values, params in zip(rows, fixed, recorded, strict=True):
        assert row[:6] == [repr(v) if not isinstance(v, float) else row[i] for i, v in enumerate(values)]
        assert float(row[2]) == values[2]
        assert [same_as(cell) for cell in row[6:]] == [params.get(name) for name in study.space.dimensions]
    if "value" in study.space.dimensions:
        assert {"NaN", "1", 2**60} <= {params["value"] for params in recorded}  # what is easy to mistake
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("blob:")] == [opened.uri]
    opened.page.close()


def same_as(cell):
    """A cell's value: JSON, else the text itself."""
    try:
        return json.loads(cell)
    except ValueError:
        return cell


@pytest.mark.skipif(not hasattr(hoptim, "Schedule"), reason="this hoptim has no Schedule yet")
def test_downloads_are_read_by_schedule(shown, tmp_path):
    """What the page offers is what `hoptim.Schedule` loads."""
    for button, options in (("Download JSON", {}), ("Download CSV", {"space": shown.study.space})):
        name, text = downloaded(shown.page, button)
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        names = hoptim.Schedule.load(tmp_path / name, **options).to_json()
        assert names == shown.study.schedule().to_json()


def test_given_weights_are_no_interval_of_a_download(browser, tmp_path):
    """Where `start=` gave trained weights, the page offers the schedule from there on."""
    (tmp_path / "given").write_text("12")
    start = [hoptim.Start({}, tmp_path / "given", age=12)]
    study = hoptim.Study(None, space={"x": hoptim.Float(0, 1)}, size=1, steps=4, mode="min", start=start)
    for trial in study:
        trial.tell(float(Path(trial.checkpoint).read_text()), lambda path: Path(path).write_text("1"))
    opened = Opened(browser, study, tmp_path / "report.html")
    (tmp_path / "schedule.json").write_text(downloaded(opened.page, "Download JSON")[1])
    assert hoptim.Schedule.load(tmp_path / "schedule.json").to_json() == study.schedule().to_json()
    for key in ("End", "Home"):
        opened.page.locator(PLOTS).first.press(key)
    assert opened.tooltip()["weights"] == "given"
    opened.page.close()


def test_copying_gives_the_same_text(shown):
    """The clipboard holds what the download does."""
    shown.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.page.get_by_role("button", name="Copy CSV").click()
    shown.page.get_by_text("Copied.").wait_for()
    copied = shown.page.evaluate("navigator.clipboard.readText()")
    assert copied == downloaded(shown.page, "Download CSV")[1]


@pytest.mark.parametrize(
    ("media", "light"),
    [
        ({"color_scheme": "light"}, True),
        ({"color_scheme": "dark"}, False),
        ({"color_scheme": "dark", "media": "print"}, True),
    ],
)
def test_dark_on_dark_screens_and_light_on_paper(browser, tmp_path, media, light):
    """The page follows the screen's scheme, and is printed dark on light."""
    opened = Opened(browser, report_studies.mixed(steps=3), tmp_path / "report.html")
    opened.page.emulate_media(**media)
    colour = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert brightness > 200 if light else brightness < 60
    opened.page.close()


def test_a_page_that_loads_itself_again_is_as_it_was_left(browser, tmp_path):
    """With more trials it keeps the one that was pinned, what was chosen, and the place."""
    study, path = builders.study(), tmp_path / "report.html"
    builders.advance(study)
    report.write(study, path, every=600)
    page = browser.new_page()
    page.clock.install()
    page.goto(path.as_uri())
    page.fill("#member", "2")
    page.press("#member", "Tab")
    page.check("input[value=weights]")
    page.check("#tree")
    page.select_option("#exploits-of", "winner")
    page.evaluate("scrollTo(0, 300)")
    top = "document.querySelector('.plot').getBoundingClientRect().top"  # text above may grow or shrink
    seen = page.evaluate(top)
    pinned = page.locator("#pinned").inner_text()
    builders.advance(study)
    report.write(study, path)
    with suppress(api.Error):  # the page that is to answer is gone
        page.clock.fast_forward("10:00")
    page.locator("#headline", has_text="8 of 20 trials").wait_for()
    assert pinned
    builders.wait_until(lambda: page.locator("#pinned").inner_text() == pinned)
    assert page.locator(MARKED).count() > 0
    assert page.evaluate(top) == pytest.approx(seen, abs=1)
    assert page.is_checked("input[value=weights]")
    assert page.is_checked("#tree")
    assert page.input_value("#exploits-of") == "winner"
    assert "Loads itself again" not in page.locator("#details").inner_text()
    page.close()


def test_without_scripts_it_says_so(browser, tmp_path):
    """Where scripts are off, the page asks for its own."""
    opened = browser.new_context(java_script_enabled=False).new_page()
    report.write(report_studies.mixed(steps=2), tmp_path / "report.html")
    opened.goto((tmp_path / "report.html").as_uri())
    assert "allow its script" in opened.locator("noscript").inner_text()
    opened.close()


def test_a_script_that_is_not_ours_does_not_run(browser, tmp_path):
    """The policy holds: a script or a request that somebody adds to the page is refused."""
    text = report.page(report_studies.mixed(steps=2))
    added = "<script>window.attacked = 1</script><img src='http://127.0.0.1:9/x.png'>"
    path = tmp_path / "report.html"
    path.write_text(text.replace("<header>", f"<header>{added}"))
    page = browser.new_page()
    answered = []
    page.on("response", lambda response: answered.append(response.url))
    page.goto(path.as_uri())
    assert page.evaluate("typeof window.attacked") == "undefined"
    assert answered == [path.as_uri()]
    page.close()
