"""PostgreSQL: the connection or an embedded server, migrations, word between processes."""
