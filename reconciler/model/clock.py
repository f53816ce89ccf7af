"""An instant, read once from two clocks: pure code gets it as a value, and reads no clock itself."""

from msgspec import Struct


class Clock(Struct, frozen=True):
    """One instant on both of the machine's clocks.

    What waits for a while is measured with the monotonic one, which nobody sets; what has a date, such as a
    certificate, with the other.
    """

    monotonic: float
    """Seconds of the clock that only rises; every moment in `Memory` and `Observed` is one of it."""
    unix: float
    """Seconds since 1970, as the machine believes."""

    def at(self, monotonic: float) -> "Clock":
        """Return the instant at which the monotonic clock shows this, unless anybody sets the other one."""
        return Clock(monotonic, self.unix + monotonic - self.monotonic)

    @property
    def hour(self) -> float:
        """The beginning of the hour, in Unix seconds: dates that change nothing until the next one."""
        return self.unix // 3600 * 3600
