"""Guards against invented text, in layers. Text is dropped only when two signals agree, and stays visible.

Layers (voice activity detection and the decoder's own thresholds come first, in `workers.media`):

1. silence: Whisper doubts that there is speech, and doubts its words;
2. outside speech: the words lie where nobody was heard, and are improbable or a known phrase;
3. phrase: "thanks for watching" and its like, with little speech or little probability behind it;
4. loop: the same words three times or more in a row (the first stays), or text that compresses too well;
5. rate: more words than a mouth can say in the speech that was heard, or far too few;
6. unsure: the decoder doubts the whole and the words alike (reversed speech, babble).

Thresholds: compression 2.4, no-speech 0.6 and log probability -1.0 are Whisper's own; phrase list after Barański
et al. 2025 (arXiv 2501.11378), who found text invented on 40 % of clips without speech. Words that stay get their
times from `workers.language.timing`.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from workers.language.records import Removed, Segment, Span, Transcript, Word, segment_of
from workers.language.timing import overlap_s, retimed

NO_SPEECH = 0.6
LOW_LOGPROB = -0.8
FAILED_LOGPROB = -1.0
LOW_PROBABILITY = 0.5
LITTLE_SPEECH = 0.3
COMPRESSION = 2.4
FASTEST_WORDS_PER_S = 6.0
SLOWEST_WORDS_PER_S = 0.3

_PHRASES = (
    "thank you", "thanks", "thank you very much", "thank you so much", "thank you for watching",
    "thanks for watching", "thank you for listening", "thanks for listening", "please subscribe",
    "please subscribe to my channel", "like and subscribe", "dont forget to subscribe",
    "dont forget to like and subscribe", "see you next time", "see you in the next video",
    "i will see you in the next video", "ill see you in the next video", "bye", "bye bye", "goodbye", "you",
    "the end", "so", "okay", "oh", "ah", "hmm", "music", "applause", "silence", "foreign", "blank audio",
    "vielen dank", "vielen dank fürs zuschauen", "danke fürs zuschauen", "bis zum nächsten mal", "tschüss",
    "merci", "merci davoir regardé cette vidéo", "gracias", "gracias por ver el video", "obrigado",
    "grazie", "grazie per la visione", "продолжение следует", "ご視聴ありがとうございました",
)  # fmt: skip
_PHRASE_STARTS = (
    "subtitles by", "subtitled by", "captions by", "captioned by", "transcription by", "transcribed by",
    "translated by", "untertitel von", "untertitel der", "untertitel im auftrag", "untertitelung",
    "copyright wdr", "sous-titres", "soustitres", "soustitrage", "subtítulos", "legendas", "sottotitoli",
    "субтитры", "字幕",
)  # fmt: skip
_NOT_A_LETTER = re.compile(r"[^\w\s]|_")


def apply(transcript: Transcript, speech: Sequence[Span]) -> Transcript:
    """The transcript without invented text, its word times clamped to speech.

    `speech` are stretches (start_s, end_s) in which somebody was heard; what was dropped is added to `removed`
    with its reason (`silence`, `outside_speech`, `phrase`, `loop`, `rate`, `unsure`). An empty `speech` means that
    nobody was heard at all.
    """
    kept: list[Segment] = []
    removed: list[Removed] = []
    for segment in transcript.segments:
        reason = _reason_to_drop(segment, speech)
        if reason:
            removed.append(Removed(segment.start_s, segment.end_s, segment.text, reason))
        else:
            kept.append(segment)
    kept, loops = _without_loops(kept)
    kept = retimed(kept, speech)
    removed = sorted([*transcript.removed, *removed, *loops], key=lambda gone: gone.start_s)
    return replace(transcript, segments=tuple(kept), removed=tuple(removed), speech=tuple(speech))


def _speech_in_s(segment: Segment, speech: Sequence[Span]) -> float:
    return sum(max(0.0, overlap_s(segment, span)) for span in speech)


def _reason_to_drop(segment: Segment, speech: Sequence[Span]) -> str | None:
    spoken_s = _speech_in_s(segment, speech)
    share = spoken_s / max(segment.end_s - segment.start_s, 0.02)
    probability = fmean(word.probability for word in segment.words) if segment.words else 1.0
    doubtful = probability < LOW_PROBABILITY or segment.avg_logprob < LOW_LOGPROB
    phrase = _is_phrase(segment.text)
    if segment.no_speech_prob > NO_SPEECH and doubtful:
        return "silence"
    if spoken_s == 0 or (share < LITTLE_SPEECH and doubtful):
        return "outside_speech"
    if phrase and (share < LITTLE_SPEECH or doubtful or segment.no_speech_prob > NO_SPEECH):
        return "phrase"
    if _compression(segment.text) > COMPRESSION:
        return "loop"
    limit = LOW_PROBABILITY + 0.1 if segment.avg_logprob < FAILED_LOGPROB else LOW_PROBABILITY
    if probability < limit and segment.avg_logprob < LOW_LOGPROB:
        return "unsure"
    return _reason_by_rate(segment, spoken_s, doubtful)


def _reason_by_rate(segment: Segment, spoken_s: float, doubtful: bool) -> str | None:
    count = len(segment.words) or len(segment.text.split())
    too_fast = count >= 5 and count > FASTEST_WORDS_PER_S * spoken_s
    too_slow = doubtful and spoken_s > 5 and count < SLOWEST_WORDS_PER_S * spoken_s
    return "rate" if too_fast or too_slow else None


def _is_phrase(text: str) -> bool:
    bare = _bare(text)
    return bare in _PHRASES or bare.startswith(_PHRASE_STARTS)


def _bare(text: str) -> str:
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join(_NOT_A_LETTER.sub("", text).split())


def _compression(text: str) -> float:
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def _without_loops(segments: Sequence[Segment]) -> tuple[list[Segment], list[Removed]]:
    """Keeps the first of three or more equal runs of words (five or more of a single word: "no, no, no" is speech)."""
    words = [(word, index) for index, segment in enumerate(segments) for word in segment.words]
    bare = [_bare(word.text) for word, _ in words]
    gone: set[int] = set()
    removed: list[Removed] = []
    at = 0
    while at < len(words):
        length, times = _loop_at(bare, at)
        if times:
            doomed = range(at + length, at + length * times)
            gone.update(doomed)
            removed.append(_removed([words[index][0] for index in doomed]))
            at += length * times
        else:
            at += 1
    kept = []
    for index, segment in enumerate(segments):
        left = [word for place, (word, owner) in enumerate(words) if owner == index and place not in gone]
        if len(left) == len(segment.words):
            kept.append(segment)
        elif left:
            kept.append(segment_of(left, segment))
    return kept, removed


def _removed(words: list[Word]) -> Removed:
    whole = segment_of(words)
    return Removed(whole.start_s, whole.end_s, whole.text, "loop")


def _loop_at(bare: Sequence[str], at: int, longest: int = 12) -> tuple[int, int]:
    """Length and number of the equal runs that begin at word `at`; (0, 0) when there is no loop."""
    for length in range(1, longest + 1):
        run = bare[at : at + length]
        times = 1
        while bare[at + length * times : at + length * (times + 1)] == run and len(run) == length:
            times += 1
        if times >= (5 if length == 1 else 3) and any(run):
            return length, times
    return 0, 0
