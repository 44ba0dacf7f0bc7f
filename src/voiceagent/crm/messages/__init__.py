"""Messages: read, sent through the outbox, and answered as conversations in writing."""
