"""Pages on which people change their password, and a lead decides who may log in.

Each is a form sent to the server and a page that comes back; whatever is refused stands beside
its field with what was typed. Everything that is done is in the log of the Team tab.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from studio.api.access import accounts as auth
from studio.api.access import invites, passwords
from studio.api.access.accounts import ROLES, Account, Accounts
from studio.api.access.login import enter, remember
from studio.api.access.page_frame import address_of, is_https, page, problems
from studio.api.access.request_checks import FormRoute, status_of
from studio.api.access.rules import HOME
from studio.core.errors import InputError, NotFoundError, StudioError
from studio.core.logs import log_told

if TYPE_CHECKING:
    from studio.api.context import StudioContext

Text = Annotated[str, Form()]
DONE = {
    "password": "Your password is changed. Your other browsers are logged out.",
    "ended": "That browser is logged out.",
    "withdrawn": "The invitation is withdrawn.",
    "role": "The role is changed.",
    "removed": "The account is removed; its labels stay. Links it made for others end.",
    "ended-all": "They are logged out everywhere.",
}


def router(context: StudioContext) -> APIRouter:
    """`/account` for everybody, `/accounts` for leads, and `/invite/…` for who has a link.

    Args:
        context: With accounts; the outermost layer has checked who asks (studio/api/access/rules.py).
    """
    routes = APIRouter(route_class=FormRoute)
    _Own(context).add(routes)
    _Everybody(context).add(routes)
    if context.accounts is not None and context.accounts.path is not None:
        _Invited(context).add(routes)
    return routes


@dataclass
class _Pages:
    context: StudioContext

    @property
    def accounts(self) -> Accounts:
        found = self.context.accounts
        if found is None:
            raise RuntimeError("There are no accounts, so these pages are not there.")
        return found

    @property
    def file(self) -> Path:
        """The file of the accounts. Raises RuntimeError where they are the hub's."""
        if self.accounts.path is None:
            raise RuntimeError("The accounts are not kept in a file.")
        return self.accounts.path

    def me(self, request: Request) -> Account:
        account = self.accounts.of_request(request)
        if account is None:  # ended since the request was let in
            raise HTTPException(401, "Log in first.")
        return account

    def discreet(self, error: StudioError) -> StudioError:
        """What those are told who are no leads: where the accounts are kept is not theirs to know."""
        if str(self.accounts.path) not in error.message:
            return error
        log_told(error)
        return StudioError("The accounts cannot be used now.", remedy="Tell the lead.")

    def note(self, who: str, action: str, **details: Any) -> None:
        self.context.store.team.note(who, action, "", details)


class _Own(_Pages):
    """One's own account."""

    def add(self, routes: APIRouter) -> None:
        @routes.get("/account")
        def show(request: Request, done: str = "") -> Response:
            return self.page(request, done=DONE.get(done, ""))

        @routes.post("/account/password")
        async def change(
            request: Request, current: Text = "", password: Text = "", again: Text = ""
        ) -> Response:
            try:
                await self.change(request, current, password, again)
            except StudioError as error:
                told = self.discreet(error)
                return self.page(request, status_of(told), problems=problems(told))
            answer = RedirectResponse("/account?done=password", 303)
            remember(self.accounts, request, self.me(request).name, answer)
            return answer

        @routes.post("/account/end")
        def end(request: Request, session: Text = "") -> Response:
            name = self.me(request).name
            if session in {one.id for one in self.accounts.sessions.of(name)}:
                self.accounts.sessions.end(session)
                self.note(name, "log out a browser", account=name)
            return RedirectResponse("/account?done=ended", 303)

        @routes.post("/account/end-all")
        def end_all(request: Request) -> Response:
            name = self.me(request).name
            ended = self.accounts.sessions.end_all(name)
            self.note(name, "log out everywhere", account=name, browsers=ended)
            return RedirectResponse("/login", 303)

    def page(self, request: Request, status: int = 200, **shown: Any) -> Response:
        me, session = self.me(request), self.accounts.session_of(request)
        values: dict[str, Any] = {
            "me": me,
            "home": HOME[me.role],
            "has_password": self.accounts.path is not None,
            "shortest": passwords.SHORTEST,
            "sessions": self.accounts.sessions.of(me.name),
            "here": session.id if session else "",
            "problems": {},
            "done": "",
        }
        return page("account", status, **(values | shown))

    async def change(self, request: Request, current: str, password: str, again: str) -> None:
        accounts, me, session = self.accounts, self.me(request), self.accounts.session_of(request)
        if accounts.path is None or session is None:
            raise InputError("There is no password here.", remedy="Hugging Face keeps it.")
        _check_again(password, again)
        passwords.check_password(me.name, password)
        checked = await accounts.confirm(session, current)
        await accounts.pool.run(auth.set_password, accounts.path, checked, password, known=True)
        await run_in_threadpool(self._keep_only, me.name, session.id)

    def _keep_only(self, name: str, session_id: str) -> None:
        self.accounts.refresh()
        self.accounts.sessions.end_all(name, but=session_id)
        account = self.accounts.account(name)
        if account is not None:
            self.accounts.sessions.renew(session_id, self.accounts.proof(account))
        self.note(name, "change a password", account=name)


