"""A PostgreSQL of the tests' own: started in a temporary folder, reached through a socket there."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")
PROGRAMS = ("initdb", "postgres", "pg_isready")
UNPRIVILEGED = ("postgres", "nobody")


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`; None when there is none, or no driver for it."""
    if find_spec("psycopg") is None:
        return None
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(DEBIAN.glob("*/bin"), reverse=True)
    return next((one for one in folders if _complete(one) and _runnable()), None)


def _complete(folder: Path) -> bool:
    return all((folder / program).exists() for program in PROGRAMS)


def _runnable() -> bool:
    return os.geteuid() != 0 or _somebody() is not None


def _somebody() -> str | None:
    """PostgreSQL refuses to run as root; somebody else does it then."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in UNPRIVILEGED if name in known), None)


@dataclass
class Postgres:
    """A running server; `fresh` gives the URL of an empty database."""

    binaries: Path
    folder: Path

    def start(self) -> None:
        self.user = _somebody() if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)
        self._run("initdb", "-D", "data", "-U", "studio", "-A", "trust", "-E", "UTF8", "--no-sync")
        command = [self.binaries / "postgres", "-D", "data", "-k", self.folder, "-h", "", "-F"]
        self.process = subprocess.Popen(
            command, cwd=self.folder, user=self.user, stderr=subprocess.DEVNULL
        )
        self._run("pg_isready", "-h", str(self.folder), "-t", "30", tries=100)

    def fresh(self) -> str:
        """The URL of the database, emptied: new ones, and new tables, take long to make."""
        import psycopg

        where = f"postgresql://studio@/postgres?host={self.folder}"
        with psycopg.connect(where, autocommit=True) as connection:
            found = connection.execute(
                "SELECT tablename FROM pg_tables "
                "WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'secrets')"
            ).fetchall()
            if found:
                tables = ", ".join(name for (name,) in found)
                connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
                connection.execute("UPDATE secrets SET value = %s", ["b" * 64])
        return where.replace("postgresql:", "postgresql+psycopg:")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGQUIT)  # at once; its data is thrown away
        self.process.wait(20)

    def _run(self, program: str, *arguments: str, tries: int = 1) -> None:
        for left in reversed(range(tries)):
            done = subprocess.run(
                [self.binaries / program, *arguments],
                cwd=self.folder,
                user=self.user,
                capture_output=True,
                text=True,
            )
            if done.returncode == 0:
                return
            if not left:
                raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")
            subprocess.run(["sleep", "0.1"])
