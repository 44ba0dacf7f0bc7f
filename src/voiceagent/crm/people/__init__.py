"""Contacts: who is who, what is known of them, and what happened with them."""
