"""Random models and trainings: each trains twice, with and without observing, and the results must be the same."""
