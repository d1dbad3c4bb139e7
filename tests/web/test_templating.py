"""How pages are rendered and how they say times, sizes and matches."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from jinja2 import UndefinedError

from tests.web import samples
from web import templating, views
from web.assets import Assets
from web.templating import Pages

PAGES = samples.pages()
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def pages() -> Pages:
    return Pages(Assets.load())


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_holds_nothing_inline(pages: Pages, name: str) -> None:
    html = pages.html(*PAGES[name])
    assert " style=" not in html
    assert "<style" not in html
    assert " onclick" not in html
    assert "<script>" not in html
    assert html.count("<h1") == 1
    assert len(gzip.compress(html.encode())) <= 30_000


def test_a_block_is_a_part_of_the_page(pages: Pages) -> None:
    whole = pages.html(*PAGES["search"])
    part = pages.html(*PAGES["search"], block="results")
    assert part.strip().startswith('<div id="results"')
    assert part.strip() in whole
    assert "<html" not in part


def test_signed_in_pages_are_kept_by_nobody(pages: Pages) -> None:
    reply = pages.render(*PAGES["recordings"])
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["vary"] == "Cookie, HX-Request"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_text_of_people_is_escaped(pages: Pages, name: str) -> None:
    view, shell = PAGES[name]
    html = pages.html(samples.hostile(view), samples.hostile(shell))
    assert "<script>window" not in html
    assert "<img src=x" not in html


def test_text_of_people_is_shown_as_they_wrote_it(pages: Pages) -> None:
    view, shell = PAGES["lesson"]
    assert pages.html(samples.hostile(view), shell).count("&lt;script&gt;window") > 12


def test_a_forgotten_value_is_an_error(pages: Pages) -> None:
    with pytest.raises(UndefinedError):
        pages._environment.from_string("{{ view.nothing }}").render(view=views.SearchPage())


@pytest.mark.parametrize(
    ("seconds", "clock", "spoken"),
    [
        (0, "0:00", "0 seconds"),
        (83.9, "1:23", "1 minute 23 seconds"),
        (3661, "1:01:01", "1 hour 1 minute 1 second"),
        (-1, "0:00", "0 seconds"),
    ],
)
def test_moments_are_said_as_on_a_player_and_in_words(seconds: float, clock: str, spoken: str) -> None:
    assert templating.clock(seconds) == clock
    assert templating.spoken(seconds) == spoken


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.84, "0.8 s"), (59.4, "59 s"), (60, "1 min"), (83, "1 min 23 s"), (7300, "2 h 1 min")]
)
def test_lengths_are_said_short(seconds: float, said: str) -> None:
    assert templating.duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 bytes"), (999, "999 bytes"), (12_400_000, "12.4 MB"), (4 * 1024**3, "4.3 GB")]
)
def test_sizes_are_said_in_decimal_units(count: int, said: str) -> None:
    assert templating.size(count) == said


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=40), "40 minutes ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(hours=30), "yesterday"),
        (timedelta(days=9), "9 days ago"),
        (timedelta(days=90), "24 Aug 2026"),
        (timedelta(seconds=-5), "just now"),
    ],
)
def test_the_past_is_said_as_people_do(before: timedelta, said: str) -> None:
    assert templating.ago(NOW - before, NOW) == said


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("Open the valve.", "how to open valves", "<mark>Open</mark> the <mark>valve</mark>."),
        ("<b>open</b>", "open b", "&lt;<mark>b</mark>&gt;<mark>open</mark>&lt;/<mark>b</mark>&gt;"),
        ("The pump", "the", "The pump"),
        ("Über Öl", "über", "<mark>Über</mark> Öl"),
        ("nothing", "", "nothing"),
    ],
)
def test_words_of_the_query_are_marked_and_the_rest_is_escaped(text: str, query: str, marked: str) -> None:
    assert str(templating.mark(text, query)) == marked
