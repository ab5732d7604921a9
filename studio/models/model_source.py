"""From a model's name to its configuration and processor, with nothing downloaded but those."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

from huggingface_hub.errors import StrictDataclassError
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoProcessor,
    PretrainedConfig,
    ProcessorMixin,
)

from studio.config.model import ModelConfig
from studio.core.errors import ModelError, first_line
from studio.models.chat_template import ensure_usable
from studio.models.compat.processors import made_usable
from studio.models.model_location import (
    CONFIG,
    ensure_there,
    folder_of,
    lacks_processor,
    model_path,
    unreached,
)
from studio.models.template_timeout import bound_rendering
from studio.models.weight_files import refuse_pointers

PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
UNREADABLE = (OSError, ValueError, KeyError, TypeError, StrictDataclassError)


def load_config(model: ModelConfig) -> PretrainedConfig:
    """Return the configuration of a vision-language model.

    Raises:
        ModelError: It cannot be found or read, needs foreign code, sees no images, or does not
            continue its prompt.
    """
    ensure_there(model)
    refuse_pointers(model)
    try:
        config = _parsed(model)
    except UNREADABLE as error:
        if known := unreached(model, error):
            raise known from None  # which says all there is to know of it
        raise _not_loadable(model, error) from error
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise ModelError(
            f"{model.id} ({config.model_type}) is a text-only model: it takes no images.",
            remedy="Choose a vision-language model, for example HuggingFaceTB/SmolVLM-Instruct.",
            field="model.id",
        )
    if config.is_encoder_decoder:
        raise ModelError(
            f"{model.id} ({config.model_type}) has an encoder and a decoder: its answers do not "
            "continue their prompts, which SFT and DPO build on here.",
            remedy="Choose a decoder-only model; docs/support-matrix.md lists the families.",
            field="model.id",
        )
    return config


def _parsed(model: ModelConfig) -> PretrainedConfig:
    folder = folder_of(model)
    if folder is None:
        return AutoConfig.from_pretrained(
            model_path(model.id), revision=model.revision, trust_remote_code=False
        )
    file = (folder / CONFIG).stat()
    return copy.deepcopy(_parsed_folder(model_path(model.id), file.st_mtime_ns, file.st_size))


@functools.lru_cache(maxsize=4)
def _parsed_folder(folder: str, changed_ns: int, size: int) -> PretrainedConfig:
    """Read a folder's configuration, once for each state of its file.

    A plan and its run ask for it a dozen times, and transformers checks and prints every field
    each time.
    """
    return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def has_processor(model: ModelConfig) -> bool:
    """Return whether there may be a processor; a folder with nothing but a configuration has none."""
    folder = Path(model_path(model.id))
    return not folder.is_dir() or any((folder / name).is_file() for name in PROCESSOR_FILES)


def load_processor(model: ModelConfig) -> ProcessorMixin:
    """Return the model's processor with the run's pixel budget applied.

    Raises:
        ModelError: The model has none, none that a question about an image can be written with, or
            one that needs a package that is not here.
    """
    ensure_there(model)
    refuse_pointers(model)
    try:
        processor = AutoProcessor.from_pretrained(
            model_path(model.id), revision=model.revision, trust_remote_code=False
        )
    except ImportError as error:
        raise lacks_package(model, error) from error
    except UNREADABLE as error:
        if known := lacks_processor(model) or unreached(model, error):
            raise known from None
        raise _not_loadable(model, error) from error
    if not isinstance(processor, ProcessorMixin):
        raise lacks_processor(model) or ModelError(
            f"{model.id} comes without an image processor.",
            remedy="Choose a model whose folder holds a processor configuration.",
            field="model.id",
        )
    processor = made_usable(processor)
    bound_rendering()
    if not (processor.chat_template or getattr(processor.tokenizer, "chat_template", None)):
        raise ModelError(
            f"{model.id} has no chat template, so it is not known how it is asked.",
            remedy="Choose its instruction-tuned version, or put its chat_template.jinja into a "
            "copy of its folder.",
            field="model.id",
        )
    ensure_usable(processor, model.id)
    _apply_pixel_budget(processor, model)
    return processor


def _apply_pixel_budget(processor: ProcessorMixin, model: ModelConfig) -> None:
    image_processor = processor.image_processor
    edge, split = model.image.longest_edge, model.image.split
    if edge is not None:
        size = getattr(image_processor, "size", None)
        if size is None or "longest_edge" not in dict(size):
            raise ModelError(
                f"The processor of {model.id} does not scale by the longest edge.",
                remedy="Leave it empty.",
                field="model.image.longest_edge",
            )
        budget = dict(size) | {"longest_edge": edge}
        image_processor.size = type(size)(**{k: v for k, v in budget.items() if v is not None})
    if split is not None:
        if not hasattr(image_processor, "do_image_splitting"):
            raise ModelError(
                f"The processor of {model.id} does not cut images into tiles.",
                remedy="Leave it empty.",
                field="model.image.split",
            )
        image_processor.do_image_splitting = split


def lacks_package(model: ModelConfig, error: ImportError) -> ModelError:
    """Return the refusal of a model whose code needs a package that is not installed."""
    return ModelError(
        f"{model.id} needs a package that is not here: {first_line(error)}",
        remedy="Install it, then start the studio again.",
        field="model.id",
    )


def _not_loadable(model: ModelConfig, error: Exception) -> ModelError:
    if "trust_remote_code" in str(error):
        return ModelError(
            f"{model.id} can only be loaded by running code from its repository.",
            remedy="This is never done. Choose a model that transformers supports itself.",
            field="model.id",
        )
    remedy = "Choose another model, or another revision of it."
    if folder_of(model):
        remedy = "Check that the folder holds config.json and the processor files, whole."
    text = first_line(error).rstrip(" .")
    return ModelError(f"{model.id} cannot be loaded: {text}.", remedy=remedy, field="model.id")
