"""Health and numbers, for load balancers and Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from api.dependencies import ServicesDep
from infra import ledger, migrations
from infra.database import Silence
from infra.errors import Unavailable

router = APIRouter(tags=["health"])


@router.get("/livez")
async def live() -> dict[str, str]:
    """This process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(services: ServicesDep) -> dict[str, str]:
    """Database, schema and storage answer. Valkey down is no reason to be unready: workers look by themselves."""
    await services.database.ping()
    if not await migrations.is_current(services.database):
        raise Unavailable("The database has another schema than this version. Run `lorecast migrate`.")
    await services.storage.ping()
    doorbell = "ok" if await services.bell.answers() else "away"
    return {"status": "ok", "doorbell": doorbell}


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(services: ServicesDep) -> Response:
    """Numbers about the work, read from the ledger, in Prometheus' text format."""
    registry = CollectorRegistry()
    runs = Gauge("lorecast_stage_runs", "Stage runs by stage and state.", ["stage", "state"], registry=registry)
    oldest = Gauge(
        "lorecast_oldest_waiting_seconds", "Age of the oldest waiting run of a stage.", ["stage"], registry=registry
    )
    ended = Gauge(
        "lorecast_stage_errors",
        "Stage runs by stage, error class and code.",
        ["stage", "kind", "code"],
        registry=registry,
    )
    attempts = Gauge("lorecast_stage_attempts", "Attempts made for a stage.", ["stage"], registry=registry)
    async with services.database.work(Silence()) as work:
        for row in await ledger.count_runs(work):
            runs.labels(row.stage, row.state).set(row.runs)
            attempts.labels(row.stage).inc(row.attempts)
            if row.state == ledger.StageState.WAITING:
                oldest.labels(row.stage).set(row.oldest_s)
        for error in await ledger.count_errors(work):
            ended.labels(error.stage, error.kind, error.code).set(error.runs)
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
