"""Ways between tabs."""

from studio.ui.shell.navigation import go_to, link


def test_the_same_link_followed_twice_is_a_change():
    first, second = link("run-1"), link("run-1")
    assert first[0] == second[0] == "run-1" and first != second


def test_a_tab_is_opened_by_its_name():
    assert go_to("chat").selected == "chat"
