"""A release on the hub: its card checked, the repository made, the files sent; refusals in sentences."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from studio.core.errors import ConflictError, InputError, RunFailedError, first_line
from studio.release.model_card import CARD
from studio.runs.hub_push import HUB_ID, TOKEN

if TYPE_CHECKING:
    from huggingface_hub import HfApi

logger = logging.getLogger(__name__)
MISSING = "More Information Needed"


def push_release(
    folder: Path, repository: str, *, private: bool = True, api: HfApi | None = None
) -> str:
    """Send an artefact to a repository of the hub, which is made where there is none.

    What is there already is sent no second time, so that a push that broke off is gone on with.

    Args:
        private: Of a new repository; one that is there stays as it is.

    Returns:
        The address of the commit, or of the repository.

    Raises:
        InputError: That cannot be its name, or the card has no licence.
        ConflictError: The hub holds something else under that name.
        RunFailedError: The hub refused it or cannot be reached; the artefact is as it was.
    """
    ensure_pushable(repository, folder)
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    api = api or HfApi()
    try:
        made = api.create_repo(repository, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=made.repo_id,
            folder_path=folder,
            commit_message=f"Release of {folder.parent.name}",
        )
    except (HTTPError, OSError, ValueError) as error:
        # Connections and refusals, a missing login (OSError), a card or name that it refuses.
        logger.exception("The push of %s to %s failed.", folder, repository)
        raise _failed(repository, error) from error
    return str(getattr(done, "commit_url", "") or f"{api.endpoint}/{made.repo_id}")


def ensure_pushable(repository: str, folder: Path | None = None) -> None:
    """Refuse what the hub would refuse, before anything is computed or sent.

    Raises:
        InputError: The name cannot be one, or the card in `folder` lacks its licence.
    """
    if not HUB_ID.fullmatch(repository):
        raise InputError(
            f"{repository[:100]!r} cannot be a repository.", remedy="Use OWNER/NAME.", field="push"
        )
    if folder is None:
        return
    from huggingface_hub import ModelCard

    card = ModelCard.load(folder / CARD)
    if not card.data.license:
        raise InputError(
            "The licence of the base model is not known, so the card has none.",
            remedy="Give it with --license, for example --license apache-2.0.",
            field="license",
        )
    if MISSING in str(card):
        raise InputError("The card has empty places.", remedy="Release again.", field="push")


def _failed(repository: str, error: Exception) -> ConflictError | RunFailedError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    kept = "What was released is kept; push again with the same command."
    if status in (401, 403):
        why = "has not let you in" if status == 401 else "does not let you write there"
        return RunFailedError(
            f"The hub {why}: {repository} was not pushed.",
            remedy=f"Log in with `hf auth login` (or HF_TOKEN) with a token that may write. {kept}",
            field="push",
        )
    if status in (409, 412):
        return ConflictError(
            f"The hub holds something else under {repository}, or is changing it right now.",
            remedy=f"Wait a moment, or choose another name. {kept}",
            field="push",
        )
    reason = TOKEN.sub("hf_…", first_line(error))
    if status is None and not isinstance(error, ValueError):
        return RunFailedError(
            f"The hub cannot be reached: {reason}",
            remedy=f"Check the connection. {kept}",
            field="push",
        )
    return RunFailedError(
        f"The hub refused {repository}: {reason}",
        remedy=f"Mend what it names. {kept}",
        field="push",
    )
