"""The parts of the studio's context that tabs with rows use, without a served page."""

from __future__ import annotations

from dataclasses import dataclass

from studio.annotation import AnnotationStore
from studio.api.access.accounts import Accounts
from studio.api.upload_folders import UploadFolders
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore


@dataclass
class Context:
    """Stands for a `StudioContext`; `name` is whoever asks."""

    workspace: Workspace
    store: AnnotationStore
    images: ImageStore
    lead: bool = True
    name: str = "ana"
    uploads: UploadFolders | None = None
    accounts: Accounts | None = None

    def is_lead(self, request) -> bool:
        return self.lead

    def user(self, request) -> str:
        return self.name
