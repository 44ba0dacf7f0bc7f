"""What is let go of: exports, erasure, retention, and what keeps the erased away."""
