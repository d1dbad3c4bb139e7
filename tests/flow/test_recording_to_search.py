"""The whole story on real services: from an upload to the second that answers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cli.client import Display, Order, Refused, Server, approve, ingest, wait_for
from infra.storage import Storage
from tests.fixtures.running import Running

SAMPLE = Path(__file__).parents[2] / "samples" / "label-printer.mov"
QUERY = "wipe the rubber roller with a dry cloth"

pytestmark = pytest.mark.timeout(400)


async def test_a_recording_becomes_a_lesson_whose_sentence_is_found(
    running: Running, storage: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expert = await running.as_client(running.expert)
    reviewer = await running.as_client(running.reviewer)
    title = "Reset the label printer"
    monkeypatch.setenv("LORECAST_URL", expert.url)
    monkeypatch.setenv("LORECAST_TOKEN", expert.headers["Authorization"].removeprefix("Bearer "))
    await ingest([SAMPLE], Order(title=title, wait=True), as_json=False)
    said = capsys.readouterr().out
    assert said.startswith(f"label-printer.mov: in review  {expert.url}/recordings/")
    uploaded = await expert.ask("GET", f"/api/v1/recordings/{said.split('/')[-1].strip()}")
    await _is_byte_exact(uploaded, storage)
    await _nobody_but_a_second_person_approves(expert, uploaded)
    await approve(reviewer, uploaded)
    with Display(quiet=True) as display:
        await wait_for(expert, uploaded["id"], "index", display)
        complete = await wait_for(expert, uploaded["id"], "renditions", display)

    answer = await expert.ask("GET", "/api/v1/search", params={"q": QUERY})
    assert answer["answered"]
    hit = answer["hits"][0]
    assert hit["lesson"]["title"] == title
    assert "rubber" in hit["text"].lower()
    assert 5 <= hit["start_s"] <= 11, "said after 7.9 seconds"
    assert hit["url"].startswith("/lessons/reset-the-label-printer?t=")

    nothing = await expert.ask("GET", "/api/v1/search", params={"q": "how do I apply for parental leave"})
    assert not nothing["answered"]
    await _files_are_there(expert, complete)
    for server in (expert, reviewer):
        await server.close()


async def _is_byte_exact(recording: dict[str, object], storage: Storage) -> None:
    original = await storage.get(f"originals/{recording['id']}")
    assert original == SAMPLE.read_bytes()
    assert recording["sha256"] == hashlib.sha256(original).hexdigest()


async def _nobody_but_a_second_person_approves(expert: Server, recording: dict[str, object]) -> None:
    with pytest.raises(Refused):
        await approve(expert, recording)
    submission = await expert.ask("GET", f"/api/v1/submissions/{recording['submission_id']}")
    assert submission["state"] == "waiting"


async def _files_are_there(expert: Server, recording: dict[str, object]) -> None:
    clip = recording["clip"]
    assert isinstance(clip, dict)
    kinds = {file["kind"] for file in clip["files"]}
    assert kinds >= {"video", "poster", "storyboard", "storyboard_vtt"}
    upright = [file for file in clip["files"] if file["kind"] == "video"]
    assert all(file["height"] > file["width"] for file in upright), "a phone clip stays portrait"
    chapters = await expert.ask("GET", f"/api/v1/clips/{clip['id']}/chapters")
    assert len(chapters) == 1, "one topic is one chapter"
    assert len(chapters[0]["title"]) <= 45
