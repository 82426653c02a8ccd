"""What hostile calls and answers say, made fit for the database."""

import sqlite3
from contextlib import closing

import orjson
import pytest

from omniroute_addon.ledger.storable import LARGEST, json_text, storable

HALF = "half an emoji \ud83d"


@pytest.mark.parametrize(
    "value", [None, True, 0, -1, LARGEST, 1.5, "", "plain", "ö 🕰", b"bytes", ["a", ["b"]], {"kept": "as it is"}]
)
def test_what_can_be_stored_stays_as_it_is(value: object) -> None:
    assert storable(value) == value


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**400])
def test_a_count_of_any_length_can_be_stored_and_added_up(value: int) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE t (n INTEGER)")
        database.executemany("INSERT INTO t VALUES (?)", [(storable(value),)] * 1000)
        assert abs(database.execute("SELECT SUM(n) FROM t").fetchone()[0]) == 1000 * LARGEST


def test_half_an_emoji_becomes_a_question_mark() -> None:
    assert storable([(HALF, 1)]) == [["half an emoji ?", 1]]


@pytest.mark.parametrize("value", [{"a": HALF}, [2**64], {"deep": [{"a": 10**30}]}])
def test_every_reader_takes_the_json(value: dict[str, object]) -> None:
    assert orjson.loads(json_text(value))


def test_plain_json_is_written_as_ever() -> None:
    assert json_text({"a": ["ö", 1, None]}) == '{"a":["ö",1,null]}'
