"""How right the words are, measured: `python -m tests.bench.words [--set tune|seen|held|former] [--beam 1]`.

The clips of `words_set` go through what the transcribe stage does: the bundled Whisper model (base), guards, the
second hearing for terms, corrections. Each figure is printed with and without the company glossary.

Word error rate is jiwer's, after Whisper's own English normaliser (whisper-normalizer: case, punctuation, numbers,
contractions, British spelling) and two rules of ours: a clock time is its digits (7.15 = 715), and a word written
apart or together is the same word (over time = overtime, hyphens likewise).
Recall of terms asks for more: each term exactly as the glossary writes it, capitals too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import jiwer
import numpy as np
import psutil
from whisper_normalizer.english import EnglishTextNormalizer

from tests.bench.howto.make import RECORDINGS, RECORDINGS_2
from tests.bench.search import print_table
from tests.bench.words_set import clips
from tests.fixtures.speech import sound
from workers.language.glossary import Correction, Rule, Term, correct
from workers.language.records import Transcript, Word, segment_of
from workers.media.weights import resolve
from workers.media.whisper import Whisper
from workers.stages.transcribe import everyday_words, listen

ROOT = Path(__file__).parents[2]
SILENT = (
    sound.silence, sound.room, sound.typing, sound.clicks, sound.music, sound.beat, sound.fan, sound.beeps,
)  # fmt: skip
_CLOCK = re.compile(r"\b(\d{1,2})[.:](\d\d)\b")


@cache
def _normaliser() -> Callable[[str], str]:
    normal: Callable[[str], str] = EnglishTextNormalizer()
    return normal


def normal(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return _CLOCK.sub(r"\1\2", _normaliser()(text)).split()


def together(words: Sequence[str], other: Sequence[str]) -> list[str]:
    """The words, with neighbours joined that the other text writes as one word."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] + word in other and joined[-1] not in other:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def compared(said: str, heard: str) -> jiwer.WordOutput:
    """How two texts differ, word by word."""
    left, right = normal(said), normal(heard)
    left, right = together(left, right), together(right, left)
    return jiwer.process_words(" ".join(left), " ".join(right))


def right_words(said: str, heard: str) -> set[int]:
    """The places of those words of `normal(said)` that were heard rightly, apart or together."""
    result = compared(said, heard)
    places, joined = iter(range(len(normal(said)))), []
    lengths = [len(word) for word in normal(said)]
    for word in result.references[0]:
        joined.append([next(places)])
        while sum(lengths[place] for place in joined[-1]) < len(word):
            joined[-1].append(next(places))
    equal = [chunk for chunk in result.alignments[0] if chunk.type == "equal"]
    return {place for chunk in equal for run in joined[chunk.ref_start_idx : chunk.ref_end_idx] for place in run}


def mentions(text: str, terms: Sequence[Term]) -> dict[str, int]:
    """How often each term stands in a text, exactly as it is written."""
    counts = {one.term: len(re.findall(rf"(?<!\w){re.escape(one.term)}(?!\w)", text)) for one in terms}
    return {term: count for term, count in counts.items() if count}


@dataclass
class Score:
    """Sums over the clips of one kind."""

    words: int = 0
    errors: int = 0
    mentions: int = 0
    written: int = 0
    made_wrong: list[str] = field(default_factory=list)
    changes: list[tuple[Rule, bool]] = field(default_factory=list)
    cpu_s: float = 0.0
    sound_s: float = 0.0
    starts_off_s: list[float] = field(default_factory=list)

    def add(self, clip: clips.Clip, heard: Transcript) -> None:
        """Count one clip."""
        result = compared(clip.text, heard.text)
        self.words += result.hits + result.substitutions + result.deletions
        self.errors += result.substitutions + result.deletions + result.insertions
        written = mentions(heard.text, clips.glossary())
        for term, count in mentions(clip.text, clips.glossary()).items():
            self.mentions += count
            self.written += min(count, written.get(term, 0))

    @property
    def wer(self) -> str:
        return f"{100 * self.errors / self.words:.2f} % ({self.errors} of {self.words})"

    @property
    def recall(self) -> str:
        return f"{100 * self.written / self.mentions:.1f} % ({self.written} of {self.mentions})"


