"""The processes of a Job's pods: an attempt to make one Backup, or a shard of it, and what they tell the cluster."""
