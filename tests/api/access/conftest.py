"""Studios of the tests here, with accounts and open to everybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.api.access.accounts import Accounts, add_user
from studio.api.access.login_throttle import Throttle
from studio.api.context import StudioContext, close_context, open_context
from studio.ui.shell.app import build_app
from tests.api.access.accounts_file import PASSWORD
from tests.ui.serving import served


@pytest.fixture(scope="module")
def guarded_context(tmp_path_factory) -> Iterator[StudioContext]:
    """The studio behind `guarded`: two leads, lea and lou, and an annotator, ana."""
    folder = tmp_path_factory.mktemp("gate")
    for name, role in (("lea", "lead"), ("lou", "lead"), ("ana", "annotator")):
        add_user(folder / "accounts.yaml", name, role, f"password of {name}")
    context = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    yield context
    close_context(context)


@pytest.fixture(scope="module")
def guarded(guarded_context: StudioContext) -> Iterator[str]:
    """The address of a studio with accounts."""
    with served(guarded_context, ("annotate", "team")) as address:
        yield address


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory) -> Iterator[str]:
    """The address of a studio without logins."""
    context = open_context(str(tmp_path_factory.mktemp("open") / "workspace"))
    with served(context, ("annotate",)) as address:
        yield address
    close_context(context)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("accounts")


@pytest.fixture(scope="module")
def context(folder) -> Iterator:
    for name, role in (
        ("lea", "lead"),
        ("lou", "lead"),
        ("ana", "annotator"),
        ("ben", "annotator"),
    ):
        add_user(folder / "accounts.yaml", name, role, f"password of {name}")
    opened = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    yield opened
    close_context(opened)


@pytest.fixture(scope="module")
def app(context):
    return build_app(context, ("team",))


@pytest.fixture
def as_before(context, folder):
    """Each test begins with the same accounts, nobody logged in, and nobody who has guessed."""
    context.accounts.throttle = Throttle()
    content = (folder / "accounts.yaml").read_text()
    yield
    (folder / "accounts.yaml").write_text(content)
    context.accounts.refresh()
    for name in context.accounts.sessions.names():
        context.accounts.sessions.end_all(name)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "accounts.yaml"
    add_user(path, "lea", "lead", PASSWORD)
    add_user(path, "ana", "annotator", PASSWORD + "2")
    return path
