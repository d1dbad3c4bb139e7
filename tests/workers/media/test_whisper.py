"""Whisper as a process of its own: what it hears, what it refuses, and how it dies."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from statistics import median

import jiwer
import numpy as np
import psutil
import pytest
import pytest_asyncio

from infra.errors import Misconfigured, Rejected, Transient
from tests.fixtures.speech import sound
from workers.language import guards
from workers.language.records import Segment, Span, Transcript, segment_of
from workers.media import weights, whisper_process
from workers.media.whisper import Whisper
from workers.media.whisper_process import Request, Samples
from workers.media.windows import windows


@pytest_asyncio.fixture(scope="module")
async def tiny() -> AsyncIterator[Whisper]:
    async with Whisper(weights.resolve("tiny.en", Path()), name="tiny.en") as whisper:
        yield whisper


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights.resolve("bundled", tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound.write_wav(tmp_path_factory.mktemp("speech") / "instructions.wav", sound.instructions())


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A minute and a half of speech: long enough to do something to the process meanwhile."""
    return sound.write_wav(tmp_path / "long.wav", np.tile(sound.instructions(), 8))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split())


def _errors_s(transcript: Transcript) -> list[float]:
    """How far the start of each rightly heard word is from the truth."""
    truth = [(_plain(word.text), word.start_s) for word in sound.instructions_truth()]
    heard = [(_plain(word.text), word.start_s) for word in transcript.words]
    return [
        min(abs(start_s - said_s) for text, start_s in heard if text == word)
        for word, said_s in truth
        if any(text == word for text, _ in heard)
    ]


def _gone(pid: int, within_s: float) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


async def _working(whisper: Whisper, clip: Path) -> asyncio.Task[Transcript]:
    """A call that has found speech and is about to write it down: in the middle of the clip."""
    reported = asyncio.Event()
    task = asyncio.create_task(whisper.transcribe(clip, on_progress=lambda _: reported.set()))
    await asyncio.wait_for(reported.wait(), 60)
    return task


async def test_it_writes_down_what_is_said_and_when(tiny: Whisper, spoken: Path) -> None:
    progress: list[float] = []
    raw = await tiny.transcribe(spoken, language="en", on_progress=progress.append)
    transcript = guards.apply(raw, raw.speech)

    truth = " ".join(word.text for word in sound.instructions_truth())
    assert jiwer.wer(_plain(truth), _plain(transcript.text)) <= 0.1
    errors_s = _errors_s(transcript)
    assert len(errors_s) >= 22
    assert median(errors_s) <= 0.15
    assert sorted(errors_s)[int(len(errors_s) * 0.95)] <= 0.4
    assert progress == sorted(progress)
    assert 0 < progress[-1] <= 1
    assert (transcript.language, transcript.model, transcript.removed) == ("en", "tiny.en", ())


async def test_a_hotword_is_heard_where_the_plain_pass_hears_something_else(tiny: Whisper, spoken: Path) -> None:
    plain = await tiny.transcribe(spoken, language="en")
    assert "invoice" not in plain.text
    biased = await tiny.transcribe(spoken, language="en", hotwords=("invoice",))
    assert "invoice" in biased.text
    assert len(biased.words) == len(plain.words)


async def test_only_the_stretches_asked_for_are_heard(tiny: Whisper, spoken: Path) -> None:
    again = await tiny.transcribe(spoken, language="en", within=[(4.096, 6.24)])
    assert _plain(again.text) == "then press the green button to save the file"
    assert again.speech == ((4.096, 6.24),)


async def test_two_clips_at_once_take_turns_and_say_the_same(tiny: Whisper, spoken: Path) -> None:
    first, second = await asyncio.gather(tiny.transcribe(spoken), tiny.transcribe(spoken))
    assert first == second


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """What is said in the sample recording: a minute and a half, no sentence twice."""
    recording = Path(__file__).parents[3] / "samples" / "expense-report.mp4"
    to_pcm = ["-ac", "1", "-ar", "16000", "-c:a", "pcm_s16le", "-map_metadata", "-1", "-fflags", "+bitexact"]
    pcm = tmp_path / "report.wav"
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", recording, *to_pcm, pcm], check=True)
    return pcm


async def test_windows_heard_side_by_side_say_what_they_say_one_after_another(tiny: Whisper, report: Path) -> None:
    async with Whisper(weights.resolve("tiny.en", Path()), name="tiny.en", threads=3) as three:
        heard = await three.transcribe(report)
    assert heard == await tiny.transcribe(report)
    assert len(windows(heard.speech, 90.0)) >= 3


_NOISES = [
    sound.silence, sound.room, sound.fan, sound.typing, sound.clicks, sound.beeps, sound.music, sound.beat,
]  # fmt: skip


