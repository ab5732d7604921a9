"""Sections of the Train form: every setting stands in one, and every one can be jumped to."""

from __future__ import annotations

from collections import Counter

from studio.config.dpo import LOSSES
from studio.ui.train.sections import SECTIONS, WHAT, jump_list, of_what
from tests.ui.train.settings_widgets import SPECS


def test_every_setting_stands_in_one_section():
    placed = Counter(spec.path for section in SECTIONS for spec in section.of(SPECS))
    placed.update(spec.path for spec in of_what(SPECS))
    assert placed == Counter(spec.path for spec in SPECS)


def test_no_section_is_empty_and_all_are_in_the_list():
    shown = jump_list()
    assert f'data-jump="{WHAT}"' in shown
    for section in SECTIONS:
        assert section.of(SPECS), section.title
        assert f'data-jump="{section.element}">{section.title}</button>' in shown


def test_the_preference_loss_is_offered_to_dpo_only():
    assert LOSSES
    assert '<li class="only-dpo"><button type="button" data-jump="sec-dpo">' in jump_list()
    assert jump_list().count("only-dpo") == 1
