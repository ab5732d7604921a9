"""Run files to give to commands."""

from __future__ import annotations

import yaml


def write(tmp_path, values) -> str:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(values))
    return str(path)
