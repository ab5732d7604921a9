"""Accounts in the browser: inviting, resetting, removing, one's own password, and where one is in."""

from __future__ import annotations

import pytest

from studio.api.access import accounts, invites
from studio.api.access.accounts import COOKIE, Accounts, add_user
from studio.api.access.login_throttle import FREE
from studio.cli.main import main
from studio.core.errors import ConflictError, InputError
from tests.api.access.accounts_client import NEW, client, guessed, link_in, logged

pytestmark = pytest.mark.usefixtures("as_before")


def test_who_is_removed_and_comes_back_is_not_logged_in(app, folder):
    lea, ana = client(app, "lea"), client(app, "ana")
    lea.post("/accounts/remove", data={"name": "ana"})
    assert ana.post("/studio/annotate/next", json={}, headers={"X-Studio": "1"}).status_code == 401
    add_user(folder / "accounts.yaml", "ana", "annotator", "password of ana")
    assert ana.get("/account").headers["location"] == "/login"


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


def test_a_password_that_was_reset_meanwhile_is_not_set(app, context, folder):
    ben = context.accounts.by_name["ben"]
    token = invites.reset(folder / "accounts.yaml", "ben", "lea")
    with pytest.raises(ConflictError, match="changed elsewhere"):
        accounts.set_password(folder / "accounts.yaml", ben, NEW)
    assert invites.Links(folder / "accounts.yaml").find(token).name == "ben"


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
