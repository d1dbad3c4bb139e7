"""The built files of `web/dist`: which tags a page needs for an entry, and how they are served.

Vite writes them with hashed names and a manifest; both are read once. All of them together are a few hundred KB, so
they are served from memory: a name that is not in the table is 404, and no path is ever opened for a request.
"""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from infra.errors import Misconfigured

DIST = Path(__file__).parent / "dist"
IMMUTABLE = "public, max-age=31536000, immutable"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Chunk:
    """One line of the manifest: the file, its style sheets and the entries it imports."""

    file: str
    css: tuple[str, ...]
    imports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A built file: its media type and its bytes by content coding (`""` is the plain one)."""

    type: str
    bodies: dict[str, bytes]


class Assets:
    """The manifest and the files. `url` and `tags` are for templates; the object is the ASGI app of `/static`."""

    def __init__(self, chunks: dict[str, Chunk], files: dict[str, StaticFile], base: str = "/static/") -> None:
        self._chunks = chunks
        self._files = files
        self._base = base

    @classmethod
    def load(cls, dist: Path = DIST) -> Assets:
        """Read what Vite wrote. Raises Misconfigured when the pages are not built."""
        manifest = dist / ".vite" / "manifest.json"
        if not manifest.is_file():
            raise Misconfigured("The pages are not built. Run `make web` and start again.", code="web.not_built")
        chunks = {
            name: Chunk(line["file"], tuple(line.get("css", ())), tuple(line.get("imports", ())))
            for name, line in json.loads(manifest.read_text()).items()
        }
        return cls(chunks, _read_files(dist))

    def url(self, entry: str) -> str:
        """Return the address of a built file by its source name, such as `icons.svg`."""
        return self._base + self._chunks[entry].file

    def tags(self, *entries: str) -> Markup:
        """Return link and script tags for these entries, and preloads for what their modules import."""
        styles: dict[str, None] = {}
        preloads: dict[str, None] = {}
        scripts: dict[str, None] = {}
        for entry in entries:
            chunk = self._chunks[entry]
            (styles if chunk.file.endswith(".css") else scripts).setdefault(chunk.file)
            for each in self._with_imports(entry):
                styles.update(dict.fromkeys(each.css))
                if each is not chunk:
                    preloads.setdefault(each.file)
        base = self._base
        lines = [f'<link rel="stylesheet" href="{base}{file}">' for file in styles]
        lines += [f'<link rel="modulepreload" href="{base}{file}">' for file in preloads if file not in scripts]
        lines += [f'<script type="module" src="{base}{file}"></script>' for file in scripts]
        # The names come from our own build, never from a request.
        return Markup("\n".join(lines))  # noqa: S704

    def files_of(self, *entries: str) -> list[str]:
        """Return the names of all files that a page with these entries loads."""
        names = {chunk.file for entry in entries for chunk in self._with_imports(entry)}
        names |= {css for entry in entries for chunk in self._with_imports(entry) for css in chunk.css}
        return sorted(names)

    def size_bytes(self, file: str, coding: str = "gzip") -> int:
        """Return how many bytes a file has in this content coding."""
        bodies = self._files[file].bodies
        return len(bodies.get(coding, bodies[""]))

    def _with_imports(self, entry: str) -> list[Chunk]:
        seen: dict[str, Chunk] = {}
        todo = [entry]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen[name] = self._chunks[name]
                todo += self._chunks[name].imports
        return list(seen.values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one file; mounted at `/static`."""
        request = Request(scope, receive)
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        file = self._files.get(path)
        response: Response
        if file is None:
            response = PlainTextResponse("Not found", status_code=404)
        elif request.method not in {"GET", "HEAD"}:
            response = PlainTextResponse("Method not allowed", status_code=405, headers={"Allow": "GET, HEAD"})
        else:
            response = _file_response(file, request.headers.get("accept-encoding", ""))
        await response(scope, receive, send)


def _file_response(file: StaticFile, accept: str) -> Response:
    coding = choose_coding(accept, file.bodies)
    headers = {"Cache-Control": IMMUTABLE, "Vary": "Accept-Encoding", "Content-Type": file.type}
    if coding:
        headers["Content-Encoding"] = coding
    return Response(file.bodies[coding], headers=headers)


def choose_coding(accept: str, bodies: dict[str, bytes]) -> str:
    """Return the best content coding that both sides have, by RFC 9110 §12.5.3; `""` is the plain file."""
    wanted: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        quality = parameters.strip().removeprefix("q=")
        try:
            wanted[name.strip()] = float(quality) if quality else 1.0
        except ValueError:
            wanted[name.strip()] = 0.0
    here = [name for name, _ in ENCODINGS if name in bodies and wanted.get(name, wanted.get("*", 0.0)) > 0]
    return here[0] if here else ""


def _read_files(dist: Path) -> dict[str, StaticFile]:
    suffixes = tuple(suffix for _, suffix in ENCODINGS)
    files: dict[str, StaticFile] = {}
    for path in sorted((dist / "assets").iterdir()):
        if path.name.endswith(suffixes):
            continue
        bodies = {"": path.read_bytes()}
        for coding, suffix in ENCODINGS:
            packed = path.with_name(path.name + suffix)
            if packed.is_file():
                bodies[coding] = packed.read_bytes()
        kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        files[f"assets/{path.name}"] = StaticFile(kind, bodies)
    return files
