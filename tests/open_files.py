"""What a process holds open of a database, and what another process finds in the file."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

READ = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(json.dumps(connection.execute(sys.argv[2]).fetchall()))
connection.close()
"""


def deleted_files(name: str, pid: int | None = None) -> list[str]:
    """Files with `name` in their path that a process has open although they are deleted."""
    folder = Path(f"/proc/{pid or 'self'}/fd")
    if not folder.exists():  # only Linux shows it
        return []
    links = []
    for descriptor in folder.iterdir():
        try:
            links.append(str(descriptor.readlink()))
        except OSError:  # closed meanwhile
            continue
    return [link for link in links if link.endswith(" (deleted)") and name in link]


def read_elsewhere(path: Path, query: str) -> list[list]:
    """The rows of a query, read by a process that opens the file anew and closes it."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), query], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def open_and_close(path: Path) -> None:
    """Let another process open the database and close it, as doctor or a check does."""
    read_elsewhere(path, "SELECT count(*) FROM labels")


def copy_of(path: Path, to: Path) -> Path:
    """A copy of a database through SQLite."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
    return to
