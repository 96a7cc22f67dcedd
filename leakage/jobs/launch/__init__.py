"""Where jobs run: many processes on this machine, or a SLURM cluster."""
