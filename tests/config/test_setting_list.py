"""Every setting has words and a place in the form."""

from studio.config.setting_list import field_specs


def test_every_setting_has_words_and_a_place_in_the_form():
    specs = {spec.path: spec for spec in field_specs()}
    assert all(spec.label and spec.help and spec.effect for spec in specs.values())
    assert specs["batch.per_device"].trl == "per_device_train_batch_size"
    assert specs["model.quantization"].choices == ("none", "int8", "nf4", "fp4")
    assert specs["dpo.beta"].method == "dpo"
    assert specs["adapter.rank"].kind == "integer" and specs["adapter.rank"].minimum == 1
    assert specs["model.image.longest_edge"].optional
