"""The one way to put trained weights on a base model: checked by name, shape and value, or refused.

PEFT loads what it finds and warns about the rest, so that an adapter of which half is missing, or
whose names follow an older layout of the model, answers and trains as if it were new. Here an
adapter's file must hold exactly the weights that its description makes, and after loading the
weights in the model must be those of the file.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, get_peft_model
from peft.utils.save_and_load import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from torch import nn
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming, rename_source_key

from studio.config.model import ModelConfig
from studio.core.errors import ModelError, first_line
from studio.models.adapter_config import WEIGHTS, AdapterInfo, broken, inspect_adapter, place_of
from studio.models.adapter_kinds import Purpose, refusals
from studio.models.base_identity import is_same_base
from studio.models.empty_weights import BUILDING
from studio.models.load import skeleton_of
from studio.models.towers import find_towers

logger = logging.getLogger(__name__)

DEFAULT = "default"
PREFIX, WRAPPED = "base_model.model.", ".base_layer"
SHOWN = 3
CONFIRM = (
    "Choose the model it was trained on. If it is the same model under another name or path, say "
    "so: adapter.base_is_same: true in a run, --same-base on the command line; its weights must "
    "fit either way."
)
AGAIN = "Choose the model it was trained on, or save it again with the PEFT that is installed here."
UNBUILDABLE = (RuntimeError, ValueError, TypeError, KeyError, AttributeError)
"""What PEFT raises where a description contradicts the model or itself."""
_INFIX = re.compile(r"\.default(?=\.|$)")

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class AdapterFile:
    """An adapter folder whose weights fit a base model.

    Attributes:
        names: For each weight in the file, its name as PEFT of today saves it.
        biases: Of those, the ones that are biases of the base model, by parameter of the base.
        carried: Weights of the base model that the file holds too, by parameter of the base.
    """

    info: AdapterInfo
    names: Mapping[str, str]
    biases: Mapping[str, str] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.info.folder

    @property
    def kind(self) -> str:
        """Its kind, as PEFT calls it."""
        return self.info.kind_of_peft

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield each weight under its name in the file."""
        with safe_open(self.folder / WEIGHTS, framework="pt") as handle:
            for key in handle.keys():  # noqa: SIM118  (not a mapping)
                yield key, handle.get_tensor(key)


def check_adapter(
    folder: Path,
    model: ModelConfig,
    *,
    purpose: Purpose,
    field: str,
    same_base: bool = False,
) -> AdapterFile:
    """Check an adapter against the base model it is to be put on, without loading the model.

    Args:
        field: The setting that names the folder, for the error.
        same_base: The user says that the base it names is `model` under another name.

    Raises:
        ModelError: It is damaged, of a kind that is not used here, was trained on another model,
            or its weights are not exactly those that its description makes on this one.
    """
    info = inspect_adapter(folder, field)
    for reason in refusals(info.config, purpose, model.quantization):
        raise broken(folder, reason, field)
    if info.base and not same_base and not is_same_base(info.base, model.id):
        raise ModelError(
            f"The adapter in {place_of(folder)} does not fit the model: it was trained on "
            f"{info.base}, not on {model.id}.",
            remedy=CONFIRM,
            field=field,
        )
    adapter = _fitted(info, model, field)
    if purpose != "chat":
        _refuse_head(adapter, model, field)
    _refuse_no_numbers(adapter, field)
    return adapter


def put_on(
    model: PreTrainedModel | PeftModel,
    adapter: AdapterFile,
    name: str = DEFAULT,
    *,
    trainable: bool = False,
    biases: bool = True,
) -> PeftModel:
    """Add an adapter to a base model, or beside the adapters that are on it.

    Args:
        biases: Whether biases of the base model that it trained are written over the base's own.

    Raises:
        ModelError: PEFT cannot put it there, or its weights did not arrive. The model is changed.
    """
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    _refuse_replaced(adapter, base)
    config = buildable(adapter.info.config)
    config.inference_mode = not trainable
    # What was confirmed or found to be the same is known by its present name from now on.
    config.base_model_name_or_path = base.name_or_path or config.base_model_name_or_path
    if not biases and hasattr(config, "bias"):
        config.bias = "none"
    try:
        if isinstance(model, PeftModel):
            model.add_adapter(name, config)
        else:
            model = get_peft_model(model, config, adapter_name=name)
        fill(model, adapter, name, biases=biases)
    except UNBUILDABLE as error:
        if isinstance(error, ModelError):
            raise
        logger.exception("PEFT could not put %s on the model", adapter.folder)
        raise _unfit(adapter.folder, first_line(error), adapter.info.field) from error
    return model


