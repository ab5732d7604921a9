"""A run as one readable Python file that needs nothing of the studio.

The file uses transformers, trl, peft and datasets alone and trains what the run trained: same
rows in the same order, same weights at the start, same losses. Its rows lie beside it as parquet.
"""

from __future__ import annotations

import ast
import json
import pprint
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from studio.core.errors import RunFailedError
from studio.core.paths import Workspace, read_json
from studio.launch.script_rows import write_rows
from studio.launch.worker_process import environment
from studio.runs.store import Run

CELL = "# %%"
ALONE = "python train.py"
SEVERAL = "On several GPUs"
PARTS = ("lines", "additions", "packages", "reference", "early_stopping", "fit", "left_out")
PACKAGES = (
    "torch",
    "torchvision",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "accelerate",
    "pillow",
)


def recipe_of(run: Run) -> dict[str, Any]:
    """What the run's worker wrote down; worked out in a child process before its first start.

    One written by an earlier version is worked out again.

    Raises:
        InputError: Its run file cannot be read.
        RunFailedError: It cannot be worked out; the message is the child's.
    """
    _ = run.config  # refused here, before a child has loaded its libraries
    found = read_json(run.paths.recipe)
    if found is not None and all(part in found for part in PARTS):
        return found
    done = subprocess.run(
        [sys.executable, "-m", "studio", "recipe", str(run.paths.root)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    made = read_json(run.paths.recipe)
    if made is None or done.returncode != 0:
        raise RunFailedError(
            f"Run {run.run_id} cannot be written as a script: {done.stderr.strip()[-300:]}",
            remedy="Check its settings in Train.",
        )
    return made


def script(run: Run, workspace: Workspace, rows: str | None = None) -> str:
    """The run as Python source; its rows are written into the run's folder.

    Args:
        rows: What the script calls the folder of its rows; None: the run's own, by its full path.
    """
    recipe = recipe_of(run)
    splits = write_rows(run.config, workspace, run.paths.rows, recipe)
    return render(recipe, rows or str(run.paths.rows), splits)


def eject(run: Run, workspace: Workspace, folder: Path) -> list[Path]:
    """Write `train.py`, `train.ipynb` and `rows/` into `folder`, to be taken anywhere."""
    recipe = recipe_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    splits = write_rows(run.config, workspace, folder / "rows", recipe)
    text = render(recipe, "rows", splits)
    files = [folder / "train.py", folder / "train.ipynb"]
    files[0].write_text(text, encoding="utf-8")
    files[1].write_text(notebook(text), encoding="utf-8")
    return [*files, *(folder / "rows" / f"{split}.parquet" for split in splits)]


def notebook(text: str) -> str:
    """The script as a Jupyter notebook, one cell for each of its `# %%` parts."""
    head, *parts = re.split(f"^{CELL} ", text, flags=re.MULTILINE)
    title = ast.literal_eval(head.strip()).strip()
    title = title.replace(f"    {ALONE}\n", "\nThen run the cells from top to bottom.\n")
    title = "# " + title.replace(SEVERAL, f"{SEVERAL}, as a script")
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "metadata": {}, "source": title}]
    for part in parts:
        heading, _, body = part.partition("\n")
        cells.append({"cell_type": "markdown", "metadata": {}, "source": f"## {heading.strip()}"})
        cells.append(
            {
                "cell_type": "code",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": body.strip(),
            }
        )
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
        cell["source"] = cell["source"].splitlines(keepends=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}
    return json.dumps(whole, ensure_ascii=False, indent=1)


def render(recipe: Mapping[str, Any], rows: str, splits: list[str]) -> str:
    """The source text of a recipe.

    Args:
        rows: Folder of `<split>.parquet`; a relative one is looked for beside the script.
        splits: `train`, and `evaluation` when there is one.
    """
    added = recipe["additions"]["definitions"]
    parts = (
        _head(recipe, rows),
        _part("Imports", _imports(recipe)),
        *([_part("What the libraries lack for this run", added)] if added else []),
        _part("Model and processor", _model(recipe)),
        _part("Rows", _rows(rows, splits)),
        _part("Training", _training(recipe, splits)),
    )
    return "\n\n".join(parts) + "\n"


def _part(title: str, lines: list[str]) -> str:
    return "\n".join([f"{CELL} {title}", *lines])


