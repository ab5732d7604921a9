"""What every run file goes through before it is planned, measured, queued or started."""

from __future__ import annotations

from studio.annotation import AnnotationStore
from studio.config import RunConfig
from studio.config.setting_conflicts import ensure_consistent
from studio.core.paths import Workspace
from studio.launch.frozen_rows import with_frozen_data


def prepare(
    config: RunConfig, workspace: Workspace, store: AnnotationStore | None = None
) -> RunConfig:
    """Refuse settings that cannot go together, and freeze the rows of the library it names.

    Args:
        store: The store that this process has open; None: one is opened when it is needed.

    Returns:
        The same settings, with the frozen copy as their source.

    Raises:
        ConfigError: Settings cannot go together.
        DataError: No row can be trained on, or the dataset or a filter is unknown.
    """
    ensure_consistent(config)
    return with_frozen_data(config, workspace, store)
