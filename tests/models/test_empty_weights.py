"""Models without weights are built by several threads at once: plans, checks, adapters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from peft import LoraConfig, get_peft_model

from studio.config.model import ModelConfig
from studio.models.empty_weights import BUILDING
from studio.models.load import skeleton_of
from studio.models.weights_check import check_weights


def test_plans_side_by_side_do_not_disturb_each_other():
    model = ModelConfig()

    def adapted(_: int) -> str:
        skeleton = skeleton_of(model)
        with BUILDING:
            get_peft_model(skeleton, LoraConfig(target_modules=["q_proj"]), low_cpu_mem_usage=True)
        return check_weights(model)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(adapted, range(12))) == [""] * 12
