import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from studio.models.compat.peft_internals import mixed


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.layer(values)


def test_each_row_goes_through_its_own_adapter_until_the_context_ends() -> None:
    config = LoraConfig(target_modules=["layer"], init_lora_weights=False)
    bare = Layers()
    model = get_peft_model(bare, config, adapter_name="a").eval()
    model.add_adapter("b", config)
    value = torch.randn(1, 4)
    alone = {}
    for name in ("a", "b"):
        model.set_adapter(name)
        alone[name] = bare(value)
    with model.disable_adapter():
        alone["__base__"] = bare(value)

    names = ["b", "__base__", "a"]
    with mixed(model, names):
        rows = bare(value.repeat(3, 1))

    for name, row in zip(names, rows, strict=True):
        torch.testing.assert_close(row, alone[name][0])
    torch.testing.assert_close(bare(value), alone["b"])
