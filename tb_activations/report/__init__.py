"""Reports on recorded runs: text, JSON or an HTML page."""
