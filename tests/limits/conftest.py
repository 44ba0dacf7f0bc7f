"""The database of these tests."""

from fixtures_database import _server, database, database_url, empty_database_url

__all__ = ["_server", "database", "database_url", "empty_database_url"]
