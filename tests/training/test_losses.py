"""Every DPO loss and mixture takes a step, and starts where its formula says."""

import math

import pytest
import torch
from trl import DPOConfig

from studio.config.dpo import DIFFERENCE_LOSSES, LOSSES, MPO
from studio.core.paths import RunPaths
from studio.models.load import load_model
from studio.training.trainer_arguments import argument_values
from tests.training.one_step import OneStep

LN2, BETA, EPSILON = math.log(2), 0.1, 0.1
# Before the first step the policy is the reference: all log-ratios are 0.
AT_THE_REFERENCE = {
    "sigmoid": LN2,
    "sigmoid_norm": LN2,
    "hinge": 1.0,
    "ipo": (1 / (2 * BETA)) ** 2,
    "exo_pair": 0.5 * (math.log(0.5) - math.log(1 - EPSILON))
    + 0.5 * (math.log(0.5) - math.log(EPSILON)),
    "nca_pair": 2 * LN2,
    "robust": LN2,
    "bco_pair": 2 * LN2,
    "sppo_hard": 2 * (0.5 / BETA) ** 2,
    "aot": LN2,
    "aot_unpaired": LN2,
    "apo_zero": 1.0,
    "apo_down": 1.0,
    "discopop": 0.5 * LN2 + 0.5,
}


TOLD = {
    "beta": "beta",
    "loss_types": "loss_type",
    "loss_weights": "loss_weights",
    "label_smoothing": "label_smoothing",
    "ld_alpha": "ld_alpha",
    "f_divergence_type": "f_divergence_type",
    "f_alpha_divergence_coef": "f_alpha_divergence_coef",
    "use_weighting": "use_weighting",
}
"""Attribute of the trainer → argument it is read from."""


class Losses:
    """One trainer at the reference, whose loss settings are changed before each step."""

    def __init__(self, one: OneStep) -> None:
        self.one = one
        speed = {"cache_reference": "off"}
        config = one.config("dpo", dpo={"weighting": True}, speed=speed)
        self.loaded = load_model(config.model)
        self.trainer = one.trainer(config)
        self.batch = next(iter(self.trainer.get_train_dataloader()))
        model = self.trainer.model.train()
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.start = [parameter.detach().clone() for parameter in self.trained]

    def step(self, losses: dict[str, float], **settings: object) -> tuple[float, bool]:
        """The loss before a step with these settings, and whether the step moved the weights."""
        smoothing = {"label_smoothing": EPSILON} if "exo_pair" in losses else {}
        config = self.one.config(
            "dpo", dpo={"beta": BETA, "losses": losses, **smoothing, **settings}
        )
        paths = RunPaths(self.one.workspace.runs / "none")
        self._tell(argument_values(config, paths, self.loaded))
        optimizer = torch.optim.SGD(self.trained, lr=1e-2)
        loss = self.trainer.compute_loss(self.trainer.model, dict(self.batch))
        loss.backward()
        optimizer.step()
        moved = any(not p.equal(q) for p, q in zip(self.trained, self.start, strict=True))
        optimizer.zero_grad()
        with torch.no_grad():
            for parameter, begun in zip(self.trained, self.start, strict=True):
                parameter.copy_(begun)
        assert math.isfinite(loss.item())
        return loss.item(), moved

    def _tell(self, values: dict[str, object]) -> None:
        for name, told in TOLD.items():
            setattr(self.trainer, name, values[told])
        self.trainer.args.discopop_tau = values["discopop_tau"]


@pytest.fixture(scope="module")
def dpo(tmp_path_factory):
    return Losses(OneStep(tmp_path_factory.mktemp("losses")))


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "sft"])
def test_every_loss_takes_a_step_from_where_its_formula_says(dpo, loss):
    value, moved = dpo.step({loss: 1.0})
    assert value == pytest.approx(AT_THE_REFERENCE[loss], rel=1e-4) and moved


def test_the_list_of_losses_is_that_of_the_installed_trl():
    told = DPOConfig.__dataclass_fields__["loss_type"].metadata["help"]
    assert {name for name in told.split("`") if name.startswith("'")} == {f"'{n}'" for n in LOSSES}


def test_a_mixture_is_the_weighted_sum_of_its_losses(dpo):
    both, _ = dpo.step({"sigmoid": 0.5, "sft": 1.0})
    nll = both - 0.5 * LN2
    assert nll > 0
    mpo, moved = dpo.step(MPO)
    assert mpo == pytest.approx(0.8 * LN2 + 0.2 * 2 * LN2 + nll, rel=1e-4) and moved


def test_the_mixture_trains_as_a_run(dpo):
    nll = dpo.step({"sigmoid": 0.5, "sft": 1.0})[0] - 0.5 * LN2
    _, loss, changed = dpo.one.step(dpo.one.config("dpo", dpo={"beta": BETA, "losses": MPO}))
    assert loss == pytest.approx(1.2 * LN2 + nll, rel=1e-4)
    assert any("lora_B" in name for name in changed)


@pytest.mark.parametrize("kind", ["forward_kl", "js_divergence", "alpha_divergence"])
def test_other_divergences_take_a_step_with_every_loss_they_allow(dpo, kind):
    losses = dict.fromkeys(DIFFERENCE_LOSSES, 1.0)
    value, moved = dpo.step(losses, f_divergence=kind, f_alpha=0.7)
    assert value > 0 and moved
    assert (dpo.trainer.f_divergence_type, dpo.trainer.f_alpha_divergence_coef) == (kind, 0.7)


def test_parameters_of_losses_change_them(dpo):
    usual, _ = dpo.step({"discopop": 1.0})
    weighted, _ = dpo.step({"discopop": 1.0}, weighting=True)
    assert 0 < weighted < usual
    mixed = {"sigmoid": 1.0, "sft": 1.0}
    assert dpo.step(mixed, ld_alpha=0.0)[0] == pytest.approx(dpo.step(mixed)[0])
    assert dpo.trainer.ld_alpha is None
    dpo.step(mixed, ld_alpha=0.3, discopop_tau=0.2)
    assert (dpo.trainer.ld_alpha, dpo.trainer.args.discopop_tau) == (0.3, 0.2)
