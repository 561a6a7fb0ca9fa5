"""What a check says about runs, for a terminal, GitHub, JUnit and SARIF."""
