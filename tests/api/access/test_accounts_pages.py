"""Accounts in the browser: inviting, resetting, removing, one's own password, and where one is in."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from studio.api.access import accounts, invites, passwords
from studio.api.access.accounts import COOKIE, Accounts, add_user
from studio.api.access.login_throttle import FREE, Throttle
from studio.api.context import close_context, open_context
from studio.cli.main import main
from studio.core.errors import ConflictError, InputError
from studio.ui.shell.app import build_app

LOCAL = "http://127.0.0.1:7860"
NEW = "seven odd socks"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("accounts")


@pytest.fixture(scope="module")
def context(folder) -> Iterator:
    cost, passwords.SCRYPT["n"] = passwords.SCRYPT["n"], 16
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
    passwords.SCRYPT["n"] = cost


@pytest.fixture(scope="module")
def app(context):
    return build_app(context, ("team",))


@pytest.fixture(autouse=True)
def as_before(context, folder):
    """Each test begins with the same accounts, nobody logged in, and nobody who has guessed."""
    context.accounts.throttle = Throttle()
    content = (folder / "accounts.yaml").read_text()
    yield
    (folder / "accounts.yaml").write_text(content)
    context.accounts.refresh()
    for name in context.accounts.sessions.names():
        context.accounts.sessions.end_all(name)


def client(app, name: str = "", password: str = "") -> TestClient:
    found = TestClient(app, base_url=LOCAL, follow_redirects=False)
    if name:
        data = {"name": name, "password": password or f"password of {name}"}
        assert found.post("/login", data=data).status_code == 303
    return found


def link_in(page: str) -> str:
    return re.search(r"http://127\.0\.0\.1:7860(/invite/[\w-]+)", page)[1]


def logged(context) -> list[tuple[str, str, str]]:
    return [(line.who, line.action, line.what) for line in context.store.team.log(limit=5)]


def test_an_invited_person_chooses_a_password_once(app, context, folder):
    lea, zoe = client(app, "lea"), client(app)
    page = lea.post("/accounts/invite", data={"name": " zoe ", "role": "annotator"}).text
    link = link_in(page)
    assert link.rpartition("/")[2] not in (folder / "accounts.yaml").read_text()
    assert link not in lea.get("/accounts").text  # shown once
    assert "zoe" in lea.get("/accounts").text and "zoe" in zoe.get(link).text
    for password, again, why in (
        ("short", "short", "too short"),
        (NEW, "another", "The two differ"),
        ("zoe1234567", "zoe1234567", "little more than the name"),
    ):
        refused = zoe.post(link, data={"password": password, "again": again})
        assert refused.status_code == 422 and why in refused.text
    entered = zoe.post(link, data={"password": NEW, "again": NEW})
    assert entered.headers["location"] == "/annotate/"
    assert zoe.get("/account").status_code == 200
    for late in (zoe.get(link), zoe.post(link, data={"password": NEW, "again": NEW})):
        assert late.status_code == 404 and "does not work" in late.text
    assert client(app, "zoe", NEW).get("/account").status_code == 200
    said = logged(context)
    assert [one[:2] for one in said[:2]] == [
        ("zoe", "set a password by invitation"),
        ("lea", "invite"),
    ]
    assert "zoe" in said[1][2]


def test_a_link_that_many_send_at_once_works_once(app, folder):
    lea = client(app, "lea")
    link = link_in(lea.post("/accounts/invite", data={"name": "zoe", "role": "annotator"}).text)
    chosen = [f"seven odd socks {number}" for number in range(8)]

    def sent(password: str) -> int:
        return client(app).post(link, data={"password": password, "again": password}).status_code

    with ThreadPoolExecutor(len(chosen)) as threads:
        answers = list(threads.map(sent, chosen))
    assert sorted(answers) == [303] + [404] * (len(chosen) - 1)
    assert client(app, "zoe", chosen[answers.index(303)])


@pytest.mark.parametrize("action", ["remove", "role"])
def test_links_of_a_lead_end_with_the_lead(app, action):
    """They were shown to that lead only, who could let themselves in again as somebody else."""
    lea, lou = client(app, "lea"), client(app, "lou")
    made = [
        link_in(lou.post("/accounts/invite", data={"name": "zoe", "role": "lead"}).text),
        link_in(lou.post("/accounts/reset", data={"name": "ana"}).text),
    ]
    kept = link_in(lea.post("/accounts/invite", data={"name": "zac", "role": "annotator"}).text)
    assert [client(app).get(link).status_code for link in (*made, kept)] == [200] * 3
    lea.post(f"/accounts/{action}", data={"name": "lou", "role": "annotator"})
    assert [client(app).get(link).status_code for link in (*made, kept)] == [404, 404, 200]


def test_who_is_removed_and_comes_back_is_not_logged_in(app, folder):
    lea, ana = client(app, "lea"), client(app, "ana")
    lea.post("/accounts/remove", data={"name": "ana"})
    assert ana.post("/studio/annotate/next", json={}, headers={"X-Studio": "1"}).status_code == 401
    add_user(folder / "accounts.yaml", "ana", "annotator", "password of ana")
    assert ana.get("/account").headers["location"] == "/login"


def test_a_cookie_from_before_the_login_is_not_taken_over(app, context):
    ana = client(app)
    ana.cookies.set(COOKIE, "chosen-by-somebody-else")
    ana.post("/login", data={"name": "ana", "password": "password of ana"})
    assert context.accounts.of_cookie("chosen-by-somebody-else") is None
    cookies = [one.value for one in ana.cookies.jar if one.name == COOKIE]
    assert "ana" in [found.name for one in cookies if (found := context.accounts.of_cookie(one))]


def test_a_link_ends_by_time_by_a_new_one_and_when_withdrawn(app, folder, monkeypatch):
    lea, zoe = client(app, "lea"), client(app)

    def invited() -> str:
        return link_in(lea.post("/accounts/invite", data={"name": "zoe", "role": "lead"}).text)

    first = invited()
    second = invited()
    assert zoe.get(first).status_code == 404 and zoe.get(second).status_code == 200
    assert lea.post("/accounts/withdraw", data={"name": "zoe"}).status_code == 303
    assert zoe.get(second).status_code == 404
    monkeypatch.setattr(invites, "INVITE_SECONDS", -1)
    late = invited()
    answered = zoe.post(late, data={"password": NEW, "again": NEW})
    assert answered.status_code == 404
    assert "zoe" not in Accounts.load(folder / "accounts.yaml").by_name


def test_what_cannot_be_invited_is_said_beside_the_field_and_kept(app):
    lea = client(app, "lea")
    for name, why in (('z"o <b>', "cannot be a name"), ("Ana", "There is an account")):
        page = lea.post("/accounts/invite", data={"name": name, "role": "lead"})
        assert page.status_code in (409, 422)
        assert why in page.text and 'id="problem-name"' in page.text
        assert "<b>" not in page.text.split("<main>")[1].split("</form>")[0]
        assert "<option selected>lead" in page.text
    assert 'value="Ana"' in page.text


def test_a_reset_ends_the_password_and_every_session(app, context):
    lea, ana = client(app, "lea"), client(app, "ana")
    page = lea.post("/accounts/reset", data={"name": "ana"}).text
    assert ana.get("/account").headers["location"] == "/login"
    data = {"name": "ana", "password": "password of ana"}
    assert client(app).post("/login", data=data).status_code == 401
    assert "must choose a new password" in lea.get("/accounts").text
    entered = ana.post(link_in(page), data={"password": NEW, "again": NEW})
    assert entered.headers["location"] == "/annotate/"
    assert context.accounts.by_name["ana"].role == "annotator"
    assert ("lea", "reset a password") in [one[:2] for one in logged(context)]


def test_roles_change_at_once_and_a_removed_person_is_out(app, context):
    lea, ana = client(app, "lea"), client(app, "ana")
    assert ana.get("/accounts").status_code == 403
    assert lea.post("/accounts/role", data={"name": "ana", "role": "lead"}).status_code == 303
    assert ana.get("/accounts").status_code == 200
    assert lea.post("/accounts/role", data={"name": "ana", "role": "boss"}).status_code == 422
    assert lea.post("/accounts/remove", data={"name": "ana"}).status_code == 303
    assert ana.get("/accounts").headers["location"] == "/login"
    assert lea.post("/accounts/remove", data={"name": "ana"}).status_code == 404
    actions = [one[:2] for one in logged(context)]
    assert {("lea", "change a role"), ("lea", "remove an account")} <= set(actions)


@pytest.mark.parametrize("action", ["remove", "reset", "role", "end-all"])
def test_nobody_locks_themselves_out(app, folder, action):
    lea = client(app, "lea")
    data = {"name": "lea", "role": "annotator"}
    refused = lea.post(f"/accounts/{action}", data=data)
    assert refused.status_code == 422 and "your own account" in refused.text
    assert lea.get("/accounts").status_code == 200
    assert Accounts.load(folder / "accounts.yaml").by_name["lea"].role == "lead"


@pytest.mark.parametrize("action", ["invite", "reset", "role", "remove", "withdraw", "end-all"])
def test_annotators_and_strangers_change_no_account(app, folder, action):
    before = (folder / "accounts.yaml").read_text()
    data = {"name": "ben", "role": "lead"}
    assert client(app, "ana").post(f"/accounts/{action}", data=data).status_code == 403
    assert client(app).post(f"/accounts/{action}", data=data).status_code == 401
    assert (folder / "accounts.yaml").read_text() == before


@pytest.mark.parametrize("action", ["reset", "role", "remove", "withdraw", "end-all"])
def test_nothing_is_done_to_an_account_that_does_not_exist(app, context, folder, action):
    lea, before = client(app, "lea"), (folder / "accounts.yaml").read_text()
    written = logged(context)
    refused = lea.post(f"/accounts/{action}", data={"name": "nobody", "role": "lead"})
    assert refused.status_code == 404 and "nobody" in refused.text
    assert (folder / "accounts.yaml").read_text() == before
    assert logged(context) == written


def test_logging_out_kills_the_cookie_also_where_it_was_copied(app):
    ana, thief = client(app, "ana"), client(app)
    thief.cookies.set(COOKIE, ana.cookies[COOKIE])
    assert thief.get("/account").status_code == 200
    assert ana.post("/logout").headers["location"] == "/login"
    assert thief.get("/account").headers["location"] == "/login"
    assert (
        thief.post("/studio/annotate/next", json={}, headers={"X-Studio": "1"}).status_code == 401
    )


def test_a_link_elsewhere_logs_nobody_out(app):
    ana = client(app, "ana")
    foreign = {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    assert 'method="post" action="/logout"' in ana.get("/logout", headers=foreign).text
    assert "set-cookie" not in client(app).get("/logout").headers
    assert ana.get("/account").status_code == 200


def test_over_plain_http_only_a_link_of_the_studio_logs_out(app):
    """There a browser says of a link's page no more than the address, and not always that."""
    ana = client(app, "ana")
    for told in (
        {},
        {"referer": "http://127.0.0.1:8080/"},
        {"referer": "http://evil.example/?http://127.0.0.1:7860/"},
        {"referer": "http://[oops/"},
        {"referer": "http://127.0.0.1:7860/", "sec-fetch-site": "same-site"},
    ):
        answer = ana.get("/logout", headers=told)
        assert answer.status_code in (200, 403) and "set-cookie" not in answer.headers, told
    assert 'method="post" action="/logout"' in ana.get("/logout").text
    own = {"referer": f"{LOCAL}/annotate/"}
    assert ana.head("/logout", headers=own).status_code == 200  # asked for, and not done
    assert ana.get("/account").status_code == 200
    assert ana.get("/logout", headers=own).headers["location"] == "/login"
    assert ana.get("/account").headers["location"] == "/login"


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_browser_that_says_the_link_is_the_studio_s_is_logged_out_at_once(app, site):
    ana = client(app, "ana")
    assert ana.get("/logout", headers={"sec-fetch-site": site}).status_code == 303
    assert ana.get("/account").headers["location"] == "/login"


