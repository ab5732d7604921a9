"""Scripts of the Runs tab: what clicks send, what is asked before a deletion, how curves look."""

from __future__ import annotations

PICK = (
    "element.addEventListener('click', event => {"
    " const card = event.target.closest('[data-run], [data-act]');"
    " if (!card) return;"
    " trigger('click', {run: card.dataset.run, act: card.dataset.act});"
    # On a narrow screen the run is below the list.
    " if (!card.dataset.act && matchMedia('(max-width: 640px)').matches)"
    "  document.getElementById('run-head').scrollIntoView(); });"
)
PICK_STEP = (
    "element.addEventListener('click', event => {"
    " const {step, use} = event.target.closest('[data-step], [data-use]')?.dataset ?? {};"
    " if (use) trigger('click', {use});"
    " const later = [...element.querySelectorAll('[data-step]')].some(other =>"
    "  Number(other.dataset.step) > Number(step));"
    " const lost = later ? ' Later checkpoints are deleted.' : '';"
    " if (step && confirm(`Go on from step ${step}?${lost}`)) trigger('click', {step}); });"
)
CONFIRM_DELETE = (
    "(run, ...looks) => [confirm('Delete \"' + document.querySelector('#run-head h2').textContent +"
    " '\" with its adapter, checkpoints and log?') ? run : null, ...looks]"
)
KEEP_LOOKS = "(run, compare, ...looks) => [run, compare, ...window.studioKeepLooks(looks)]"
"""For what changes smoothing or the log scale: the browser keeps both (assets/runs-keep.js)."""

RECALL_LOOKS = (
    "(run, compare, smoothing, log, ...links) =>"
    " [run, compare, ...window.studioLooks([smoothing, log]), ...links]"
)
"""For what may be asked before the page has them back in its fields."""
