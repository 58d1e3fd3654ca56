"""The schema: up, down, at once, too old, too new; and the columns that other teams were promised."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from adapters.ledger.read import VIEWS, LedgerReader
from adapters.ledger.schema import check_schema, downgrade, migrate
from adapters.ledger.write import PostgresLedger
from domain.errors import SchemaError

#: Design, section 6: view → its columns in order, with their types.
COLUMNS = {
    "current_decision": """
        inquiry_id text, source text, reference_id text, account_id text, template_id text, status text, decision text,
        decided_at timestamptz, decided_by text, status_since timestamptz, redacted_at timestamptz, revision int4,
        refused_events int4, inferred_steps int4, last_event_id text, last_event_at timestamptz,
        lifecycle_version text, policy_version text, topic text, partition int4, offset int8, appended_at timestamptz
    """,
    "inquiry_history": """
        inquiry_id text, position int8, event_id text, event_name text, occurred_at timestamptz,
        appended_at timestamptz, verdict text, edge text, reason text, from_status text, to_status text,
        payload_status text, topic text, partition int4, offset int8
    """,
    "decision_revision": """
        inquiry_id text, revision int4, status text, decision text, decided_at timestamptz, effective_at timestamptz,
        known_at timestamptz, cause_event_id text, topic text, partition int4, offset int8
    """,
    "quarantine": "topic text, partition int4, offset int8, appended_at timestamptz, reason text, detail text",
    "books": """
        topic text, partition int4, first_offset int8, next_offset int8, applied int8, repeated int8, refused int8,
        ignored int8, duplicate int8, quarantined int8, gaps int8, balanced bool
    """,
}

#: Everything in the schema that can be told apart: relations with their columns, indices, privileges.
CATALOGUE = """
SELECT c.relname, c.relkind::text, coalesce(c.relacl::text, ''), a.attname::text, a.atttypid::regtype::text,
       a.attcollation::text, a.attnotnull
FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'ledger'::regnamespace
ORDER BY 1, a.attnum
"""

#: How the text columns of our tables and views compare; alembic's own table is not ours to say.
COLLATIONS = """
SELECT DISTINCT l.collname
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_collation AS l ON l.oid = a.attcollation
WHERE c.relnamespace = 'ledger'::regnamespace AND a.attnum > 0 AND c.relname NOT LIKE 'alembic_version%'
"""

ADVICE = "run `inquiry-ledger migrate`"

TYPES = """
SELECT string_agg(column_name || ' ' || udt_name, ', ' ORDER BY ordinal_position)
FROM information_schema.columns
WHERE table_schema = 'ledger' AND table_name = %s
"""


@pytest.fixture
def sql(empty_database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to the database that a test migrates."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        yield connection


def catalogue(connection: psycopg.Connection[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return connection.execute(CATALOGUE).fetchall()


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_columns_that_were_promised(database_url: str, view: str) -> None:
    with psycopg.connect(database_url) as connection:
        ((columns,),) = connection.execute(TYPES, [view]).fetchall()
    assert columns == " ".join(COLUMNS[view].split())


def test_a_migrated_database_is_what_this_code_needs(empty_database_url: str) -> None:
    assert migrate(empty_database_url) == check_schema(empty_database_url)


def test_migrating_again_changes_nothing(empty_database_url: str, sql: psycopg.Connection[tuple[object, ...]]) -> None:
    migrate(empty_database_url)
    before = catalogue(sql)
    migrate(empty_database_url)
    assert catalogue(sql) == before


def test_down_and_up_again_is_the_same_and_empty(
    empty_database_url: str, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    migrate(empty_database_url)
    before = catalogue(sql)
    sql.execute("INSERT INTO ledger.rules (lifecycle_version, policy_version) VALUES ('a', 'b')")
    downgrade(empty_database_url, "base")
    assert {row[0] for row in catalogue(sql)} == {"alembic_version", "alembic_version_pkc"}
    migrate(empty_database_url)
    assert catalogue(sql) == before
    assert sql.execute("SELECT * FROM ledger.rules").fetchall() == []


@pytest.mark.parametrize("step", ["never migrated", "taken down"])
def test_an_older_schema_is_refused_and_says_what_to_do(empty_database_url: str, step: str) -> None:
    if step == "taken down":
        migrate(empty_database_url)
        downgrade(empty_database_url, "base")
    with pytest.raises(SchemaError, match=r"version none, this code needs \w+: run `inquiry-ledger migrate`"):
        check_schema(empty_database_url)


def test_a_newer_schema_is_refused_and_left_alone(
    empty_database_url: str, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    migrate(empty_database_url)
    sql.execute("UPDATE ledger.alembic_version SET version_num = '9999'")
    before = catalogue(sql)
    for attempt in (check_schema, migrate):
        with pytest.raises(SchemaError, match="version 9999, which this code does not know: it is newer"):
            attempt(empty_database_url)
    assert catalogue(sql) == before


def test_migrations_at_once_wait_for_each_other(empty_database_url: str) -> None:
    versions: list[str] = []
    threads = [threading.Thread(target=lambda: versions.append(migrate(empty_database_url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert versions == [check_schema(empty_database_url)] * 4


def test_a_database_without_the_schema_says_so_wherever_it_is_used(empty_database_url: str) -> None:
    with closing(PostgresLedger(empty_database_url, "events")) as ledger, pytest.raises(SchemaError, match=ADVICE):
        ledger.positions()
    with LedgerReader(empty_database_url) as reader, pytest.raises(SchemaError, match=ADVICE):
        reader.books()


def test_every_text_is_compared_by_code_point_whatever_the_database_says(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = {row[0] for row in connection.execute(COLLATIONS)}
    assert found == {"C"}