def test_a_changed_password_leaves_one_browser_logged_in(app, context):
    here, there = client(app, "ben"), client(app, "ben")
    for current, password, again, field in (
        ("wrong password", NEW, NEW, "current"),
        ("password of ben", NEW, "something else", "again"),
        ("password of ben", "password12", "password12", "password"),
    ):
        data = {"current": current, "password": password, "again": again}
        refused = here.post("/account/password", data=data)
        assert refused.status_code == 422 and f'id="problem-{field}"' in refused.text
    data = {"current": "password of ben", "password": NEW, "again": NEW}
    assert here.post("/account/password", data=data).headers["location"] == "/account?done=password"
    assert here.get("/account").status_code == 200
    assert there.get("/account").headers["location"] == "/login"
    assert client(app, "ben", NEW)
    assert logged(context)[0][:2] == ("ben", "change a password")


def test_a_password_changed_at_the_command_line_ends_sessions(app, folder, monkeypatch):
    ben = client(app, "ben")
    monkeypatch.setattr("studio.cli.accounts.getpass.getpass", lambda _: NEW)
    assert main(["accounts", str(folder / "accounts.yaml"), "ben"]) == 0
    assert ben.get("/account").headers["location"] == "/login"


def test_one_browser_everywhere_and_by_the_lead(app, context):
    here, there, lea = client(app, "ana"), client(app, "ana"), client(app, "lea")
    sessions = context.accounts.sessions
    there_id = sessions.find(there.cookies[COOKIE]).id
    lea.post("/account/end", data={"session": there_id})
    assert there.get("/account").status_code == 200  # somebody else's is not theirs to end
    here.post("/account/end", data={"session": there_id})
    assert there.get("/account").headers["location"] == "/login"
    assert here.post("/account/end-all").headers["location"] == "/login"
    assert here.get("/account").headers["location"] == "/login"
    again = client(app, "ana")
    assert lea.post("/accounts/end-all", data={"name": "ana"}).status_code == 303
    assert again.get("/account").headers["location"] == "/login"
    assert lea.get("/accounts").status_code == 200


