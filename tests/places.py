"""Where things lie that tests look at."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TINY_VLM = ROOT / "assets" / "tiny-vlm"
SHARED = ROOT.parent / "shared"
