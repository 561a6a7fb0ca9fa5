"""How fast stored runs of a deep network are read and served, and the memory that takes."""
