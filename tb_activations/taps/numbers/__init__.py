"""Statistics computed in the graph, how they are packed into one vector, and how they are unpacked."""
