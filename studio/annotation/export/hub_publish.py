"""Exports on the hub: the dataset card, and the push through huggingface_hub."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

from studio.annotation.export.format_losses import say_losses
from studio.annotation.export.formats.format_table import FILES
from studio.annotation.export.label_policies import REASONS
from studio.core.errors import InputError, RunFailedError
from studio.core.markdown_text import plain
from studio.core.paths import read_json, write_atomic

CARD = "README.md"
MANIFEST = "manifest.json"
REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")


def write_card(folder: Path) -> Path:
    """Write `README.md` from the manifest; what is there already is left as it is."""
    path = folder / CARD
    if not path.exists():
        write_atomic(path, card(read_json(folder / MANIFEST) or {}))
    return path


def card(manifest: Mapping) -> str:
    """Write the text of a dataset card: what it holds, how it was decided, what was left out."""
    policy = manifest.get("policy", {})
    rules = ""
    for name, value in policy.items():
        if isinstance(value, list | tuple):
            value = ", ".join(map(str, value)) or "everybody"
        rules += f"- {name.replace('_', ' ')}: {plain(value)}\n"
    left = "\n".join(
        f"- {count}: {REASONS.get(why, why)}" for why, count in manifest.get("left_out", {}).items()
    )
    task = "image-text-to-text"
    return (
        f"---\ntask_categories:\n- {task}\ntags:\n- vlm-studio\n- {_method(manifest)}\n"
        f"{_files(manifest)}---\n\n"
        f"# {manifest.get('name', 'Preferences')}\n\n"
        f"{manifest.get('pairs', manifest.get('answers', 0))} rows from the dataset “{plain(manifest.get('dataset', ''))}”, "
        f"judged blind by people. Made with VLM Studio.\n\n{dates(manifest)}"
        f"## How the rows were decided\n\n{rules.rstrip() or '- no policy recorded'}\n\n"
        f"## Left out\n\n{left or '- nothing'}\n\n{_of_format(manifest)}"
        f"Content hash: `{manifest.get('content_hash', '')}`\n"
    )


def dates(manifest: Mapping) -> str:
    """Say when it was exported, and when people answered; nothing for older exports."""
    made, answered = manifest.get("exported_at"), manifest.get("answered")
    if not isinstance(made, int | float):
        return ""
    period = f"As of {_utc(made)}"
    if isinstance(answered, list | tuple) and len(answered) == 2:
        period += f", answers from {_utc(answered[0])} to {_utc(answered[1])}"
    return f"{period} (UTC).\n\n"


def _method(manifest: Mapping) -> str:
    of_shape = {"completions": "sft", "verdicts": "kto"}.get(str(manifest.get("shape")), "dpo")
    return str(manifest.get("method", of_shape))


def _of_format(manifest: Mapping) -> str:
    """Say what the format does not hold, and how the other tool opens it."""
    format = FILES.get(str(manifest.get("format")))
    if format is None:
        return ""
    lost = "".join(f"- {line}\n" for line in say_losses(format, manifest.get("not_held", {})))
    opening = f"## Opening it in {format.title}\n\n{format.opening}\n" if format.opening else ""
    return (f"{lost}\n" if lost else "") + opening


def _utc(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))


def _files(manifest: Mapping) -> str:
    rows = manifest.get("rows")
    if not isinstance(rows, Mapping):
        return ""
    parts = "".join(f"  - split: {split}\n    path: {split}.parquet\n" for split in rows)
    return f"configs:\n- config_name: default\n  data_files:\n{parts}"


def push(folder: Path, repo: str, *, private: bool = True, endpoint: str | None = None) -> str:
    """Upload an export with its card to a dataset repository, made if new; returns its address.

    Raises:
        InputError: `repo` cannot be the name of one.
        RunFailedError: The hub refused or cannot be reached; nothing local was changed.
    """
    if not REPO.fullmatch(repo):
        raise InputError(
            f"{repo[:100]!r} cannot be a repository.", remedy="Use OWNER/NAME.", field="push"
        )
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    write_card(folder)
    api = HfApi(endpoint=endpoint)
    try:
        if not api.repo_exists(repo, repo_type="dataset"):
            api.create_repo(repo, repo_type="dataset", private=private)
        api.upload_folder(
            repo_id=repo,
            repo_type="dataset",
            folder_path=folder,
            commit_message=f"Export {folder.name}",
        )
    except (HTTPError, OSError, ValueError) as error:  # ValueError: a card the hub refuses
        raise RunFailedError(
            f"The push of {folder.name} to {repo} failed: {error}",
            remedy="Log in with `hf auth login`, check the name and the connection, push again.",
        ) from error
    return f"{api.endpoint}/datasets/{repo}"
