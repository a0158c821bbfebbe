"""Which hooks may be run in pods, and running them: told in log and results."""