def made_wrong(clip: clips.Clip, plain: Transcript, helped: Transcript) -> list[str]:
    """Words outside of terms that were right without the glossary and are wrong with it, and terms out of nothing."""
    of_terms = {word for one in clips.glossary() for word in normal(one.term)}
    lost = right_words(clip.text, plain.text) - right_words(clip.text, helped.text)
    said, before = (mentions(text, clips.glossary()) for text in (clip.text, plain.text))
    words = [word for place, word in enumerate(normal(clip.text)) if place in lost and word not in of_terms]
    return words + [
        f"+{term}"
        for term, count in mentions(helped.text, clips.glossary()).items()
        if count > max(said.get(term, 0), before.get(term, 0))
    ]


def starts_off_s(clip: clips.Clip, starts_s: Sequence[float], words: Sequence[Word]) -> list[float]:
    """How far the start of each sentence is from the truth, where its first word was heard."""
    said = [[word.lower().strip(".,") for word in sentence.split()] for sentence in clip.sentences]
    flat = [(word, number if place == 0 else None) for number, one in enumerate(said) for place, word in enumerate(one)]
    heard = [word.text.lower().strip(".,") for word in words]
    aligned = jiwer.process_words(" ".join(word for word, _ in flat), " ".join(heard)).alignments[0]
    off_s = []
    for chunk in aligned:
        if chunk.type == "equal":
            for step in range(chunk.ref_end_idx - chunk.ref_start_idx):
                number = flat[chunk.ref_start_idx + step][1]
                if number is not None:
                    off_s.append(abs(words[chunk.hyp_start_idx + step].start_s - starts_s[number]))
    return off_s


class Remembering(Whisper):
    """The real model, which is not asked twice for the same first hearing: with and without glossary share it."""

    first: tuple[Path, Transcript] | None = None

    async def transcribe(self, pcm: Path, **wanted: Any) -> Transcript:
        """As `Whisper.transcribe`."""
        if wanted.get("within"):
            return await super().transcribe(pcm, **wanted)
        if self.first is None or self.first[0] != pcm:
            self.first = (pcm, await super().transcribe(pcm, **wanted))
        return self.first[1]


class Bench:
    """One loaded model, and what is asked of it."""

    def __init__(self, whisper: Whisper) -> None:
        self.whisper = whisper

    def cpu_s(self) -> float:
        """CPU-seconds that the process of the model has used."""
        times = psutil.Process(self.whisper.pid).cpu_times()
        return float(times.user + times.system)

    async def hear(self, pcm: Path, title: str, terms: Sequence[Term]) -> tuple[Transcript, list[Correction], float]:
        """What the transcribe stage would keep, what it changed for the glossary, and what it cost."""
        before_s = self.cpu_s()
        heard, changes = await listen(self.whisper, pcm, title=title, language=None, terms=terms, report=lambda _: None)
        return heard, changes, self.cpu_s() - before_s

    async def scores(self, which: str, noisy: bool) -> tuple[Score, Score]:
        """All clips of a set without the glossary, and with it."""
        plain, helped = Score(), Score()
        for clip in clips.clips(which):
            made = await asyncio.to_thread(clips.spoken, clip)
            pcm = made.noisy if noisy else made.clean
            without, _, first_s = await self.hear(pcm, clip.title, ())
            with_terms, changes, more_s = await self.hear(pcm, clip.title, clips.glossary())
            plain.add(clip, without)
            helped.add(clip, with_terms)
            plain.cpu_s += first_s
            helped.cpu_s += first_s + more_s
            plain.sound_s += made.duration_s
            helped.starts_off_s += starts_off_s(clip, made.starts_s, with_terms.words)
            helped.made_wrong += made_wrong(clip, without, with_terms)
            helped.changes += [
                (one.rule, any(term in one.after for term in mentions(clip.text, clips.glossary()))) for one in changes
            ]
        return plain, helped

    async def invented(self) -> list[dict[str, Any]]:
        """A minute of each sound in which nobody speaks."""
        rows = []
        for noise in SILENT:
            pcm = sound.write_wav(clips.BUILD / f"{noise.__name__}.wav", noise(60.0, 1))
            heard, _, _ = await self.hear(pcm, "A recording", clips.glossary())
            rows.append(_row(f"words in a minute of {noise.__name__}", len(heard.words), "0", not heard.words))
        return rows

    async def word_starts(self) -> list[float]:
        """How far the start of every word of the one recording is from the truth whose words have known times."""
        pcm = sound.write_wav(clips.BUILD / "instructions.wav", sound.instructions())
        heard, _, _ = await self.hear(pcm, "", ())
        truth = sound.instructions_truth()
        one = clips.Clip(0, "", "", tuple(word.text for word in truth), ())
        return starts_off_s(one, [word.start_s for word in truth], heard.words)


