"""Metrics over answers. Nothing here loads a model."""

from studio.metrics.evasiveness import EVASIVE, evasive_rate, is_evasive
from studio.metrics.exact_match import exact_match, matches, normalise
from studio.metrics.metric import (
    Metric,
    RowScores,
    score_log_probabilities,
    score_rows,
)
from studio.metrics.metric_table import METRICS, metric_named, suggested_metrics
from studio.metrics.user_metric import load_user_metric

__all__ = [
    "EVASIVE",
    "METRICS",
    "Metric",
    "RowScores",
    "evasive_rate",
    "exact_match",
    "is_evasive",
    "load_user_metric",
    "matches",
    "metric_named",
    "normalise",
    "score_log_probabilities",
    "score_rows",
    "suggested_metrics",
]
