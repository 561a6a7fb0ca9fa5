"""What was found, as text, JSON or a page."""
