"""The reference of all formats, generated from their declarations: `docs/formats.md`.

python -m studio.data.formats.docs_page > docs/formats.md
"""

from __future__ import annotations

import json
import sys

from studio.data.columns import NAMES, SIDES, WINNERS
from studio.data.formats import FORMATS, Format

HEAD = """# Formats

What the import recognises by itself. This page is generated:
`python -m studio.data.formats.docs_page > docs/formats.md`.

A file is read record by record, each as the first format below whose fields it has, else by the
names of its columns; a file may hold several formats, and columns that appear late. What nothing
reads is kept beside the row as metadata, or named under *not used* in the preview and the report.

Rules for all of them:

- **Preferences keep their direction.** A winner, a preferred number, an index, ranks or scores make
  a pair with its better and its worse answer. Where it is not told, the answers are candidates to be
  labelled. An answer that is called bad (KTO) is never trained as a good one.
- **Lists are alternatives.** Of several right answers the most frequent is trained, else the first;
  all of them are kept as `accepted_answers`. Lists of chosen and rejected answers are pairs.
- **Context belongs to the prompt**: `input`, `history`, `system`, hints, lettered choices, and the
  places of images (`<image>`, `<|image_1|>`, `<image 1>`, `<img>file</img>`, `<ImageHere>`, …).
- **No value is no value**: null, NaN, blank texts and the words nan, NULL, None and <NA>.
- **No question is invented** where texts stay unread; images alone ask for one
  (`--column 'question==What is shown?'`).

A mapping by hand overrules all of it: `--column question=data.question` (a path into objects),
`--column image=image_1,image_2` (several columns), `--column 'question==…'` (a text for all rows),
`--column answer=` (no column has this role).
"""


def reference() -> str:
    """Write the page as Markdown."""
    parts = [HEAD, "## Formats with a name", "", *map(_section, FORMATS), _names()]
    return "\n".join(parts)


def _section(known: Format) -> str:
    name = known.name.replace("{what}", "…")
    title = f"### [{name}]({known.where})" if known.where else f"### {name}"
    example = json.dumps(known.example, ensure_ascii=False, indent=1)
    also = f" Also: {', '.join(known.also)}." if known.also else ""
    return f"{title}\n\nA record becomes {known.gives}.{also}\n\n```json\n{example}\n```\n"


def _names() -> str:
    rows = [
        f"| {role} | {', '.join(f'`{name}`' for name in names)} |" for role, names in NAMES.items()
    ]
    sides = ", ".join(f"`response_{one}` / `response_{two}`" for one, two in SIDES)
    winners = ", ".join(f"`{name}`" for name in WINNERS)
    return "\n".join(
        [
            "## Names of columns",
            "",
            "Capitals, spaces, dots and dashes in names make no difference; the first that is there",
            "and fits is taken.",
            "",
            "| role | names |",
            "|---|---|",
            *rows,
            f"| two answers side by side | {sides} (also `answer`, `output`, `text` …) |",
            f"| which of the two is better | {winners} |",
            "",
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(reference())
