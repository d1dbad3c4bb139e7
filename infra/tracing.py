"""Traces (OpenTelemetry): one from the last byte of an upload to the ready clip, across web and workers.

The trace travels in the `trace` column of `stage_run` as a W3C traceparent, so it survives whatever the work survives.
Spans carry ids, stages and codes: no file name, no word of a transcript, no address with a secret in it. Without
`LORECAST_OTLP_URL` nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from infra.settings import LogSettings

_PROPAGATOR = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("lorecast")


def configure_traces(settings: LogSettings, *, process: str) -> None:
    """Send spans of this process to `LORECAST_OTLP_URL`, if it is set."""
    if settings.otlp_url is None:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": "lorecast", "lorecast.process": process}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{settings.otlp_url}/v1/traces")))
    trace.set_tracer_provider(provider)


def flush_traces() -> None:
    """Send what is recorded, before the process ends."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.shutdown()


def current_trace() -> str | None:
    """The running span as a W3C traceparent, or None when nothing is recorded."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span(
    name: str, *, parent: str | None = None, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | float
) -> Iterator[Span]:
    """A span around a block; `parent` is a W3C traceparent, None continues what runs here."""
    context = _PROPAGATOR.extract({"traceparent": parent}) if parent else None
    named = {f"lorecast.{key}": value for key, value in attributes.items()}
    with _tracer.start_as_current_span(name, context=context, kind=kind, attributes=named) as running:
        yield running
