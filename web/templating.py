"""Jinja for the pages: strict, escaped, with filters that say times and sizes as people do.

`Pages.render(view, shell)` gives the whole page, `Pages.render(view, shell, block="results")` one block of it for htmx.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from web import htmx
from web.assets import Assets
from web.views import DOUBT, Page, Shell

TEMPLATES = Path(__file__).parent / "templates"
STAGE_LABELS = {
    "probe": "Check the file",
    "playable": "Make it playable",
    "transcribe": "Write down what is said",
    "renditions": "Make sizes for phone and desk",
    "chapter": "Find the chapters",
    "submit": "Hand over for review",
    "publish": "Publish",
    "index": "Make it searchable",
}
ROLE_LABELS = {"learner": "Learner", "expert": "Expert", "reviewer": "Reviewer", "admin": "Administrator"}


class Pages:
    """Renders views. One for the process: the templates are compiled once and kept."""

    def __init__(self, assets: Assets, templates: Path = TEMPLATES) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(templates),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "ago": ago,
            "clock": clock,
            "day": day,
            "duration": duration,
            "iso": iso,
            "mark": mark,
            "size": size,
            "spoken": spoken,
        }
        self._environment.globals |= {
            "assets": assets.tags,
            "icon": lambda name, extra="": _icon(assets.url("icons.svg"), name, extra),
            "favicon": assets.url("favicon.svg"),
            "stage_labels": STAGE_LABELS,
            "role_labels": ROLE_LABELS,
            "doubt": DOUBT,
        }

    def render(
        self,
        view: Page,
        shell: Shell,
        *,
        block: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """Return the page as a reply that no cache keeps, or only its `block` for a fragment."""
        html = self.html(view, shell, block=block)
        own = {"Cache-Control": "no-store", "Vary": f"Cookie, {htmx.VARY}"}
        return HTMLResponse(html, status_code=status, headers=own | dict(headers or {}))

    def html(self, view: Page, shell: Shell, *, block: str | None = None) -> str:
        """Return the text of the page, or of one block of it. Raises KeyError when there is no such block."""
        template = self._environment.get_template(view.template)
        values = {"view": view, "shell": shell}
        if block is None:
            return template.render(values)
        context = template.new_context(values)
        return "".join(template.blocks[block](context))


def _icon(sprite: str, name: str, extra: str) -> Markup:
    return Markup('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>').format(extra, sprite, name)


def clock(seconds: float) -> str:
    """Say a moment as on a player: `83.2` is `1:23`, `3723` is `1:02:03`."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def spoken(seconds: float) -> str:
    """Say a moment in words, for screen readers: `83.2` is `1 minute 23 seconds`."""
    whole = max(0, int(seconds))
    parts = ((whole // 3600, "hour"), (whole // 60 % 60, "minute"), (whole % 60, "second"))
    said = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in parts if count]
    return " ".join(said) or "0 seconds"


def duration(seconds: float) -> str:
    """Say how long something took or takes: `0.84` is `0.8 s`, `83` is `1 min 23 s`, `7300` is `2 h 1 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole // 60 % 60} min"
    return f"{whole // 86400} days" if whole >= 2 * 86400 else "1 day"


def size(count: int) -> str:
    """Say a size in bytes with decimal units: `12_400_000` is `12.4 MB`."""
    value = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            digits = 0 if unit == "bytes" or value >= 100 or value == int(value) else 1
            return f"{value:.{digits}f} {unit}"
        value /= 1000
    raise AssertionError(count)


def ago(moment: datetime, now: datetime | None = None) -> str:
    """Say how long ago: `just now`, `5 minutes ago`, `yesterday`, `3 days ago`; older than a month, the day."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 45:
        return "just now"
    if seconds < 5400:
        return _count_ago(round(seconds / 60), "minute")
    if seconds < 86400:
        return _count_ago(round(seconds / 3600), "hour")
    days = round(seconds / 86400)
    if days == 1:
        return "yesterday"
    return _count_ago(days, "day") if days <= 31 else day(moment)


def _count_ago(count: int, noun: str) -> str:
    return f"{max(count, 1)} {noun}{'' if count <= 1 else 's'} ago"


def day(moment: datetime) -> str:
    """Say a day: `12 Nov 2026`."""
    return f"{moment.day} {moment:%b %Y}"


def iso(moment: datetime) -> str:
    """Return RFC 3339 in UTC, for the `datetime` attribute."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


WORD = re.compile(r"\w+")
STOP_WORDS = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "how", "i", "in", "is"}
    | {"it", "my", "of", "on", "or", "the", "to", "what", "when", "where", "why", "with", "you"}
)


def mark(text: str, query: str) -> Markup:
    """Return `text`, escaped, with the words of `query` in `<mark>`.

    Word forms count as the same when they share their first five letters (all four of a word of four) and differ by at
    most three letters in length: enough for plurals and endings without a dictionary.
    """
    wanted = {word.casefold() for word in WORD.findall(query)} - STOP_WORDS
    out = Markup()
    at = 0
    for found in WORD.finditer(text):
        if any(_same_word(found.group().casefold(), word) for word in wanted):
            out += escape(text[at : found.start()]) + Markup("<mark>{}</mark>").format(found.group())
            at = found.end()
    return out + escape(text[at:])


def _same_word(one: str, other: str) -> bool:
    if one == other:
        return True
    stem = min(5, len(one), len(other))
    return stem >= 4 and abs(len(one) - len(other)) <= 3 and one[:stem] == other[:stem]
