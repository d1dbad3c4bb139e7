"""transcribe: what is said, with the time of every word, and captions made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from capture import glossary
from capture import service as capture
from capture.models import Recording
from infra.database import Work
from workers.language.captions import cues, lint, to_webvtt
from workers.language.glossary import Correction, Term, correct, hotwords_for, keep_the_better
from workers.language.guards import apply
from workers.language.records import Transcript
from workers.language.sentences import cut_at_sentences
from workers.media.weights import common_words
from workers.workbench import Task, Workbench

# The sound pass takes about this share of the stage.
_SOUND_SHARE = 0.05


async def run(bench: Workbench, task: Task) -> None:
    """Publish transcript and captions. Nothing said, or no sound, is a result and not a failure."""
    recording, info = await bench.recording(task)
    async with bench.work() as work:
        terms = [Term(one.term, tuple(one.sounds_like)) for one in await glossary.list_terms(work)]
    async with bench.sound(recording, info, lambda done: task.report(done * _SOUND_SHARE)) as sound:
        if sound is None:
            heard = Transcript(language=recording.language)
        else:
            heard = await _listen(bench, recording, sound.pcm, terms, task.report)
    heard, corrections = await asyncio.to_thread(partial(_written_right, bench.whisper.model, heard, terms))
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


async def _listen(
    bench: Workbench, recording: Recording, pcm: Path, terms: list[Term], report: Callable[[float], None]
) -> Transcript:
    """What is said, after the guards. A clip that names terms of the glossary is heard a second time for them."""

    async def once(hotwords: tuple[str, ...], done: float, share: float) -> Transcript:
        raw = await bench.whisper.transcribe(
            pcm,
            language=recording.language,
            hotwords=hotwords,
            on_progress=lambda part: report(done + part * share),
        )
        return apply(raw, raw.speech)

    plain = await once((), _SOUND_SHARE, (1 - _SOUND_SHARE) / (2 if terms else 1))
    hotwords = hotwords_for(f"{recording.title} {plain.text}", terms)
    if not hotwords:
        return plain
    return keep_the_better(plain, await once(hotwords, 0.5, 0.5))


def _written_right(model: Path, heard: Transcript, terms: list[Term]) -> tuple[Transcript, list[Correction]]:
    """Terms as the company writes them; what was changed is marked for the reviewer."""
    if not terms:
        return heard, []
    return correct(heard, terms, is_common=common_words(model).__contains__)
