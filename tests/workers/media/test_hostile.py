"""Whatever is uploaded: it is refused or processed within limits, and it reads, writes and calls nothing else."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from capture.container import HEAD_BYTES, Container, sniff
from infra.errors import Rejected
from tests.fixtures.hostile import Canary, cuts, impostors, liars, mutated, pixel_bombs, polyglots
from tests.fixtures.media import MediaShelf
from workers.media.audio import extract_audio
from workers.media.playable import make_playable
from workers.media.probe import MediaLimits, probe
from workers.media.renditions import make_renditions
from workers.media.sandbox import Sandbox

LIMITS = MediaLimits(max_duration_s=60)
OUTPUTS = {
    "playable.mp4", "64p.mp4", "speech.wav", "poster.jpg", "storyboard.jpg", "storyboard.vtt", "peaks.json",
    "candidates.mjpeg", "tiles.mjpeg", "changes.txt", "waveform.pcm",
}  # fmt: skip
SEEDS = 25
HARD_SEEDS = 500
LONGEST_S = 60.0
LIKE_ANOTHER = (" is 0", " is 2^31", " size 1", " size 7", " size 2147483647")


@dataclass
class Range:
    """A place to set hostile files off: with a secret beside them and a canary on the network."""

    sandbox: Sandbox
    folder: Path
    secret: Path
    canary: Canary
    longest_s: float = 0.0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.canary.port}"

    async def set_off(self, name: str, content: bytes, container: Container | None) -> str:
        """Take `content` through every stage; "processed", or the code of its refusal."""
        folder = self.folder / secrets.token_hex(8)
        out = folder / "out"
        out.mkdir(parents=True)
        upload = folder / "upload"
        upload.write_bytes(content)
        started = time.monotonic()
        outcome = await self._stages(upload, out, container)
        self.longest_s = max(self.longest_s, time.monotonic() - started)
        assert time.monotonic() - started < LONGEST_S, name
        assert upload.read_bytes() == content, name
        assert {path.name for path in folder.iterdir()} == {"upload", "out"}, name
        for written in out.iterdir():
            known = (
                written.name in OUTPUTS or written.suffix == ".mp4" or written.name in {"changes.txt", "waveform.pcm"}
            )
            assert known, (name, written.name)
            assert self.secret.read_bytes() not in written.read_bytes(), (name, written.name)
        assert self.canary.hits == 0, name
        return outcome

    async def _stages(self, upload: Path, out: Path, container: Container | None) -> str:
        container = container or sniff(upload.read_bytes()[:HEAD_BYTES])
        if container is None:
            return "media.container"
        try:
            info = await probe(self.sandbox, upload, container, limits=LIMITS)
            await make_playable(self.sandbox, upload, info, out)
            await extract_audio(self.sandbox, upload, info, out)
            await make_renditions(self.sandbox, upload, info, out, gain_db=None, threads=1, nice=0)
        except Rejected as rejected:
            return self._fair(rejected)
        return "processed"

    def _fair(self, rejected: Rejected) -> str:
        """The code of a refusal that an expert understands and that tells nothing it should not."""
        assert rejected.code.startswith("media."), rejected.code
        assert "original is kept" in rejected.sentence, rejected.sentence
        assert self.secret.read_text() not in rejected.detail
        return rejected.code

    async def set_off_all(self, files: Mapping[str, bytes], container: Container | None = None) -> dict[str, str]:
        """All of them, two at a time: what became of each."""
        slots = asyncio.Semaphore(2)

        async def one(name: str, content: bytes) -> tuple[str, str]:
            async with slots:
                return name, await self.set_off(name, content, container)

        return dict(await asyncio.gather(*(one(name, content) for name, content in files.items())))


@pytest.fixture
async def shooting(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Range]:
    secret = tmp_path / "secret"
    secret.write_text(secrets.token_hex(16))
    async with Canary() as canary:
        yield Range(sandbox, tmp_path / "range", secret, canary)


@pytest.fixture(scope="session")
def mp4(shelf: MediaShelf) -> bytes:
    return shelf.get("target.mp4").read_bytes()


@pytest.fixture(scope="session")
def mkv(shelf: MediaShelf) -> bytes:
    return shelf.get("target.mkv").read_bytes()


async def test_what_is_no_recording_never_reaches_a_media_tool(shooting: Range) -> None:
    outcomes = await shooting.set_off_all(impostors(shooting.address, shooting.secret))
    assert set(outcomes.values()) == {"media.container"}


@pytest.mark.parametrize("container", list(Container))
async def test_a_wrong_sniff_would_still_open_nothing(container: Container, shooting: Range) -> None:
    outcomes = await shooting.set_off_all(impostors(shooting.address, shooting.secret), container)
    assert "processed" not in outcomes.values()
    assert shooting.longest_s < 20


async def test_what_hides_in_a_recording_stays_unread(shooting: Range, mp4: bytes, mkv: bytes) -> None:
    outcomes = await shooting.set_off_all(polyglots(shooting.address, shooting.secret, mp4, mkv))
    processed = {name for name, outcome in outcomes.items() if outcome == "processed"}
    assert processed <= {
        "mp4 with a playlist behind", "mp4 with a page behind", "mp4, then mkv", "mkv, then mp4",
        "data that is in another file", "data that is on the network",
    }  # fmt: skip


async def test_no_lie_in_a_header_does_harm(shooting: Range, mp4: bytes) -> None:
    lies = liars(mp4)
    outcomes = await shooting.set_off_all({name: lies[name] for name in lies if not name.endswith(LIKE_ANOTHER)})
    refused = {name for name, outcome in outcomes.items() if outcome != "processed"}
    assert {"no index", "no data", "only an index", "a stream of 14000 x 14000", "thousands of tracks"} <= refused
    assert "processed" in outcomes.values()


@pytest.mark.hard
@pytest.mark.timeout(900)
async def test_no_lie_and_no_cut_anywhere_does_harm(shooting: Range, mp4: bytes) -> None:
    outcomes = await shooting.set_off_all(cuts(mp4) | liars(mp4))
    assert len(outcomes) > 200


async def test_pixels_cannot_fill_the_memory(shooting: Range, shelf: MediaShelf) -> None:
    outcomes = await shooting.set_off_all(pixel_bombs(shelf.get("target.webm").read_bytes()))
    assert "processed" not in {outcomes["frames of 14000 x 14000"], outcomes["a picture of 14000 x 14000 as png"]}
    assert shooting.longest_s < 40


async def test_every_refusal_says_what_is_wrong(shooting: Range, mp4: bytes) -> None:
    files = liars(mp4)
    chosen = {name: files[name] for name in ("no index", "thousands of tracks", "stts+12 is 2^32-1")}
    assert await shooting.set_off_all(chosen) == {
        "no index": "media.unreadable",
        "thousands of tracks": "media.too_many_streams",
        "stts+12 is 2^32-1": "media.frame_rate",
    }


@pytest.mark.parametrize("name", ["target.mp4", "target.mkv", "target.webm"])
async def test_random_wounds_are_refused_or_survived(name: str, shooting: Range, shelf: MediaShelf) -> None:
    original = shelf.get(name).read_bytes()
    outcomes = await shooting.set_off_all({f"{name} {seed}": mutated(original, seed) for seed in range(SEEDS)})
    assert len(outcomes) == SEEDS
    assert {"processed"} < set(outcomes.values())


@pytest.mark.hard
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["target.mp4", "target.mkv", "target.webm"])
async def test_many_random_wounds_are_refused_or_survived(name: str, shooting: Range, shelf: MediaShelf) -> None:
    original = shelf.get(name).read_bytes()
    seeds = range(SEEDS, SEEDS + HARD_SEEDS)
    outcomes = await shooting.set_off_all({f"{name} {seed}": mutated(original, seed) for seed in seeds})
    assert len(outcomes) == HARD_SEEDS


async def test_the_canary_hears_who_calls(shooting: Range) -> None:
    await shooting.canary.hear_something()
    assert shooting.canary.hits == 1
