"""What the recorded values mean: histories, rules, findings and their roots."""
