"""What to list and in which order, and the list responses as they arrive."""
