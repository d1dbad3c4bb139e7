"""The process that keeps the speech model loaded. Started by `workers.media.whisper`, never by hand.

It reads one JSON line per request from stdin and writes JSON lines to what was its stdout:

    {"ready": true, "device": "cpu"}                                            once, after loading
    {"id": 7, "pcm": PATH, "language": "en"|null, "hotwords": [..], "within": [], "beam": 1}  request
    {"id": 7, "progress": 0.42}                                                 any number
    {"id": 7, "transcript": {...}} | {"id": 7, "rejected": CODE, "sentence": ..}
        | {"id": 7, "failed": REPR, "detail": TRACEBACK}                        the end
    {"cancel": 7}                                                               nobody waits for it any more

Several requests take turns, so a short clip does not wait for a long one.

It ends with its parent: the kernel kills it when the parent dies, and end of file on stdin ends it even in
the middle of a clip.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import os
import queue
import signal
import sys
import threading
import traceback
import wave
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from workers.language.gaps import filled, unheard
from workers.language.guards import apply
from workers.language.records import Segment, Span, Transcript, Word, segment_of

RATE_HZ = 16_000
PCM_MESSAGE = "The sound of this recording could not be read. The recording is safe. Please try it again."

_PR_SET_PDEATHSIG = 1
_VAD_PAD_S = 0.3
_VAD_JOIN_S = 1.1
_WINDOW_S = 29.0
_TEMPERATURES = [0.0, 0.4, 0.8]
_MOST_TOKENS = 224
"""For 30 s, as in OpenAI's decoder. With the library's 448 and six temperatures, 30 s of music that was taken
for speech cost minutes of CPU."""
_MOST_HINT_CHARS = 300
_GLUED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages written without spaces, in which Whisper's words are characters and stay apart."""


class NotPcm(Exception):
    """The file is not 16 kHz mono 16-bit PCM in a WAV container."""


def read_pcm(path: Path) -> npt.NDArray[np.float32]:
    """Samples -1..1 of a 16 kHz mono s16 WAV, shape (samples,). Raises NotPcm for anything else."""
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getcomptype())
            if shape != (1, 2, RATE_HZ, "NONE"):
                raise NotPcm(f"channels, bytes, Hz, compression = {shape}")
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError, OSError) as error:
        raise NotPcm(repr(error)) from error
    samples = np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2")
    return samples.astype(np.float32) / 32768.0


def heard_speech(samples: npt.NDArray[np.float32]) -> list[Span]:
    """Stretches of speech in seconds, as tight as Silero VAD v6 sees them (32 ms steps, pauses above 0.1 s)."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps  # noqa: PLC0415

    options = VadOptions(min_silence_duration_ms=100, speech_pad_ms=0, min_speech_duration_ms=100)
    chunks = get_speech_timestamps(samples, options)
    return [(chunk["start"] / RATE_HZ, chunk["end"] / RATE_HZ) for chunk in chunks]


def padded(speech: list[Span], duration_s: float) -> list[Span]:
    """Speech with 0.3 s of air around it, joined over pauses below 1.1 s: what Whisper gets to hear."""
    joined: list[Span] = []
    for heard_s, silent_s in speech:
        start_s, end_s = max(0.0, heard_s - _VAD_PAD_S), min(duration_s, silent_s + _VAD_PAD_S)
        if joined and start_s - joined[-1][1] < _VAD_JOIN_S - 2 * _VAD_PAD_S:
            joined[-1] = (joined[-1][0], end_s)
        else:
            joined.append((start_s, end_s))
    return joined


class Voiced:
    """The samples without their long silences, and where each of them was.

    `cuts` are pauses as (second in the voiced samples, length in seconds): good places to end a window.
    """

    def __init__(self, samples: npt.NDArray[np.float32], speech: list[Span]) -> None:
        spans = padded(speech, len(samples) / RATE_HZ)
        self.chunks = [{"start": int(start_s * RATE_HZ), "end": int(end_s * RATE_HZ)} for start_s, end_s in spans]
        self.samples = np.concatenate([samples[chunk["start"] : chunk["end"]] for chunk in self.chunks])
        self.duration_s = len(self.samples) / RATE_HZ
        self.cuts = [
            (self._voiced_s(spans, (left[1] + right[0]) / 2), right[0] - left[1]) for left, right in pairwise(speech)
        ]

    @staticmethod
    def _voiced_s(spans: list[Span], time_s: float) -> float:
        return sum(max(0.0, min(time_s, end_s) - start_s) for start_s, end_s in spans)

    def windows(self) -> list[float]:
        """Start, end, start, end ... of windows of at most 29 s that end in a pause, in voiced seconds.

        Whisper drops whole sentences that its 30 s window cuts in two (measured: 13 of 420 words under noise).
        """
        flat, start_s = [], 0.0
        while (left_s := self.duration_s - start_s) > _WINDOW_S:
            latest_s = start_s + _WINDOW_S
            fewest_s = start_s + left_s - (math.ceil(left_s / _WINDOW_S) - 1) * _WINDOW_S
            inside = [cut for cut in self.cuts if start_s + _WINDOW_S / 3 < cut[0] <= latest_s]
            inside = [cut for cut in inside if cut[0] >= fewest_s] or inside  # not one window more than needed
            end_s = max(inside, key=lambda cut: cut[1], default=(latest_s, 0.0))[0]
            flat += [start_s, end_s]
            start_s = end_s
        return [*flat, start_s, self.duration_s]


class Model:
    """One loaded Whisper model and how to ask it."""

    def __init__(self, folder: str, name: str, threads: int) -> None:
        import ctranslate2  # noqa: PLC0415
        from faster_whisper import WhisperModel  # noqa: PLC0415

        self.name = name
        self.device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        self._set_seed = ctranslate2.set_random_seed
        self._whisper = WhisperModel(
            folder,
            device=self.device,
            compute_type="float16" if self.device == "cuda" else "int8",
            cpu_threads=threads,
            num_workers=1,
            local_files_only=True,
        )

    def transcribe(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        samples = read_pcm(Path(request["pcm"]))
        language = request["language"]
        if language is not None and language not in self._whisper.supported_languages:
            yield {
                "rejected": "language_unknown",
                "sentence": f"The speech model does not know the language '{language}'. The recording is safe. "
                "Please choose another language, or let it be detected.",
            }
            return
        speech = [(start_s, end_s) for start_s, end_s in request["within"]] or heard_speech(samples)
        if not speech:
            yield {"transcript": Transcript(model=self.name).to_json()}
            return
        yield {"progress": 0.0}
        found, info = self._decode(samples, speech, request)
        segments = []
        for segment in found:
            segments.append(segment)
            yield {"progress": min(1.0, segment.end_s / (len(samples) / RATE_HZ))}
        heard = Transcript(
            info.language, float(info.language_probability), tuple(segments), model=self.name, speech=tuple(speech)
        )
        missed = unheard(apply(heard, speech).words, speech)
        if missed and not request["within"]:
            again, _ = self._decode(samples, missed, request | {"language": info.language})
            heard = replace(heard, segments=filled(heard.segments, list(again), missed))
        yield {"transcript": heard.to_json()}

    def _decode(
        self, samples: npt.NDArray[np.float32], speech: list[Span], request: dict[str, Any]
    ) -> tuple[Iterator[Segment], Any]:
        """What is said in these stretches, heard as the caller asks for it, and in which language."""
        voiced = Voiced(samples, speech)
        self._set_seed(0)
        found, info = self._whisper.transcribe(
            voiced.samples,
            language=request["language"],
            clip_timestamps=voiced.windows(),
            beam_size=request["beam"],
            condition_on_previous_text=False,
            word_timestamps=True,
            hallucination_silence_threshold=2.0,
            language_detection_segments=3,
            temperature=_TEMPERATURES,
            best_of=2,
            max_new_tokens=_MOST_TOKENS,
            hotwords=_hint(request["hotwords"]),
        )
        return _segments(found, info.language, voiced), info


def _segments(found: Iterator[Any], language: str, voiced: Voiced) -> Iterator[Segment]:
    """Whisper's segments with their words, in seconds of the whole clip."""
    from faster_whisper.transcribe import restore_speech_timestamps  # noqa: PLC0415

    for segment in restore_speech_timestamps(found, voiced.chunks, RATE_HZ):
        words = _words(segment.words or [], language)
        if words:
            yield segment_of(words, Segment(0, 0, "", (), segment.avg_logprob, segment.no_speech_prob))


