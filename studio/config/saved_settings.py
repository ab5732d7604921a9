"""Run files kept under a name in the workspace, to start from again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from studio.config import run_file
from studio.config.run import RunConfig
from studio.core.errors import ConfigError, FieldProblem, NotFoundError
from studio.core.paths import Workspace

ALLOWED = re.compile(r"[\w][\w .,()+-]{0,59}")
MOST_COPIES = 1000


@dataclass(frozen=True)
class SavedSettings:
    """The settings saved in one workspace, by name."""

    workspace: Workspace

    def names(self) -> list[str]:
        """List all names, in alphabetical order."""
        return sorted(path.stem for path in self.workspace.settings.glob("*.yaml"))

    def save(self, name: str, config: RunConfig) -> str:
        """Keep `config` as `name`, over what had that name; the name as it is kept.

        Raises:
            ConfigError: The name is empty or has characters that a file name cannot have.
        """
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        run_file.save(config, path)
        return path.stem

    def load(self, name: str) -> RunConfig:
        """Load the settings called `name`.

        Raises:
            NotFoundError: There are none of that name.
            ConfigError: The file has settings that are not known.
        """
        return run_file.load(self._existing(name))

    def duplicate(self, name: str) -> str:
        """Copy `name` to a name that is free; that name.

        Raises:
            NotFoundError: There are none of that name.
        """
        config = self.load(name)
        taken = set(self.names())
        stem = name[:50]
        copies = (f"{stem} copy{f' {n}' if n > 1 else ''}" for n in range(1, MOST_COPIES))
        return self.save(next(copy for copy in copies if copy not in taken), config)

    def delete(self, name: str) -> None:
        """Forget `name`.

        Raises:
            NotFoundError: There are none of that name.
        """
        self._existing(name).unlink()

    def _existing(self, name: str) -> Path:
        path = self._path(name)
        if not path.is_file():
            known = ", ".join(self.names()) or "none yet"
            raise NotFoundError(f"No settings are saved as {name!r}.", remedy=f"Saved: {known}.")
        return path

    def _path(self, name: str) -> Path:
        name = name.strip()
        if not ALLOWED.fullmatch(name):
            problem = FieldProblem(
                "saved name",
                f"{name!r} is no name to save settings under.",
                "Use up to 60 letters, digits, spaces and . , ( ) + - _, a letter or digit first.",
            )
            raise ConfigError([problem])
        return self.workspace.settings / f"{name}.yaml"
