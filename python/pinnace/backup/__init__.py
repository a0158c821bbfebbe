"""The pipeline of a backup, and what can be asked of a stored one; read run.py first."""
