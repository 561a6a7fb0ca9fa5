"""The observed step: a second version of the training step with taps in place, and what runs it."""
