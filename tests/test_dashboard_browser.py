"""The dashboard in a real browser: `test_report_browser.py` says what that needs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

pytest.importorskip("uvicorn", reason="needs pip install -e '.[dashboard]'")
pytest.importorskip("click", reason="the command line needs the extra 'cli'")
pytest.importorskip("rich", reason="the command line needs the extra 'cli'")

import hoptim
from tests import builders
from tests.builders import study, train
from tests.test_dashboard import serving
from tests.test_report_browser import MARKED, api, browser  # noqa: F401 - a fixture

expect = api.expect
EVERYTHING = {"has_text": re.compile(r"32 of 32 trials")}


@pytest.fixture
def runs(tmp_path):
    """A finished study, and one that four workers train, each of which stays in its second trial."""
    train(study(tmp_path / "runs" / "finished"))
    (tmp_path / "acks").mkdir()
    (tmp_path / "hold").mkdir()
    (tmp_path / "hold" / "2").touch()
    words = (tmp_path / "runs" / "live", tmp_path / "acks")
    settings = {"HOLD": str(tmp_path / "hold"), "SIZE": "8", "STEPS": "4"}
    workers = [builders.run("train.py", *words, **settings) for _ in range(4)]
    yield tmp_path / "runs", workers, tmp_path / "hold" / "2"
    for worker in workers:
        worker.kill()
        worker.communicate()


def opened(browser, address, **options):  # noqa: F811
    """A page of the dashboard, with all that it said and asked for."""
    page = browser.new_page(**options)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(address)
    return page


def test_four_workers_are_followed_of_whom_two_are_killed(browser, runs):  # noqa: F811
    """List and page tell who is at work and who was lost, and of new trials without a touch."""
    folder, workers, hold = runs
    with serving(folder) as served:
        page = opened(browser, served.address)
        row = page.locator("tr[data-study=live]")
        expect(row.locator("[data-label=Workers]")).to_have_text("4", timeout=30_000)
        expect(row.locator("[data-label=Done]")).to_have_text("4 of 32")
        assert page.locator("path.series").count() == 2 + 2  # two studies, in the plot and in the list
        assert page.url == f"http://127.0.0.1:{served.port}/"  # no token that a screenshot shows
        workers[0].kill()
        workers[0].wait()
        expect(row.locator("[data-label=Workers]")).to_have_text("3, 1 lost")
        expect(page.locator("#warnings")).to_contain_text(f"process {workers[0].pid}")
        expect(page.locator("#headline")).to_contain_text("1 lost")

        row.locator("a").click()
        expect(page.locator("#workers-note")).to_have_text("3 at work, 1 lost.")
        expect(page.locator("#workers tbody tr", has_text="lost, ")).to_contain_text(str(workers[0].pid))
        workers[1].kill()  # no trial ended, so the page is not loaded again
        workers[1].wait()
        expect(page.locator("#workers-note")).to_have_text("2 at work, 2 lost.")
        page.fill("#member", str(hoptim.load(folder / "live").trials[0].member))
        page.press("#member", "Tab")
        page.check("input[value=weights]")
        pinned = page.locator("#pinned").inner_text()
        hold.unlink()
        expect(page.locator("#headline", **EVERYTHING)).to_be_visible(timeout=60_000)
        expect(page.locator("#workers-note")).to_have_text("No worker has a trial.")
        assert page.locator("#pinned").inner_text() == pinned != ""
        assert page.is_checked("input[value=weights]")
        assert page.locator(MARKED).count() > 0
        page.click("text=All studies")
        expect(row.locator("[data-label=State]")).to_have_text("done")
        assert {urlsplit(url).netloc for url in page.asked} == {f"127.0.0.1:{served.port}"}
        assert page.said == []

        assert served.end() == (130, "")
        expect(page.locator("#live")).to_contain_text("No answer since")
        page.close()


def test_studies_are_compared_on_any_screen(browser, tmp_path):  # noqa: F811
    """Pointing at a line or a row marks both; no page is wider than a phone, and dark is dark."""
    for seed in range(8):  # more than colours
        mode = "max" if seed == 7 else "min"
        builders.advance(study(tmp_path / f"seed-{seed}", seed=seed, mode=mode))
    with serving(tmp_path) as served:
        options = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
        page = opened(browser, served.address, **options)
        expect(page.locator("#plots figure")).to_have_count(2)  # values of different modes share no axis
        looks, drawn = (
            sorted(page.locator(paths).evaluate_all("all => all.map(e => e.getAttribute('class'))"))
            for paths in ("tbody svg path", "#plots path.series")
        )
        assert len({*looks}) == 8
        assert looks == drawn
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.locator(".all").evaluate("box => box.scrollWidth <= box.clientWidth")  # nothing to push
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", colour)[:3])) < 60
        page.locator("tr[data-study=seed-3]").hover()
        assert {*page.locator(".pointed").evaluate_all("all => all.map(e => e.dataset.study)")} == {
            "seed-3"
        }
        builders.advance(study(tmp_path / "seed-3", seed=3))
        row = page.locator("tr[data-study=seed-3]")
        expect(row.locator("[data-label=Done]")).to_have_text("8 of 20")
        expect(page.locator("#plots path.pointed")).to_have_attribute("data-study", "seed-3")
        end = page.locator("circle[data-study=seed-5]")
        end.scroll_into_view_if_needed()
        end.hover(force=True)
        value = min(t.value for t in study(tmp_path / "seed-5", seed=5).trials)
        expect(page.locator("#pointed")).to_have_text(f"seed-5: {value:.6g} at step 0")
        page.goto(f"http://127.0.0.1:{served.port}/study/seed-3")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.said == []
        page.close()
