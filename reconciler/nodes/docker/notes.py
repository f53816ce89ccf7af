"""What the events of a host are about, noted until the session's thread has time for them."""

import queue

from msgspec import Struct


class Note(Struct, frozen=True):
    """What one event, or several together, say of one thing."""

    about: str
    """A container's id, or one of the words that the session's threads tell each other."""
    exit_code: int | None = None
    """The exit code of a run that has just ended."""
    oom: bool = False

    def after(self, earlier: "Note") -> "Note":
        """Both in one."""
        code = earlier.exit_code if self.exit_code is None else self.exit_code
        return Note(self.about, code, self.oom or earlier.oom)


def take_notes(notes: "queue.SimpleQueue[Note]", timeout: float) -> dict[str, Note]:
    """Everything noted, by what it is about, waiting for the first; a burst about one container is one note."""
    taken: dict[str, Note] = {}
    try:
        note = notes.get(timeout=max(0.0, timeout))
        while True:
            taken[note.about] = note.after(taken[note.about]) if note.about in taken else note
            note = notes.get_nowait()
    except queue.Empty:
        return taken