def test_sessions_outlive_the_studio_and_ended_ones_do_not(app, context, folder):
    stays, ends = client(app, "ana"), client(app, "ana")
    cookies = [stays.cookies[COOKIE], ends.cookies[COOKIE]]
    ends.post("/logout")
    restarted = Accounts.load(folder / "accounts.yaml")
    restarted.sessions.keep_in(context.workspace.sessions)
    assert [bool(restarted.of_cookie(one)) for one in cookies] == [True, False]


def test_a_login_replaces_the_session_of_the_same_browser(app, context):
    ana = client(app, "ana")
    before = ana.cookies[COOKIE]
    ana.post("/login", data={"name": "ben", "password": "password of ben"})
    assert context.accounts.of_cookie(before) is None
    assert context.accounts.of_cookie(ana.cookies[COOKIE]).name == "ben"


def test_a_known_browser_gets_in_while_somebody_guesses(app):
    ana = client(app, "ana")
    ana.post("/logout")
    stranger = client(app)
    for _ in range(8):
        guessed = stranger.post("/login", data={"name": "ana", "password": "a wrong guess"})
    assert guessed.status_code == 429 and "Wait" in guessed.text and 'value="ana"' in guessed.text
    data = {"name": "ana", "password": "password of ana"}
    assert stranger.post("/login", data=data).status_code == 429
    assert ana.post("/login", data=data).status_code == 303


