"""Inputs of the kinds that people have, as files: all rows come in, with their images."""

from __future__ import annotations

import pytest

from studio.data.schema import Row
from studio.data.sources import open_source
from tests.places import SHARED

CASES = SHARED / "cases"
WHOLE = {
    "F20-vqav2-original": 1,
    "F20-vqav2-original/v2_OpenEnded_mscoco_val2014_questions.json": 1,
    "F20-vqav2-original/v2_mscoco_val2014_annotations.json": 1,
    "F21-coco-captions/captions_val2017.json": 1,
    "F36-nfc-nfd-name/rows.jsonl": 1,
    "F37-absolute-paths/rows.jsonl": 2,
    "F38-percent-encoded/rows.jsonl": 3,
    "F41-parquet-path-only/rows.parquet": 2,
    "F42-jsonl-in-json-and-reverse/array.jsonl": 2,
    "F42-jsonl-in-json-and-reverse/columns.json": 2,
    "F42-jsonl-in-json-and-reverse/lines.json": 2,
    "F42-jsonl-in-json-and-reverse/lists.json": 2,
    "F42-jsonl-in-json-and-reverse/splits.json": 1,
    "F42-jsonl-in-json-and-reverse/wrapped.json": 1,
    "F44-other-containers/rows.jsonl.gz": 1,
    "F44-other-containers/shard-000000.tar": 1,
    "F45-sidecar-json": 2,
    "F46-imagefolder-columns": 1,
    "F61-zip-gbk-names/data.zip": 1,
    "F62-case-of-names/rows.jsonl": 1,
    "F63-jpeg-name-other-extension/rows.jsonl": 2,
    "F67-imagefolder-split-metadata": 2,
    "F69-nan-in-json-array/rows.json": 2,
    "F69-nan-in-json-array/rows.jsonl": 2,
    "F80-whitespace-keys-upper/rows.csv": 1,
    "F87-ndjson-with-bom-crlf-trailing-comma/rows.ndjson": 2,
    "F88-utf16-jsonl/rows.jsonl": 1,
    "F89-json-concatenated-pretty/one.json": 1,
    "F89-json-concatenated-pretty/rows.json": 2,
    "F95-labelstudio-json-min/min.json": 1,
}


@pytest.mark.parametrize("name", WHOLE)
def test_every_row_comes_in_with_its_image(workspace, name):
    if not (CASES / name).exists():
        pytest.skip("the shared cases are not here")
    rows = list(open_source(str(CASES / name), workspace=workspace).rows())
    assert all(isinstance(row, Row) and len(row.images) == 1 for row in rows), rows
    assert len(rows) == WHOLE[name]
