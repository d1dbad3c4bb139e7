"""What Whisper gets to hear: speech without its long silences, in windows that cut no sentence."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.language.records import Span
from workers.media.whisper_process import RATE_HZ, Voiced, padded


def voiced(speech: list[Span], duration_s: float) -> Voiced:
    return Voiced(np.zeros(int(duration_s * RATE_HZ), dtype=np.float32), speech)


def test_long_silences_go_and_short_pauses_stay() -> None:
    assert padded([(1.0, 2.0), (2.5, 4.0), (20.0, 21.0)], 60) == [(0.7, 4.3), (19.7, 21.3)]
    assert padded([(0.1, 9.9)], 10) == [(0.0, 10.0)]


def test_a_short_clip_is_one_window() -> None:
    clip = voiced([(1.0, 12.0)], 60)
    assert clip.windows() == [0.0, clip.duration_s]


def test_a_window_ends_in_the_longest_pause_that_costs_no_further_window() -> None:
    speech = [(0.0, 10.0), (10.8, 18.0), (18.2, 27.0), (27.5, 39.0)]
    assert voiced(speech, 39.0).windows() == [0.0, 10.4, 10.4, 39.0]
    long = [*speech[:-1], (27.5, 45.0)]
    assert voiced(long, 45.0).windows() == [0.0, 27.25, 27.25, 45.0]


def test_speech_without_any_pause_is_cut_all_the_same() -> None:
    assert voiced([(0.0, 70.0)], 70.0).windows() == [0.0, 29.0, 29.0, 58.0, 58.0, 70.0]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 3), st.floats(0.1, 60)), min_size=1, max_size=12))
def test_windows_cover_all_speech_once_and_fit_the_model(drawn: list[tuple[float, float]]) -> None:
    speech, at_s = [], 0.0
    for pause_s, length_s in drawn:
        speech.append((at_s + pause_s, at_s + pause_s + length_s))
        at_s += pause_s + length_s
    clip = voiced(speech, at_s + 1)
    windows = clip.windows()
    assert (windows[0], windows[-1]) == (0.0, clip.duration_s)
    spans = list(zip(windows[::2], windows[1::2], strict=True))
    assert all(0 < end_s - start_s <= 29.0001 for start_s, end_s in spans)
    assert all(left[1] == right[0] for left, right in pairwise(spans))
    assert clip.duration_s >= sum(end_s - start_s for start_s, end_s in speech) - 0.01
