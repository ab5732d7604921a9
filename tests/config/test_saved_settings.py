"""Settings kept under a name."""

import pytest

from studio.config import RunConfig, run_file
from studio.config.saved_settings import SavedSettings
from studio.core.errors import ConfigError, NotFoundError
from studio.core.paths import Workspace


def test_settings_are_kept_duplicated_and_forgotten(tmp_path):
    saved = SavedSettings(Workspace.locate(tmp_path))
    config = run_file.parse({"adapter": {"rank": 7}, "dpo": {"losses": {"ipo": 1.0}}})
    assert saved.save("my first", config) == "my first"
    assert saved.load("my first") == config
    copy = saved.duplicate("my first")
    assert saved.load(copy) == config and saved.names() == ["my first", copy]
    saved.delete("my first")
    with pytest.raises(NotFoundError, match=copy):
        saved.load("my first")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigError):
        SavedSettings(Workspace.locate(tmp_path)).save(name, RunConfig())
