"""What a machine lacks is named and refused."""

from studio.config import run_file
from studio.config.availability import availability_problems, unavailable
from studio.config.setting_conflicts import problems


def test_trackers_that_are_not_installed_are_named(monkeypatch):
    monkeypatch.setattr("studio.config.availability.Requirement.missing", True)
    config = run_file.parse({"report_to": ["wandb", "tensorboard"]})
    found = problems(config)
    assert [problem.field for problem in found] == ["report_to", "report_to"]
    assert "wandb" in found[0].message and "pip install wandb" in found[0].remedy
    assert set(unavailable()["report_to"]) == {"trackio", "tensorboard", "wandb"}
    elsewhere = config.model_copy(
        update={"launch": config.launch.model_copy(update={"engine": "hf-jobs:a10g-small"})}
    )
    assert problems(elsewhere) == []


def test_what_the_device_lacks_is_greyed_out_and_refused():
    on_cpu = unavailable("cpu")
    assert on_cpu["model.attention"]["flash_attention_2"] == "needs a CUDA GPU"
    assert "float16" in on_cpu["model.dtype"] and "model.dtype" not in unavailable("cuda")
    assert set(unavailable("mps")["model.quantization"]) == {"int8", "nf4", "fp4"}
    dora = run_file.parse({"adapter": {"dora": True}, "model": {"quantization": "int8"}})
    assert [p.field for p in availability_problems(dora, "cpu")] == ["adapter.dora"]
    assert availability_problems(dora, "cuda") == []
