"""Sources of rows: files, folders, the hub, exports and the embedded samples."""

from studio.data.sources.embedded import embedded_sets
from studio.data.sources.opened_source import Preview, Source, open_source

__all__ = ["Preview", "Source", "embedded_sets", "open_source"]