class _Everybody(_Pages):
    """The lead's page."""

    def add(self, routes: APIRouter) -> None:
        @routes.get("/accounts")
        def show(request: Request, done: str = "") -> Response:
            return self.page(request, done=DONE.get(done, ""))

        actions = {"end-all": (self._end_all, "ended-all")}
        if self.accounts.path is not None:
            self._add_links(routes)
            actions |= {
                "withdraw": (self._withdraw, "withdrawn"),
                "role": (self._change_role, "role"),
                "remove": (self._remove, "removed"),
            }

        @routes.post("/accounts/{action}")
        def act(request: Request, action: str, name: Text = "", role: Text = "") -> Response:
            if action not in actions:
                raise HTTPException(404, "There is no such action.")
            work, done = actions[action]
            refused = self.do(request, name, lambda lead: work(lead, name, role))
            return refused or RedirectResponse(f"/accounts?done={done}", 303)

    def _add_links(self, routes: APIRouter) -> None:
        path = self.file

        @routes.post("/accounts/invite")
        def invite(request: Request, name: Text = "", role: Text = "annotator") -> Response:
            typed = {"name": name, "role": role}
            name = name.strip()
            lead = self.me(request).name
            try:
                token = invites.invite(path, name, role, lead)
                self.note(lead, "invite", account=name, role=role)
            except StudioError as error:
                shown = problems(error)
                return self.page(request, status_of(error), problems=shown, typed=typed)
            return self.page(request, link=_link(request, name, token))

        @routes.post("/accounts/reset")
        def reset(request: Request, name: Text = "") -> Response:
            link: dict[str, Any] = {}

            def do(lead: str) -> None:
                token = invites.reset(path, name, lead)
                self.accounts.sessions.end_all(name)
                self.note(lead, "reset a password", account=name)
                link.update(_link(request, name, token))

            refused = self.do(request, name, do)
            return refused or self.page(request, link=link)

    def _withdraw(self, lead: str, name: str, role: str) -> None:
        invites.withdraw(self.file, name)
        self.note(lead, "withdraw an invitation", account=name)

    def _change_role(self, lead: str, name: str, role: str) -> None:
        auth.set_role(self.file, name, role)
        self.note(lead, "change a role", account=name, role=role)

    def _remove(self, lead: str, name: str, role: str) -> None:
        auth.remove_user(self.file, name)
        self.accounts.sessions.end_all(name)
        self.note(lead, "remove an account", account=name)

    def _end_all(self, lead: str, name: str, role: str) -> None:
        if name not in {one["name"] for one in self._people()}:
            raise NotFoundError(f"There is no account {name!r}.", remedy="Reload the page.")
        ended = self.accounts.sessions.end_all(name)
        self.note(lead, "log out everywhere", account=name, browsers=ended)

    def do(self, request: Request, name: str, work: Callable[[str], None]) -> Response | None:
        """Do something with somebody else's account; the page that says why not."""
        lead = self.me(request).name
        try:
            if name == lead:
                raise InputError(
                    "You cannot do that to your own account.", remedy="Another lead can."
                )
            work(lead)
        except StudioError as error:
            known = name in {one["name"] for one in self._people()}
            shown = problems(
                StudioError(error.message, remedy=error.remedy), f"row-{name}" if known else ""
            )
            return self.page(request, status_of(error), problems=shown)
        self.accounts.refresh()
        return None

    def page(self, request: Request, status: int = 200, **shown: Any) -> Response:
        self.accounts.refresh()
        me, path = self.me(request), self.accounts.path
        waiting = invites.waiting(path) if path else []
        known = set(self.accounts.by_name)
        values: dict[str, Any] = {
            "me": me,
            "home": HOME[me.role],
            "editable": path is not None,
            "roles": ROLES[::-1],
            "typed": {"name": "", "role": "annotator"},
            "waiting": [one for one in waiting if one.name not in known],
            "people": self._people({one.name for one in waiting}),
            "problems": {},
            "done": "",
            "link": None,
        }
        return page("accounts", status, **(values | shown))

    def _people(self, reset: Collection[str] = ()) -> list[dict[str, Any]]:
        sessions = self.accounts.sessions
        names = self.accounts.by_name if self.accounts.path else sessions.names()
        found = [account for name in names if (account := self.accounts.account(name))]
        return [
            {
                "name": one.name,
                "role": one.role,
                "sessions": sessions.of(one.name),
                "reset": one.name in reset,
            }
            for one in sorted(found, key=lambda one: one.name.casefold())
        ]


