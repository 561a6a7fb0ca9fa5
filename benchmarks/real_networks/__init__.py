"""Deep networks as people train them: the first step, later steps, memory and records, with and without observing."""
