"""The rows of a run as parquet, for a script that is taken elsewhere."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.core.paths import Workspace
from studio.data.template_adaptation import Fit
from studio.data.trl_conversion import TrainingData
from studio.data.trl_format import SCORED, features
from studio.training.run_rows import load_run_data

ROWS_PER_GROUP = 50


def write_rows(
    config: RunConfig, workspace: Workspace, folder: Path, recipe: Mapping[str, Any]
) -> list[str]:
    """Write the rows the trainer gets as parquet, images inside as PNG; the names of the splits.

    Args:
        recipe: Of the run: what its model makes of the rows.
    """
    fit = Fit.from_json(recipe["fit"])
    data = load_run_data(config, workspace, recipe["special_tokens"], fit)
    data = data.without(
        {
            split: {int(place): reason for place, reason in rows.items()}
            for split, rows in recipe["left_out"].items()
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    _write_parquet(data.train, config, folder / "train.parquet")
    if data.evaluation is None:
        return ["train"]
    _write_parquet(data.evaluation, config, folder / "evaluation.parquet")
    return ["train", "evaluation"]


def _write_parquet(data: TrainingData, config: RunConfig, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    scored = SCORED in data.dataset.column_names
    schema = features(config.method, decode=True, scored=scored).arrow_schema
    # Script and notebook may be asked for at once; neither may find half a file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    with pq.ParquetWriter(temporary, schema) as writer:
        for start in range(0, data.used, ROWS_PER_GROUP):
            rows = [data.dataset[i] for i in range(start, min(start + ROWS_PER_GROUP, data.used))]
            records = [row | {"images": [_png(image) for image in row["images"]]} for row in rows]
            writer.write_table(pa.Table.from_pylist(records, schema=schema))
    temporary.replace(path)


def _png(image: Any) -> dict[str, Any]:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return {"bytes": buffer.getvalue(), "path": None}
