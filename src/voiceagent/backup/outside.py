"""A database that is not our own server's: what is in it, and how ours in it gives way.

A connection or the time of a restore flows in; what would be in the way, and the statements that
move our own tables aside and count the new ones, flow out. Other people's tables are never touched.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from voiceagent.backup.programs import SCHEMAS
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.migrate import shipped

_TABLE: Final = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)
_FUNCTION: Final = re.compile(r"^CREATE (?:OR REPLACE )?FUNCTION (\w+)", re.MULTILINE)
_LEDGER_TABLE: Final = "schema_migrations"

_TABLES: Final = """
SELECT tablename FROM pg_tables WHERE schemaname = 'public'
UNION SELECT nspname || '.' FROM pg_namespace
WHERE nspname = ANY($1::text[]) AND nspname <> 'public'
"""
_SESSIONS: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database()
  AND application_name IN ('voiceagent', 'voiceagent-baileys')
"""


async def tables_in(database: Database) -> set[str]:
    """What is there already; a whole schema of ours has a dot behind it. Raises `ProviderError`."""
    async with database.connection() as connection:
        rows = await connection.fetch(_TABLES, SCHEMAS)
    return {row["tablename"] for row in rows}


def foreign(tables: set[str]) -> list[str]:
    """Those that no version up to this one has made."""
    return sorted(name for name in tables - our_tables() if not name.endswith("."))


def our_tables() -> set[str]:
    """By their names, in the schema `public`."""
    return {name for one in shipped() for name in _TABLE.findall(one.sql)} | {_LEDGER_TABLE}


def _our_functions() -> set[str]:
    return {name for one in shipped() for name in _FUNCTION.findall(one.sql)}


async def other_sessions(database: Database) -> int:
    """How many connections the service and the sidecar have. Raises `ProviderError`."""
    async with database.connection() as connection:
        count: int = await connection.fetchval(_SESSIONS)
    own = database.connections
    return max(0, count - own.idle - own.busy)


def moving_aside(now: datetime) -> str:
    """Statements after which nothing of ours is in the way; it is in a schema of its own then."""
    aside = f"replaced_{now:%Y%m%d_%H%M%S}"
    return f"""
    SET LOCAL lock_timeout = '10s';
    CREATE SCHEMA {aside};
    DO $moving$
    DECLARE found record;
    BEGIN
        FOR found IN SELECT tablename FROM pg_tables
            WHERE schemaname = 'public' AND tablename IN ({_quoted(our_tables())})
        LOOP
            EXECUTE format('ALTER TABLE public.%I SET SCHEMA {aside}', found.tablename);
        END LOOP;
        FOR found IN SELECT oid::regprocedure AS name FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND proname IN ({_quoted(_our_functions())})
        LOOP
            EXECUTE format('ALTER FUNCTION %s SET SCHEMA {aside}', found.name);
        END LOOP;
        IF to_regnamespace('whatsapp_sidecar') IS NOT NULL THEN
            ALTER SCHEMA whatsapp_sidecar RENAME TO {aside}_whatsapp;
        END IF;
    END
    $moving$;
    """  # noqa: S608 - names of our own


def counting(rows: Mapping[str, int]) -> str:
    """Statements that fail where a table has not so many rows."""
    checks = "".join(
        f"""
        IF (SELECT count(*) FROM {table}) <> {count} THEN
            RAISE EXCEPTION '%', 'not all rows came back: {table.replace("'", "''")}';
        END IF;"""  # noqa: S608 - the manifest's names are checked
        for table, count in rows.items()
    )
    return f"DO $counting$ BEGIN {checks} END $counting$;" if checks else ""


def _quoted(names: set[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))
