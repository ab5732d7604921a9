"""Items, candidates, pairs and the labels people give them, in one durable database."""

from studio.annotation.store import AnnotationStore
from studio.annotation.views import (
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
    Span,
    TextChange,
)

__all__ = [
    "AddReport",
    "AnnotationStore",
    "CandidateView",
    "DatasetView",
    "EditView",
    "ExportPolicy",
    "Facets",
    "HistoryEntry",
    "ItemFilter",
    "ItemView",
    "LabelEvent",
    "LabelKind",
    "PairCard",
    "PairView",
    "Progress",
    "Saved",
    "Span",
    "TextChange",
]