def guessed(app, name: str) -> None:
    """Somebody guesses at a name from the same address until they have to wait."""
    stranger = client(app)
    while (
        stranger.post("/login", data={"name": name, "password": "a wrong guess"}).status_code != 429
    ):
        continue


def test_who_came_by_an_invitation_gets_in_while_somebody_guesses(app):
    lea, zoe = client(app, "lea"), client(app)
    link = link_in(lea.post("/accounts/invite", data={"name": "zoe", "role": "annotator"}).text)
    assert zoe.post(link, data={"password": NEW, "again": NEW}).status_code == 303
    zoe.post("/logout")
    guessed(app, "zoe")
    assert zoe.post("/login", data={"name": "zoe", "password": NEW}).status_code == 303


def test_a_password_is_changed_while_somebody_guesses(app):
    ben = client(app, "ben")
    for name in [name for name in ben.cookies if name.startswith("studio_device")]:
        ben.cookies.delete(name)  # as of a browser that came before there were such
    guessed(app, "ben")
    data = {"current": "password of ben", "password": NEW, "again": NEW}
    assert ben.post("/account/password", data=data).status_code == 303
    ben.post("/logout")
    assert ben.post("/login", data={"name": "ben", "password": NEW}).status_code == 303


def test_who_mistypes_the_old_password_keeps_nobody_from_logging_in(app):
    ben, other = client(app, "ben"), client(app, "ben")
    wrong = {"current": "a wrong guess", "password": NEW, "again": NEW}
    said = [ben.post("/account/password", data=wrong).text for _ in range(FREE["session"] + 3)]
    assert ["Too many attempts" in page for page in said].count(True) == 3
    assert client(app, "ben") and client(app, "ana")  # of the same address
    right = wrong | {"current": "password of ben"}
    assert other.post("/account/password", data=right).status_code == 303


def test_an_attempt_that_nobody_had_time_for_does_not_count(app, monkeypatch):
    ben = client(app, "ben")
    data = {"current": "password of ben", "password": NEW, "again": NEW}
    with monkeypatch.context() as busy:
        busy.setattr(passwords, "WAITING_KNOWN", 0)
        for _ in range(FREE["session"] + 3):
            assert ben.post("/account/password", data=data).status_code == 503
    assert ben.post("/account/password", data=data).status_code == 303


def test_a_password_that_was_reset_meanwhile_is_not_set(app, context, folder):
    ben = context.accounts.by_name["ben"]
    token = invites.reset(folder / "accounts.yaml", "ben", "lea")
    with pytest.raises(ConflictError, match="changed elsewhere"):
        accounts.set_password(folder / "accounts.yaml", ben, NEW)
    assert invites.Links(folder / "accounts.yaml").find(token).name == "ben"


