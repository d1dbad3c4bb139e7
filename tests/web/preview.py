"""A server that shows every page in every state with sample data, for looking at them and for the browser tests.

`python -m tests.web.preview [PORT]`, then open `/`. It holds no data and asks nobody who they are.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from tests.web import samples
from web import htmx, views
from web.assets import Assets
from web.security import SecurityHeaders
from web.templating import Pages

HUES = ("#17324d", "#27483b", "#4a3557", "#53391f", "#3d3f58", "#1f4a52")


def create_preview() -> FastAPI:
    """Return the application."""
    app = FastAPI(docs_url=None, redoc_url=None)
    assets = Assets.load()
    pages = Pages(assets)
    app.add_middleware(SecurityHeaders)
    app.mount("/static", assets)
    _page_routes(app, pages)
    _media_routes(app)
    _live_routes(app)
    _fixed_routes(app, pages)
    return app


def _shown(request: Request, shell: views.Shell) -> views.Shell:
    themes: dict[str, views.Theme] = {"light": "light", "dark": "dark"}
    return replace(shell, theme=themes.get(request.cookies.get("theme", "")))


def _page_routes(app: FastAPI, pages: Pages) -> None:
    names = samples.pages()

    @app.get("/")
    async def index() -> HTMLResponse:
        links = "".join(f'<li><a href="/preview/{name}">{name}</a></li>' for name in names)
        return HTMLResponse(f"<!doctype html><title>Pages</title><ul>{links}</ul>")

    @app.get("/preview/{name}")
    async def show(name: str, request: Request) -> Response:
        view, shell = names[name]
        return pages.render(view, _shown(request, shell))

    @app.get("/hostile/{name}")
    async def show_hostile(name: str, request: Request) -> Response:
        view, shell = names[name]
        return pages.render(samples.hostile(view), samples.hostile(_shown(request, shell)))

    @app.get("/search")
    async def search(request: Request, q: str = "") -> Response:
        if "slow" in q:
            await asyncio.sleep(1)
        known = any(word in q for word in ("bypass", "filter", "valve", "pump"))
        view = views.SearchPage(q, views.Answer(known, samples.HITS if known else ()) if q else None)
        block = "results" if htmx.wants_fragment(request) else None
        return pages.render(view, _shown(request, samples.shell("", q=q)), block=block)

    @app.get("/lessons/{slug}")
    async def lesson(request: Request, t: float = 0.0, play: int = 0) -> Response:
        return pages.render(samples.lesson_at(t, plays=bool(play)), _shown(request, samples.shell("home")))


def _fixed_routes(app: FastAPI, pages: Pages) -> None:
    """The addresses that links and forms lead to, each with one sample page."""
    names = samples.pages()
    for path, name in {
        "/recordings": "recordings",
        "/recordings/{id}": "recording",
        "/upload": "upload",
        "/review": "queue",
        "/review/{id}": "submission",
        "/people": "people",
        "/work": "work",
        "/sign-in": "sign-in",
    }.items():

        def page(request: Request, name: str = name) -> Response:
            view, shell = names[name]
            return pages.render(view, _shown(request, shell))

        app.get(path)(page)

    @app.post("/requests")
    async def ask(request: Request) -> Response:
        return pages.render(*names["search-asked"], block="results" if htmx.wants_fragment(request) else None)

    @app.post("/{rest:path}")
    async def done(rest: str) -> Response:
        return RedirectResponse("/preview/queue" if rest.startswith("review") else "/preview/recordings", 303)


def _media_routes(app: FastAPI) -> None:
    @app.get("/media/poster/{number}.svg")
    async def poster(number: int) -> Response:
        return Response(_drawn_screen(HUES[number % len(HUES)]), media_type="image/svg+xml")

    @app.get("/media/sample/captions.vtt")
    async def captions() -> Response:
        cues = "\n\n".join(
            f"00:{start // 60:02.0f}:{start % 60:06.3f} --> 00:{end // 60:02.0f}:{end % 60:06.3f}\n{text}"
            for _, start, end, text in samples.TALK
        )
        hostile = f"00:00:00.000 --> 00:01:08.000\n{samples.SCRIPT}\n\n"
        return PlainTextResponse(f"WEBVTT\n\n{hostile}{cues}\n", media_type="text/vtt")

    @app.get("/media/sample/{name}.mp4")
    def video(name: str) -> Response:
        return FileResponse(sample_video(), media_type="video/mp4")


def _live_routes(app: FastAPI) -> None:
    @app.get("/api/v1/events")
    async def events() -> StreamingResponse:
        async def stream() -> AsyncIterator[str]:
            for step in range(44, 100, 2):
                stages = [dataclasses.asdict(stage) for stage in samples.STAGES]
                stages[2]["progress"] = step / 100
                data = {"id": "r1", "state": "processing", "stages": stages}
                yield f"event: recording\ndata: {json.dumps(data)}\n\n"
                await asyncio.sleep(0.5)

        return StreamingResponse(stream(), media_type="text/event-stream")


def _drawn_screen(colour: str) -> str:
    rows = "".join(
        f'<rect x="96" y="{40 + 22 * row}" width="{90 + 23 * (row * 7 % 5)}" height="9" rx="4" fill="#fff" '
        f'opacity=".{4 if row else 8}"/>'
        for row in range(5)
    )
    side = '<rect width="72" height="180" fill="#000" opacity=".22"/><circle cx="36" cy="36" r="12" fill="#ffc857"/>'
    back = f'<rect width="320" height="180" fill="{colour}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180">{back}{side}{rows}</svg>'


@cache
def sample_video() -> Path:
    """Make a 68-second test picture with a quiet tone once, and return its path."""
    path = Path(tempfile.gettempdir()) / "lorecast-preview.mp4"
    if not path.exists():
        picture = "testsrc2=size=640x360:rate=10:duration=68"
        sound = "sine=frequency=220:duration=68"
        command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
        encode = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "20", "-c:a", "aac"]
        subprocess.run([*command, *encode, "-movflags", "+faststart", str(path)], check=True)
    return path


if __name__ == "__main__":
    uvicorn.run(create_preview(), port=int(sys.argv[1]) if len(sys.argv) > 1 else 8090, log_level="warning")
