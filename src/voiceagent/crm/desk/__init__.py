"""The front desk: appointments without overlap, call-backs, and what the agent may ask of it."""
