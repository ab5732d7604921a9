"""The log: tracebacks in it, secrets not."""

from __future__ import annotations

import base64
import json
import logging
import stat

import pytest
import yaml
from pydantic import BaseModel

from studio.core import logs
from studio.core.errors import (
    BusyError,
    ConflictError,
    DataError,
    InputError,
    NotFoundError,
    RunFailedError,
    StudioError,
)


@pytest.fixture
def file(tmp_path):
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    path = tmp_path / "studio.log"
    logs.configure(path, to_stderr=False)
    yield path
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
        handler.close()


def raised():
    try:
        try:
            raise OSError("the disk is full")
        except OSError as error:
            raise InputError("It cannot be kept.", remedy="Free some space.") from error
    except InputError as error:
        return error


def test_an_error_that_is_told_is_logged_with_its_cause(file):
    logs.log_told(raised())
    text = file.read_text(encoding="utf-8")
    assert "Told: It cannot be kept." in text and "test_logs:" in text
    assert "OSError: the disk is full" in text and "Traceback" in text


def test_only_its_owner_reads_the_log(file):
    logs.log_told(raised())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_configuring_again_logs_once(file):
    logs.configure(file, to_stderr=False)
    logs.log_told(raised())
    assert file.read_text(encoding="utf-8").count("Told:") == 1


@pytest.mark.parametrize(
    "text",
    [
        "token hf_abcdEFGH12345secret",
        "https://ana:secret@example.org/x",
        "Authorization: Bearer secret",
        "password=secret",
        '{"password": "secret", "name": 1}',
        "STUDIO_TOKEN='secret'",
        "api_key: secret",
    ],
)
def test_secrets_are_blotted_out(file, text):
    logging.getLogger("studio").warning("With %s", text)
    said = file.read_text(encoding="utf-8")
    assert "secret" not in said and logs.HIDDEN in said


def test_the_log_is_rotated(file, monkeypatch):
    monkeypatch.setattr(logs, "LOG_BYTES", 500)
    logs.configure(file, to_stderr=False)
    for number in range(40):
        logging.getLogger("studio").warning("line %d", number)
    assert len(list(file.parent.glob("studio.log*"))) == 1 + logs.KEPT_FILES


REFUSALS = (InputError, NotFoundError, DataError, ConflictError, BusyError)


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_is_one_line(file, kind):
    try:
        raise kind("There is no pair 7.", remedy="Reload the page.")
    except StudioError as error:
        logs.log_told(error)
    (line,) = file.read_text(encoding="utf-8").splitlines()
    assert "INFO" in line and line.endswith("Told: There is no pair 7. Reload the page.")


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_with_a_cause_is_logged_with_it(file, kind):
    try:
        raise kind("It cannot be deleted.") from OSError("busy")
    except StudioError as error:
        logs.log_told(error)
    assert "OSError: busy" in file.read_text(encoding="utf-8")


def test_what_went_wrong_before_a_refusal_is_logged_unless_it_adds_nothing(file):
    for suppressed in (True, False):
        try:
            try:
                raise OSError("the disk is full")
            except OSError:
                if suppressed:
                    raise InputError("It cannot be kept.") from None
                raise InputError("It cannot be kept.")  # noqa: B904 - as it happens by accident
        except InputError as error:
            logs.log_told(error)
    assert file.read_text(encoding="utf-8").count("OSError: the disk is full") == 1


def test_what_failed_in_the_studio_keeps_its_traceback(file):
    try:
        raise RunFailedError("The worker ended.")
    except StudioError as error:
        logs.log_told(error)
    assert "Traceback" in file.read_text(encoding="utf-8")


def test_a_record_has_an_end_and_a_line_too(file):
    logging.getLogger("studio").warning("x%s y", "a" * 50_000)
    logging.getLogger("studio").warning("%s", "line\n" * 50_000)
    text = file.read_text(encoding="utf-8")
    assert len(text) < 3 * logs.LONGEST_RECORD and "more characters" in text


def test_what_strangers_do_is_logged_a_few_times_a_minute():
    now = [0.0]
    bounded = logs.Bounded(2, lambda: now[0])

    def passes(line: int) -> str | None:
        record = logging.LogRecord("x", logging.INFO, "file.py", line, "said %s", ("so",), None)
        return record.getMessage() if bounded.filter(record) else None

    assert [passes(1) for _ in range(4)] == ["said so", "said so", None, None]
    assert passes(2) == "said so"  # another place
    now[0] = 61.0
    assert passes(1) == "said so (2 more before were not logged)"
    assert passes(1) == "said so"


def test_malformed_uploads_cannot_push_the_rest_out_of_the_log(file):
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser

    for _ in range(50):
        with pytest.raises(FormParserError):
            MultipartParser(b"edge").write(b"no edge at all")
    assert file.read_text().count("boundary character") == 10


def test_failed_events_are_a_line_on_standard_error(tmp_path, capsys):
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    try:
        logs.configure(tmp_path / "studio.log")
        for _ in range(50):
            logs.events.error("An event failed", exc_info=raised())
    finally:
        for handler in [one for one in root.handlers if one not in before]:
            root.removeHandler(handler)
            handler.close()
    said = capsys.readouterr().err
    assert "An event failed" in said and "Traceback" not in said
    assert said.count("\n") == logs.ODD_PER_MINUTE
    assert "Traceback" in (tmp_path / "studio.log").read_text(encoding="utf-8")


def refused_by_a_reader(read, *, kind=InputError):
    """A refusal that a reader of input led to."""
    try:
        try:
            read()
        except Exception as error:  # whatever the reader raises
            raise kind("This cannot be used.") from error
    except InputError as error:
        return error


class Number(BaseModel):
    value: int


@pytest.mark.parametrize(
    "read",
    [
        lambda: Number(value="x"),
        lambda: yaml.safe_load("{"),
        lambda: b"\xff".decode(),
        lambda: json.loads("{"),
        lambda: base64.b64decode("a", validate=True),
        lambda: (_ for _ in ()).throw(DataError("Line 3 is empty.")),
    ],
)
def test_a_refusal_of_what_a_reader_says_is_wrong_is_one_line(file, read):
    logs.log_told(refused_by_a_reader(read))
    (line,) = file.read_text(encoding="utf-8").splitlines()
    assert line.endswith("Told: This cannot be used.")


def test_a_refusal_of_a_refusal_keeps_the_fault_that_led_to_both(file):
    logs.log_told(refused_by_a_reader(lambda: (_ for _ in ()).throw(raised())))
    assert "OSError: the disk is full" in file.read_text(encoding="utf-8")
