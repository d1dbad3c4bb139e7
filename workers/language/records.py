"""What was said, as plain frozen records that every part of the platform shares.

Times are seconds from the start of the clip. The JSON shapes are those of the API
(`{language, segments: [{start_s, end_s, text, words: [{start_s, end_s, text, probability}]}]}`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Span = tuple[float, float]

_UNSPACED_SCRIPTS = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "MYANMAR",
    "KHMER",
    "IDEOGRAPHIC",
    "FULLWIDTH",
)


def join_words(texts: Iterable[str]) -> str:
    """One line of text out of words: a space between them, except in scripts that write none."""
    line = ""
    for text in texts:
        if line and text and not (_is_unspaced(line[-1]) and _is_unspaced(text[0])):
            line += " "
        line += text
    return line


def _is_unspaced(character: str) -> bool:
    return ord(character) > 0x0DFF and unicodedata.name(character, "").startswith(_UNSPACED_SCRIPTS)


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its punctuation and no space around it; `probability` is 0..1."""

    start_s: float
    end_s: float
    text: str
    probability: float = 1.0

    def to_json(self) -> Json:
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "text": self.text,
            "probability": round(self.probability, 3),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Word:
        return cls(
            float(data["start_s"]),
            float(data["end_s"]),
            str(data["text"]),
            float(data.get("probability", 1.0)),
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """Some words that belong together; `avg_logprob` and `no_speech_prob` are Whisper's own doubts."""

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0

    def to_json(self) -> Json:
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "text": self.text,
            "words": [word.to_json() for word in self.words],
            "avg_logprob": round(self.avg_logprob, 3),
            "no_speech_prob": round(self.no_speech_prob, 3),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Segment:
        return cls(
            float(data["start_s"]),
            float(data["end_s"]),
            str(data["text"]),
            tuple(Word.from_json(word) for word in data.get("words", ())),
            float(data.get("avg_logprob", 0.0)),
            float(data.get("no_speech_prob", 0.0)),
        )


@dataclass(frozen=True, slots=True)
class Removed:
    """Text that a guard dropped. It stays visible to the reviewer, who can listen and put it back."""

    start_s: float
    end_s: float
    text: str
    reason: str

    def to_json(self) -> Json:
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "text": self.text,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Removed:
        return cls(float(data["start_s"]), float(data["end_s"]), str(data["text"]), str(data["reason"]))


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, the unit of chapters and of search."""

    start_s: float
    end_s: float
    text: str

    def to_json(self) -> Json:
        return {"start_s": round(self.start_s, 3), "end_s": round(self.end_s, 3), "text": self.text}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sentence:
        return cls(float(data["start_s"]), float(data["end_s"]), str(data["text"]))


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a clip. `language` is an ISO 639-1 code, None when nobody speaks.

    `speech` are the stretches in which voice activity detection heard somebody, in order.
    """

    language: str | None = None
    language_probability: float = 0.0
    segments: tuple[Segment, ...] = ()
    removed: tuple[Removed, ...] = ()
    model: str = ""
    speech: tuple[Span, ...] = field(default=())

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def text(self) -> str:
        return join_words(segment.text for segment in self.segments)

    def to_json(self) -> Json:
        return {
            "language": self.language,
            "language_probability": round(self.language_probability, 3),
            "segments": [segment.to_json() for segment in self.segments],
            "removed": [removed.to_json() for removed in self.removed],
            "model": self.model,
            "speech": [[round(start_s, 3), round(end_s, 3)] for start_s, end_s in self.speech],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Transcript:
        return cls(
            data.get("language"),
            float(data.get("language_probability", 0.0)),
            tuple(Segment.from_json(segment) for segment in data.get("segments", ())),
            tuple(Removed.from_json(removed) for removed in data.get("removed", ())),
            str(data.get("model", "")),
            tuple((float(start_s), float(end_s)) for start_s, end_s in data.get("speech", ())),
        )


def segment_of(words: Sequence[Word], like: Segment | None = None) -> Segment:
    """The segment that holds exactly these words (at least one), with the doubts of `like`."""
    return Segment(
        words[0].start_s,
        max(word.end_s for word in words),
        join_words(word.text for word in words),
        tuple(words),
        like.avg_logprob if like else 0.0,
        like.no_speech_prob if like else 0.0,
    )
