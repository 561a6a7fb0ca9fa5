"""Models and trainings made at random: each trains twice, with and without observing, and both have to be the same."""
