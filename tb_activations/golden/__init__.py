"""Small reference runs that are kept next to tests."""