def _head(recipe: Mapping[str, Any], rows: str) -> str:
    pins = " ".join(packages(recipe))
    several = f"accelerate launch --num_processes {max(2, recipe['processes'])} train.py"
    lines = [
        f"{recipe['name']}: {recipe['method'].upper()} of {recipe['model']['id']}",
        "",
        f"    pip install {pins}",
        f"    {ALONE}",
        "",
        "What is learned is written to out/adapter, checkpoints beside it.",
        f"{SEVERAL}: {several}",
        "(rows of one step stay the same). Not in here: what leaves the weights as they are, such as",
        "probes and pushing to the hub.",
    ]
    folders = [recipe["model"]["id"], recipe["continue_from"], recipe["reference"], rows]
    here = [folder for folder in folders if folder and Path(folder).is_absolute()]
    if here:
        lines += [
            "It reads folders of this machine; elsewhere, copy them and change their paths here:"
        ]
        lines += [f"    {folder}" for folder in here]
    text = "\n".join(lines).replace("\\", "\\\\").replace('"', "'")
    return f'"""{text}\n"""'


def packages(recipe: Mapping[str, Any]) -> list[str]:
    """What the script needs, in the versions that are installed here."""
    return [pinned(name) for name in (*PACKAGES, *recipe["packages"])]


def pinned(name: str) -> str:
    """A package as pip takes it, in the version that is installed here."""
    try:
        return f"{name}=={version(name).split('+')[0]}"
    except PackageNotFoundError:
        return name


def _imports(recipe: Mapping[str, Any]) -> list[str]:
    trainer = recipe["method"].upper()
    models = ["AutoModelForImageTextToText", "AutoProcessor"]
    if recipe["model"].get("checkpoint"):
        models.insert(0, "AutoConfig")
    elif recipe["model"]["quantization"]:
        models.append("BitsAndBytesConfig")
    if recipe["early_stopping"]:
        models.append("EarlyStoppingCallback")
    peft = ["LoraConfig"] if recipe["adapter"] else []
    if recipe["continue_from"]:
        peft = ["PeftModel"]
    return [
        "import os",
        "from pathlib import Path",
        "",
        'if "LOCAL_RANK" not in os.environ:  # started alone: on one GPU',
        '    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")',
        "",
        "import torch",
        "from datasets import load_dataset",
        *([f"from peft import {', '.join(peft)}"] if peft else []),
        f"from transformers import {', '.join(models)}, set_seed",
        f"from trl import {trainer}Config, {trainer}Trainer",
    ]


def _model(recipe: Mapping[str, Any]) -> list[str]:
    model, options = recipe["model"], {}
    if model["revision"]:
        options["revision"] = model["revision"]
    loading = [f"dtype=torch.{model['dtype']}", "use_safetensors=True"]
    loading += [f"{key}={value!r}" for key, value in options.items()]
    if model["attention"] != "auto":
        loading.append(f"attn_implementation={model['attention']!r}")
    lines = [f"MODEL = {model['id']!r}", "", f"set_seed({recipe['seed']})"]
    if model.get("checkpoint"):
        lines += _came_quantized(model, options)
        loading.append("config=config")
    elif model["quantization"]:
        lines += _call("quantization = BitsAndBytesConfig", model["quantization"])
        loading.append("quantization_config=quantization")
    if model["quantization"]:
        loading.append('device_map={"": DEVICE}')
        device = 'int(os.environ.get("LOCAL_RANK", 0)) if torch.cuda.is_available() else "cpu"'
        lines.insert(1, f"DEVICE = {device}")
    processor = ", ".join(["MODEL", *(f"{key}={value!r}" for key, value in options.items())])
    lines += ["", f"processor = AutoProcessor.from_pretrained({processor})"]
    lines += recipe["additions"]["processor"] + _pixel_budget(recipe["processor"])
    load = f"AutoModelForImageTextToText.from_pretrained(MODEL, {', '.join(loading)})"
    for name in ("model", "reference") if _has_reference(recipe) else ("model",):
        lines.append(f"{name} = {load}")
        lines += [f"{call}({name})" for call in recipe["additions"]["model"]]
    if recipe["continue_from"]:
        folder = recipe["continue_from"]
        lines.append(f"model = PeftModel.from_pretrained(model, {folder!r}, is_trainable=True)")
    return [*lines, *_four_bit_on_cpu(model)]