def fill(model: PeftModel, adapter: AdapterFile, name: str, *, biases: bool = True) -> None:
    """Write the weights of an adapter's file over those of adapter `name`, and see them arrive.

    Raises:
        ModelError: A weight in the model is not that of the file.
    """
    left_out = {*adapter.carried, *(() if biases else adapter.biases)}
    weights = {adapter.names[key]: value for key, value in adapter.tensors() if key not in left_out}
    set_peft_model_state_dict(model, weights, adapter_name=name)
    missed = differing(weights, state_of(model, name))
    if missed:
        raise _unfit(
            adapter.folder,
            f"{len(missed)} of {len(weights)} weights did not arrive in the model "
            f"({_some(missed)})",
            adapter.info.field,
        )


def copy_adapter(model: PeftModel, source: str, target: str) -> None:
    """Make adapter `target` of a model an exact copy of adapter `source`, formats included.

    Raises:
        ModelError: A weight of the copy is another one.
    """
    ours = dict(model.named_parameters())
    for name, parameter in ours.items():
        twin = ours.get(_named_for(name, source, target))
        if twin is not None and twin is not parameter:
            twin.data = twin.data.to(parameter.dtype)
    weights = state_of(model, source)
    set_peft_model_state_dict(
        model, {name: value.detach().clone() for name, value in weights.items()}, target
    )
    missed = differing(weights, state_of(model, target))
    if missed:
        raise ModelError(
            f"The adapter cannot be copied as DPO's reference: {len(missed)} of {len(weights)} "
            f"weights of the copy differ ({_some(missed)}).",
            remedy="Set dpo.reference: base, or continue from plain LoRA.",
            field="dpo.reference",
        )


def state_of(model: PeftModel, name: str) -> dict[str, torch.Tensor]:
    """Return the weights of one adapter, by the names PEFT saves them under."""
    return get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)


