"""Before a run is made: settings that go together, and rows of the library as a frozen copy."""

import pytest

from studio.annotation import AnnotationStore
from studio.config import run_file
from studio.core.errors import ConfigError
from studio.data.manifest import list_exports
from studio.data.schema import Answer, Message, Part, Row
from studio.launch.run_preparation import prepare

LIBRARY = {"data": {"source": "library:answers"}}


@pytest.fixture
def store(workspace):
    opened = AnnotationStore(workspace.database_url)
    question = Message("user", (Part("text", "How many?"),))
    opened.add_rows("answers", [Row("one", (), (question,), completion=Answer("three"))])
    yield opened
    opened.close()


def test_rows_of_the_library_become_the_copy_that_is_trained_on(workspace, store):
    prepared = prepare(run_file.parse(LIBRARY), workspace, store)
    (export,) = list_exports(workspace)
    assert prepared.data.source == export.spec
    assert prepare(prepared, workspace, store) == prepared


def test_settings_that_cannot_go_together_are_refused_before_a_row_is_read(workspace, store):
    impossible = run_file.parse({**LIBRARY, "adapter": None, "model": {"quantization": "nf4"}})
    with pytest.raises(ConfigError):
        prepare(impossible, workspace, store)
    assert list_exports(workspace) == []
