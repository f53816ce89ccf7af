"""What a container wrote, as one bounded text that does no harm on a terminal or in a log. Pure."""

from typing import Final

_KEPT: Final = "\n\t"


def plain(output: bytes, characters: int, lines: int = 0) -> str:
    """The end of it, without what a terminal would obey; `lines` 0: however many there are."""
    text = output.decode(errors="replace").replace("\r\n", "\n").rstrip()
    if lines:
        text = "\n".join(text.split("\n")[-lines:])
    text = "".join(_harmless(character) for character in text)
    return text if len(text) <= characters else f"…{text[1 - characters :]}"


def _harmless(character: str) -> str:
    if character.isprintable() or character in _KEPT:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
