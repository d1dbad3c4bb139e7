"""One trace from the last byte to the ready clip, sent to a real collector's address, without anything private."""

from __future__ import annotations

import gzip
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from capture import service as capture
from infra.database import Database
from infra.tracing import current_trace, span
from tests.fixtures.workers import Add, StartWorker, runs, until, until_state

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@dataclass
class Collector:
    """What was sent to it."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """An OTLP address on this machine that keeps what it gets."""
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    kept.spans += scope.spans
            self.send_response(200)
            self.end_headers()

        def log_message(self, _format: str, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_without_a_collector_nothing_is_recorded() -> None:
    with span("anything"):
        assert current_trace() is None


def _clip(path: Path) -> Path:
    source = "-f lavfi -i testsrc2=s=160x90:r=10:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p"
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *source.split(), str(path)], check=True)
    return path


@pytest.mark.timeout(300)
async def test_every_stage_of_a_recording_is_in_the_trace_of_its_upload(
    database: Database,
    a_worker: StartWorker,
    uploaded: Add,
    collector: Collector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capture, "current_trace", lambda: PARENT)
    recording_id = await uploaded(_clip(tmp_path / "private-name.mp4"), title="Private title")
    worker = await a_worker(LORECAST_OTLP_URL=collector.url).ready()
    await until_state(database, recording_id, "ready")
    assert {run.trace for run in (await runs(database, recording_id)).values()} == {PARENT}
    worker.stop()

    async def all_sent() -> bool:
        return len(collector.spans) >= 6

    await until(all_sent, within_s=20, what="spans")
    assert {one.trace_id.hex() for one in collector.spans} == {TRACE}
    stages = {"probe", "playable", "transcribe", "renditions", "chapter", "submit"}
    assert {one.name for one in collector.spans} == {f"stage {name}" for name in stages}
    assert "rivate" not in str(collector.spans)
