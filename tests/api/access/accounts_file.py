"""What the accounts of the tests here log in with."""

from __future__ import annotations

PASSWORD = "correct horse"
