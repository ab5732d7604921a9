"""What a run does beside calling TRL, as lines of a script: frozen parts, rates, the reference.

In the lines, `model` is the base model as it was loaded and `trainer` TRL's trainer.
"""

from __future__ import annotations

import pprint
from dataclasses import asdict, dataclass, field

from transformers import PreTrainedModel

from studio.config import RunConfig
from studio.config.adapter import MOVES_WEIGHTS
from studio.core.paths import Workspace
from studio.models.towers import find_towers
from studio.training.adapter_init import start_from_rows
from studio.training.model_setup import copies_start, reference_folder
from studio.training.multi_turn_loss import TurnCollator
from studio.training.parameter_groups import own_rates

START = '"out/start"'


@dataclass(frozen=True)
class Lines:
    """Lines by the place they belong to; `save` replaces the usual last line when not empty."""

    before_trainer: list[str] = field(default_factory=list)
    after_trainer: list[str] = field(default_factory=list)
    save: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, list[str]]:
        """Return plain values."""
        return asdict(self)


def lines_of(
    config: RunConfig,
    skeleton: PreTrainedModel,
    workspace: Workspace,
    earlier_answers: bool = False,
) -> Lines:
    """Return the lines that `config` needs on a model with the modules of `skeleton`.

    Args:
        earlier_answers: Whether rows have earlier answers that are scored.
    """
    lines = Lines()
    if earlier_answers:
        lines.after_trainer.append(f"trainer.data_collator.__class__ = {TurnCollator.__name__}")
    frozen = config.optimizer.freeze if config.adapter is None else []
    if frozen:
        prefixes = tuple(p for part in frozen for p in prefixes_of(skeleton, part))
        lines.before_trainer.extend(
            [
                "for name, weight in model.named_parameters():",
                f"    if name.startswith({prefixes!r}):",
                "        weight.requires_grad = False",
            ]
        )
    lines.after_trainer.extend(
        [*_begin(config), *_reference(config, workspace), *_rates(config, skeleton)]
    )
    adapter = config.adapter
    if adapter and adapter.continue_from is None and adapter.init in MOVES_WEIGHTS:
        lines.after_trainer.append(f"trainer.model.save_pretrained({START})")
        lines.save.append(
            'trainer.model.save_pretrained("out/adapter", '
            f"path_initial_model_for_weight_conversion={START})"
        )
    return lines


def begins_with_rows(config: RunConfig) -> bool:
    """Return whether a new adapter gets its start from rows (EVA)."""
    adapter = config.adapter
    return adapter is not None and adapter.continue_from is None and adapter.init == "eva"


def _begin(config: RunConfig) -> list[str]:
    if not begins_with_rows(config):
        return []
    given = f"trainer.model, processor, trainer.train_dataset, {config.method!r}"
    return [f"{start_from_rows.__name__}({given}, {config.schedule.seed})"]


def prefixes_of(model: PreTrainedModel, part: str) -> list[str]:
    """Return what the names of all parameters in one part of a model, and of no others, begin with."""
    tower_of = find_towers(model).of
    names = [name for name, _ in model.named_parameters()]
    inside = [name for name in names if tower_of(name) == part]
    outside = [name for name in names if tower_of(name) != part]
    found: dict[str, None] = {}
    for name in inside:
        steps = name.split(".")
        starts = (".".join(steps[:depth]) for depth in range(1, len(steps) + 1))
        found[next(s for s in starts if not any(o.startswith(s) for o in outside))] = None
    return list(found)


def _reference(config: RunConfig, workspace: Workspace) -> list[str]:
    if config.method != "dpo" or config.adapter is None:
        return []
    folder = reference_folder(config, workspace)
    continued = config.adapter.continue_from is not None
    lines = []
    if continued and (folder or config.dpo.reference == "base"):
        lines.append('trainer.model.delete_adapter("ref")')
    if folder:
        lines += [
            f'trainer.model.load_adapter({str(folder)!r}, adapter_name="ref", is_trainable=False)',
            'trainer.model.set_adapter("default")',
        ]
    elif copies_start(config):
        if not continued:  # a new DoRA adapter rounds, so the base is not where it starts
            lines += ['trainer.model.add_adapter("ref", trainer.model.peft_config["default"])']
        lines += [  # TRL itself copies plain LoRA only
            "from peft import get_peft_model_state_dict, set_peft_model_state_dict",
            "",
            "start = get_peft_model_state_dict(trainer.model, save_embedding_layers=False)",
            'set_peft_model_state_dict(trainer.model, start, adapter_name="ref")',
            'trainer.model.set_adapter("default")',
        ]
    return lines


def _rates(config: RunConfig, skeleton: PreTrainedModel) -> list[str]:
    if not own_rates(config):
        return []
    rates = {
        prefix: rate
        for part, rate in config.optimizer.tower_rates.items()
        for prefix in prefixes_of(skeleton, part)
    }
    ratio = (config.adapter.lora_plus_ratio if config.adapter else None) or 1.0
    return [
        f"RATES = {pprint.pformat(rates)}  # learning rates by part",
        "names = {id(weight): name for name, weight in trainer.model.named_parameters()}",
        "groups = {}",
        "for number, group in enumerate(trainer.create_optimizer().param_groups):",
        '    for weight in group["params"]:',
        '        name = names[id(weight)].removeprefix("base_model.model.")',
        "        found = [rate for start, rate in RATES.items() if name.startswith(start)]",
        '        rate = found[0] if found else group["lr"]',
        f'        rate *= {ratio!r} if ".lora_B." in name else 1.0  # LoRA+',
        '        group_of_rate = {**group, "lr": rate, "params": []}',
        '        groups.setdefault((number, rate), group_of_rate)["params"].append(weight)',
        "trainer.optimizer.param_groups[:] = groups.values()",
    ]
