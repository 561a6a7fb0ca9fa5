"""A training, from the observed step to the record in the event file."""