def _came_quantized(model: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """The configuration of files that hold quantized weights."""
    named = ", ".join(["MODEL", *(f"{key}={value!r}" for key, value in options.items())])
    settings = pprint.pformat(model["checkpoint"], width=90, sort_dicts=False)
    return [
        f"config = AutoConfig.from_pretrained({named})",
        f"config.quantization_config = {settings}",
    ]


def _has_reference(recipe: Mapping[str, Any]) -> bool:
    """Whether DPO's reference is a model of its own; beside an adapter it is the base."""
    adapted = recipe["adapter"] or recipe["continue_from"]
    return recipe["method"] == "dpo" and not adapted


def _pixel_budget(image: Mapping[str, Any]) -> list[str]:
    lines = []
    if image.get("longest_edge") is not None:
        edge = image["longest_edge"]
        lines += [
            "size = dict(processor.image_processor.size)",
            "kept = {key: value for key, value in size.items() if value is not None}",
            "processor.image_processor.size = type(processor.image_processor.size)(",
            f'    **(kept | {{"longest_edge": {edge!r}}})',
            ")",
        ]
    if image.get("split") is not None:
        lines.append(f"processor.image_processor.do_image_splitting = {image['split']!r}")
    return lines


def _four_bit_on_cpu(model: Mapping[str, Any]) -> list[str]:
    if not (model["quantization"] or {}).get("load_in_4bit"):
        return []
    return [
        "for module in model.modules():  # on CPUs, keep the layout that has a backward pass",
        '    if hasattr(module, "support_avx512bf16_for_cpu"):',
        "        module.support_avx512bf16_for_cpu = False",
    ]


def _rows(rows: str, splits: list[str]) -> list[str]:
    folder = f"Path({rows!r})" if Path(rows).is_absolute() else f"Path(__file__).parent / {rows!r}"
    if not Path(rows).is_absolute():
        folder = f'(Path(__file__).parent if "__file__" in globals() else Path()) / {rows!r}'
    return [
        f"ROWS = {folder}",
        "",
        "",
        "def bare(messages):",
        '    """Arrow gives every part a text; image parts must have none."""',
        "    return [",
        '        {"role": m["role"], "content": [',
        '            {"type": "image"} if p["type"] == "image" else {"type": "text", "text": p["text"]}',
        '            for p in m["content"]',
        "        ]}",
        "        for m in messages",
        "    ]",
        "",
        "",
        "def tidy(batch):",
        '    plain = ("images", "scored")  # scored: places of earlier answers that are learned too',
        "    return {k: v if k in plain else [bare(m) for m in v] for k, v in batch.items()}",
        "",
        "",
        f"files = {{split: str(ROWS / f'{{split}}.parquet') for split in {splits!r}}}",
        'rows = load_dataset("parquet", data_files=files).with_transform(tidy)',
    ]


def _training(recipe: Mapping[str, Any], splits: list[str]) -> list[str]:
    kind = recipe["method"].upper()
    lines = ['PROCESSES = int(os.environ.get("WORLD_SIZE", 1))', ""]
    lines += _call(f"arguments = {kind}Config", _for_any_number(recipe))
    options = ["model=model"]
    if recipe["adapter"]:
        lines += _call("adapter = LoraConfig", recipe["adapter"])
    if _has_reference(recipe):
        options.append("ref_model=reference")
    options += ["args=arguments", 'train_dataset=rows["train"]']
    if "evaluation" in splits:
        options.append('eval_dataset=rows["evaluation"]')
    options.append("processing_class=processor")
    if recipe["adapter"]:
        options.append("peft_config=adapter")
    if recipe["early_stopping"]:
        patience = f"early_stopping_patience={recipe['early_stopping']}"
        options.append(f"callbacks=[EarlyStoppingCallback({patience})]")
    extra = recipe.get("lines", {})
    lines += extra.get("before_trainer", [])
    lines += [f"trainer = {kind}Trainer(", *(f"    {option}," for option in options), ")"]
    if recipe["model"]["dtype"] == "float32":
        lines += [
            "for weight in trainer.model.parameters():  # full precision for what is trained",
            "    if weight.requires_grad:",
            "        weight.data = weight.data.float()",
        ]
    lines += extra.get("after_trainer", [])
    save = extra.get("save") or ['trainer.save_model("out/adapter")']
    return [*lines, "trainer.train()", *save]


class _Code(str):
    """Source text among values: shown as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _for_any_number(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with an accumulation that fits the number of processes there are."""
    name = "gradient_accumulation_steps"
    alone = recipe["arguments"][name] * recipe["processes"]
    return {**recipe["arguments"], name: _Code(f"{alone} // PROCESSES")}


def _call(start: str, values: Mapping[str, Any]) -> list[str]:
    lines = []
    for key, value in values.items():
        shown = pprint.pformat(value, width=86, sort_dicts=False).replace("\n", "\n    ")
        lines.append(f"    {key}={shown},")
    return [f"{start}(", *lines, ")"]
