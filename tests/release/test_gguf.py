"""llama.cpp is run twice, asked, and its refusals are sentences; a stand-in plays its programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from studio.core.errors import InputError, RunFailedError
from studio.release.gguf import find_llama_cpp, verify_gguf, write_gguf
from studio.release.questions import Questions
from studio.release.trained_answers import TrainedAnswers

CONVERT = """
import json, sys
from pathlib import Path
folder, target = Path(sys.argv[1]), Path(sys.argv[sys.argv.index("--outfile") + 1])
config = json.loads((folder / "config.json").read_text())
if config["model_type"] == "odd":
    sys.exit("NotImplementedError: BPE pre-tokenizer was not recognized - update get_vocab_base_pre()")
eyes = "--mmproj" in sys.argv
if not eyes and "architectures" not in config["text_config"]:
    sys.exit("ERROR:hf-to-gguf:Model Idefics3ForConditionalGeneration is not supported")
assert (folder / "model.safetensors").is_file()
target.write_text("eyes" if eyes else config["text_config"]["architectures"][0])
"""
QUANTIZE = """
import sys
from pathlib import Path
Path(sys.argv[2]).write_text(Path(sys.argv[1]).read_text() + " " + sys.argv[3])
"""
ASK = """
import sys
print(sys.argv[sys.argv.index("-p") + 1].upper())
"""


@pytest.fixture
def llama(tmp_path) -> Path:
    """A checkout in which all is built."""
    folder = tmp_path / "llama.cpp"
    (folder / "build" / "bin").mkdir(parents=True)
    (folder / "convert_hf_to_gguf.py").write_text(CONVERT)
    for name, code in (("llama-quantize", QUANTIZE), ("llama-mtmd-cli", ASK)):
        program = folder / "build" / "bin" / name
        program.write_text(f"#!{sys.executable}{code}")
        program.chmod(0o755)
    return folder


def merged(folder: Path, kind: str = "idefics3") -> Path:
    folder.mkdir()
    config = {"model_type": kind, "text_config": {"model_type": "llama"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_text("weights")
    return folder


def answered(*texts: str) -> TrainedAnswers:
    """A run that shouts what it is asked, and a base that does not."""
    turns = [
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]
        for text in texts
    ]
    rows = tuple({"messages": turn, "images": ["a.png"]} for turn in turns)
    run = [{"text": text.upper()} for text in texts]
    base = [{"text": text} for text in texts]
    return TrainedAnswers(Questions(rows, "rows"), run, base, "float32", "none", 8)


def test_text_and_eyes_are_written_and_asked(tmp_path, llama):
    tools = find_llama_cpp(llama, "q4_k_m")
    out = tmp_path / "gguf"
    out.mkdir()
    model, eyes = write_gguf(merged(tmp_path / "merged"), out, tools, "q4_k_m", 'Be "brief".')
    assert model.read_text() == "LlamaForCausalLM Q4_K_M" and eyes.read_text() == "eyes"
    assert {file.name for file in out.iterdir()} == {
        "model-q4_k_m.gguf",
        "mmproj.gguf",
        "Modelfile",
    }
    lines = (out / "Modelfile").read_text().splitlines()
    assert lines[:2] == ["FROM ./model-q4_k_m.gguf", "FROM ./mmproj.gguf"]
    assert lines[-1] == r'SYSTEM "Be \"brief\"."'
    found = verify_gguf(model, eyes, tools, answered("one", "two"), "q4_k_m")
    assert found.equal == 1 and found.base_equal == 0 and not found.problem
    lost = verify_gguf(model, eyes, tools, answered("ONE", "TWO"), "q4_k_m")
    assert "100 % of the base's" in lost.problem


def test_what_llama_cpp_cannot_do_is_said(tmp_path, llama):
    with pytest.raises(InputError, match="no type of GGUF"):
        find_llama_cpp(llama, "q99")
    with pytest.raises(InputError, match="is not given"):
        find_llama_cpp(None, "f16")
    with pytest.raises(InputError, match="has no convert"):
        find_llama_cpp(tmp_path, "f16")
    for name in ("llama-quantize", "llama-mtmd-cli"):
        (llama / "build" / "bin" / name).unlink()
    with pytest.raises(InputError, match="not built"):
        find_llama_cpp(llama, "q4_k_m")
    tools = find_llama_cpp(llama, "f16")
    with pytest.raises(RunFailedError, match="how this model's tokenizer cuts text"):
        write_gguf(merged(tmp_path / "odd", "odd"), tmp_path, tools, "f16")
    unasked = verify_gguf(tmp_path, tmp_path, tools, answered("one"), "f16")
    assert unasked.sentence.startswith("Not verified") and not unasked.problem
