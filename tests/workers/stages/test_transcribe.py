"""The transcribe stage in a real worker: the company's words as the company writes them, and no word from nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import select

from accounts.models import Role
from capture.glossary import NewTerm, import_terms
from capture.models import Clip
from infra.database import Database, Silence
from infra.ledger import StageState
from tests.builders import a_person
from tests.fixtures.speech import sound
from tests.fixtures.workers import Add, StartWorker, runs, until
from workers.language.captions import MAX_LINE_CHARS
from workers.language.records import Transcript

pytestmark = pytest.mark.timeout(400)

# Two that are said under another spelling, and three that only sound like words that are said.
TERMS = [
    NewTerm("GreenButton", ("green button",)),
    NewTerm("Settyngs", ()),
    NewTerm("Saave", ()),
    NewTerm("Paige", ()),
    NewTerm("Chews", ()),
]


def _clip(folder: Path, samples: sound.Samples) -> Path:
    wav = sound.write_wav(folder / "sound.wav", samples)
    command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "color=s=64x36:r=5", "-i", str(wav)]
    command += ["-shortest", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-y", str(folder / "clip.mp4")]
    subprocess.run(command, check=True)
    return folder / "clip.mp4"


async def _transcribed(database: Database, recording_id: UUID) -> Clip:
    async def done() -> bool:
        run = (await runs(database, recording_id)).get("transcribe")
        return run is not None and run.state is StageState.DONE

    await until(done, what="transcribed")
    async with database.work(Silence()) as work:
        return (await work.session.exec(select(Clip).where(Clip.recording_id == recording_id))).one()


async def test_terms_are_written_as_the_company_writes_them_and_the_change_is_marked(
    database: Database, a_worker: StartWorker, uploaded: Add, tmp_path: Path
) -> None:
    async with database.work(Silence()) as work:
        admin = await a_person(work, role=Role.ADMIN)
        await import_terms(work, person=admin, terms=TERMS)
    recording_id = await uploaded(_clip(tmp_path, sound.instructions()), title="Send an order")
    await a_worker().ready()
    clip = await _transcribed(database, recording_id)

    assert clip.transcript is not None
    [change] = clip.transcript["corrections"]
    assert (change["before"], change["after"]) == ("green button", "GreenButton")
    assert 4.0 < change["start_s"] < 6.3
    heard = Transcript.from_json(clip.transcript)
    assert "press the GreenButton to save the file" in heard.text
    assert "open the settings page and choose" in heard.text.lower(), "words that were heard rightly stay"
    assert clip.language == "en"
    assert clip.captions is not None
    assert "GreenButton" in clip.captions
    assert all(len(line) <= MAX_LINE_CHARS for line in clip.captions.splitlines())
    assert clip.caption_findings == []


async def test_a_clip_in_which_nobody_speaks_has_no_words_and_empty_captions(
    database: Database, a_worker: StartWorker, uploaded: Add, tmp_path: Path
) -> None:
    recording_id = await uploaded(_clip(tmp_path, sound.typing(8)))
    await a_worker().ready()
    clip = await _transcribed(database, recording_id)
    assert clip.transcript is not None
    assert (clip.transcript["segments"], clip.transcript["corrections"]) == ([], [])
    assert (clip.language, clip.captions, clip.caption_findings) == (None, "WEBVTT\n", [])
