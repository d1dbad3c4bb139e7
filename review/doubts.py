"""What a reviewer should look at first (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# A word below this probability is marked; a clip with more of them than this share is doubtful as a whole.
LOW_PROBABILITY = 0.5
LOW_SHARE = 0.1


def doubts(transcript: Mapping[str, Any], caption_findings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Doubts of a clip, as {code, start_s, sentence}, the earliest first.

    `transcript` is a Transcript of workers/language/records.py as JSON.
    """
    words = [word for segment in transcript.get("segments", ()) for word in segment["words"]]
    found: list[dict[str, Any]] = []
    if not words:
        found.append({"code": "no_speech", "start_s": 0.0, "sentence": "Nothing is said in this clip."})
    low = [word for word in words if word["probability"] < LOW_PROBABILITY]
    if len(low) > LOW_SHARE * len(words):
        sentence = f"{len(low)} of {len(words)} words are uncertain."
        found.append({"code": "uncertain", "start_s": low[0]["start_s"], "sentence": sentence})
    for removed in transcript.get("removed", ()):
        sentence = f"“{removed['text'].strip()}” was removed as probably never said. Please listen."
        found.append({"code": "removed", "start_s": removed["start_s"], "sentence": sentence})
    if caption_findings:
        sentence = f"{len(caption_findings)} captions are hard to read."
        found.append({"code": "captions", "start_s": 0.0, "sentence": sentence})
    return sorted(found, key=lambda doubt: (doubt["start_s"], doubt["code"]))