def test_one_name_is_invited_in_one_way_of_writing_it(app, folder):
    lea, zoe = client(app, "lea"), client(app)

    def invited(name: str):
        return lea.post("/accounts/invite", data={"name": name, "role": "annotator"})

    link = link_in(invited("zoe").text)
    assert invited("Zoe").status_code == 409 and "looks the same" in invited("Zoe").text
    assert invited("zoe").status_code == 200  # a new link for the same person
    link = link_in(invited("zoe").text)
    values = accounts.read_accounts(folder / "accounts.yaml")
    values["users"]["ZOE"] = {"role": "annotator", "password": passwords.new_hash(NEW)}
    (folder / "accounts.yaml").write_text(accounts.yaml.safe_dump(values))
    late = zoe.post(link, data={"password": NEW, "again": NEW})
    assert late.status_code == 409 and "Ask the lead" in late.text
    assert "zoe" not in Accounts.load(folder / "accounts.yaml").by_name


def test_accounts_that_were_there_already_go_on_whatever_they_are_called(app, folder):
    values = accounts.read_accounts(folder / "accounts.yaml")
    values["users"]["ANA"] = dict(values["users"]["ben"])
    (folder / "accounts.yaml").write_text(accounts.yaml.safe_dump(values))
    add_user(folder / "accounts.yaml", "ANA", "annotator", NEW)  # another password, no new name
    lea = client(app, "lea")
    page = lea.post("/accounts/reset", data={"name": "ana"})
    entered = client(app).post(link_in(page.text), data={"password": NEW, "again": NEW})
    assert entered.status_code == 303
    assert client(app, "ana", NEW) and client(app, "ANA", NEW)
    with pytest.raises(ConflictError):
        add_user(folder / "accounts.yaml", "Ben", "annotator", NEW)


def test_strangers_are_not_told_where_the_accounts_are(app, folder):
    broken = "users:\n  lea: {password: scrypt$00$11\n"
    (folder / "accounts.yaml").write_text(broken)
    said = client(app).get(f"/invite/{'x' * 24}")
    assert said.status_code == 500 and "Tell the lead" in said.text
    assert str(folder) not in said.text and "scrypt" not in said.text
    with pytest.raises(InputError) as told:
        Accounts.load(folder / "accounts.yaml")
    assert "line " in str(told.value) and "scrypt" not in str(told.value)


@pytest.mark.parametrize("coding", ["unicode_escape", "undefined", "utf-16"])
def test_a_form_that_no_browser_sends_is_refused(app, coding):
    """One that names an encoding which makes no text of what it holds."""
    part = 'Content-Disposition: form-data; name="{}"\r\n\r\n\\ud800\r\n'
    body = "".join(f"--b\r\n{part.format(name)}" for name in ("name", "password")) + "--b--\r\n"
    kind = {"Content-Type": f"multipart/form-data; boundary=b; charset={coding}"}
    assert client(app).post("/login", content=body, headers=kind).status_code == 415


def test_a_user_file_that_cannot_be_written_is_said(app, folder, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    lea = client(app, "lea")
    monkeypatch.setattr("studio.api.access.accounts.write_atomic", full)
    refused = lea.post("/accounts/invite", data={"name": "zoe", "role": "lead"})
    assert refused.status_code == 500 and "No space left on device" in refused.text
    assert 'value="zoe"' in refused.text


def test_made_up_links_read_no_file_and_slow_down_who_tries_them(app, context, monkeypatch, caplog):
    caplog.set_level("INFO", "studio")
    lea, zoe, stranger = client(app, "lea"), client(app), client(app)
    link = link_in(lea.post("/accounts/invite", data={"name": "zoe", "role": "lead"}).text)
    assert zoe.get(link).status_code == 200
    reads, read, loops = [], accounts.read_accounts, []

    def counted(path):
        reads.append(path)
        with contextlib.suppress(RuntimeError):
            loops.append(asyncio.get_running_loop())
        return read(path)

    monkeypatch.setattr(accounts, "read_accounts", counted)
    made_up = f"/invite/{'x' * 24}"
    answers = [stranger.post(made_up, data={"password": NEW}).status_code for _ in range(30)]
    assert answers == [404] * FREE["link"] + [503] * (30 - FREE["link"])
    assert "Wait" in stranger.get(made_up).text
    said = [one for one in caplog.records if one.name.startswith("studio")]
    assert {one.name for one in said} == {"studio.strangers"}
    assert not any(one.exc_info for one in said)
    assert reads == []
    assert zoe.get(link).status_code == 200  # from the same address
    assert zoe.post(link, data={"password": NEW, "again": NEW}).status_code == 303
    assert reads and loops == []  # a thread's work, not the loop's
