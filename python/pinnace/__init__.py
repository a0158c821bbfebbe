"""Pinnace: Velero-compatible Kubernetes backups, one isolated Job per Backup."""

__version__ = "0.1.0"
__all__ = ["__version__"]
