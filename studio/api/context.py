"""The services of one studio process: what every route and every tab is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException

from studio.annotation import AnnotationStore
from studio.annotation.database.journal import Journal, open_journal
from studio.api.upload_folders import UploadFolders
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.inference.client import InferenceClient
from studio.launch.open_studios import Presence
from studio.launch.planner import Planner
from studio.launch.supervisor import Supervisor
from studio.runs.store import RunStore

if TYPE_CHECKING:
    from studio.api.access.accounts import Accounts

LOCAL_USER = "local"


@dataclass(frozen=True)
class StudioContext:
    """Services of one studio process; the same object for every user and tab.

    Attributes:
        accounts: Who may log in; None when the studio is used without logins.
        journal: Where labels are kept when this machine's disk does not last.
        presence: Which other studios have the workspace open.
        uploads: What was dropped on the import form; None where no page is served.
        shell: The page being built (`ui.shell.navigation.Shell`); None outside `build(context)`.
    """

    workspace: Workspace
    store: AnnotationStore
    images: ImageStore
    runs: RunStore
    supervisor: Supervisor
    planner: Planner
    inference: InferenceClient
    accounts: Accounts | None = None
    journal: Journal | None = None
    presence: Presence | None = None
    uploads: UploadFolders | None = None
    shell: Any = None

    def user(self, request: Any) -> str:
        """Name of whoever sent `request` (FastAPI's or Gradio's); `local` without logins.

        Raises:
            HTTPException: 401 when logins are on and nobody is logged in.
        """
        if self.accounts is None:
            return LOCAL_USER
        account = self.accounts.of_request(request)
        if account is None:
            raise HTTPException(401, "Log in first.")
        return account.name

    def is_lead(self, request: Any) -> bool:
        """Return whether whoever sent `request` may do more than annotate."""
        if self.accounts is None:
            return True
        account = self.accounts.of_request(request)
        return account is not None and account.role == "lead"


def open_context(folder: str | None = None, accounts: Accounts | None = None) -> StudioContext:
    """The services of the workspace in `folder`; only its journal is started, after it was read."""
    workspace = Workspace.locate(folder)
    presence = Presence(workspace)
    presence.enter(alone_on_machine=workspace.database_url.startswith("sqlite"))
    try:
        return _opened(workspace, presence, accounts)
    except BaseException:
        presence.leave()
        raise


def _opened(workspace: Workspace, presence: Presence, accounts: Accounts | None) -> StudioContext:
    journal = open_journal(workspace)
    if journal is not None:
        journal.restore()
    store = AnnotationStore(workspace.database_url)
    context = StudioContext(
        workspace=workspace,
        store=store,
        images=ImageStore(workspace),
        runs=RunStore(workspace),
        supervisor=Supervisor(workspace, store),
        planner=Planner(workspace, store),
        inference=InferenceClient(workspace),
        accounts=accounts,
        journal=journal,
        presence=presence,
        uploads=UploadFolders(workspace.uploads / "folders"),
    )
    if journal is not None:
        journal.start()
    return context


def close_context(context: StudioContext) -> None:
    """End the children and release the workspace; running workers go on."""
    context.supervisor.shutdown()
    context.planner.close()
    context.inference.close()
    if context.journal is not None:
        context.journal.close()
    context.store.close()
    if context.presence is not None:
        context.presence.leave()
