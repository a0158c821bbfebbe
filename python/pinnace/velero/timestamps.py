"""RFC3339 in UTC without fraction, the only spelling that Velero reads and logrus writes."""

from datetime import UTC, datetime

__all__ = ["timestamp"]


def timestamp(time: datetime) -> str:
    """Spell an aware time, cut to whole seconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
