"""How a run says how far it is."""

__all__ = ["Observer"]


class Observer:
    """Told how far a run is; the default says nothing."""

    def planned(self, *, kind_count: int, list_count: int, item_count: int) -> None:
        """The probe is done."""

    def expected(self, *, item_count: int) -> None:
        """More is coming than was planned, because items pull in others; the whole run's total."""

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        """A page went into the archive; counts are of the whole run."""
