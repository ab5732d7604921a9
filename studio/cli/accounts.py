"""Who may log in to a studio with accounts."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from studio.api.access import accounts as store
from studio.core.errors import InputError


def accounts(
    file: Annotated[Path, typer.Argument(help="The YAML file of accounts; made when missing.")],
    name: Annotated[str | None, typer.Argument(help="Whose account it is.")] = None,
    role: Annotated[
        str | None, typer.Option(help="lead or annotator.", show_default="annotator")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the account away.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show who may log in.")] = False,
) -> int:
    """Add an account, give it a new password or another role, remove or list them."""
    _refuse_unused(name, role, remove, listed)
    if listed:
        typer.echo(_list(file))
        return 0
    role = role or "annotator"
    if name is None:
        raise InputError("No account is named.", remedy="Name one, or use --list.")
    if role not in store.ROLES:
        raise InputError(
            f"There is no role {role[:50]!r}.", remedy="A person is a lead or an annotator."
        )
    if remove:
        store.remove_user(file, name)
        typer.echo(f"{name} is removed.")
        return 0
    store.check_name(name)
    store.add_user(file, name, role, _asked_twice())
    typer.echo(f"{name} may log in as {role}.")
    return 0


def _refuse_unused(name: str | None, role: str | None, remove: bool, listed: bool) -> None:
    """Refuse what would be left aside: a list names nobody, and who goes needs no role."""
    if listed and (name or role or remove):
        raise InputError("--list shows all accounts.", remedy="Leave out the rest.")
    if remove and role:
        raise InputError("--remove takes no role.", remedy="Leave out --role or --remove.")


def _asked_twice() -> str:
    password = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != password:
        raise InputError("The two passwords differ.", remedy="Nothing was changed; try again.")
    return password


def _list(path: Path) -> str:
    values = store.read_accounts(path)
    lines = []
    for section, mark in (("users", ""), ("invites", "  invited")):
        people = values.get(section)
        if isinstance(people, dict):
            lines += [f"{name}  {_role(item)}{mark}" for name, item in people.items()]
    return "\n".join(lines) or f"{path} has no accounts."


def _role(item: object) -> str:
    return str(item.get("role", "?")) if isinstance(item, dict) else "?"
