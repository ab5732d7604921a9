"""The command that a run was given last."""

from studio.core.paths import RunPaths
from studio.runs.control import command_file


def test_the_last_wish_counts(tmp_path):
    paths = RunPaths(tmp_path)
    assert command_file.requested(paths) == "none"
    command_file.request(paths, "stop")
    assert command_file.requested(paths) == "stop"
    for damaged in ("", "[]", '{"command": "dance"}', '{"command": ["stop"]}'):
        paths.control.write_text(damaged)
        assert command_file.requested(paths) == "none"
