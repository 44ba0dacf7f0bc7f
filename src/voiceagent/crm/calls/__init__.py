"""Calls as they are read, and their summaries."""
