"""The reference of all settings, generated from their declarations: `docs/settings.md`.

python -m studio.config.settings_reference > docs/settings.md
"""

from __future__ import annotations

import json
import sys
from itertools import groupby

from pydantic import BaseModel

from studio.config.run import RunConfig
from studio.config.run_file import section_type
from studio.config.setting_list import FieldSpec, field_specs

HEAD = """# Settings

Every setting of a run file, in its order. This page is generated:
`python -m studio.config.settings_reference > docs/settings.md`.

**Basic** settings are those that the form shows at first. The last column is the setting's name
in TRL, transformers or PEFT; it is empty for what only the studio has. What a machine lacks, and
combinations that cannot work, are refused before a run starts, with the field and the remedy.
"""
COLUMNS = "| setting | default | what it does | effect | elsewhere |\n|---|---|---|---|---|"


def reference() -> str:
    """Write the page as Markdown."""
    sections = groupby(field_specs(), key=lambda spec: spec.path.rpartition(".")[0])
    parts = [HEAD]
    for name, specs in sections:
        title = f"## {name}\n\n{_about(name)}" if name else "## The run"
        parts.append("\n".join([title, "", COLUMNS, *map(_row, specs), ""]))
    return "\n".join(parts)


def _about(name: str) -> str:
    section: type[BaseModel] = RunConfig
    for part in name.split("."):
        section = section_type(section, part) or section
    return (section.__doc__ or "").strip()


def _row(spec: FieldSpec) -> str:
    name = f"**`{spec.path}`**" if spec.level == "basic" else f"`{spec.path}`"
    only = f" ({spec.method.upper()} only)" if spec.method else ""
    choices = f" One of {', '.join(spec.choices)}." if spec.choices else ""
    default = f"`{json.dumps(spec.default, ensure_ascii=False)}`"
    elsewhere = f"`{spec.trl}`" if spec.trl else ""
    cells = (name + only, default, spec.help + choices, spec.effect, elsewhere)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
