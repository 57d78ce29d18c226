"""Prints what Python's own parser makes of JSON texts, for Core's parser to be compared with.

Each line of the file named is one text's bytes in hexadecimal. The answer is `refused`, or the value in a form that
leaves no choice: n, t, f, i and digits, d and the bits of a double, s and the UTF-8 in hexadecimal, [,] and {:,}.
"""

import json
import struct
import sys
import unicodedata


def members(pairs):
    keys = [unicodedata.normalize("NFC", whole(key)) for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError("a key stands twice")
    return dict(pairs)


def constant(name):
    raise ValueError(f"{name} is no JSON")


def whole(text):
    return "".join("\ufffd" if 0xD800 <= ord(character) < 0xE000 else character for character in text)


def canonical(value):
    if value is None:
        return "n"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return f"i{value}"
    if isinstance(value, (int, float)):
        number = float(value)
        if number in (float("inf"), float("-inf")):
            raise OverflowError
        return "d" + struct.pack(">d", number).hex()
    if isinstance(value, str):
        return "s" + whole(value).encode().hex()
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return "{" + ",".join(canonical(key) + ":" + canonical(item) for key, item in value.items()) + "}"


with open(sys.argv[1]) as texts:
    for line in texts:
        try:
            text = bytes.fromhex(line).decode("utf-8")
            print(canonical(json.loads(text, object_pairs_hook=members, parse_constant=constant)))
        except (ValueError, OverflowError):
            print("refused")
