"""How long things take; each file says how to run it."""
