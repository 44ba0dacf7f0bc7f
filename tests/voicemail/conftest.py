"""A real database for the tests of missed calls."""

from fixtures_database import _server, database, database_url

__all__ = ["_server", "database", "database_url"]