def _row(figure: str, value: object, target: str = "", met: bool | None = None) -> dict[str, Any]:
    return {"figure": figure, "value": value, "target": target, "met": "" if met is None else "yes" if met else "NO"}


def _of(kind: str, limit: float, plain: Score, helped: Score) -> list[dict[str, Any]]:
    never_worse = helped.errors <= plain.errors and helped.written >= plain.written
    wrong = helped.made_wrong
    said, minutes = helped.words, plain.sound_s / 60
    return [
        _row(f"word errors, {kind}, glossary", helped.wer, f"<= {limit:.0f} %", helped.errors <= limit / 100 * said),
        _row(f"word errors, {kind}, without", plain.wer, "not better", never_worse),
        _row(f"terms as written, {kind}, glossary", helped.recall, ">= 90 %", helped.written >= 0.9 * helped.mentions),
        _row(f"terms as written, {kind}, without", plain.recall),
        _row(f"common words made wrong, {kind}", " ".join([str(len(wrong)), *wrong]), "0", not wrong),
        *(
            _row(f"changes, {rule}, {kind}", f"{len(right)}, {right.count(False)} to terms that the clip lacks")
            for rule in Rule
            if (right := [right for one, right in helped.changes if one == rule])
        ),
        _row(f"CPU-s a minute of sound, {kind}", f"{helped.cpu_s / minutes:.1f}, without {plain.cpu_s / minutes:.1f}"),
    ]  # fmt: skip


def in_other_speech(model: Path) -> dict[str, Any]:
    """Changes in the transcripts of the chapters bench, which name no term: each would be a false one."""
    is_common = everyday_words(model).__contains__
    words, changes = 0, set()
    for recordings in (RECORDINGS, RECORDINGS_2):
        for recording in json.loads(recordings.read_text()):
            words += len(recording["words"])
            for probability in (1.0, 0.6, 0.3):
                said = [Word(start_s, end_s, text, probability) for start_s, end_s, text in recording["words"]]
                _, made = correct(Transcript("en", 1.0, (segment_of(said),)), clips.glossary(), is_common=is_common)
                changes |= {(recording["name"], one.start_s, one.before, one.after) for one in made}
    value = " ".join([str(len(changes)), *sorted(f"{before}={after}" for _, _, before, after in changes)])
    return _row(f"text changes in {words} words without terms, sure or not", value, "0", not changes)


def _starts(what: str, off_s: Sequence[float]) -> dict[str, Any]:
    middle_s, most_s = median(off_s), float(np.quantile(off_s, 0.95))
    value = f"{1000 * middle_s:.0f} / {1000 * most_s:.0f} ms ({len(off_s)})"
    return _row(f"word start, median / p95, {what}", value, "<= 150 / 400 ms", middle_s <= 0.15 and most_s <= 0.4)


async def measure(which: str = "fresh", beam: int = 1) -> list[dict[str, Any]]:
    """One row for each figure; the clips are spoken first where they are not there yet."""
    model = await asyncio.to_thread(resolve, "bundled", ROOT / "build" / "models")
    async with Remembering(model, name="bundled", threads=2, beam=beam) as whisper:
        bench = Bench(whisper)
        clean, noisy = await bench.scores(which, noisy=False), await bench.scores(which, noisy=True)
        return [
            *_of("clean", 2, *clean),
            *_of("noisy", 6, *noisy),
            in_other_speech(model),
            *await bench.invented(),
            _starts("first of a sentence, clean", clean[1].starts_off_s),
            _starts("first of a sentence, noisy", noisy[1].starts_off_s),
            _starts("every word of one clip", await bench.word_starts()),
        ]


def main() -> None:
    """Measure, print, and write JSON where asked to."""
    given = argparse.ArgumentParser(description="How right the words are.")
    given.add_argument("--set", choices=["fresh", "former", "held", "seen", "tune"], default="fresh")
    given.add_argument("--beam", type=int, default=1)
    given.add_argument("--json", type=Path, default=ROOT / "build" / "words.json")
    options = given.parse_args()
    rows = asyncio.run(measure(options.set, options.beam))
    print_table(rows)
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
