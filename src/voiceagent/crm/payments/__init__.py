"""Payments and their steps, each change under the payment's own lock."""
