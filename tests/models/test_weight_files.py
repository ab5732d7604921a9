"""Files of weights are read by their headers, and what is wrong with them is told by name."""

import json
import struct
from types import SimpleNamespace

import pytest

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models import weight_files
from studio.models.model_source import load_config, load_processor
from studio.models.weight_files import WeightsElsewhereError, read_header
from tests.models.checkpoints import WEIGHTS, copied, cut, pointer, sharded


def header_of(folder):
    return read_header(ModelConfig(id=str(folder)))


def refusal(folder):
    with pytest.raises(ModelError) as caught:
        header_of(folder)
    assert caught.value.field == "model.id" and caught.value.remedy
    return str(caught.value)


def test_one_file_and_several_say_the_same(tmp_path):
    one, several = header_of(copied(tmp_path / "one")), header_of(sharded(tmp_path / "several"))
    assert one.tensors == several.tensors and len(one.tensors) > 100
    assert len(one.files) == 1 < len(several.files)


def test_a_cut_file_says_how_much_is_here(tmp_path):
    whole = (copied(tmp_path / "whole") / WEIGHTS).stat().st_size
    said = refusal(cut(tmp_path / "cut"))
    assert f"{WEIGHTS} is cut short: 4,000,000 of {whole:,} bytes" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is cut short"),
        (b"\x10\x00", "is cut short"),
        (struct.pack("<Q", 500) + b"{", "is cut short"),
        (b"<!DOCTYPE html><html>Sign in</html>", "is no safetensors file"),
        (struct.pack("<Q", 8) + b"not json", "is damaged"),
        (struct.pack("<Q", 2) + b"[]", "is damaged"),
        (struct.pack("<Q", 20) + b'{"a": {"dtype": 1}}\n', "is damaged"),
    ],
)
def test_other_contents_are_no_weights(tmp_path, content, said):
    folder = copied(tmp_path / "model")
    (folder / WEIGHTS).write_bytes(content)
    assert f"{WEIGHTS} {said}" in refusal(folder)


def test_a_header_that_lies_of_dtypes_and_shapes_is_refused(tmp_path):
    folder = copied(tmp_path / "model")
    data = (folder / WEIGHTS).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    for old, new in (('"F32"', '"F16"'), ('"F32"', '"F99"')):
        text = data[8 : 8 + length].decode().replace(old, new, 1).encode()
        (folder / WEIGHTS).write_bytes(data[:8] + text + data[8 + length :])
        assert f"{WEIGHTS} is damaged" in refusal(folder)


def test_pointers_of_git_lfs_are_named(tmp_path):
    assert "git lfs pull" in refusal(pointer(tmp_path / "weights"))
    model = ModelConfig(id=str(pointer(tmp_path / "words", "tokenizer.json")))
    for load in (load_config, load_processor):
        with pytest.raises(ModelError, match=r"tokenizer\.json is a Git LFS pointer"):
            load(model)


def test_a_cut_text_is_named_before_a_library_reads_it(tmp_path):
    folder = copied(tmp_path / "model")
    file = folder / "tokenizer.json"
    file.write_bytes(file.read_bytes()[:3_000])
    with pytest.raises(ModelError, match=r"tokenizer\.json is cut short"):
        load_processor(ModelConfig(id=str(folder)))


def test_files_that_the_index_names_must_be_there(tmp_path):
    folder = sharded(tmp_path / "model")
    first, *others = sorted(folder.glob("model-*.safetensors"))
    first.unlink()
    assert f"1 of the {len(others) + 1} files" in (said := refusal(folder)) and first.name in said
    index = folder / "model.safetensors.index.json"
    for text in ("{", "[]", json.dumps({"weight_map": {}}), json.dumps({"weight_map": {"a": 1}})):
        index.write_text(text)
        assert index.name in refusal(folder)


def test_pickled_weights_and_none_are_refused(tmp_path):
    folder = copied(tmp_path / "model")
    (folder / WEIGHTS).rename(tmp_path / "elsewhere")
    assert "holds no weights" in refusal(folder)
    (folder / "pytorch_model.bin").write_bytes(b"x")
    assert "pickled (pytorch_model.bin)" in refusal(folder)


def test_weights_on_the_hub_are_read_there_or_said_to_be_out_of_reach(monkeypatch):
    from huggingface_hub.errors import HTTPError, NotASafetensorsRepoError

    tensor = SimpleNamespace(dtype="BF16", shape=[2, 3])
    file = SimpleNamespace(tensors={"a": tensor})

    class Hub:
        answer = SimpleNamespace(files_metadata={"model.safetensors": file})

        def get_safetensors_metadata(self, repo, revision=None):
            assert (repo, revision) == ("o/m", None)
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    monkeypatch.setattr(weight_files, "HfApi", Hub)
    header = read_header(ModelConfig(id="o/m"))
    assert header.tensors == {"a": weight_files.Tensor("BF16", (2, 3))} and not header.files
    Hub.answer = NotASafetensorsRepoError("no")
    with pytest.raises(ModelError, match="holds no safetensors"):
        read_header(ModelConfig(id="o/m"))
    Hub.answer = HTTPError("the line is dead")
    with pytest.raises(WeightsElsewhereError, match="the line is dead"):
        read_header(ModelConfig(id="o/m"))
