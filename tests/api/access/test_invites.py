"""Invitations and resets: links that work once, for a while, for one person."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from studio.api.access import accounts, invites, passwords
from studio.api.access.accounts import Accounts
from studio.api.access.login_throttle import FREE
from tests.api.access.accounts_client import NEW, client, guessed, link_in, logged

pytestmark = pytest.mark.usefixtures("as_before")


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


def test_who_came_by_an_invitation_gets_in_while_somebody_guesses(app):
    lea, zoe = client(app, "lea"), client(app)
    link = link_in(lea.post("/accounts/invite", data={"name": "zoe", "role": "annotator"}).text)
    assert zoe.post(link, data={"password": NEW, "again": NEW}).status_code == 303
    zoe.post("/logout")
    guessed(app, "zoe")
    assert zoe.post("/login", data={"name": "zoe", "password": NEW}).status_code == 303


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
