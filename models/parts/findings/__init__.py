"""Rules that look at the results of a job, one file each."""
