"""Starts the studio in the browser. Flags are read before anything heavy is imported."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

WRONG_INPUT = 2
YES = ("1", "true", "yes", "on")


def parse_flags(arguments: list[str] | None = None, command: str = "app.py") -> argparse.Namespace:
    """Read the flags; ends the program with a sentence where they cannot be used."""
    on_space = bool(os.environ.get("SPACE_ID"))
    accounts = os.environ.get("STUDIO_AUTH")
    shared = os.environ.get("STUDIO_SHARE_WITHOUT_AUTH", "").strip().lower()
    parser = argparse.ArgumentParser(prog=command, description="VLM Studio in the browser.")
    parser.add_argument(
        "--host",
        default="0.0.0.0" if on_space else "127.0.0.1",
        help="address to listen on (default: %(default)s, this machine only)",
    )
    parser.add_argument("--port", type=int, default=7860, help="default: %(default)s")
    parser.add_argument("--workspace", metavar="DIR", help="where everything is kept")
    parser.add_argument(
        "--auth",
        metavar="FILE",
        type=Path,
        default=Path(accounts) if accounts else None,
        help="YAML file of accounts (default: STUDIO_AUTH)",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    parser.add_argument(
        "--share-without-auth",
        action="store_true",
        default=shared in YES,
        help="let everybody who reaches --host use the studio without logging in "
        "(default: STUDIO_SHARE_WITHOUT_AUTH)",
    )
    flags = parser.parse_args(arguments)
    if not (flags.auth or flags.share_without_auth or on_space or is_loopback(flags.host)):
        parser.error(
            f"--host {flags.host} lets others in, and there are no logins. Add --auth FILE "
            "(python -m studio accounts FILE NAME --role lead makes one), or "
            "--share-without-auth if everybody on that network may use the studio."
        )
    return flags


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Bind a socket; ends the program with a sentence when the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    if os.name != "nt":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        refuse(
            f"Cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}. "
            f"Another studio may be running there; choose another port: --port {port + 1}"
        )
    return bound


def refuse(sentence: str) -> NoReturn:
    """End with exit code 2."""
    sys.stderr.write(f"{sentence}\n")
    sys.exit(WRONG_INPUT)


def has_display() -> bool:
    """Return whether a browser could be shown here."""
    if os.environ.get("SSH_CONNECTION"):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def main(arguments: list[str] | None = None, command: str = "app.py") -> int:
    """Serve until interrupted; returns the exit code.

    Args:
        command: What the user typed to get here, for the help.
    """
    flags = parse_flags(arguments, command)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    bound = listen(flags.host, flags.port)

    from studio.api.access.accounts import Accounts
    from studio.api.access.closed_space import closed_app
    from studio.api.access.hub_login import hub_accounts
    from studio.api.context import close_context, open_context
    from studio.api.server import address, serve
    from studio.api.uploads import own_folder
    from studio.core.errors import StudioError
    from studio.core.logs import configure
    from studio.ui.shell.app import build_app
    from studio.ui.shell.notices import notices

    space = os.environ.get("SPACE_ID")
    try:
        accounts = Accounts.load(flags.auth) if flags.auth else hub_accounts(os.environ)
        if space and accounts is None and not flags.share_without_auth:
            serve(closed_app(space), bound)
            return 0
        context = open_context(flags.workspace, accounts)
    except StudioError as error:
        refuse(error.in_full)
    configure(context.workspace.log)
    if context.presence is not None:
        context.presence.serves_at(address(*bound.getsockname()[:2]))
    if not os.environ.get("GRADIO_TEMP_DIR"):  # not one that every user of this machine can read
        os.environ["GRADIO_TEMP_DIR"] = str(own_folder(context.workspace.uploads))
    context.supervisor.start()
    for notice in notices(context):
        sys.stderr.write(f"{notice}\n")
    if accounts is None and os.environ.get("STUDIO_WARM", "1").lower() in YES:
        context.planner.warm_soon()
    try:
        serve(build_app(context), bound, open_browser=not flags.no_browser and has_display())
    finally:
        close_context(context)
    return 0
