"""Text from outside: what data files, stores, plugins and programs say, before anyone shows or follows it.

Group names, file names, messages and log tails may hold escape sequences of a terminal, bytes that are no UTF-8
(lone surrogates), markup, formulas of a spreadsheet, or ``../`` in what should be a file name.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from xpot_core.errors import InputError

# Controls (C0, DEL, C1), line and paragraph separators, marks that turn the direction of writing or take no
# width, surrogates, private use at the end of the plane and what is no character at all.
_UNSEEN = "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff"
_UNPRINTABLE = re.compile(f"[{_UNSEEN}]")
_LINES = re.compile(f"(?![\n\t])[{_UNSEEN}]")
# Backslashes that would make plain text look like an escaped character are doubled: no two texts look alike.
_BACKSLASH = re.compile(rf"\\(?=\\*(?:x[0-9a-f]{{2}}|u[0-9a-f]{{4}}|[{_UNSEEN}]))")
_FILE_NAME = re.compile(r"[\w+][\w.+=,@ -]*")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def printable(text: object, *, lines: bool = False) -> str:
    r"""Text that a terminal, a store and a page can hold; different texts stay different.

    Parameters
    ----------
    text
        Anything from outside.
    lines
        Keep line breaks and tabs: for messages and log tails, not for names.

    Examples
    --------
    >>> printable("red \x1b[31m")
    'red \\x1b[31m'
    """
    if lines:
        return _LINES.sub(_escaped, str(text).replace("\r\n", "\n"))
    return _UNPRINTABLE.sub(_escaped, _BACKSLASH.sub(r"\\\\", str(text)))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def json_printable(dumped: str) -> str:
    r"""JSON text whose strings hold nothing unprintable: such characters stand as ``\uXXXX``, which JSON reads."""
    return _LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", dumped)


def is_file_name(name: object) -> bool:
    """Whether a name from outside is that of a file in its folder: no path, nothing hidden, nothing odd."""
    return (
        isinstance(name, str)
        and len(name.encode("utf-8", "replace")) <= 200
        and bool(_FILE_NAME.fullmatch(name))
    )


def bare_file_name(name: Any, *, key: str) -> str:
    """A file name from a store or a bundle, which may lead nowhere but into its own folder.

    Raises
    ------
    InputError
        If it is a path, hidden, or holds what no file of xpot has in its name.
    """
    if not is_file_name(name):
        raise InputError(
            "is no plain file name",
            key=key,
            value=name,
            remedy="xpot did not write this: do not use what it came with",
        )
    return str(name)


def file_name_of(text: object) -> str:
    """A plain file name made of text from outside, such as the name of a group or a table."""
    name = re.sub(r"[^\w.+=,@-]+", "-", str(text)).lstrip(".-=,@")
    return name[:100] or "unnamed"


def csv_text(columns: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV that a spreadsheet takes for text and numbers only, never for formulas."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_cell(c) for c in columns])
    writer.writerows([_cell(c) for c in row] for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable(value, lines=True)
    if len(text) > 1 and text.startswith(_FORMULA) and not _is_number(text):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
