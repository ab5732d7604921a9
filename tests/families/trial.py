"""One family on the studio's own path: plan, load, one SFT step, one DPO step, an answer."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from peft import get_peft_model
from PIL import Image, ImageDraw
from safetensors.numpy import load_file

from studio.config import RunConfig, run_file
from studio.core.paths import RunPaths, Workspace, read_json
from studio.inference.engine import Engine
from studio.inference.protocol import ChatDelta, user_turn
from studio.inference.sampling import Sampling
from studio.models.adapter_config import WEIGHTS, lora_config
from studio.models.load import load_model
from studio.models.towers import Towers, find_towers
from studio.runs.event_log import Event, read_events
from studio.runs.store import Run, RunStore
from studio.training.model_setup import prepare_model
from studio.training.run_rows import load_run_data
from studio.training.run_training import execute
from studio.training.trainers import build_trainer
from tests.families import build

SIZES = ((40, 24), (24, 40))
ANSWER_TOKENS = 4


@dataclass(frozen=True)
class Step:
    """One optimizer step of one method.

    Attributes:
        loss: Of the step.
        moved: Share of the adapter's B matrices that are no longer zero.
        towers: In how many modules of each tower there is an adapter.
        fast_path: The event that says what of the fast path was used, and why not the rest.
    """

    loss: float
    moved: float
    towers: dict[str, int]
    fast_path: Event


@dataclass(frozen=True)
class Trial:
    """What a family did.

    Attributes:
        kind: Its `model_type`.
        parameters, trainable: Of the really loaded model, by tower.
        plan: What had been planned.
        steps: `sft`, `qlora` (SFT over NF4 weights) and `dpo`.
        quantized: Modules with NF4 weights, by tower.
        answer: The end of an answer by the adapter DPO has left.
    """

    family: str
    kind: str
    parameters: dict[str, int]
    trainable: dict[str, int]
    plan: dict
    steps: dict[str, Step]
    quantized: dict[str, int]
    answer: ChatDelta


def rows(folder: Path) -> dict[str, str]:
    """Two rows for each method, with images of two shapes; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict]] = {"sft": [], "dpo": []}
    for number, size in enumerate(SIZES):
        image = Image.new("RGB", size, "white")
        ImageDraw.Draw(image).rectangle((4, 4, 12, 20), fill=("red", "blue")[number])
        image.save(folder / f"{number}.png")
        prompt = [{"role": "user", "content": f"What colour has bar {number}?"}]
        both = {"images": [f"{number}.png"], "prompt": prompt}
        good, bad = ([{"role": "assistant", "content": text}] for text in ("It is red.", "No"))
        found["sft"].append(both | {"completion": good})
        found["dpo"].append(both | {"chosen": good, "rejected": bad})
    for method, lines in found.items():
        text = "\n".join(map(json.dumps, lines))
        (folder / f"{method}.jsonl").write_text(text, encoding="utf-8")
    return {method: str(folder / f"{method}.jsonl") for method in found}


class Bench:
    """Tries families in one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace.locate(folder / "workspace")
        self.sources = rows(folder / "rows")

    def trial(self, family: str) -> Trial:
        """All that is asked of a family; raises what goes wrong."""
        folder = self.model(family)
        config = self.config(folder, "dpo")
        run = RunStore(self.workspace).create(config)
        execute(config, run.paths, self.workspace)
        nf4 = {"id": folder, "quantization": "nf4"}
        sft, _ = self._step(self.config(folder, "sft"))
        qlora, quantized = self._step(self.config(folder, "sft", model=nf4))
        loaded = load_model(config.model).model
        towers = find_towers(loaded)
        steps = {"sft": sft, "qlora": qlora, "dpo": _saved_step(run, towers)}
        return Trial(
            family=family,
            kind=loaded.config.model_type,
            parameters=_count(loaded, towers),
            trainable=_count(get_peft_model(loaded, lora_config(config.adapter, loaded)), towers),
            plan=read_json(run.paths.plan),
            steps=steps,
            quantized=quantized,
            answer=self._answer(config, run),
        )

    def model(self, family: str) -> str:
        """Folder of the family's tiny model."""
        folder = self.folder / family
        return str(folder) if folder.is_dir() else build.save(family, folder)

    def config(self, folder: str, method: str, **sections) -> RunConfig:
        """One step of two rows, an adapter on the language model."""
        values = {
            "method": method,
            "model": {"id": folder},
            "adapter": {"rank": 2, "alpha": 4},
            "data": {"source": self.sources[method]},
            "batch": {"per_device": 2, "total": 2},
            "optimizer": {"learning_rate": 1e-2, "schedule": "constant", "warmup": 0},
            "schedule": {"max_steps": 1, "save_every": 100},
            "probes": {"count": 0, "forgetting": None},
        }
        return run_file.parse(values | sections)

    def _step(self, config: RunConfig) -> tuple[Step, dict[str, int]]:
        """The step, and the modules with NF4 weights by tower."""
        trainable = prepare_model(config, self.workspace)
        towers = find_towers(trainable.model)
        modules = trainable.model.named_modules()
        quantized = Counter(towers.of(n) for n, module in modules if isinstance(module, Linear4bit))
        data = load_run_data(config, self.workspace)
        paths = RunStore(self.workspace).create(config).paths
        trainer = build_trainer(config, paths, trainable, data, [], self.workspace)
        loss = trainer.train().training_loss
        named = trainer.model.named_parameters()
        outputs = {name: value for name, value in named if ".lora_B." in name}
        return _made(loss, outputs, towers, paths), dict(quantized)

    def _answer(self, config: RunConfig, run: Run) -> ChatDelta:
        image = Image.open(self.folder / "rows" / "0.png").convert("RGB")
        messages = [user_turn("What colour?", images=1)]
        sampling = Sampling(max_new_tokens=ANSWER_TOKENS)
        chat = Engine().chat(config.model, run.paths.adapter, messages, [image], sampling)
        return list(chat)[-1]


def _saved_step(run: Run, towers: Towers) -> Step:
    events = read_events(run.paths.events).events
    losses = [e.values["loss"] for e in events if e.type == "metrics" and "loss" in e.values]
    weights = load_file(run.paths.adapter / WEIGHTS)
    outputs = {name: value for name, value in weights.items() if ".lora_B." in name}
    return _made(losses[0], outputs, towers, run.paths)


def _made(loss: float, outputs: dict[str, Any], towers: Towers, paths: RunPaths) -> Step:
    events = read_events(paths.events).events
    return Step(
        loss=loss,
        moved=sum(bool(value.any()) for value in outputs.values()) / len(outputs),
        towers=dict(Counter(towers.of(_plain(name)) for name in outputs)),
        fast_path=next(event for event in events if event.type == "fast_path"),
    )


def _count(model: torch.nn.Module, towers: Towers) -> dict[str, int]:
    """Parameters by tower: all of a base model, the trainable ones of an adapted one."""
    counts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            counts[towers.of(_plain(name))] += parameter.numel()
    return dict(counts)


def _plain(name: str) -> str:
    return name.removeprefix("base_model.model.").partition(".lora_")[0]
