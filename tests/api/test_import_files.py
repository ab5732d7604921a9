"""The routes by which the import form sends files, over a real connection."""

from __future__ import annotations

import json

import httpx
import pytest

from studio.api.access.accounts import Accounts, add_user
from studio.api.context import close_context, open_context
from studio.api.upload_folders import MOST_HEAD, MOST_PIECE_BYTES
from tests.api.access.guarded_site import session
from tests.ui.raw_http import answer, connected, head
from tests.ui.serving import served

PAGE = {"X-Studio": "1"}
GB = 1 << 30


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    folder = tmp_path_factory.mktemp("import-files")
    for name, role in (("lea", "lead"), ("lou", "lead"), ("ann", "annotator")):
        add_user(folder / "accounts.yaml", name, role, f"password of {name}")
    opened = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    yield opened
    close_context(opened)


@pytest.fixture(scope="module")
def address(context):
    with served(context, ("team",)) as found:
        yield found


@pytest.fixture
def lea(address):
    with session(address, "lea") as opened:
        yield opened


def announced(site: httpx.Client, files=1, size=3, largest=3, upload="") -> httpx.Response:
    body = {"files": files, "bytes": size, "largest": largest, "upload": upload}
    return site.post("/studio/uploads", json=body)


def pieces(site: httpx.Client, key: str, named, content: bytes) -> httpx.Response:
    body = json.dumps(named).encode() + b"\n" + content
    return site.post(f"/studio/uploads/{key}/pieces", content=body)


def left(context) -> list[str]:
    return sorted(path.name for path in context.workspace.uploads.rglob("*") if path.is_file())


def test_files_are_sent_found_and_dropped(lea, context):
    key = announced(lea, 2, 5, 3).json()["key"]
    sent = pieces(lea, key, [["charts/a.jsonl", 0, 3], ["charts/i/b.png", 0, 2]], b"abcde")
    assert sent.status_code == 204
    done = lea.post(f"/studio/uploads/{key}/finish").json()
    names = ["charts/a.jsonl", "charts/i/b.png"]
    assert done == {"upload": key, "label": "charts", "files": 2, "bytes": 5, "names": names}
    assert lea.get(f"/studio/uploads/{key}").json() == done
    assert left(context) == ["a.jsonl", "b.png"]
    assert lea.post(f"/studio/uploads/{key}/drop").status_code == 204
    assert left(context) == [] and lea.get(f"/studio/uploads/{key}").status_code == 404


def test_another_lead_neither_sees_nor_adds_to_it(lea, address):
    key = announced(lea).json()["key"]
    pieces(lea, key, [["a", 0, 3]], b"abc")
    lea.post(f"/studio/uploads/{key}/finish")
    with session(address, "lou") as lou:
        assert lou.get(f"/studio/uploads/{key}").status_code == 404
        assert announced(lou, upload=key).status_code == 404
        lou.post(f"/studio/uploads/{key}/drop")
    assert lea.get(f"/studio/uploads/{key}").status_code == 200
    lea.post(f"/studio/uploads/{key}/drop")


def test_annotators_and_strangers_send_nothing(address, context):
    with session(address, "ann") as ann:
        assert announced(ann).status_code == 403
        assert pieces(ann, "0" * 16, [["a", 0, 1]], b"x").status_code == 403
        assert ann.get(f"/studio/uploads/{'0' * 16}").status_code == 403
    with httpx.Client(base_url=address, headers=PAGE) as stranger:
        assert announced(stranger).status_code == 401
    with session(address, "lea") as lea:
        del lea.headers["X-Studio"]  # which no page of another site can send
        assert announced(lea).status_code == 403
    assert left(context) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((1, 3 * GB, 3 * GB), "larger than 2 GB"),
        ((3, 5 * GB, 2 * GB), "5.0 GB; 4 GB can be uploaded"),
        ((20_001, 1, 1), "20,001 files are more"),
        ((0, 0, 0), "no file"),
    ],
)
def test_what_is_too_much_is_refused_by_its_announcement(lea, context, asked, said):
    refused = announced(lea, *asked)
    assert refused.status_code == 422 and said in refused.json()["message"]
    assert refused.json()["remedy"] and left(context) == []


def test_a_claim_of_three_gigabytes_is_refused_unread(lea, address, context):
    key = announced(lea).json()["key"]
    who = f"Cookie: studio_session={lea.cookies['studio_session']}"
    for length in (3 * GB, MOST_HEAD + MOST_PIECE_BYTES + 1):
        with connected(address) as line:
            where = f"/studio/uploads/{key}/pieces"
            line.sendall(
                head(address, "POST", where, who, "X-Studio: 1", f"Content-Length: {length}")
            )
            assert answer(line).startswith("HTTP/1.1 413 ")
    assert left(context) == []


def test_names_that_lead_out_of_the_folder_are_refused(lea, context):
    for name in ("../up", "a/../../up", "/etc/up", "C:\\up", "a/./b", "nul\0"):
        key = announced(lea).json()["key"]
        refused = pieces(lea, key, [[name, 0, 3]], b"abc")
        assert refused.status_code == 422 and "cannot be called" in refused.json()["message"]
    assert left(context) == []


def test_a_request_that_is_cut_off_or_mixed_up_is_refused(lea, context):
    key = announced(lea).json()["key"]
    for body in (
        b"",
        b"[]",
        b"x\n",
        b'{"a": 1}\nabc',
        b'[["a", 0, 3]]\nab',
        b'[["a", 0, 4]]\nabcd',
    ):
        refused = lea.post(f"/studio/uploads/{key}/pieces", content=body)
        assert refused.status_code == 422 and refused.json()["remedy"] == "Send the files again."
    assert lea.post(f"/studio/uploads/{key}/finish").status_code == 422
    assert left(context) == []


def test_who_leaves_in_the_middle_of_a_piece_leaves_nothing_of_it(lea, address, context):
    key = announced(lea).json()["key"]
    who = f"Cookie: studio_session={lea.cookies['studio_session']}"
    with connected(address) as line:
        where = f"/studio/uploads/{key}/pieces"
        line.sendall(head(address, "POST", where, who, "X-Studio: 1", "Content-Length: 100"))
        line.sendall(b'[["a", 0, 3]]\na')
    assert pieces(lea, key, [["a", 0, 3]], b"abc").status_code == 204  # it still can be sent
    assert lea.post(f"/studio/uploads/{key}/finish").status_code == 200
    lea.post(f"/studio/uploads/{key}/drop")
    assert left(context) == []


def test_files_of_an_upload_are_no_pages(lea, context):
    key = announced(lea).json()["key"]
    pieces(lea, key, [["a.html", 0, 3]], b"<b>")
    lea.post(f"/studio/uploads/{key}/finish")
    (path,) = context.workspace.uploads.rglob("a.html")
    assert lea.get(f"/gradio_api/file={path}").status_code in (403, 404)
    lea.post(f"/studio/uploads/{key}/drop")
