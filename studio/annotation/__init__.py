"""Items, candidates, pairs and the labels people give them, in one durable database."""

from studio.annotation.store import AnnotationStore
from studio.annotation.views import (
    AddReport,
    CandidateView,
    DatasetView,
    ExportPolicy,
    HistoryEntry,
    ItemView,
    LabelEvent,
    LabelKind,
    PairCard,
    PairView,
    Progress,
    Saved,
)

__all__ = [
    "AddReport",
    "AnnotationStore",
    "CandidateView",
    "DatasetView",
    "ExportPolicy",
    "HistoryEntry",
    "ItemView",
    "LabelEvent",
    "LabelKind",
    "PairCard",
    "PairView",
    "Progress",
    "Saved",
]
