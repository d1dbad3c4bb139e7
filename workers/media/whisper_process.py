"""The process that keeps the speech model loaded. Started by `workers.media.whisper`, never by hand.

It reads one JSON line per request from stdin and writes JSON lines to what was its stdout:

    {"ready": true, "device": "cpu"}                                            once, after loading
    {"id": 7, "pcm": PATH, "language": "en"|null, "hotwords": [..], "within": [], "beam": 1}  request
    {"id": 7, "progress": 0.42}                                                 any number
    {"id": 7, "transcript": {...}} | {"id": 7, "rejected": CODE, "sentence": ..}
        | {"id": 7, "failed": REPR, "detail": TRACEBACK}                        the end
    {"cancel": 7}                                                               nobody waits for it any more

Windows of speech are heard side by side, one thread each. Several requests take turns at it, so a short clip does
not wait for a long one.

It ends with its parent: the kernel kills it when the parent dies, and end of file on stdin ends it even in
the middle of a clip.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import queue
import signal
import sys
import threading
import traceback
import wave
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from infra.processes import share_less
from workers.language.gaps import filled, unheard
from workers.language.guards import apply
from workers.language.records import Segment, Span, Transcript, Word, segment_of
from workers.media.windows import windows

Samples: TypeAlias = npt.NDArray[np.float32]
Request: TypeAlias = dict[str, Any]
Answer: TypeAlias = dict[str, Any]

RATE_HZ = 16_000
PCM_MESSAGE = "The sound of this recording could not be read. The recording is safe. Please try it again."

_PR_SET_PDEATHSIG = 1
_NICE = 5  # behind what people wait for on the page and what makes a recording playable, before encodes
_LANGUAGE_WINDOWS = 3
_TEMPERATURES = [0.0, 0.4, 0.8]
_MOST_TOKENS = 224
"""For 30 s, as in OpenAI's decoder. With the library's 448 and six temperatures, 30 s of music that was taken
for speech cost minutes of CPU."""
_MOST_HINT_CHARS = 300
_GLUED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages written without spaces, in which Whisper's words are characters and stay apart."""


class NotPcm(Exception):
    """The file is not 16 kHz mono 16-bit PCM in a WAV container."""


def read_pcm(path: Path) -> Samples:
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


