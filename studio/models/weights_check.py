"""Whether the weights in a model's files are those that its architecture has: names and shapes."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    PretrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.modeling_utils import str_to_torch_dtype

from studio.config.model import ModelConfig
from studio.core.errors import ModelError, first_line
from studio.models.empty_weights import BUILDING
from studio.models.model_location import model_path
from studio.models.model_source import load_config
from studio.models.prequantized import prequantized, unpacked_header
from studio.models.weight_files import (
    INDEX,
    PICKLED,
    SafetensorsHeader,
    WeightsElsewhereError,
    read_header,
    weight_files,
)

SHOWN, SAMPLED = 3, 2**18
HARMLESS = (
    r"(^|\.)rotary_emb\.inv_freq$",
    r"(^|\.)position_ids$",
    r"(^|\.)num_batches_tracked$",
    r"(^|\.)_extra_state$",
    r"(^|\.)logit_(scale|bias)$",  # of CLIP's and SigLIP's own training
    r"(^|\.)mtp\.",  # guesses further tokens at once, for speed
    r"(^|\.)vision_(tower|model)\.(.*\.)?head\.",  # pools an image to one vector
    r"(^|\.)(k|v|q|input)_scale$",
)
"""Names of values in files that nothing which answers or trains here would use."""

PLACEHOLDER = ("_token_id", "_token_index")
HELD = ("*.safetensors", INDEX, *PICKLED)
ADAPTER = re.compile(r"\.lora_[AB]\b|\.lora_magnitude|\.base_layer\.")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Differences:
    """How files differ from the model; names as transformers has them after its own renaming.

    Attributes:
        mismatched: Name → shape in the files and shape in the model.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Differences:
        """Return what `from_pretrained(output_loading_info=True)` reported, without what is
        harmless.
        """
        harmless = re.compile("|".join(HARMLESS))
        return cls(
            tuple(sorted(info["missing_keys"])),
            tuple(sorted(key for key in info["unexpected_keys"] if not harmless.search(key))),
            {name: (tuple(there), tuple(here)) for name, there, here in info["mismatched_keys"]},
        )

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.mismatched)


def check_weights(model: ModelConfig) -> str:
    """Compare what the headers of a model's files say with its architecture; loads no weights.

    Returns:
        Why it could not be compared, as a sentence; empty where it was.

    Raises:
        ModelError: A file is missing, damaged or no safetensors, or weights do not fit.
    """
    config = load_config(model)
    try:
        header = read_header(model, _named(model))
    except WeightsElsewhereError as error:
        log.info("The header of %s was not read.", model.id, exc_info=error)
        return (
            f"The weights of {model.id} are not on this machine and could not be looked at "
            f"({error}); the run checks them when it loads them."
        )
    quantized = prequantized(config)
    if quantized is not None and not quantized.ours:
        return f"{quantized.method} weights are checked when they are loaded, not before."
    if quantized is not None:
        header = unpacked_header(header)
        if not header.files:
            return f"The quantized weights of {model.id} are checked when they are loaded."
    refuse_differences(model, differences(config, header))
    return ""


def check_files(model: ModelConfig) -> None:
    """Refuse files of weights that are missing, cut short, damaged or no safetensors.

    Those that have not been fetched yet are not looked at.

    Raises:
        ModelError: Names the file.
    """
    named = _named(model)
    if weight_files(model, named) is not None:
        read_header(model, named)


def weights_are_here(model: ModelConfig) -> bool:
    """Return whether a model's files of weights, whole or not, lie on this machine."""
    folder = Path(model_path(model.id))
    if folder.is_dir():
        return any(any(folder.glob(kind)) for kind in HELD)
    return weight_files(model, _named(model)) is not None


def weight_stamps(model: ModelConfig) -> list[tuple[str, int, int]]:
    """Name, size and time of change of every file of weights; empty where they are not here.

    Raises:
        ModelError: Some are missing.
    """
    files = weight_files(model, _named(model)) or []
    return [(file.name, (at := file.stat()).st_size, at.st_mtime_ns) for file in files]


def _named(model: ModelConfig) -> str | None:
    """The file of weights that a model's configuration names instead of the usual one."""
    return getattr(load_config(model), "transformers_weights", None)


def differences(config: PretrainedConfig, header: SafetensorsHeader) -> Differences:
    """Return what transformers would miss, not know, or find of another shape, by its own rules.

    It loads tensors that have shapes and no values into a model that has none either.
    """
    config = _in_full(config)
    tensors = {
        name: torch.empty(
            tensor.shape,
            dtype=str_to_torch_dtype.get(tensor.dtype, torch.float32),
            device="meta",
        )
        for name, tensor in header.tensors.items()
    }
    with BUILDING:
        _, info = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)].from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            device_map={"": "meta"},
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    return Differences.of(info)


