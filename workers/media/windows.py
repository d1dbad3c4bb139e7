"""What Whisper gets to hear at a time: speech without its long silences, in windows that cut no sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from workers.language.records import Span

_PAD_S = 0.3
_JOIN_S = 1.1
_SAMPLE_S = 1 / 16000  # what is shorter comes of rounding
WINDOW_S = 29.0


def padded(speech: Sequence[Span], duration_s: float) -> list[Span]:
    """Speech with 0.3 s of air around it, joined over pauses below 1.1 s."""
    joined: list[Span] = []
    for heard_s, silent_s in speech:
        start_s, end_s = max(0.0, heard_s - _PAD_S), min(duration_s, silent_s + _PAD_S)
        if joined and start_s - joined[-1][1] < _JOIN_S - 2 * _PAD_S:
            joined[-1] = (joined[-1][0], end_s)
        else:
            joined.append((start_s, end_s))
    return joined


def windows(speech: Sequence[Span], duration_s: float) -> list[list[Span]]:
    """Windows of at most 29 s, each the stretches (start_s, end_s) of the clip that it holds, in order.

    They end in pauses: Whisper drops whole sentences that its 30 s window cuts in two (measured: 13 of 420 words under
    noise). No window is heard with another in mind, so several can be heard at once.
    """
    if not speech:
        return []
    spans = padded(speech, duration_s)
    pauses = [
        (_voiced_s(spans, (left[1] + right[0]) / 2), right[0] - left[1]) for left, right in pairwise(speech)
    ]  # as (voiced second, length in seconds)
    edges_s = _edges(sum(end_s - start_s for start_s, end_s in spans), pauses)
    return [_between(spans, start_s, end_s) for start_s, end_s in pairwise(edges_s)]


def _voiced_s(spans: Sequence[Span], time_s: float) -> float:
    """How many seconds of `spans` lie before a time of the clip."""
    return sum(max(0.0, min(time_s, end_s) - start_s) for start_s, end_s in spans)


def _edges(voiced_s: float, pauses: Sequence[tuple[float, float]]) -> list[float]:
    """Where windows begin and end, in voiced seconds: in the longest pause that costs no further window."""
    edges_s = [0.0]
    while (left_s := voiced_s - edges_s[-1]) > WINDOW_S:
        latest_s = edges_s[-1] + WINDOW_S
        fewest_s = edges_s[-1] + left_s - (math.ceil(left_s / WINDOW_S) - 1) * WINDOW_S
        inside = [pause for pause in pauses if edges_s[-1] + WINDOW_S / 3 < pause[0] <= latest_s]
        inside = [pause for pause in inside if pause[0] >= fewest_s] or inside
        edges_s.append(max(inside, key=lambda pause: pause[1], default=(latest_s, 0.0))[0])
    return [*edges_s, voiced_s]


def _between(spans: Sequence[Span], from_s: float, to_s: float) -> list[Span]:
    """The parts of `spans` from one voiced second to another."""
    found, before_s = [], 0.0
    for start_s, end_s in spans:
        first_s, last_s = start_s + max(0.0, from_s - before_s), min(end_s, start_s + to_s - before_s)
        if last_s - first_s > _SAMPLE_S:
            found.append((first_s, last_s))
        before_s += end_s - start_s
    return found
