"""The small CRM: people, calls, messages, payments, and the desk, on PostgreSQL.

1. `recording/`: records come in here, and are kept whatever becomes of the database.
2. `calls/`, `messages/`, `payments/`, `desk/`: one repository each, and what belongs to it.
3. `people/`: whom all of it belongs to; conversations, search.
4. `privacy/`: what is let go of, and how it stays gone.
5. `postgres/`: the connection, its embedded server, migrations, word between processes.

All SQL of the product is in here; `migrations/` has the tables.
"""
