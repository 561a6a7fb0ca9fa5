"""Event files: the schema of the records, encoding and reading them."""
