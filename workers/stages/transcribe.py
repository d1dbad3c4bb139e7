"""transcribe: what is said, with the time of every word, and captions made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from capture import glossary
from capture import service as capture
from infra.database import Work
from learn.embedding import vocabulary
from workers.language.captions import cues, lint, to_webvtt
from workers.language.glossary import Correction, Term, correct
from workers.language.guards import apply
from workers.language.records import Transcript
from workers.language.rehearing import as_heard, rehearing, with_terms
from workers.language.sentences import cut_at_sentences
from workers.media.weights import common_words
from workers.media.whisper import Whisper
from workers.workbench import Task, Workbench

# The sound pass takes about this share of the stage.
_SOUND_SHARE = 0.05
# And the first hearing this share of the rest, where a second one may follow.
_FIRST_SHARE = 0.75


async def run(bench: Workbench, task: Task) -> None:
    """Publish transcript and captions. Nothing said, or no sound, is a result and not a failure."""
    recording, info = await bench.recording(task)
    async with bench.work() as work:
        terms = [Term(one.term, tuple(one.sounds_like)) for one in await glossary.list_terms(work)]
    corrections: list[Correction] = []
    async with bench.sound(recording, info, lambda done: task.report(done * _SOUND_SHARE)) as sound:
        if sound is None:
            heard = Transcript(language=recording.language)
        else:
            heard, corrections = await listen(
                bench.whisper,
                sound.pcm,
                title=recording.title,
                language=recording.language,
                terms=terms,
                report=lambda done: task.report(_SOUND_SHARE + done * (1 - _SOUND_SHARE)),
            )
    heard = replace(heard, segments=cut_at_sentences(heard.segments))
    shown = cues(heard.segments, info.duration_s)

    async def change(work: Work) -> None:
        await capture.note_transcript(
            work,
            recording.id,
            task.claim.version,
            transcript=heard.to_json() | {"corrections": [one.to_json() for one in corrections]},
            language=heard.language,
            captions=to_webvtt(shown),
            findings=[finding.to_json() for finding in lint(shown)],
        )

    await bench.publish(task, change)


def everyday_words(model: Path) -> frozenset[str]:
    """Words that are no company's own: those that the speech model in `model` or the text model knows whole."""
    return common_words(model) | vocabulary()


async def listen(
    whisper: Whisper,
    pcm: Path,
    *,
    title: str,
    language: str | None,
    terms: Sequence[Term],
    report: Callable[[float], None],
) -> tuple[Transcript, list[Correction]]:
    """What is said in `pcm` after the guards, with `terms` as the company writes them, and every change for that.

    Sentences that sound like a term are heard a second time with it in mind (why not all, and what it costs:
    docs/decisions/0008). `report` hears the share done, 0 to 1. Raises as `Whisper.transcribe` does.
    """
    raw = await whisper.transcribe(pcm, language=language, on_progress=lambda done: report(done * _FIRST_SHARE))
    heard = apply(raw, raw.speech)
    if not terms:
        return heard, []
    is_common = everyday_words(whisper.model).__contains__
    asked = await asyncio.to_thread(rehearing, heard, title, terms, is_common)
    changes: list[Correction] = []
    if asked.speech:
        again = await whisper.transcribe(pcm, language=heard.language, hotwords=asked.hotwords, within=asked.speech)
        heard, changes = with_terms(heard, apply(again, asked.speech), asked, is_common)
    told = [*terms, *as_heard(changes, terms, is_common)]
    heard, corrected = await asyncio.to_thread(correct, heard, told, is_common=is_common)
    return heard, sorted([*changes, *corrected], key=lambda change: change.start_s)
