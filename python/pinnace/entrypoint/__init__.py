"""The Job's process: one attempt to make one Backup, and what it tells the cluster of it."""
