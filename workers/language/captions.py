"""Captions: words to cues by published rules, cues to WebVTT, and a linter whose findings go with the clip.

Rules: at most 2 lines of 42 characters, 17 characters a second, 5/6 s (here 1 s) to 7 s, two frames between
cues (Netflix timed text guide); breaks at punctuation and before a new phrase (BBC subtitle guidelines).
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from workers.language.records import Json, Segment, Word, join_words
from workers.language.sentences import ends_phrase, ends_sentence, words_of

MAX_LINES = 2
MAX_LINE_CHARS = 42
MAX_CHARS_PER_S = 17.0
MIN_S = 1.0
MAX_S = 7.0
GAP_S = 2 / 24
LONG_PAUSE_S = 1.5
SHORTEST_S = 0.04
"""No cue is shorter than a frame, even where word times say so: a word is never lost."""

_PHRASE_OPENERS = frozenset(
    (
        *("and", "or", "but", "so", "because", "if", "when", "while", "that", "which", "who", "then", "to"),
        *("for", "from", "with", "in", "on", "at", "by", "of", "as", "into"),
        *("und", "oder", "aber", "weil", "wenn", "dass", "damit", "mit", "von", "zu", "für", "auf", "bei"),
    )
)


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption on screen from `start_s` to `end_s`; one or two `lines`."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.lines)

    @property
    def chars_per_s(self) -> float:
        return len(self.text) / max(self.end_s - self.start_s, 0.001)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that cue number `index` (from 0) breaks, with a sentence for the reviewer."""

    code: str
    index: int
    sentence: str

    def to_json(self) -> Json:
        return {"code": self.code, "index": self.index, "sentence": self.sentence}


def cues(source: Sequence[Segment] | Sequence[Word], duration_s: float) -> list[Cue]:
    """Cues in order, inside 0..duration_s, holding every word once.

    Cuts are the cheapest by dynamic programming over all words: sentence ends and pauses are free, a cut inside
    a phrase costs, so do cues that are read too fast or are very short.
    """
    groups = _groups(_fitting(words_of(source)))
    latest_s = max(0.0, duration_s - SHORTEST_S)
    starts = [min(group[0].start_s, latest_s) for group in groups]
    result = []
    for index, group in enumerate(groups):
        ceiling_s = starts[index + 1] - GAP_S if index + 1 < len(groups) else duration_s
        lines = break_lines([word.text for word in group])
        end_s = _end(starts[index], group[-1].end_s, ceiling_s, len(" ".join(lines)))
        result.append(Cue(starts[index], end_s, lines))
    return result


def break_lines(texts: Sequence[str]) -> tuple[str, ...]:
    """One line if it fits, else two of at most 42 characters, broken at a phrase and near the middle."""
    whole = join_words(texts)
    if len(whole) <= MAX_LINE_CHARS or len(texts) < 2:
        return (whole,)
    place = min(range(1, len(texts)), key=lambda place: _line_cost(texts, place))
    return join_words(texts[:place]), join_words(texts[place:])


def _line_cost(texts: Sequence[str], place: int) -> float:
    first, second = join_words(texts[:place]), join_words(texts[place:])
    too_long = max(0, len(first) - MAX_LINE_CHARS) + max(0, len(second) - MAX_LINE_CHARS)
    left, right = texts[place - 1], texts[place]
    phrase = 0.0 if ends_sentence(left) or ends_phrase(left) else 4.0 if _opens(right) else 8.0
    return 1000.0 * too_long + abs(len(first) - len(second)) * 0.5 + phrase


def _opens(text: str) -> bool:
    return text.lower() in _PHRASE_OPENERS


def _fitting(words: Sequence[Word]) -> list[Word]:
    """A word longer than a line (an address, say) in pieces that fit."""
    fitting: list[Word] = []
    for word in words:
        pieces = [word.text[at : at + MAX_LINE_CHARS] for at in range(0, len(word.text), MAX_LINE_CHARS)]
        step_s = (word.end_s - word.start_s) / len(pieces)
        fitting.extend(
            Word(word.start_s + step_s * n, word.start_s + step_s * (n + 1), piece, word.probability)
            for n, piece in enumerate(pieces)
        )
    return fitting


def _groups(words: Sequence[Word]) -> list[list[Word]]:
    """The cheapest cut of all words into cues. best[i] is the cost of the first i words."""
    best: list[float] = [0.0]
    came_from = [0]
    for end in range(1, len(words) + 1):
        options = []
        for start in range(end - 1, -1, -1):
            if start < end - 1 and not _fits(words[start:end]):
                break
            options.append((best[start] + _group_cost(words, start, end), start))
        cost, start = min(options)
        best.append(cost)
        came_from.append(start)
    groups: list[list[Word]] = []
    end = len(words)
    while end:
        groups.append(list(words[came_from[end] : end]))
        end = came_from[end]
    return groups[::-1]


