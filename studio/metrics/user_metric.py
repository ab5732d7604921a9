"""A metric of one's own: a Python file with `score(prediction, accepted, row) -> float`.

The file is run, so it may come only from whoever may run programs here: a lead, or the person at
the command line. It is never taken from data, a repository or a run.
"""

from __future__ import annotations

import importlib.util
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from studio.core.errors import InputError
from studio.data.schema import Row
from studio.metrics.metric import Metric

log = logging.getLogger(__name__)

CONTRACT = (
    "Write a Python file with one function score(prediction, accepted, row) that returns a number, "
    "or None for a row to which it does not apply."
)


def load_user_metric(path: Path) -> Metric:
    """Run a Python file and return its `score` as a metric, named after the file.

    The file may also set LABEL and HELP (texts) and HIGHER_IS_BETTER (True, False or None).

    Raises:
        InputError: The file is missing, is no Python, fails, or has no function `score`.
    """
    module = _run(path)
    score = getattr(module, "score", None)
    if not callable(score):
        raise InputError(f"{path} has no function score.", remedy=CONTRACT)

    def checked(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
        where = f"{path}, row {row.external_id}"
        try:
            given = score(prediction, accepted, row)
        except Exception as error:  # the user's own code may raise anything
            log.warning("%s", where, exc_info=error)
            raise InputError(
                f"{where}: {type(error).__name__}: {error}", remedy="Correct the metric's file."
            ) from error
        return _checked_score(given, where)

    return Metric(
        name=path.stem,
        label=str(getattr(module, "LABEL", path.stem)),
        help=str(getattr(module, "HELP", f"Mean of score in {path.name}.")),
        needs="nothing",
        score=checked,
        higher_is_better=getattr(module, "HIGHER_IS_BETTER", True),
        percent=False,
    )


def _run(path: Path) -> ModuleType:
    if path.suffix != ".py" or not path.is_file():
        raise InputError(f"{path} is no Python file.", remedy=CONTRACT)
    spec = importlib.util.spec_from_file_location(f"user_metric_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be loaded.", remedy=CONTRACT)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        log.warning("%s", path, exc_info=error)
        raise InputError(f"{path}: {type(error).__name__}: {error}", remedy=CONTRACT) from error
    return module


def _checked_score(given: object, where: str) -> float | None:
    if given is None:
        return None
    try:
        number = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(given, str) or not math.isfinite(number):
        raise InputError(f"{where}: score returned {given!r}, which is no number.", remedy=CONTRACT)
    return number
