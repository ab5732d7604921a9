"""Records of a source: slices, counts, columns, and a look at the first."""

from __future__ import annotations

from dataclasses import dataclass

from studio.data.schema import BadRow
from studio.data.sources.reader import PEEKED, Reader, Record


@dataclass
class Counting(Reader):
    """Thirty records, each third one damaged; counts how often they are read."""

    read: int = 0

    def records(self):
        self.read += 1
        for line in range(1, 31):
            damaged = line % 3 == 0
            yield BadRow(line, "damaged") if damaged else Record(line, {f"c{line % 2}": line})


def test_damaged_records_count_and_have_their_place_in_a_slice():
    reader = Counting("x")
    assert reader.count() == reader.known_count() == 30
    assert [record.line for record in reader.between(1, 4)] == [2, 3, 4]
    assert isinstance(next(reader.between(2, 3)), BadRow)


def test_the_first_good_records_are_read_once_and_tell_the_columns():
    reader = Counting("x")
    assert len(reader.peek()) == PEEKED and all(isinstance(one, Record) for one in reader.peek())
    assert reader.columns == ("c1", "c0") and reader.read == 1
