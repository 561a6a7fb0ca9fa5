"""One run compared with another."""