def _fits(group: Sequence[Word]) -> bool:
    if group[-1].end_s - group[0].start_s > MAX_S:
        return False
    if any(right.start_s - left.end_s > LONG_PAUSE_S for left, right in pairwise(group)):
        return False
    lines = break_lines([word.text for word in group])
    return all(len(line) <= MAX_LINE_CHARS for line in lines)


def _group_cost(words: Sequence[Word], start: int, end: int) -> float:
    group = words[start:end]
    after = words[end] if end < len(words) else None
    free_s = (after.start_s - GAP_S if after else group[-1].end_s + MIN_S) - group[0].start_s
    chars = len(join_words(word.text for word in group))
    cost = 1.0 + _cut_cost(group[-1], after)
    cost += 2.0 * max(0.0, MIN_S - free_s)
    cost += 0.2 * max(0.0, chars / max(free_s, 0.1) - MAX_CHARS_PER_S)
    inner = sum(1 for word in group[:-1] if ends_sentence(word.text))
    return cost + 0.7 * inner


def _cut_cost(last: Word, after: Word | None) -> float:
    if after is None or ends_sentence(last.text) or after.start_s - last.end_s > LONG_PAUSE_S / 2:
        return 0.0
    if ends_phrase(last.text):
        return 0.3
    pause = min(0.5, max(0.0, after.start_s - last.end_s))
    return (1.4 if _opens(after.text) else 2.4) - pause


def _end(start_s: float, spoken_s: float, ceiling_s: float, chars: int) -> float:
    """As long as it takes to read, at least 1 s, at most 7 s, never into the next cue."""
    wanted_s = max(spoken_s, start_s + MIN_S, start_s + chars / MAX_CHARS_PER_S)
    return max(min(wanted_s, start_s + MAX_S, ceiling_s), start_s + SHORTEST_S)


def to_webvtt(cues: Sequence[Cue]) -> str:
    """A WebVTT file. Text is data: no cue text can end its cue, open a tag or add a setting.

    `&`, `<`, `>` are escaped (so "-->" cannot occur), line breaks and control characters become spaces.
    """
    blocks = ["WEBVTT"]
    for cue in cues:
        lines = [line for line in map(_safe, cue.lines) if line]
        if lines:
            blocks.append("\n".join([f"{_clock(cue.start_s)} --> {_clock(cue.end_s)}", *lines]))
    return "\n\n".join(blocks) + "\n"


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def _safe(line: str) -> str:
    return html.escape(" ".join(_CONTROL.sub(" ", line).split()), quote=False)


def _clock(time_s: float) -> str:
    milliseconds = max(0, round(time_s * 1000))
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def lint(cues: Sequence[Cue]) -> list[Finding]:
    """What breaks a rule, in order of cues. An empty list is what a reviewer wants to see."""
    findings: list[Finding] = []
    for index, cue in enumerate(cues):
        after = cues[index + 1] if index + 1 < len(cues) else None
        findings.extend(Finding(code, index, sentence) for code, sentence in _broken(cue, after))
    return findings


def _broken(cue: Cue, after: Cue | None) -> list[tuple[str, str]]:
    length_s = cue.end_s - cue.start_s
    longest = max(map(len, cue.lines), default=0)
    gap_s = after.start_s - cue.end_s if after else GAP_S
    rules = [
        (not cue.text.strip(), "empty", "This caption has no text."),
        (len(cue.lines) > MAX_LINES, "lines", f"This caption has {len(cue.lines)} lines; two fit."),
        (longest > MAX_LINE_CHARS, "long_line", f"A line has {longest} characters; 42 fit."),
        (
            cue.chars_per_s > MAX_CHARS_PER_S + 0.01,
            "fast",
            f"{cue.chars_per_s:.0f} characters a second are too fast to read; 17 are comfortable.",
        ),
        (length_s < MIN_S - 0.001, "short", f"Shown for {length_s:.1f} s; at least one second is needed."),
        (length_s > MAX_S + 0.001, "long", f"Shown for {length_s:.1f} s; seven seconds are the most."),
        (gap_s < 0, "overlap", "This caption is still shown when the next one begins."),
        (0 <= gap_s < GAP_S - 0.001, "gap", "Leave two frames between this caption and the next."),
    ]
    return [(code, sentence) for broken, code, sentence in rules if broken]