def differing(wanted: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> list[str]:
    """Return the names of the weights that are not in `found`, or with other values.

    A weight that is spread over processes has no values here and is not compared.
    """
    return [
        name
        for name, value in wanted.items()
        if name not in found or (found[name].numel() and not _equal(value, found[name]))
    ]


def buildable(config: PeftConfig) -> PeftConfig:
    """Return a copy of a description that makes an adapter without any start of its own."""
    config = copy.deepcopy(config)
    if isinstance(getattr(config, "init_lora_weights", None), str):
        variant = config.init_lora_weights == "mica"  # there it says how the adapter computes
        config.init_lora_weights = config.init_lora_weights if variant else True
    return config


def _equal(value: torch.Tensor, found: torch.Tensor) -> bool:
    return value.shape == found.shape and torch.equal(
        value.detach().to(found.device, found.dtype), found.detach()
    )


def _named_for(name: str, source: str, target: str) -> str:
    """The name of a parameter of adapter `source` in adapter `target`."""
    parts = name.split(".")
    for place in reversed(range(len(parts))):
        if parts[place] == source:
            return ".".join([*parts[:place], target, *parts[place + 1 :]])
    return ""


def expected_shapes(
    skeleton: PreTrainedModel, config: PeftConfig
) -> tuple[dict[str, tuple[int, ...]], PeftModel]:
    """Return the names and shapes of the weights that a description makes on a model without weights.

    Raises:
        RuntimeError, ValueError, TypeError, KeyError, AttributeError: It makes none there.
    """
    config = buildable(config)
    config.inference_mode = True
    with BUILDING:
        model = get_peft_model(skeleton, config, low_cpu_mem_usage=True)
    return {name: tuple(value.shape) for name, value in state_of(model, DEFAULT).items()}, model


def _fitted(info: AdapterInfo, model: ModelConfig, setting: str) -> AdapterFile:
    skeleton = skeleton_of(model)
    own = {name: tuple(value.shape) for name, value in skeleton.named_parameters(recurse=True)}
    own |= {
        name: tuple(value.shape)
        for name, value in skeleton.named_parameters(remove_duplicate=False)
    }
    plain = _plain_names(info, model)
    try:
        expected, adapted = expected_shapes(skeleton, info.config)
    except UNBUILDABLE as error:
        logger.exception("PEFT cannot make the adapter of %s", info.folder)
        raise _unfit(info.folder, first_line(error), setting) from error
    shapes = _shapes_in(info.folder)
    names = _todays_names(list(shapes), expected, adapted)
    carried = _carried(names, expected, own)
    kept = {key: name for key, name in names.items() if key not in carried}
    _refuse_resized(shapes, kept | carried, expected | own, adapted, info.folder, setting)
    _refuse_other_names(kept, expected, info.folder, setting)
    wrong = [
        key
        for key, name in (kept | carried).items()
        if shapes[key] != (expected[name] if key in kept else own[name])
    ]
    if wrong:
        raise _unfit(
            info.folder,
            f"{len(wrong)} of {len(shapes)} weights have another shape, for example "
            f"{wrong[0]} {list(shapes[wrong[0]])} instead of "
            f"{list((expected | own)[(kept | carried)[wrong[0]]])}",
            setting,
        )
    biases = {key: parameter_of(name) for key, name in kept.items() if name not in plain}
    return AdapterFile(info, names, biases if plain else {}, carried)


def _plain_names(info: AdapterInfo, model: ModelConfig) -> frozenset[str]:
    """Weights of the adapter without the biases it trained; empty when it trained none."""
    if getattr(info.config, "bias", "none") in ("none", None):
        return frozenset()
    config = copy.deepcopy(info.config)
    config.bias = "none"
    try:
        return frozenset(expected_shapes(skeleton_of(model), config)[0])
    except UNBUILDABLE:
        return frozenset()  # said, with its reason, where the whole adapter is made


def _shapes_in(folder: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(folder / WEIGHTS, framework="pt") as handle:
        return {
            key: tuple(handle.get_slice(key).get_shape())
            for key in handle.keys()  # noqa: SIM118  (not a mapping)
        }


def _todays_names(keys: Sequence[str], expected: Shapes, adapted: PeftModel) -> dict[str, str]:
    """For each name in a file, the one of today where there is one, else itself.

    Known differences: the adapter's own name inside (`lora_A.default.weight`), and the layouts
    that models had in earlier versions of transformers, which renames those of checkpoints itself.
    """
    conversions = get_model_conversion_mapping(adapted.get_base_model())
    renamings = [step for step in conversions if isinstance(step, WeightRenaming)]
    found: dict[str, str] = {}
    for key in keys:
        candidates = (key, _INFIX.sub("", key), *_renamed(_INFIX.sub("", key), renamings))
        found[key] = next((name for name in candidates if name in expected), key)
    return found


def _renamed(key: str, renamings: list[WeightRenaming]) -> Iterator[str]:
    if renamings and key.startswith(PREFIX):
        name, _ = rename_source_key(key.removeprefix(PREFIX), renamings, [])
        yield PREFIX + name


def _carried(names: Mapping[str, str], expected: Shapes, own: Shapes) -> dict[str, str]:
    """Weights in a file that are the base model's own, by parameter of the base.

    PEFT adds them where an adapter lies on the embeddings or the head, or tokens were added.
    """
    found = {}
    for key, name in names.items():
        parameter = parameter_of(name)
        if name not in expected and parameter in own:
            found[key] = parameter
    return found


def parameter_of(name: str) -> str:
    """Return the name that the bare model has for what PEFT saves under `name`."""
    return name.removeprefix(PREFIX).replace(f"{WRAPPED}.", ".")


def _refuse_resized(
    shapes: Shapes,
    names: Mapping[str, str],
    wanted: Shapes,
    adapted: PeftModel,
    folder: Path,
    setting: str,
) -> None:
    base = adapted.get_base_model()
    tables = {
        name
        for name, module in base.named_modules()
        if module in (base.get_input_embeddings(), base.get_output_embeddings())
    }
    for key, name in names.items():
        module = parameter_of(name).rpartition(".")[0]
        if module not in tables or name not in wanted or len(shapes[key]) != 2:
            continue
        theirs, ours = shapes[key][0], wanted[name][0]
        if theirs != ours:
            what = f"it added {theirs - ours}" if theirs > ours else f"it has {ours - theirs} fewer"
            raise ModelError(
                f"The adapter in {place_of(folder)} does not fit the model: {what} tokens. It was "
                f"trained with {theirs:,}, the model has {ours:,} ({module}).",
                remedy="Choose the model with those tokens as the base, or train the adapter again "
                "without new tokens.",
                field=setting,
            )


def _refuse_other_names(
    kept: Mapping[str, str], expected: Shapes, folder: Path, setting: str
) -> None:
    missing = [name for name in expected if name not in set(kept.values())]
    unknown = [key for key, name in kept.items() if name not in expected]
    twice = len(kept) - len(set(kept.values()))
    if len(missing) == len(expected) and len(unknown) == len(kept):
        raise _unfit(
            folder,
            f"none of the {len(kept)} weights in its file is called as in this model "
            f"({_some(unknown[:1])} and so on, where the model has {_some(missing[:1])}); it was "
            "made for another model, or for an older layout that is not known",
            setting,
        )
    reasons = []
    if missing:
        reasons.append(
            f"{len(missing)} of the {len(expected)} weights that its description makes are not in "
            f"its file ({_some(missing)})"
        )
    if unknown:
        reasons.append(
            f"{len(unknown)} of the {len(kept)} weights in its file have no place in the model "
            f"({_some(unknown)})"
        )
    if twice:
        reasons.append(f"{twice} weights are in its file twice")
    if reasons:
        raise _unfit(folder, " and ".join(reasons), setting)


def _refuse_head(adapter: AdapterFile, model: ModelConfig, setting: str) -> None:
    """The trainers compute the loss from the output head's own weights, past any adapter on it."""
    skeleton = skeleton_of(model)
    before = type(skeleton.get_output_embeddings())
    towers = find_towers(skeleton)
    names = [parameter_of(name) for name in adapter.names.values()]
    _, adapted = expected_shapes(skeleton, adapter.info.config)
    head = adapted.get_base_model().get_output_embeddings()
    if any(towers.of(name) == "head" for name in names) or type(head) is not before:
        raise broken(
            adapter.folder,
            f"it changes the output head ({towers.head or 'lm_head'}), and the loss is computed "
            "from the head directly, so that what it learned there would not count",
            setting,
        )


def _refuse_no_numbers(adapter: AdapterFile, setting: str) -> None:
    spoiled = [
        key
        for key, value in adapter.tensors()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    ]
    if spoiled:
        raise broken(
            adapter.folder,
            f"{len(spoiled)} of its {len(adapter.names)} weights hold NaN or infinity "
            f"({_some(spoiled)})",
            setting,
        )


def _refuse_replaced(adapter: AdapterFile, base: nn.Module) -> None:
    """Refuse an adapter that brings other weights of the base model than the base has."""
    if not adapter.carried:
        return
    own = {
        name.replace(f"{WRAPPED}.", "."): value
        for name, value in base.named_parameters(remove_duplicate=False)
    }
    for key, value in adapter.tensors():
        name = adapter.carried.get(key)
        if name and name in own and not _close(value, own[name]):
            raise _unfit(
                adapter.folder,
                f"its file also holds {name} of the base model, with other values than this model "
                "has",
                adapter.info.field,
            )


def _close(value: torch.Tensor, found: torch.Tensor) -> bool:
    """Equal in the format that the model computes in; quantized weights are not compared."""
    if value.shape != found.shape or not found.is_floating_point():
        return not found.is_floating_point()
    return torch.equal(value.to(found.device, found.dtype), found.detach())


def _some(names: Sequence[str]) -> str:
    shown = [name.removeprefix(PREFIX) for name in names[:SHOWN]]
    return ", ".join([*shown, *(["…"] if len(names) > SHOWN else [])])


def _unfit(folder: Path, reason: str, setting: str) -> ModelError:
    return ModelError(
        f"The adapter in {place_of(folder)} does not fit the model: {reason}.",
        remedy=AGAIN,
        field=setting,
    )