def _hint(hotwords: list[str]) -> str | None:
    """Hotwords in one line that leaves room for the answer; what does not fit is left out."""
    hint = ""
    for hotword in hotwords:
        if len(hint) + len(hotword) + 2 <= _MOST_HINT_CHARS:
            hint = f"{hint}, {hotword}" if hint else hotword
    return hint or None


def _words(raw: list[Any], language: str) -> list[Word]:
    """Whisper's words without their spaces; a piece that no space precedes ("-down") joins the one before."""
    words: list[Word] = []
    for piece in raw:
        text = piece.word.strip()
        if not text:
            continue
        word = Word(float(piece.start), float(piece.end), text, float(piece.probability))
        if words and not piece.word.startswith(" ") and language not in _GLUED_LANGUAGES:
            left = words.pop()
            word = Word(left.start_s, word.end_s, left.text + text, min(left.probability, word.probability))
        words.append(word)
    return words


def _die_with(parent: int) -> None:
    """Asks the kernel to kill this process when its parent ends (Linux; elsewhere stdin does it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _requests() -> queue.Queue[str]:
    """Lines from stdin, read in a thread, so that its end is seen while a clip is being transcribed."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return lines


def _serve(model: Model, lines: queue.Queue[str], protocol: IO[str]) -> None:
    """Answer requests for ever, each in its turn a few sentences at a time."""
    running: dict[int, Iterator[dict[str, Any]]] = {}
    while True:
        while not running or not lines.empty():
            request = json.loads(lines.get())
            if "cancel" in request:
                running.pop(request["cancel"], None)
            else:
                running[request["id"]] = _answers(model, request)
        for number, answers in list(running.items()):
            answer = next(answers, None)
            if answer is None:
                del running[number]
            else:
                print(json.dumps({"id": number} | answer), file=protocol)


def _answers(model: Model, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    try:
        yield from model.transcribe(request)
    except NotPcm as error:
        yield {"rejected": "sound_not_readable", "sentence": PCM_MESSAGE, "detail": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever it was, the worker decides, this process goes on
        yield {"failed": repr(error), "detail": traceback.format_exc()}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--name", required=True)
    arguments.add_argument("--threads", type=int, required=True)
    arguments.add_argument("--parent", type=int, required=True)
    options = arguments.parse_args()
    _die_with(options.parent)
    # Libraries may print; only protocol lines may reach the parent.
    protocol: IO[str] = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    lines = _requests()
    model = Model(options.model, options.name, options.threads)
    print(json.dumps({"ready": True, "device": model.device}), file=protocol)
    _serve(model, lines, protocol)


if __name__ == "__main__":
    main()
