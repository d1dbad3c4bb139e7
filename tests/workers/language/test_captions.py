"""Captions keep the published rules, and no text can break out of them."""

from __future__ import annotations

import html
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.language.captions import Cue, break_lines, cues, lint, to_webvtt
from workers.language.records import Word, segment_of


def said(text: str, *, at_s: float = 0.0, step_s: float = 0.45) -> list[Word]:
    return [Word(at_s + step_s * n, at_s + step_s * (n + 0.9), word) for n, word in enumerate(text.split())]


LESSON = (
    "Open the settings page and choose the invoice tab. Then press the green button to save the file, because "
    "otherwise the numbers are gone when you close it. Finally, send the order to the customer."
)


def test_speech_at_an_ordinary_pace_breaks_no_rule() -> None:
    assert lint(cues(said(LESSON), 60)) == []


def test_captions_break_at_phrases_and_not_inside_them() -> None:
    found = cues([segment_of(said(LESSON))], 60)
    assert [cue.text for cue in found] == [
        "Open the settings page and choose the invoice tab.",
        "Then press the green button to save the file,",
        "because otherwise the numbers are gone when you close it.",
        "Finally, send the order to the customer.",
    ]
    assert found[0].lines == ("Open the settings page", "and choose the invoice tab.")


def test_a_pause_ends_a_caption_and_the_silence_after_it_is_used_for_reading() -> None:
    found = cues(said("Stop!", at_s=1) + said("Now pull the filter out.", at_s=9), 60)
    assert [cue.text for cue in found] == ["Stop!", "Now pull the filter out."]
    assert (found[0].start_s, found[0].end_s, found[1].start_s) == (1, 2, 9)


def test_the_last_caption_ends_with_the_clip() -> None:
    [cue] = cues(said("Done.", at_s=9.8), 10.0)
    assert cue.end_s == 10.0


def test_an_address_longer_than_a_line_is_cut_and_not_lost() -> None:
    address = "https://intranet.example.com/purchasing/suppliers/new?template=standard&team=north"
    found = cues(said(f"Open {address} now", step_s=2), 60)
    assert "".join(cue.text for cue in found).replace(" ", "") == f"Open{address}now"
    assert max(len(line) for cue in found for line in cue.lines) <= 42


def test_a_script_without_spaces_is_broken_too() -> None:
    words = [
        Word(n * 0.3, n * 0.3 + 0.3, character) for n, character in enumerate("設定画面を開いて請求書を選びます" * 5)
    ]
    found = cues(words, 60)
    assert "".join("".join(cue.lines) for cue in found) == "".join(word.text for word in words)
    assert max(len(line) for cue in found for line in cue.lines) <= 42


def test_two_lines_are_balanced_rather_than_one_full_and_one_word() -> None:
    lines = break_lines(["You", "find", "the", "report", "under", "the", "third", "tab", "of", "the", "page"])
    assert abs(len(lines[0]) - len(lines[1])) < 12


@pytest.mark.parametrize(
    ("code", "cue", "after"),
    [
        ("lines", Cue(0, 3, ("one", "two", "three")), None),
        ("long_line", Cue(0, 5, ("x" * 43,)), None),
        ("fast", Cue(0, 1, ("eighteen letters..",)), None),
        ("short", Cue(0, 0.9, ("Hi",)), None),
        ("long", Cue(0, 7.1, ("Hi",)), None),
        ("gap", Cue(0, 2, ("Hi",)), Cue(2.05, 4, ("there",))),
        ("overlap", Cue(0, 2, ("Hi",)), Cue(1.9, 4, ("there",))),
        ("empty", Cue(0, 2, (" ",)), None),
    ],
)
def test_the_linter_names_each_rule_that_is_broken(code: str, cue: Cue, after: Cue | None) -> None:
    findings = lint([cue] if after is None else [cue, after])
    assert [(finding.code, finding.index) for finding in findings] == [(code, 0)]


def test_the_linter_is_silent_at_the_limits() -> None:
    assert lint([Cue(0, 7, ("x" * 42, "y" * 42)), Cue(7.0834, 8.0834, ("seventeen letters",))]) == []


_PACE = st.lists(
    st.tuples(
        st.text("abcdefgh.,-<>&", min_size=1, max_size=60),
        st.floats(0, 3),
        st.floats(0, 3),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(_PACE)
def test_every_word_is_shown_once_in_order_whatever_the_pace(drawn: list[tuple[str, float, float]]) -> None:
    words, at_s = [], 0.0
    for text, length_s, pause_s in drawn:
        words.append(Word(at_s, at_s + length_s, text))
        at_s += length_s + pause_s
    found = cues(words, at_s + 1)
    shown = "".join(cue.text for cue in found).replace(" ", "")
    assert shown == "".join(word.text for word in words)
    for cue in found:
        assert 0 <= cue.start_s < cue.end_s <= at_s + 1
        assert len(cue.lines) <= 2
        assert all(len(line) <= 42 for line in cue.lines)
        assert cue.end_s - cue.start_s <= 7.0001
    assert all(left.start_s <= right.start_s for left, right in pairwise(found))


_BLOCK = re.compile(r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}")


def _parsed(text: str) -> list[list[str]]:
    """Cue payloads as a browser's parser sees them: blocks between blank lines, a line with --> starts a cue."""
    blocks = re.split(r"(?:\r\n|\r|\n){2,}", text.strip())
    assert blocks[0] == "WEBVTT"
    payloads = []
    for block in blocks[1:]:
        timing, *payload = re.split(r"\r\n|\r|\n", block)
        assert _BLOCK.fullmatch(timing)
        payloads.append(payload)
    return payloads


@pytest.mark.parametrize(
    "attack",
    [
        "a\n\n00:00:00.000 --> 00:59:00.000\nowned",
        "x --> y",
        "<script>alert(1)</script>",
        "<v Boss>hi</v> <c.red> <00:00:01.000>",
        "&lt;b&gt; & &amp; &nbsp;",
        "a\r\nb\rc\u2028d\x0be\x00f\x85g",
        "NOTE hidden",
        "\u202egnihton\u202c",
    ],
)
def test_text_of_any_kind_stays_text(attack: str) -> None:
    vtt = to_webvtt([Cue(0, 2, (attack, "second line")), Cue(3, 4, ("next",))])
    first, second = _parsed(vtt)
    assert len(first) == 2
    assert second == ["next"]
    assert vtt.count("-->") == 2
    assert not re.search(r"[<>\x00\u202e]", vtt.replace("-->", ""))
    shown = html.unescape(first[0])
    assert re.sub(r"\W", "", shown) == re.sub(r"\W", "", attack)


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_no_text_whatever_adds_or_removes_a_cue(texts: list[str]) -> None:
    numbered = [Cue(n, n + 0.9, (f"{n}{text}",)) for n, text in enumerate(texts)]
    payloads = _parsed(to_webvtt(numbered))
    assert len(payloads) == len(texts)
    assert all(len(payload) == 1 and payload[0].startswith(str(n)) for n, payload in enumerate(payloads))


def test_times_are_written_with_hours_and_milliseconds() -> None:
    assert "01:02:03.457 --> 01:02:04.000" in to_webvtt([Cue(3723.4567, 3724, ("x",))])
    assert to_webvtt([]) == "WEBVTT\n"