@pytest.mark.parametrize("noise", _NOISES)
async def test_a_minute_without_speech_has_no_words(
    tiny: Whisper, tmp_path: Path, noise: Callable[[float], sound.Samples]
) -> None:
    clip = sound.write_wav(tmp_path / "noise.wav", noise(60.0))
    transcript = await tiny.transcribe(clip)
    assert guards.apply(transcript, transcript.speech).words == ()
    assert transcript.language is None


async def test_noise_beside_speech_adds_no_words(tiny: Whisper, spoken: Path, tmp_path: Path) -> None:
    alone = await tiny.transcribe(spoken)
    noises = [sound.typing(15), sound.instructions(), sound.silence(15), sound.music(15)]
    mixed = await tiny.transcribe(sound.write_wav(tmp_path / "mixed.wav", np.concatenate(noises)))
    heard = guards.apply(mixed, mixed.speech)
    assert jiwer.process_words(_plain(alone.text), _plain(heard.text)).insertions == 0
    assert heard.words[0].start_s >= 15
    assert heard.words[-1].end_s <= 27.2


@pytest.mark.parametrize("before", [sound.music, sound.silence])
async def test_the_language_is_that_of_the_first_speech_and_not_of_the_half_minute_before(
    base_folder: Path, tmp_path: Path, before: Callable[[float], sound.Samples]
) -> None:
    clip = sound.write_wav(tmp_path / "late.wav", np.concatenate([before(31), sound.instructions()]))
    async with Whisper(base_folder, name="base") as base:
        raw = await base.transcribe(clip)
    transcript = guards.apply(raw, raw.speech)
    assert transcript.language == "en"
    assert transcript.language_probability > 0.9
    assert transcript.words[0].start_s > 31
    truth = " ".join(word.text for word in sound.instructions_truth())
    assert jiwer.wer(_plain(truth), _plain(transcript.text)) <= 0.1


