"""The reading edition in a browser, after `make book`: accessible, in the dark and on a phone."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from axe_playwright_python.sync_playwright import Axe

from utils.authoring.book import TARGET
from utils.authoring.build import ROOT, lesson_names

SITE = TARGET / "html"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
LESSONS = [f"{name}.html" for name in lesson_names(ROOT)]
SCREENS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

pytestmark = pytest.mark.skipif(not PAGES, reason="make book first")


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and keeps no log."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site():
    """The address of the site on a server of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def open_page(browser, site):
    """open_page("01_rnn_cell.html", screen="phone", scheme="dark") -> the page, once it is ready.

    At the end of the test no page may have asked another address, or had an error.
    """
    contexts, asked, errors = [], [], []

    def open_one(name, screen="desktop", scheme="light"):
        context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{site}/{name}")
        page.evaluate("window.MathJax?.startup?.promise")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((site, "data:"))] == []
    assert errors == []


def violations(page, contrast):
    """What axe finds wrong, one line each: the rule, the place, and how to mend it."""
    rules = {"color-contrast": {"enabled": contrast}}
    options = {"runOnly": RULES, "rules": rules, "resultTypes": ["violations"]}
    return [
        f"{rule['id']}: {node['html'][:120]}: {node['failureSummary']}"
        for rule in Axe().run(page, options=options).response["violations"]
        for node in rule["nodes"]
    ]


def open_toggles(page):
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(open_page, name):
    page = open_page(name)
    open_toggles(page)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for screen, size in SCREENS.items():
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(100)  # until book.js has seen the new sizes
            assert page.evaluate(wide) == 0, screen
            # the long pages have the same colours on a phone; to look at all takes minutes
            contrast = screen == "desktop" or name not in (*LESSONS, "mistakes.html")
            assert violations(page, contrast) == [], f"{screen}, {scheme}"


@pytest.mark.parametrize("name", LESSONS[1:])
def test_formulas_are_typeset(open_page, name):
    page = open_page(name)
    assert page.locator("span.math, div.math").count() == page.locator("mjx-container").count() > 0
    assert page.locator("mjx-merror").count() == 0


def test_hint_solution_and_answer_open_with_enter(open_page):
    page = open_page("01_rnn_cell.html")
    for words, hidden in (
        ("Hint 2", "The matrix product is @, not *"),
        ("Show the solution of cell_forward", "return np.tanh(x_t @ U + h_prev @ V + b)"),
        ("Show the answer to question 1.1", "The two counts are the same input"),
    ):
        toggle = page.locator("details", has_text=words).first
        assert hidden not in toggle.inner_text()
        toggle.locator("summary").focus()
        page.keyboard.press("Enter")
        assert hidden in toggle.inner_text()


@pytest.mark.parametrize("name", LESSONS)
def test_every_exercise_shows_its_report(open_page, name):
    page = open_page(name)
    shown = page.locator("strong", has_text="✓ passed").filter(visible=True).count()
    assert shown >= page.locator("summary", has_text="Show the solution of").count() > 0


def test_search_finds_a_word(open_page):
    page = open_page("search.html?q=truncated")
    page.locator("ul.search li a").first.wait_for()
    links = page.locator("ul.search li a").evaluate_all("all => all.map((one) => one.href)")
    assert any("03_backpropagation" in link for link in links), json.dumps(links)
    assert any("api/bptt" in link for link in links), json.dumps(links)


def test_the_menu_of_a_phone_opens_by_keyboard(open_page):
    page = open_page("01_rnn_cell.html", screen="phone")
    menu = page.get_by_role("button", name="Menu")
    link = page.locator(".sidebar-drawer a", has_text="2 · ")
    assert not link.is_visible()
    menu.focus()
    page.keyboard.press("Enter")
    link.wait_for(state="visible")
    page.keyboard.press("Escape")
    link.wait_for(state="hidden")
    assert menu.evaluate("(button) => button === document.activeElement")
    page.keyboard.press("Space")
    link.wait_for(state="visible")
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/02_sequence_unrolling.html")


def test_previous_and_next_lead_through_the_lessons(open_page):
    page = open_page(LESSONS[0])
    for name in LESSONS[1:]:
        page.locator("a.next-page").click()
        page.wait_for_url(f"**/{name}")
    page.locator("a.prev-page").click()
    page.wait_for_url(f"**/{LESSONS[-2]}")
