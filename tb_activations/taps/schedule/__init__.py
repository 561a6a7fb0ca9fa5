"""Which steps are observed."""
