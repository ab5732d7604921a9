"""Calls from Gradio's components and events into the page's modules; no script is written in Python.

Gradio takes scripts as text (`js_on_load`, `js`). The text is always one call of `window.studio`,
which assets/web/shared/gradio-bridge.js opens; what it names is listed in assets/web/main.js.
"""

from __future__ import annotations

import json
from typing import Any


def on_load(component: str) -> str:
    """Write the `js_on_load` of a component that a module brings to life.

    Args:
        component: Its name in main.js.
    """
    return f"window.studio.attach({json.dumps(component)}, {{element, trigger, props, watch}})"


def hook(name: str, *first: Any) -> str:
    """Write the `js` of an event whose values a module makes, or for which it does something.

    Args:
        name: Of the function in main.js.
        first: Values it gets before those of the event.
    """
    values = "".join(f", {json.dumps(value)}" for value in first)
    return f"(...values) => window.studio.run({json.dumps(name)}{values}, ...values)"
