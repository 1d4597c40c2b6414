"""How gap_fit reads its settings: QUIP's ExtendableStr, System and ParamReader in a few lines of Python."""

from __future__ import annotations

PIECE, LONGEST, MOST_FIELDS, MOST_DESCRIPTORS = 1024, 30_000, 1024, 200
_CLOSING = {"'": "'", '"': '"', "{": "}"}


def read_file(text: str) -> str:
    """``extendable_str_read_unit`` without ``keep_lf``: pieces of 1,024 characters, trimmed at their ends."""
    whole, begins_line = "", False
    for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
        for start in range(0, len(line) + 1, PIECE):
            piece = line[start : start + PIECE].rstrip(" ")
            whole += (f" {piece}" if begins_line else piece).rstrip(" ")
            begins_line = False
        begins_line = True
    return whole


def _closing(text: str, start: int, wanted: str, pairs: dict[str, str]) -> int:
    """``find_closing_delimiter``: position of the closing character that belongs to an opening one."""
    at = start
    while at < len(text):
        if text[at] == wanted:
            return at
        if text[at] in pairs:
            at = _closing(text, at + 1, pairs[text[at]], pairs)
        at += 1
    raise ValueError(f"no closing {wanted}")


def split_string(text: str, separators: str, quotes: str, most: int = MOST_FIELDS) -> list[str]:
    """``split_string``: splits outside of quotes, takes one level of quotes away."""
    pairs = {opening: _CLOSING[opening] for opening in quotes}
    fields, field, inside, at = [], "", False, 0
    while at < len(text):
        if text[at] in pairs:
            end = _closing(text, at + 1, pairs[text[at]], pairs)
            field, inside, at = field + text[at + 1 : end], True, end
        elif text[at] in separators:
            rest = text[at:].lstrip(separators)
            if inside and not rest.startswith("="):
                fields.append(field)
                field, inside = "", False
        else:
            field, inside = field + text[at], True
        at += 1
    if inside:
        fields.append(field)
    if len(fields) > most:
        raise ValueError(f"ran out of space for fields: {len(fields)}")
    return fields


def read_settings(text: str) -> dict[str, str]:
    """``param_read_line``: key -> value, as far as the fields of fixed length hold them."""
    settings = {}
    for field in split_string(text, " ,", "'\"{"):
        if len(field) > LONGEST:
            raise ValueError(f"a field is cut off: {len(field)}")
        key, _, value = field.partition("=")
        # ``param_parse_value`` counts the words of texts too.
        if len(value.split(" ")) > MOST_FIELDS:
            raise ValueError(f"ran out of space for fields: {len(value.split(' '))}")
        if len(f"{key} = {value}") > LONGEST:
            raise ValueError(f"cannot be printed: {len(value)}")
        settings[key] = value
    return settings


def read_descriptors(gap: str) -> list[dict[str, str]]:
    """The list of descriptors, each with its settings; the name of the descriptor has an empty value."""
    texts = split_string(gap, ":;", "{", MOST_DESCRIPTORS)
    for text in texts:
        print_in_xml(text)
    # ``split_string`` took the outer braces of arrays away, if there were two pairs.
    return [read_settings(text) for text in texts]


def print_in_xml(text: str) -> None:
    """FoX's ``add_to_buffer``: lines of at most 1,024 characters, broken at blanks."""
    while len(text) > PIECE - 100:
        at = text[: PIECE - 100].rfind(" ")
        if at < 0:
            raise ValueError("Fortran made FoX insert a newline but it can't")
        text = text[at + 1 :]
