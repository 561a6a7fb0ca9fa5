"""What the figures mean: histories, rules, findings and their roots."""
