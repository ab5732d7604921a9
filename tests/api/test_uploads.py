"""Files that browsers send: an end to them, an owner, and nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from studio.api import uploads
from studio.api.access.accounts import Accounts, add_user
from studio.api.context import close_context, open_context
from studio.api.uploads import Uploads, own_folder
from studio.core.errors import InputError, StudioError
from studio.ui.compat.gradio_parts import MAX_FIELD, cached
from tests.api.access.guarded_site import session
from tests.ui.raw_http import answer, connected, head, poured
from tests.ui.serving import served

MB = 1 << 20


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    return tmp_path / "uploads"


@pytest.fixture
def address(tmp_path, folder):
    for name, role in (("lea", "lead"), ("lou", "lead")):
        add_user(tmp_path / "accounts.yaml", name, role, f"password of {name}")
    context = open_context(str(tmp_path / "workspace"), Accounts.load(tmp_path / "accounts.yaml"))
    with served(context, ("team",)) as found:
        yield found
    close_context(context)


def sent(site: httpx.Client, content: bytes, name: str = "a.txt") -> httpx.Response:
    return site.post("/gradio_api/upload", files={"files": (name, content)})


def left(folder) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_handed_to_whoever_sent_it_only(address):
    with session(address, "lea") as lea, session(address, "lou") as lou:
        (path,) = sent(lea, b"of lea").json()
        place = f"/gradio_api/file={path}"
        assert lea.get(place).text == "of lea"
        assert lou.get(place).status_code == 403
        assert lou.get(f"/gradio_api/file={path.replace('/a.txt', '/../' + path.split('/')[-2] + '/a.txt')}").status_code == 403  # fmt: skip
        assert sent(lou, b"of lea").json() == [path]  # who has the same file may read it
        assert lou.get(place).text == "of lea"
        assert lea.get("/gradio_api/file=http://127.0.0.1/x.png").status_code == 403
        assert httpx.get(address.rstrip("/") + place).status_code == 401


def test_a_field_that_is_no_file_has_an_end(address, folder):
    with session(address, "lea") as lea:
        fields = {"note": "x" * (MAX_FIELD + 1)}
        refused = lea.post("/gradio_api/upload", data=fields, files={"files": ("a.txt", b"x")})
        assert refused.status_code == 400 and "A field is longer" in refused.text
        assert left(folder) == []
        fields = {"note": "x" * 1000}
        taken = lea.post("/gradio_api/upload", data=fields, files={"files": ("a.txt", b"x")})
        assert taken.status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_more_than_one_may_send_is_cut_off_and_leaves_nothing(
    address, folder, monkeypatch, chunked
):
    monkeypatch.setattr(uploads, "MAX_PERSON", 8 * MB)
    monkeypatch.setattr(uploads, "LOOK_EVERY", MB)
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {64 * MB}"
    with session(address, "lea") as lea, connected(address) as line:
        who = f"Cookie: studio_session={lea.cookies['studio_session']}"
        kind = "Content-Type: multipart/form-data; boundary=b"
        line.sendall(head(address, "POST", "/gradio_api/upload", kind, how, who))
        if chunked:
            part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
            line.sendall(b"%x\r\n" % len(part) + part + b"\r\n")
            poured(line, 12, chunked=True)
        said = answer(line)
        assert said.startswith("HTTP/1.1 413 ") and "as much as one may" in said
        assert left(folder) == []
        assert sent(lea, b"small").status_code == 200  # what was cut off counts no more


def test_files_are_counted_as_they_come(address, folder, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FILES", 5)
    many = [("files", (f"{number}.txt", f"content {number}".encode())) for number in range(6)]
    with session(address, "lea") as lea:
        assert lea.post("/gradio_api/upload", files=many).status_code == 413
        assert left(folder) == []
        assert len(lea.post("/gradio_api/upload", files=many[:5]).json()) == 5
        assert sent(lea, b"one more").status_code == 413
    with session(address, "lou") as lou:
        assert sent(lou, b"of another").status_code == 200


def test_a_boundary_too_long_is_the_sender_s_fault(address):
    with session(address, "lea") as lea:
        for boundary in ("b" * 300, "b" * 5000):
            kind = f"multipart/form-data; boundary={boundary}"
            answer = lea.post("/gradio_api/upload", content=b"x", headers={"Content-Type": kind})
            assert answer.status_code == 400, answer.text


def test_a_range_that_is_none_is_the_whole_file(address):
    with session(address, "lea") as lea:
        (path,) = sent(lea, b"0123456789").json()
        for odd in (
            "bytes=0-0,2-3",
            "bytes=abc",
            "bytes=-",
            "bytes=a-b",
            "bytes=" + "9" * 5000 + "-",
        ):
            answer = lea.get(f"/gradio_api/file={path}", headers={"Range": odd})
            assert (answer.status_code, answer.content) == (200, b"0123456789"), odd
        part = lea.get(f"/gradio_api/file={path}", headers={"Range": "bytes=2-4"})
        assert (part.status_code, part.content) == (206, b"234")


def test_who_leaves_in_the_middle_leaves_nothing(address, folder):
    with session(address, "lea") as lea:
        with connected(address) as line:
            who = f"Cookie: studio_session={lea.cookies['studio_session']}"
            kind = "Content-Type: multipart/form-data; boundary=b"
            line.sendall(
                head(address, "POST", "/gradio_api/upload", kind, who, f"Content-Length: {9 * MB}")
            )
            line.sendall(
                b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
            )
            poured(line, 4)
            while not left(folder):
                pass
        while left(folder):
            pass
        assert sent(lea, b"small").status_code == 200


def test_a_full_disk_takes_no_file(address, monkeypatch):
    with session(address, "lea") as lea:
        monkeypatch.setattr(uploads, "DISK_FLOOR", 1 << 60)
        answered = sent(lea, b"x")
        assert answered.status_code == 507 and "nearly full" in answered.json()["message"]


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def kept(tmp_path):
    return Uploads(tmp_path / "here", Clock(), lambda _: 1 << 50)


def put(kept: Uploads, person: str, name: str, size: int):
    kept.folder.mkdir(exist_ok=True)
    path = kept.folder / name
    path.touch()
    os.truncate(path, size)
    kept.keep(person, [str(path)])
    return path


def test_one_person_s_files_have_an_end_and_others_are_not_asked(kept, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_PERSON", 100)
    put(kept, "lea", "a", 60)
    kept.admit("lea", 40)
    kept.admit("lou", 100)
    with pytest.raises(InputError, match="as much as one may"):
        kept.admit("lea", 41)
    monkeypatch.setattr(uploads, "MAX_FILES", 1)
    with pytest.raises(InputError, match="as much as one may"):
        kept.admit("lea", 1)


def test_what_nobody_uses_makes_room(kept, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_PERSON", 100)
    old = put(kept, "lea", "old", 60)
    kept.clock.now += uploads.KEPT_WHEN_NEEDED + 1
    kept.admit("lea", 40)
    assert old.exists()  # there was room
    kept.admit("lea", 80)
    assert not old.exists()
    used = put(kept, "lea", "used", 60)
    kept.clock.now += uploads.KEPT_SECONDS - 1
    assert kept.may_read("lea", str(used))
    kept.clock.now += 2
    kept.admit("lou", 1)
    assert used.exists()
    kept.clock.now += uploads.KEPT_SECONDS
    kept.admit("lou", 1)
    assert not used.exists()


def test_the_disk_keeps_a_rest(kept):
    kept.free = lambda _: uploads.DISK_FLOOR + 10
    kept.admit("lea", 10)
    with pytest.raises(StudioError, match="nearly full"):
        kept.admit("lea", 11)


def test_pieces_of_broken_uploads_are_swept(kept):
    kept.folder.mkdir()
    torn, fresh = kept.folder / "tmpabc", kept.folder / "tmpdef"
    for path, age in ((torn, uploads.TORN_SECONDS + 1), (fresh, 1)):
        path.touch()
        os.utime(path, (kept.clock.now - age,) * 2)
    kept.admit("lea", 1)
    assert fresh.exists() and not torn.exists()


def test_each_process_has_a_private_folder_and_those_of_dead_ones_go(tmp_path):
    own = own_folder(tmp_path)
    (own / "file").touch()
    dead = own.with_name(f"{own.name.rpartition('-')[0]}-999999999")
    dead.mkdir()
    other = tmp_path / "elsewhere-999999999"  # of another machine
    other.mkdir()
    assert own_folder(tmp_path) == own
    assert list(own.iterdir()) == [] and own.stat().st_mode & 0o077 == 0
    assert not dead.exists() and other.exists()


def test_a_way_through_links_leads_to_no_file_of_others(tmp_path):
    kept = Uploads(tmp_path)
    (tmp_path / "a.txt").write_text("of lea")
    (tmp_path / "link").symlink_to(tmp_path)
    kept.keep("lea", [str(tmp_path / "a.txt")])
    for way in (f"/proc/self/root{tmp_path}/a.txt", str(tmp_path / "link" / "a.txt")):
        assert kept.may_read("lea", way) and not kept.may_read("lou", way)
    assert not kept.may_read("lou", "a\0b")


def test_a_file_of_the_workspace_is_shown_as_a_copy_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    file = tmp_path / "a.png"
    file.write_bytes(b"picture")
    shown = Path(cached(file))
    assert shown.is_relative_to(tmp_path / "cache") and shown.read_bytes() == b"picture"
    assert cached(file) == str(shown), "the same one each time"
