"""Jobs: what a step is, how a job is planned, run, told of and launched."""
