"""What passes between the parts, as plain data on numpy: descriptions, records of a step, findings."""
