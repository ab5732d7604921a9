"""What clicks in the Runs tab send: scripts of its parts, and the question before a deletion."""

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
    " if (step && confirm(`Go on from step ${step}? Later checkpoints are deleted.`))"
    " trigger('click', {step}); });"
)
CONFIRM_DELETE = (
    "(run, ...looks) => [confirm('Delete \"' + document.querySelector('#run-head h2').textContent +"
    " '\" with its adapter, checkpoints and log?') ? run : null, ...looks]"
)
