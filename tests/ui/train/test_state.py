"""What the Train form offers, and what a change of method or data does to it."""

from __future__ import annotations

import gradio as gr
import yaml

from studio.config import RunConfig, presets, run_file
from studio.core.paths import write_json
from studio.data.manifest import MANIFEST
from studio.launch.demo import second_step
from studio.ui.train.settings_form import config_from
from tests.ui.train.train_tab import form


def test_contradictions_are_found_without_a_model(tab):
    values = form(tab, model__quantization="nf4", adapter=False)
    _, problems, *_ = tab.check("here", {}, *values)
    assert problems[0]["field"] == "adapter"
    assert tab.context.planner.asked == []


def test_method_switches_samples_and_rate_but_not_a_choice(tab):
    source, rate = tab.switch("dpo", "embedded:sft", 2e-4)
    assert (source["value"], rate) == ("embedded:preferences", 1e-5)
    source, rate = tab.switch("dpo", "my/data", 3e-4)
    assert (source["value"], rate) == ("my/data", 3e-4)


def test_no_file_and_no_method_change_nothing(tab):
    assert len(tab.settings.use_file(None)) == 3 + len(tab.specs)
    assert all(item == gr.skip() for item in tab.settings.use_file(None))
    assert all(item == gr.skip() for item in tab.offers(None))
    assert tab.switch(None, "", None) == (gr.skip(), gr.skip())


def test_the_second_step_is_the_same_from_form_command_run_file_and_demo(tab):
    """SFT then DPO: the preset, on the adapter of the first run."""
    _, _, *values = tab.use_preset("embedded-dpo")
    paths = [spec.path for spec in tab.specs]
    values[paths.index("adapter.continue_from")] = "first"
    by_form = config_from(tab.specs, values)
    file = presets.get_preset("embedded-dpo").path
    by_command = run_file.override(run_file.load_values(file), ["adapter.continue_from=first"])
    assert by_form == run_file.parse(by_command) == second_step("first")
    assert run_file.parse(yaml.safe_load(run_file.dump(by_form))) == by_form
    assert by_form.optimizer.learning_rate != 1e-5, "a preset keeps its own rate"


def test_without_a_preset_dpo_takes_its_default_rate_in_the_form_too(tab):
    _, rate = tab.switch("dpo", "embedded:sft", RunConfig().optimizer.learning_rate)
    assert rate == run_file.parse({"method": "dpo"}).optimizer.learning_rate == 1e-5


def test_what_an_export_holds_out_is_evaluated_on_and_a_chosen_rate_stays(tab):
    folder = tab.context.workspace.exports / "mine-0123"
    folder.mkdir()
    rows = {"train": 36, "evaluation": 4}
    write_json(
        folder / MANIFEST,
        {"format": "trl", "name": "mine", "method": "dpo", "rows": rows, "created_at": 1},
    )
    _, _, rate, train, evaluation = tab.train_on(("exports/mine-0123", 1), 3e-4)
    assert (rate, train, evaluation) == (3e-4, "train", "evaluation")
