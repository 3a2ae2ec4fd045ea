"""Cards as strangers could make them; see `hostile`."""

import json

from hostile import CARD, ENDLESS, NAMES, ODD


def places(content):
    """List every (container, key) of a JSON value."""
    if not isinstance(content, dict | list):
        return []
    keys = list(content) if isinstance(content, dict) else range(len(content))
    return [p for key in keys for p in [(content, key), *places(content[key])]]


def edit_card(folder, change):
    """Change the card without its seal."""
    card = json.loads((folder / CARD).read_text())
    change(card)
    (folder / CARD).write_text(json.dumps(card))


def other_format(rng, folder):
    def change(card):
        card["format"] = rng.choice([*NAMES, *ODD, "\n" * 10**5, "infomin-generator/1"])

    edit_card(folder, change)


def field_missing(rng, folder):
    def change(card):
        container, key = rng.choice(places(card))
        del container[key]

    edit_card(folder, change)


def field_added(rng, folder):
    def change(card):
        containers = [card, *(c[k] for c, k in places(card) if isinstance(c[k], dict))]
        rng.choice(containers)[rng.choice([*NAMES[:5], "dtype", "seed"])] = rng.choice(ODD)

    edit_card(folder, change)


def field_changed(rng, folder):
    def change(card):
        container, key = rng.choice(places(card))
        container[key] = rng.choice([*ODD, *ENDLESS, "x" * 10**5])

    edit_card(folder, change)


def text_changed(rng, folder):
    """Write what `json.dumps` would not, anywhere."""
    text = (folder / CARD).read_text()
    deep = rng.choice([900, 10**4, 10**5, *range(970, 1000)])
    content = rng.choice(
        [
            *("[" * deep, "[" * deep + "]" * deep, '{"a":' * deep + "1" + "}" * deep),
            *("1" * 4000, "1" * 5000, "1e999", "-Infinity", "NaN", "0x10", "[,]", "'a'", "// a\n1"),
            '"\x00"',
        ]
    )
    at = 1 + rng.choice([i for i, c in enumerate(text) if c == "{"])
    (folder / CARD).write_text(f'{text[:at]}"x": {content}, {text[at:]}')


def said_twice(rng, folder):
    text = (folder / CARD).read_text().rstrip().removesuffix("}")
    more = rng.choice(['"format": "x"', '"architecture": {"channels": 3}', '"versions": {}'])
    (folder / CARD).write_text(f"{text}, {more}}}")


def not_text(rng, folder):
    whole = (folder / CARD).read_bytes()
    at = rng.randrange(len(whole))
    put_in = rng.choice([b"\xff", b"\xc0\x80", b"\x00", b"\xef\xbb\xbf"])
    other = [whole.decode().encode("utf-16"), bytes(10**5), b"\xef\xbb\xbf" + whole]
    (folder / CARD).write_bytes(rng.choice([*other, whole[:at] + put_in + whole[at:]]))


def long_card(rng, folder):
    text = (folder / CARD).read_text()
    (folder / CARD).write_text(rng.choice([text + " " * 2**21, f'"{"x" * 10**6}"', "[]," * 10**6]))


CARDS = [other_format, field_missing, field_added, field_changed, text_changed, said_twice]
CARDS += [not_text, long_card]