def _in_full(config: PretrainedConfig) -> PretrainedConfig:
    """A copy of `config` that says nothing of quantization."""
    config = copy.deepcopy(config)
    for part in (config, config.get_text_config()):
        if hasattr(part, "quantization_config"):
            del part.quantization_config
    return config


def refuse_differences(model: ModelConfig, found: Differences) -> None:
    """Refuse a model whose files do not hold exactly its weights.

    Raises:
        ModelError: Names the first few and says what may have happened.
    """
    if not found:
        return
    parts = []
    if found.missing:
        parts.append(f"{_count(found.missing)} missing ({_listed(found.missing)})")
    if found.unexpected:
        parts.append(f"{_count(found.unexpected)} not known to it ({_listed(found.unexpected)})")
    if found.mismatched:
        name, (there, here) = next(iter(sorted(found.mismatched.items())))
        parts.append(
            f"{len(found.mismatched)} of another shape ({name}: {_shape(there)} in the file, "
            f"{_shape(here)} in the model)"
        )
    meaning = "What is missing would be random numbers." if found.missing else ""
    raise ModelError(
        f"The weights of {model.id} do not fit its architecture: {'; '.join(parts)}. {meaning}".strip(),
        remedy=_remedy(found),
        field="model.id",
    )


def unloadable(model: ModelConfig, error: Exception) -> ModelError:
    """Return the refusal of weights that a library could not load; the error is the cause."""
    return ModelError(
        f"The weights of {model.id} cannot be loaded: {first_line(error)}",
        remedy="Only weights in safetensors format are read. Check the id, folder and disk.",
        field="model.id",
    )


def _count(names: Collection[str]) -> str:
    return f"{len(names)} {'is' if len(names) == 1 else 'are'}"


def _listed(names: Collection[str]) -> str:
    more = ", …" if len(names) > SHOWN else ""
    return ", ".join(list(names)[:SHOWN]) + more


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "one number"


def _remedy(found: Differences) -> str:
    prefix = _prefix(found)
    if prefix:
        return (
            f'Every name in the files begins with "{prefix}", which the model does not have: save '
            "it again without, for example with merge_and_unload() of PEFT before save_pretrained."
        )
    if any(ADAPTER.search(name) for name in found.unexpected):
        return (
            "The files hold an adapter: choose the base model, and name the adapter in "
            "adapter.continue_from; or merge it first."
        )
    if found.mismatched and not found.missing:
        return (
            "config.json and the weights are of two versions of the model: download both again, "
            "or save the model again after its vocabulary or size was changed."
        )
    return (
        "config.json and the weights do not belong together, or files are missing: download the "
        "model again, or choose another."
    )


def _prefix(found: Differences) -> str:
    """What every name in the files has in front of the model's; empty where that is not it."""
    if not found.missing or not found.unexpected:
        return ""
    first = found.missing[0]
    longer = next((name for name in found.unexpected if name.endswith(f".{first}")), "")
    prefix = longer.removesuffix(first)
    there = {name.removeprefix(prefix) for name in found.unexpected if name.startswith(prefix)}
    return prefix if prefix and set(found.missing) <= there else ""


def refuse_short_vocabulary(
    model: ModelConfig, skeleton: PreTrainedModel, processor: ProcessorMixin
) -> None:
    """Refuse a tokenizer that knows tokens for which the model has no embedding.

    Raises:
        ModelError: Names the first few.
    """
    rows = skeleton.get_input_embeddings().weight.shape[0]
    placeholders = {
        value for name, value in skeleton.config.to_dict().items() if name.endswith(PLACEHOLDER)
    }
    beyond = sorted(
        (number, token)
        for token, number in processor.tokenizer.get_vocab().items()
        if number >= rows and number not in placeholders
    )
    if beyond:
        tokens = _listed([token for _, token in beyond])
        raise ModelError(
            f"The tokenizer of {model.id} knows {len(beyond)} tokens ({tokens}) for which the "
            f"model has no embedding: it has {rows:,}.",
            remedy="Take the tokenizer that the model came with, or enlarge the model with "
            "resize_token_embeddings and save both.",
            field="model.id",
        )


def refuse_no_numbers(model: ModelConfig, loaded: torch.nn.Module) -> None:
    """Refuse a model whose weights hold NaN or infinity; of large ones a sample is looked at.

    Raises:
        ModelError: Names the first such weight.
    """
    for name, weight in loaded.named_parameters():
        if weight.device.type == "meta" or not weight.dtype.is_floating_point:
            continue
        flat = weight.detach().flatten()
        step = max(1, flat.numel() // SAMPLED)
        if not torch.isfinite(flat[::step].float()).all():
            raise ModelError(
                f"The weights of {model.id} hold values that are no numbers (NaN or infinity), "
                f"in {name}.",
                remedy="The file is damaged or its training failed: download it again, or choose "
                "another model.",
                field="model.id",
            )
