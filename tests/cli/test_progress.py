"""The bar of a command that takes long."""

from studio.cli.progress import progress_bar


def test_what_is_done_is_drawn_on_standard_error_and_nothing_on_standard_output(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("Reading rows") as report:
        report(3, 10)
    with progress_bar("Counting") as report:
        report(7, None)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "Reading rows" in shown.err and "3/10" in shown.err and "7/?" in shown.err
