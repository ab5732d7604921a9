"""One member of an archive, and why it must not be unpacked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from studio.data.sources.compression import MAX_RATIO, SMALL


@dataclass(frozen=True)
class Member:
    """A file or a folder in an archive.

    Attributes:
        name: Where it says that it belongs.
        size: Its bytes when it is unpacked; `packed` those it takes.
        handle: What opens it.
        flaw: Why it must not be unpacked, as far as its kind of archive can tell.
    """

    name: str
    size: int
    packed: int
    is_folder: bool
    handle: Any
    flaw: str = ""

    @property
    def inside(self) -> str:
        """Its name; some programs write those of Windows."""
        return self.name.replace("\\", "/").removeprefix("./")

    @property
    def problem(self) -> str:
        """Why it must not be unpacked; empty when it may."""
        name = self.inside
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or re.match("[A-Za-z]:", name) or "\0" in name:
            return "leads outside the archive"
        if self.flaw:
            return self.flaw
        if self.size > SMALL and self.size > MAX_RATIO * max(1, self.packed):
            return f"unpacks to more than {MAX_RATIO} times its size"
        return ""
