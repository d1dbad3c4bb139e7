"""Recordings over HTTP: what they tell, and what retry and delete do."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text

from accounts.models import Role
from capture.models import Recording
from capture.states import RecordingState
from infra import ledger
from infra.database import Database, Silence
from infra.storage import Storage
from tests.builders import a_clip, a_clip_file, a_person, a_recording, a_submission
from tests.fixtures.web import ClientFor


@pytest.fixture
async def failed(database: Database, client_for: ClientFor) -> tuple[httpx.AsyncClient, Recording]:
    """A recording of which one stage has failed, and its owner."""
    async with database.work(Silence()) as work:
        owner = await a_person(work, role=Role.EXPERT)
        recording = await a_recording(
            work, owner=owner, state=RecordingState.FAILED, failure_code="media.broken", failure_text="It is broken."
        )
        await ledger.require(work, recording.id, 1, {"probe": 1.0, "playable": 1.0})
        await work.session.execute(
            text("UPDATE stage_run SET state = 'failed', error_code = 'media.broken', error_text = 'It is broken.'")
        )
    return await client_for(owner), recording


async def test_a_recording_tells_its_state_stages_and_clip(client_for: ClientFor, database: Database) -> None:
    async with database.work(Silence()) as work:
        owner = await a_person(work, name="<script>alert(1)</script>")
        recording = await a_recording(work, owner=owner, state=RecordingState.READY, title="<b>\u2028\"'</b>")
        clip = await a_clip(work, recording=recording)
        await a_clip_file(work, clip=clip)
        submission = await a_submission(work, clip=clip)
        await ledger.require(work, recording.id, 1, {"probe": 1.0})
    told = (await (await client_for(owner)).get(f"/api/v1/recordings/{recording.id}")).json()
    assert (told["state"], told["title"], told["duration_s"]) == ("ready", "<b>\u2028\"'</b>", 15.0)
    assert told["stages"] == [{"name": "probe", "state": "waiting", "progress": 0.0, "attempt": 0, "error": None}]
    assert told["clip"]["files"][0]["url"] == f"/media/{clip.id}/720p.mp4"
    assert (told["submission_id"], told["submission_state"]) == (str(submission.id), "waiting")
    assert told["timings"]["uploaded_at"].endswith("Z")
    assert (told["failure"], told["timings"]["complete_at"]) == (None, None)


async def test_what_failed_says_why_and_runs_again_once(
    failed: tuple[httpx.AsyncClient, Recording], database: Database
) -> None:
    http, recording = failed
    path = f"/api/v1/recordings/{recording.id}"
    told = (await http.get(path)).json()
    assert told["failure"] == {"code": "media.broken", "sentence": "It is broken."}
    assert [stage["error"] for stage in told["stages"]] == [told["failure"]] * 2
    again = (await http.post(f"{path}/retry")).json()
    assert (again["state"], again["failure"]) == ("processing", None)
    assert [(stage["state"], stage["error"]) for stage in again["stages"]] == [("waiting", None)] * 2
    refused = await http.post(f"{path}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "recording.wrong_state")
    assert (await http.get(path)).json() == again


async def test_a_deleted_recording_is_gone_and_its_work_ends(
    failed: tuple[httpx.AsyncClient, Recording], database: Database
) -> None:
    http, recording = failed
    path = f"/api/v1/recordings/{recording.id}"
    await http.post(f"{path}/retry")
    assert (await http.delete(path)).status_code == 204
    replies = [await http.get(path), await http.delete(path), await http.post(f"{path}/retry")]
    assert [reply.status_code for reply in replies] == [404, 404, 404]
    assert (await http.get("/api/v1/recordings")).json() == []
    async with database.work(Silence()) as work:
        kept = (await work.session.execute(text("SELECT state, deleted_at FROM recording"))).one()
        stages = (await work.session.execute(text("SELECT state FROM stage_run"))).scalars().all()
    assert (kept.state, kept.deleted_at is not None, list(stages)) == ("deleted", True, ["cancelled", "cancelled"])


async def test_an_original_whose_bytes_are_lost_is_a_refusal(
    failed: tuple[httpx.AsyncClient, Recording], storage: Storage
) -> None:
    http, recording = failed
    reply = await http.get(f"/api/v1/recordings/{recording.id}/original")
    assert (reply.status_code, reply.json()["code"]) == (404, "storage.not_found")
    await storage.put(recording.original_key, b"1234", media_type="video/mp4")
    reply = await http.get(f"/api/v1/recordings/{recording.id}/original")
    assert (reply.status_code, reply.content) == (200, b"1234")
    assert reply.headers["content-security-policy"] == "sandbox"
    assert reply.headers["content-disposition"].startswith("attachment;")


async def test_a_list_is_newest_first_and_as_long_as_asked(client_for: ClientFor, database: Database) -> None:
    async with database.work(Silence()) as work:
        owner = await a_person(work)
        made = [await a_recording(work, owner=owner, title=f"Take {number}") for number in range(3)]
    http = await client_for(owner)
    assert [each["id"] for each in (await http.get("/api/v1/recordings?limit=2")).json()] == [
        str(made[2].id),
        str(made[1].id),
    ]
    for limit in ("0", "201", "-1", "x", "9" * 400):
        assert (await http.get("/api/v1/recordings", params={"limit": limit})).status_code == 422
