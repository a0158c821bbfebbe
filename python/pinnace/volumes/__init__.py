"""Snapshots of volumes: VolumeSnapshots of CSI drivers, and a provider's own by plug-ins. No item is written here."""