class Skipping(whisper_process.Model):
    """The real model, which skips what is said from 4 to 7 s the first time, as it does at the seam of a window."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), "tiny.en", 1)
        self.heard: list[list[Span]] = []

    def _decode(self, samples: Samples, part: Sequence[Span], language: str, request: Request) -> list[Segment]:
        found = super()._decode(samples, part, language, request)
        self.heard.append(list(part))
        if len(self.heard) > 1:
            return found
        kept = [[word for word in segment.words if not 3.9 < word.start_s < 7] for segment in found]
        return [segment_of(words) for words in kept if words]


def test_speech_that_got_no_words_is_listened_to_again(spoken: Path) -> None:
    model = Skipping(weights.resolve("tiny.en", Path()))
    *_, answer = model.transcribe({"pcm": str(spoken), "language": "en", "hotwords": [], "within": [], "beam": 1})
    raw = Transcript.from_json(answer["transcript"])
    heard = guards.apply(raw, raw.speech)
    truth = " ".join(word.text for word in sound.instructions_truth())
    assert jiwer.wer(_plain(truth), _plain(heard.text)) <= 0.1
    assert len(model.heard) == 2
    assert all(3.5 < start_s < end_s < 7 for start_s, end_s in model.heard[1]), "and nothing but that"


def test_speech_that_got_its_words_is_listened_to_once(spoken: Path) -> None:
    model = Skipping(weights.resolve("tiny.en", Path()))
    model.heard.append([])  # does not skip
    *_, _ = model.transcribe({"pcm": str(spoken), "language": "en", "hotwords": [], "within": [], "beam": 1})
    assert len(model.heard) == 2


def _wrong_files(folder: Path) -> dict[str, Path]:
    speech = sound.instructions()[: sound.RATE_HZ]
    playlist = folder / "playlist.wav"
    playlist.write_text("#EXTM3U\nfile:///etc/passwd\n")
    cut = folder / "cut.wav"
    cut.write_bytes(sound.write_wav(folder / "whole.wav", speech).read_bytes()[:30])
    eight_bit = folder / "eight.wav"
    with wave.open(str(eight_bit), "wb") as file:
        file.setparams((1, 1, 16_000, 0, "NONE", "not compressed"))
        file.writeframes(b"\x80" * 16_000)
    return {
        "another rate": sound.write_wav(folder / "rate.wav", speech, rate_hz=44_100),
        "stereo": sound.write_wav(folder / "stereo.wav", speech, channels=2),
        "8 bit": eight_bit,
        "a playlist": playlist,
        "a truncated header": cut,
        "no file": folder / "nothing.wav",
        "compressed": Path(sound.__file__).with_name("instructions.opus"),
    }


async def test_only_16_khz_mono_pcm_is_opened(tiny: Whisper, spoken: Path, tmp_path: Path) -> None:
    before = tiny.pid
    for name, file in _wrong_files(tmp_path).items():
        with pytest.raises(Rejected) as refused:
            await tiny.transcribe(file)
        assert refused.value.code == "sound_not_readable", name
        assert "safe" in refused.value.sentence
    assert (await tiny.transcribe(spoken)).words
    assert tiny.pid == before


async def test_a_sound_of_no_length_has_no_words(tiny: Whisper, tmp_path: Path) -> None:
    for length in (0, 1, 200):
        clip = sound.write_wav(tmp_path / f"{length}.wav", np.zeros(length))
        assert (await tiny.transcribe(clip)).segments == ()


async def test_a_language_nobody_knows_is_refused(tiny: Whisper, spoken: Path) -> None:
    with pytest.raises(Rejected, match="Klingon") as refused:
        await tiny.transcribe(spoken, language="Klingon")
    assert refused.value.code == "language_unknown"
    assert (await tiny.transcribe(spoken)).words


async def test_a_child_that_is_killed_costs_one_call_and_the_next_one_works(
    tiny: Whisper, spoken: Path, long: Path
) -> None:
    task = await _working(tiny, long)
    killed = tiny.pid
    assert killed
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(Transient) as error:
        await task
    assert error.value.code == "whisper_died"
    assert (await tiny.transcribe(spoken)).words
    assert tiny.pid != killed


async def test_a_short_clip_does_not_wait_for_a_long_one_and_cancelling_that_one_disturbs_nobody(
    tiny: Whisper, spoken: Path, long: Path
) -> None:
    alone = await tiny.transcribe(spoken)
    child = tiny.pid
    task = await _working(tiny, long)
    assert await tiny.transcribe(spoken) == alone
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await tiny.transcribe(spoken) == alone
    assert tiny.pid == child


async def test_stopping_in_the_middle_of_a_clip_leaves_no_process(long: Path) -> None:
    whisper = Whisper(weights.resolve("tiny.en", Path()), name="tiny.en")
    task = await _working(whisper, long)
    pid = whisper.pid
    assert pid
    await whisper.stop()
    with pytest.raises(Transient):
        await task
    assert _gone(pid, 2)
    assert whisper.pid is None


async def test_a_child_that_hangs_is_killed_and_the_call_may_be_tried_again(spoken: Path) -> None:
    async with Whisper(weights.resolve("tiny.en", Path()), name="tiny.en", stall_s=1) as whisper:
        pid = whisper.pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(Transient) as error:
            await whisper.transcribe(spoken)
        assert error.value.code == "whisper_stalled"
        assert _gone(pid, 2)
        assert whisper.pid is None


async def test_a_folder_that_is_no_model_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model at all")
    whisper = Whisper(tmp_path)
    with pytest.raises(Misconfigured) as refused:
        await whisper.start()
    assert refused.value.code == "whisper_model_damaged"
    assert whisper.pid is None


async def test_no_secret_of_the_worker_reaches_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORECAST_DATABASE_URL", "postgresql://lorecast:secret@localhost/lorecast")
    async with Whisper(weights.resolve("tiny.en", Path()), name="tiny.en") as whisper:
        environment = Path(f"/proc/{whisper.pid}/environ").read_text()
    assert "OMP_NUM_THREADS=1" in environment
    assert "LORECAST" not in environment


_PARENT = """
import asyncio, sys
from pathlib import Path
from workers.media import weights
from workers.media.whisper import Whisper
from workers.media.whisper_process import Request, Samples
from workers.media.windows import windows

async def main():
    whisper = Whisper(weights.resolve("tiny.en", Path()), name="tiny.en")
    await whisper.start()
    print(whisper.pid, flush=True)
    await whisper.transcribe(Path(sys.argv[1]), on_progress=lambda _: print("working", flush=True))

asyncio.run(main())
"""


def test_the_child_dies_with_a_parent_that_is_killed_in_the_middle_of_a_clip(long: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT, str(long)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "working\n"
        parent.kill()
    assert _gone(child, 2)


def test_the_child_ends_when_its_input_ends_even_in_the_middle_of_a_clip(long: Path) -> None:
    folder = weights.resolve("tiny.en", Path())
    command = [sys.executable, "-m", "workers.media.whisper_process", "--model", str(folder)]
    command += ["--name", "tiny.en", "--threads", "1", "--parent", str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin
        assert child.stdout
        assert "ready" in child.stdout.readline()
        child.stdin.write(f'{{"id": 1, "pcm": "{long}", "language": null, "hotwords": [], "within": [], "beam": 1}}\n')
        child.stdin.flush()
        assert "progress" in child.stdout.readline()
        child.stdin.close()
        assert child.wait(2) == 0
