"""The browser, and what is looked at after every test that is served."""

from tests.ui.conftest import chromium, told_is_kept

__all__ = ["chromium", "told_is_kept"]