def heard_speech(samples: Samples) -> list[Span]:
    """Stretches of speech in seconds, as tight as Silero VAD v6 sees them (32 ms steps, pauses above 0.1 s)."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps  # noqa: PLC0415

    options = VadOptions(min_silence_duration_ms=100, speech_pad_ms=0, min_speech_duration_ms=100)
    chunks = get_speech_timestamps(samples, options)
    return [(chunk["start"] / RATE_HZ, chunk["end"] / RATE_HZ) for chunk in chunks]


class Model:
    """One loaded Whisper model, which hears up to `threads` windows at once, and how to ask it.

    Two threads for one window were no faster than one (docs/decisions/0007), so each window has one.
    """

    def __init__(self, folder: str, name: str, threads: int) -> None:
        import ctranslate2  # noqa: PLC0415
        from faster_whisper import WhisperModel  # noqa: PLC0415

        self.name = name
        self.device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        ctranslate2.set_random_seed(0)
        self._whisper = WhisperModel(
            folder,
            device=self.device,
            compute_type="float16" if self.device == "cuda" else "int8",
            cpu_threads=1,
            num_workers=threads,
            local_files_only=True,
        )
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="window")

    def transcribe(self, request: Request) -> Iterator[Answer]:
        """What the parent is told: how far it is, then the transcript or why there is none."""
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
        parts = windows(speech, len(samples) / RATE_HZ)
        if not parts:
            yield {"transcript": Transcript(model=self.name).to_json()}
            return
        yield {"progress": 0.0}
        language, probability = (language, 1.0) if language else self._language(samples, parts)
        segments: list[Segment] = []
        for at, found in enumerate(self._heard(samples, parts, language, request), start=1):
            segments += found
            yield {"progress": at / len(parts)}
        heard = Transcript(language, probability, tuple(segments), model=self.name, speech=tuple(speech))
        missed = unheard(apply(heard, speech).words, speech)
        if missed and not request["within"]:
            again = self._heard(samples, windows(missed, len(samples) / RATE_HZ), language, request)
            found = [segment for window in again for segment in window]
            heard = replace(heard, segments=filled(heard.segments, found, missed))
        yield {"transcript": heard.to_json()}

    def _language(self, samples: Samples, parts: Sequence[Sequence[Span]]) -> tuple[str, float]:
        """The language of the first speech, and how probable it is."""
        if not self._whisper.model.is_multilingual:
            return "en", 1.0
        voiced = np.concatenate([_cut(samples, part) for part in parts[:_LANGUAGE_WINDOWS]])
        language, probability, _ = self._whisper.detect_language(voiced, language_detection_segments=_LANGUAGE_WINDOWS)
        return language, float(probability)

    def _heard(
        self, samples: Samples, parts: Sequence[Sequence[Span]], language: str, request: Request
    ) -> Iterator[list[Segment]]:
        """What is said in each window, in order. Few windows wait at a time, so other clips get their turn."""
        waiting: deque[Future[list[Segment]]] = deque()
        try:
            for part in parts:
                waiting.append(self._pool.submit(self._decode, samples, part, language, request))
                if len(waiting) > self._threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for window in waiting:
                window.cancel()

    def _decode(self, samples: Samples, part: Sequence[Span], language: str, request: Request) -> list[Segment]:
        """What is said in one window, in seconds of the whole clip, heard as the caller asks for it."""
        from faster_whisper.transcribe import restore_speech_timestamps  # noqa: PLC0415

        found, _ = self._whisper.transcribe(
            _cut(samples, part),
            language=language,
            beam_size=request["beam"],
            condition_on_previous_text=False,
            word_timestamps=True,
            hallucination_silence_threshold=2.0,
            temperature=_TEMPERATURES,
            best_of=2,
            max_new_tokens=_MOST_TOKENS,
            hotwords=_hint(request["hotwords"]),
        )
        chunks = [{"start": int(start_s * RATE_HZ), "end": int(end_s * RATE_HZ)} for start_s, end_s in part]
        segments = []
        for segment in restore_speech_timestamps(found, chunks, RATE_HZ):
            words = _words(segment.words or [], language)
            if words:
                segments.append(segment_of(words, Segment(0, 0, "", (), segment.avg_logprob, segment.no_speech_prob)))
        return segments


def _cut(samples: Samples, part: Sequence[Span]) -> Samples:
    return np.concatenate([samples[int(start_s * RATE_HZ) : int(end_s * RATE_HZ)] for start_s, end_s in part])


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
    """Answer requests for ever, each in a thread of its own; hearing is what the model's threads do."""
    running: dict[int, threading.Event] = {}
    one_line = threading.Lock()

    def answer(request: Request, cancelled: threading.Event) -> None:
        with closing(_answers(model, request)) as answers:
            for found in answers:
                if cancelled.is_set():
                    break
                with one_line:
                    print(json.dumps({"id": request["id"]} | found), file=protocol)
        del running[request["id"]]

    while True:
        request = json.loads(lines.get())
        if "cancel" in request:
            running.get(request["cancel"], threading.Event()).set()
        else:
            cancelled = running[request["id"]] = threading.Event()
            threading.Thread(target=answer, args=(request, cancelled), daemon=True).start()


def _answers(model: Model, request: Request) -> Generator[Answer]:
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
    os.nice(_NICE)
    share_less(os.getpid(), _NICE)
    # Libraries may print; only protocol lines may reach the parent.
    protocol: IO[str] = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    lines = _requests()
    model = Model(options.model, options.name, options.threads)
    print(json.dumps({"ready": True, "device": model.device}), file=protocol)
    _serve(model, lines, protocol)


if __name__ == "__main__":
    main()
