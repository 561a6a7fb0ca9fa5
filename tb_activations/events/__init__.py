"""Event files: the schema of the records, how to encode them and how to read them."""
