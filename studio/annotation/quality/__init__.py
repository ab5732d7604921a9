"""The quality of labels: agreement, gold pairs, decisions, the audit log."""
