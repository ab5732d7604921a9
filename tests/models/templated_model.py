"""The embedded model with other chat templates, and conversations for it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from studio.config import run_file
from studio.config.model import ModelConfig
from studio.core.paths import TINY_VLM
from studio.data.checked_rows import source_rows
from studio.preflight.check import check_rows
from studio.preflight.model_processor import open_model
from studio.training.planning.preflight_plan import plan_run
from tests.training.fast_pair import IMAGES

OWN = (TINY_VLM / "chat_template.jinja").read_text(encoding="utf-8")


def templated(folder: Path, template: str) -> str:
    """Make the embedded model with another chat template below `folder`; its path."""
    made = folder / hashlib.sha256(template.encode()).hexdigest()[:8]
    if not made.exists():
        shutil.copytree(TINY_VLM, made)
        (made / "chat_template.jinja").write_text(template, encoding="utf-8")
    return str(made)


def turn(role: str, text: str) -> dict:
    return {"role": role, "content": text}


SYSTEM, ASKED, SAID = turn("system", "Be short."), turn("user", "<image>?"), turn("assistant", "R.")


def written(folder: Path, *conversations: list[dict], images: int = 1) -> str:
    """Write conversations about one image each below `folder`; the path."""
    shutil.copy(IMAGES[0], folder / "0.png")
    rows = [{"messages": turns, "images": ["0.png"] * images} for turns in conversations]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(folder / "rows.jsonl")


def planned(model_id, source, workspace, **data):
    values = {"model": {"id": model_id}, "data": {"source": source} | data}
    return plan_run(run_file.parse(values), workspace)


def checked(model_id, source, workspace):
    going = check_rows(
        source_rows(source, workspace), workspace, open_model(ModelConfig(id=model_id))
    )
    while True:
        try:
            next(going)
        except StopIteration as end:
            return end.value


def finding(report, kind):
    return next((one for one in report.findings if one.id == kind), None)
