"""Sends out one Job per Backup; level-triggered, keeps no state that the cluster does not keep."""