class _Invited(_Pages):
    """Whoever has a link."""

    def add(self, routes: APIRouter) -> None:
        path = self.file
        links = invites.Links(path)

        def found(request: Request, token: str) -> str:
            try:
                return links.find(token).name
            except NotFoundError:
                self.accounts.wrong_link(address_of(request))
                raise

        @routes.get("/invite/{token}")
        def show(request: Request, token: str) -> Response:
            try:
                return self.page(found(request, token))
            except StudioError as error:
                return self.refused("", error)

        @routes.post("/invite/{token}")
        async def accept(
            request: Request, token: str, password: Text = "", again: Text = ""
        ) -> Response:
            name = ""
            try:
                name = await run_in_threadpool(found, request, token)
                _check_again(password, again)
                await self.accounts.pool.run(invites.accept, path, token, password)
            except StudioError as error:
                return self.refused(name, error)
            return await run_in_threadpool(self._enter, request, name)

    def page(self, name: str, status: int = 200, wrong: dict[str, str] | None = None) -> Response:
        shown = {"name": name, "problems": wrong or {}, "shortest": passwords.SHORTEST}
        return page("invite", status, alone=True, **shown)

    def refused(self, name: str, error: StudioError) -> Response:
        told = self.discreet(error)
        return self.page(name, status_of(told), problems(told, stranger=True))

    def _enter(self, request: Request, name: str) -> Response:
        self.accounts.refresh()
        self.accounts.sessions.end_all(name)
        self.note(name, "set a password by invitation", account=name)
        account = self.accounts.account(name)
        if account is None:
            return RedirectResponse("/login", 303)
        answer = enter(self.accounts, request, account)
        remember(self.accounts, request, account.name, answer)
        return answer


def _check_again(password: str, again: str) -> None:
    if password != again:
        raise InputError("The two differ.", remedy="Type the same twice.", field="again")


def _link(request: Request, name: str, token: str) -> dict[str, Any]:
    scheme = "https" if is_https(request) else "http"
    address = f"{scheme}://{request.headers.get('host', '')}/invite/{token}"
    return {"name": name, "address": address, "until": time.time() + invites.INVITE_SECONDS}
