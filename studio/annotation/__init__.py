"""Items, candidates, pairs and the labels people give them, in one durable database."""

from studio.annotation.records import (
    AddReport,
    CandidateView,
    DatasetView,
    EditView,
    ExportPolicy,
    Facets,
    HistoryEntry,
    ItemFilter,
    ItemView,
    LabelEvent,
    LabelKind,
    PairCard,
    PairView,
    Progress,
    Saved,
    Showing,
    SideAnswer,
    SideSpan,
    Span,
    Taken,
    TextChange,
)  # fmt: skip
from studio.annotation.store import AnnotationStore

__all__ = [
    "AddReport", "AnnotationStore", "CandidateView", "DatasetView", "EditView", "ExportPolicy",
    "Facets", "HistoryEntry", "ItemFilter", "ItemView", "LabelEvent", "LabelKind", "PairCard",
    "PairView", "Progress", "Saved", "Showing", "SideAnswer", "SideSpan", "Span", "Taken",
    "TextChange",
]  # fmt: skip
