"""Who is timed: one module each, run as a program of its own in the environment that has it."""
