"""Recorded runs as people use them: at a prompt, in a notebook, in a program."""
