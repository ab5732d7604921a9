"""A dataset of the Hugging Face hub, streamed: `owner/name[:config][@revision]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from studio.core.errors import DataError, source_error
from studio.core.paths import Workspace
from studio.data.schema import BadRow
from studio.data.sources.reader import Reader, Record
from studio.data.split_slices import choose_split

_ID = re.compile(
    r"(?P<id>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[\w.-]+))?(?:@(?P<revision>[\w./-]+))?"
)
TIMEOUT_SECONDS = 10
COUNTED_FILES = 64  # each takes two short requests


@dataclass
class HubReader(Reader):
    """Rows of one split; images stay encoded, remote code never runs.

    Attributes:
        shards: The Parquet files of the split, when it consists of such.
        rows: Number of rows, when the hub says so.
        split_field: The setting that names the split.
    """

    path: str = ""
    stream: Any = None  # an IterableDataset
    shards: tuple[str, ...] = ()
    rows: int | None = None
    split_field: str = ""

    def records(self) -> Iterator[Record | BadRow]:
        yield from self.between(0, None)

    def between(self, start: int, stop: int | None) -> Iterator[Record | BadRow]:
        stream = self.stream.skip(start) if start else self.stream
        stream = stream.take(max(0, stop - start)) if stop is not None else stream
        rows = iter(stream)
        line = start
        while (values := _hub_call(self.path, next, rows, None)) is not None:
            line += 1
            yield Record(line, values)

    def count(self) -> int:
        """Number of rows. Raises DataError when only fetching them all would tell."""
        known = self.known_count()
        if known is None:
            raise DataError(
                f"The hub does not say how many rows {self.path!r} has.",
                remedy="Slice it by row numbers instead: train[:1000].",
                field=self.split_field,
            )
        return known

    def known_count(self) -> int | None:
        if self.rows is None and 0 < len(self.shards) <= COUNTED_FILES:
            with suppress(DataError):  # rows can be read without knowing how many there are
                self.rows = _hub_call(self.path, _rows_in, self.shards)
        return self.rows


def matches(spec: str, workspace: Workspace) -> bool:
    return _ID.fullmatch(spec) is not None


def open_reader(spec: str, split: str | None, workspace: Workspace, field: str) -> Reader:
    """Open the hub dataset named. Raises DataError when it cannot be found or reached."""
    match = _ID.fullmatch(spec)
    if match is None:
        raise DataError(f"{spec!r} is not the name of a hub dataset.", field=field)
    commit = find_commit(match["id"], match["revision"])
    return open_builder(match["id"], match["config"], commit, split, field)


def open_builder(
    path: str, config: str | None, revision: str | None, split: str | None, field: str
) -> HubReader:
    """Make a reader of what `datasets.load_dataset` finds at `path`."""
    from datasets import load_dataset_builder

    builder = _hub_call(path, load_dataset_builder, path, name=config, revision=revision)
    streams = _hub_call(path, builder.as_streaming_dataset)
    name = choose_split(split, tuple(streams), field)
    known = (builder.info.splits or {}).get(name)
    given: Mapping[object, Iterable[object]] = builder.config.data_files or {}
    files = next((tuple(map(str, names)) for one, names in given.items() if str(one) == name), ())
    return HubReader(
        label=f"hub dataset {path}{f' at {revision[:8]}' if revision else ''}",
        splits=tuple(streams),
        path=path,
        stream=streams[name].decode(False),
        shards=files if all(file.endswith(".parquet") for file in files) else (),
        rows=(known.num_examples if known else 0) or None,
        split_field=field,
    )


def _rows_in(files: tuple[str, ...]) -> int:
    """Rows of Parquet files, of which only the ends are fetched."""
    import fsspec
    import pyarrow.parquet as pq

    total = 0
    for name in files:
        with fsspec.open(name) as handle:
            total += pq.read_metadata(handle).num_rows
    return total


def find_commit(path: str, revision: str | None) -> str | None:
    """Find the commit of a revision (None: the newest), so that all splits come from one.

    One quick request, so that an unreachable hub is said at once; without network, `revision`.

    Raises:
        DataError: The dataset or the revision is not there, or the hub cannot be reached.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        RevisionNotFoundError,
    )

    if constants.is_offline_mode():
        return revision
    try:
        return HfApi().dataset_info(path, revision=revision, timeout=TIMEOUT_SECONDS).sha
    except RevisionNotFoundError as error:
        raise source_error(
            f"The hub dataset {path!r} has no revision {revision!r}.",
            "Give a branch, a tag or a commit, or leave out the part after @.",
        ) from error
    except HFValidationError as error:
        raise _not_found(path) from error
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in (401, 403, 404):
            raise _not_found(path) from error
        raise _unreachable(path, error) from error
    except (HTTPError, OSError) as error:
        raise _unreachable(path, error) from error


def _hub_call(path: str, function, *args, **kwargs):
    """Call into `datasets`, its failures turned into sentences."""
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HTTPError

    try:
        return function(*args, **kwargs)
    except FileNotFoundError as error:
        raise _not_found(path) from error
    except (HTTPError, OSError) as error:
        raise _unreachable(path, error) from error
    except (DatasetsError, ValueError, RuntimeError) as error:
        raise source_error(
            f"The hub dataset cannot be read: {' '.join(str(error).split())[:300]}",
            "Name a configuration as owner/name:config, or download it as Parquet.",
        ) from error


def _not_found(path: str) -> DataError:
    return source_error(
        f"There is no file, folder or hub dataset {path!r} that you may read.",
        "Check the spelling; for a gated dataset accept its terms and log in (`hf auth login`).",
    )


def _unreachable(path: str, error: Exception) -> DataError:
    return source_error(
        f"{path!r} is no file here, and the hub cannot be reached ({error}).",
        "Check the path or the network; set HF_HUB_OFFLINE=1 to use what is cached.",
    )
