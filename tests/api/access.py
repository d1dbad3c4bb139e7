"""The permission table of the API, and a world in which every line of it can be tried.

A line gives the statuses for a stranger who learns, the owner, a reviewer and an administrator, by the state of the
thing. Nobody, and somebody who is disabled, gets 401 everywhere but on the open routes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from accounts import service as accounts
from accounts.models import Person, Role
from api.dependencies import Services
from capture.models import Clip, Recording
from capture.states import RecordingState
from infra.database import Silence, Work, utc_now
from learn.states import LessonState
from review.digest import clip_digest
from review.states import SubmissionState
from tests.builders import a_clip, a_clip_file, a_lesson, a_person, a_recording, a_submission, an_upload
from tests.capture.test_container import MP4
from tests.fixtures.web import open_client

KINDS = ("anonymous", "disabled", "stranger", "owner", "reviewer", "admin")
Four = tuple[int, int, int, int]

EVERYBODY: Four = (200, 200, 200, 200)
ADMINS: Four = (403, 403, 403, 200)
READERS: Four = (404, 200, 200, 200)
GONE: Four = (404, 404, 404, 404)
_READ_RECORDING = {**{state.value: READERS for state in RecordingState}, "deleted": GONE}
_CLIP = {"unpublished": READERS, "published": EVERYBODY, "retired": READERS, "deleted": GONE}
_SUBMISSION = {"waiting": READERS, "approved": READERS, "deleted": GONE}

OPEN: dict[tuple[str, str], int] = {
    ("GET", "/livez"): 200,
    ("GET", "/readyz"): 200,
    ("GET", "/metrics"): 200,
    ("GET", "/api/v1/openapi.json"): 200,
    ("OPTIONS", "/api/v1/uploads"): 204,
    ("OPTIONS", "/api/v1/uploads/{upload_id}"): 204,
}
TABLE: dict[tuple[str, str], dict[str, Four]] = {
    ("GET", "/api/v1/me"): {"": EVERYBODY},
    ("GET", "/api/v1/people"): {"": ADMINS},
    ("POST", "/api/v1/people"): {"": (403, 403, 403, 201)},
    ("POST", "/api/v1/people/{person_id}/disable"): {"": ADMINS},
    ("POST", "/api/v1/tokens"): {"own": (201, 201, 201, 201), "other": (403, 403, 403, 201)},
    ("POST", "/api/v1/uploads"): {"": (201, 201, 201, 201)},
    ("HEAD", "/api/v1/uploads/{upload_id}"): {
        "open": (404, 200, 404, 404), "finished": (404, 200, 404, 404), "expired": GONE,
        "deleted": (404, 200, 404, 404),
    },
    ("PATCH", "/api/v1/uploads/{upload_id}"): {
        "open": (404, 204, 404, 404), "finished": (404, 409, 404, 404), "expired": GONE, "deleted": GONE,
    },
    ("DELETE", "/api/v1/uploads/{upload_id}"): {
        "open": (404, 204, 404, 404), "finished": (404, 409, 404, 404), "expired": GONE,
        "deleted": (404, 204, 404, 404),
    },
    ("GET", "/api/v1/recordings"): {"": EVERYBODY},
    ("GET", "/api/v1/recordings/{recording_id}"): _READ_RECORDING,
    ("POST", "/api/v1/recordings/{recording_id}/retry"): {
        **{state.value: (404, 409, 403, 409) for state in RecordingState},
        "failed": (404, 200, 403, 200), "deleted": GONE,
    },
    ("DELETE", "/api/v1/recordings/{recording_id}"): {
        **{state.value: (404, 204, 403, 204) for state in RecordingState}, "deleted": GONE,
    },
    ("GET", "/api/v1/recordings/{recording_id}/original"): {
        **_READ_RECORDING, "uploading": (404, 409, 409, 409),
    },
    ("GET", "/api/v1/clips/{clip_id}"): _CLIP,
    ("GET", "/api/v1/clips/{clip_id}/transcript"): _CLIP,
    ("GET", "/api/v1/clips/{clip_id}/chapters"): _CLIP,
    ("GET", "/api/v1/clips/{clip_id}/captions.vtt"): _CLIP,
    ("GET", "/media/{clip_id}/{name}"): _CLIP,
    ("HEAD", "/media/{clip_id}/{name}"): _CLIP,
    ("GET", "/api/v1/submissions"): {"": EVERYBODY},
    ("GET", "/api/v1/submissions/{submission_id}"): _SUBMISSION,
    ("POST", "/api/v1/submissions/{submission_id}/verdict"): {
        "waiting": (404, 403, 200, 200), "approved": (404, 403, 409, 409), "deleted": GONE,
    },
    ("GET", "/api/v1/submissions/{submission_id}/comments"): _SUBMISSION,
    ("POST", "/api/v1/submissions/{submission_id}/comments"): {
        "waiting": (404, 201, 201, 201), "approved": (404, 201, 201, 201), "deleted": GONE,
    },
    ("GET", "/api/v1/search"): {"": EVERYBODY},
    ("GET", "/api/v1/lessons"): {"": EVERYBODY},
    ("GET", "/api/v1/lessons/{slug}"): {"published": EVERYBODY, "due": EVERYBODY, "retired": GONE, "deleted": GONE},
    ("POST", "/api/v1/requests"): {"": (201, 201, 201, 201)},
    ("GET", "/api/v1/glossary"): {"": EVERYBODY},
    ("POST", "/api/v1/glossary"): {"": ADMINS},
    # A reply without an end: tried on a real socket.
    ("GET", "/api/v1/events"): {"": EVERYBODY},
}  # fmt: skip

_TABLES = (
    "person", "api_token", "session", "sign_in_link", "recording", "upload", "clip", "clip_file", "stage_run",
    "submission", "verdict", "comment", "lesson", "lesson_request", "glossary_term", "passage",
)  # fmt: skip
_TUS = {"Tus-Resumable": "1.0.0"}


@dataclass
class World:
    """The API, one person of each kind, and things of the owner's."""

    app: FastAPI
    services: Services
    people: dict[str, Person]
    tokens: dict[str, str]
    before: list[tuple[Any, ...]] = field(default_factory=list)

    def client(self, kind: str) -> httpx.AsyncClient:
        """A client that is this kind of person."""
        if kind in self.tokens:
            return open_client(self.app, authorization=f"Bearer {self.tokens[kind]}")
        return open_client(self.app)

    async def ask(self, method: str, path: str, state: str, kind: str) -> httpx.Response:
        """Make the thing that the route is about, in this state, and ask for it."""
        parameters, sent = await self._thing(method, path, state, kind)
        self.before = await self.rows()
        async with self.client(kind) as client:
            return await client.request(method, path.format(**parameters), **sent)

    async def rows(self) -> list[tuple[Any, ...]]:
        """How many rows each table has, and the newest transaction that wrote one of them."""
        newest = "(SELECT max(xmin::text::bigint) FROM {0})"
        query = " UNION ALL ".join(f"SELECT '{t}', (SELECT count(*) FROM {t}), {newest.format(t)}" for t in _TABLES)
        async with self.services.database.work(Silence()) as work:
            return [tuple(row) for row in (await work.session.execute(text(query))).all()]

    async def _thing(self, method: str, path: str, state: str, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
        async with self.services.database.work(Silence()) as work:
            if path.startswith("/api/v1/uploads"):
                return await self._upload(work, method, state)
            if "{submission_id}" in path:
                return await self._submission(work, path, state)
            if "{" not in path:
                return {}, await self._question(work, method, path, state, kind)
            return await self._address(work, path, state), {}

    async def _address(self, work: Work, path: str, state: str) -> dict[str, Any]:
        if "{recording_id}" in path:
            return {"recording_id": (await self._recording(work, state)).id}
        if "{clip_id}" in path:
            return {"clip_id": (await self._clip(work, state)).id, "name": "720p.mp4"}
        if "{slug}" in path:
            return {"slug": await self._lesson(work, state)}
        return {"person_id": (await a_person(work)).id}

    async def _question(self, work: Work, method: str, path: str, state: str, kind: str) -> dict[str, Any]:
        if path == "/api/v1/search":
            return {"params": {"q": "paper size"}}
        if method == "GET":
            return {}
        other = await a_person(work)
        mine = self.people.get(kind, other)
        bodies: dict[str, dict[str, Any]] = {
            "/api/v1/people": {"email": f"new-{other.email}", "name": "New"},
            "/api/v1/tokens": {"email": mine.email if state == "own" else other.email},
            "/api/v1/requests": {"query": f"reset a password {other.id}"},
            "/api/v1/glossary": {"csv": "term,sounds_like\nSAP,ess ay pee"},
        }
        return {"json": bodies[path]}

    async def _upload(self, work: Work, method: str, state: str) -> tuple[dict[str, Any], dict[str, Any]]:
        if method == "POST":
            said = {"Upload-Length": "1000", "Upload-Metadata": "filetype dmlkZW8vbXA0"}
            return {}, {"headers": {**_TUS, **said}}
        states = {"deleted": RecordingState.DELETED, "finished": RecordingState.UPLOADED}
        recording = await self._recording(work, states.get(state, RecordingState.UPLOADING).value)
        more: dict[str, Any] = {}
        if state == "finished":
            more = {"offset_bytes": 1000, "completed_at": utc_now()}
        if state == "expired":
            more = {"expires_at": utc_now() - timedelta(seconds=1)}
        upload = await an_upload(work, recording=recording, **more)
        patch = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        sent: dict[str, Any] = {"headers": {**_TUS, **(patch if method == "PATCH" else {})}}
        if method == "PATCH":
            sent["content"] = MP4
        return {"upload_id": upload.id}, sent

    async def _recording(self, work: Work, state: str) -> Recording:
        now = utc_now() if state == "deleted" else None
        owner = self.people["owner"]
        recording = await a_recording(work, owner=owner, state=RecordingState(state), size_bytes=4, deleted_at=now)
        if state != "uploading":
            await self.services.storage.put(recording.original_key, b"1234", media_type="video/mp4")
        return recording

    async def _clip(self, work: Work, state: str) -> Clip:
        recording = await self._recording(work, "deleted" if state == "deleted" else "ready")
        clip = await a_clip(work, recording=recording)
        file = await a_clip_file(work, clip=clip, size_bytes=4)
        await self.services.storage.put(file.key, b"1234", media_type="video/mp4")
        if state != "unpublished":
            shown = LessonState.RETIRED if state == "retired" else LessonState.PUBLISHED
            await a_lesson(work, clip=clip, state=shown)
        return clip

    async def _submission(self, work: Work, path: str, state: str) -> tuple[dict[str, Any], dict[str, Any]]:
        clip = await self._clip(work, "deleted" if state == "deleted" else "unpublished")
        stands = SubmissionState.WAITING if state == "deleted" else SubmissionState(state)
        submission = await a_submission(work, clip=clip, state=stands)
        digest = clip_digest(await work.session.get_one(Recording, clip.recording_id), clip)
        sent: dict[str, Any] = {}
        if path.endswith("/verdict"):
            sent = {"json": {"decision": "approve", "digest": digest}}
        elif path.endswith("/comments"):
            sent = {"json": {"text": "Look"}}
        return {"submission_id": submission.id}, sent

    async def _lesson(self, work: Work, state: str) -> str:
        clip = await a_clip(work, recording=await self._recording(work, "deleted" if state == "deleted" else "ready"))
        stands = LessonState.PUBLISHED if state == "deleted" else LessonState(state)
        return (await a_lesson(work, clip=clip, state=stands)).slug


async def a_world(app: FastAPI, services: Services) -> World:
    """One person of each kind, each with a token; the disabled one was an administrator."""
    roles = {"stranger": Role.LEARNER, "owner": Role.EXPERT, "reviewer": Role.REVIEWER, "admin": Role.ADMIN}
    async with services.database.work(Silence()) as work:
        people = {kind: await a_person(work, role=role) for kind, role in {**roles, "disabled": Role.ADMIN}.items()}
        made = {kind: await accounts.create_token(work, person=who, days=1, name=kind) for kind, who in people.items()}
        # Not through the service, which would take the token away: being disabled is refused by itself.
        people["disabled"].disabled_at = utc_now()
    return World(app, services, people, made)
