"""`lorecast up`: everything in the foreground until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

from rich.console import Console

from accounts import service as accounts
from cli.stack import Stack, running_stack
from infra.database import Silence
from infra.settings import PlatformSettings, WebSettings


def up(platform: PlatformSettings, web: WebSettings, *, workers: int) -> None:
    """Start everything, print where it is, and run until told to stop."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    console = Console(highlight=False, soft_wrap=True)
    console.print("Starting PostgreSQL, Valkey, SeaweedFS, the web process and the workers …")
    with running_stack(platform, web, workers=workers) as stack:
        email, link = asyncio.run(_sign_in_link(stack, minutes=web.sign_in_link_min))
        console.print(f"\n[bold green]Lorecast is ready at {stack.url}[/]")
        console.print(f"Sign in as {email} (works once, within {web.sign_in_link_min} minutes):\n  [bold]{link}[/]")
        console.print(f"Data: {Path(platform.data).absolute()}   Logs: {stack.logs}   Stop: Ctrl-C")
        while not stopping.wait(1.0):
            stack.check()
        console.print("Stopping …")


async def _sign_in_link(stack: Stack, *, minutes: int) -> tuple[str, str]:
    try:
        async with stack.database.work(Silence()) as work:
            admin = await accounts.ensure_admin(work)
            secret = await accounts.make_sign_in_link(work, person=admin, minutes=minutes)
    finally:
        await stack.database.close()
    return admin.email, f"{stack.url}/sign-in/{secret}"
