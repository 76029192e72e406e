"""Documents as people write them, and worse, with what PyYAML reads in them.

usage: yaml_documents.py COUNT SEED. A line each: the text in hexadecimal digits, a blank, and the value as JSON, or "-"
where PyYAML refuses it or where it is no value for JSON (dates, infinities, an anchor that holds itself).
"""

import json
import random
import sys

import yaml


def read(text):
    try:
        return json.dumps(yaml.safe_load(text), allow_nan=False)
    except (yaml.YAMLError, ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError, AttributeError):
        return "-"


WORDS = ["postgresql", "parameters", "work_mem", "ttl", "name", "a", "b", "c", "x-defaults", "pg_hba"]
TRICKY = """yes No on OFF oFF y n true True tRUE ~ null Null NULL none 0 1 -1 +7 007 0640 0770 08 0o17 0x1F 0x_ 0xg 0b101
0b_ 0b2 1_000 _1 1__0 24:00 1:2:3 1:60 -1:30 190:20:30.15 1.5 1. .5 . -.5 +.5 1e5 1.0e5 1.0e+5 1.5E-3 .inf -.Inf .nan
1_0.0_1 2026-11-30 2026-1-3 2001-12-14t21:59:43.10-05:00 = << - -- --- a-b a:b a: :b 'a' "b" !x !!str !!int & * &a *a @x
`x %x x%y a,b [ ] { } | > ? ! # #x x#y 127.0.0.1:5432 ::1 [::1]:5432 *:8008 :8008 10.0.0.0/8 {} [] 1,2 0. 00 0_ 0_7 09.5
99999999999999999999 -9223372036854775808 9223372036854775808 1e400 1.0e+400 1.0e-400 \u00e4 \u2028 \ufeff""".split()
# Those that are no syntax, and that 64 bits hold: of them alone most documents are made, so that most are read.
BEYOND = ["99999999999999999999", "9223372036854775808", "1.0e-400", "\ufeff"]
PLAIN = [word for word in TRICKY if word not in BEYOND and read(f"k: {word}") != "-" and read(f"[{word}]") != "-"]
PIECES = [": ", " ", "\n", "  ", "- ", "'", '"', "#", " #", "&a ", "*a", "!", "|", ">", "\t", ",", "\\n", "\\x41", "{", "}"]


class Rng(random.Random):
    """Whose documents are mostly well-formed."""

    words = TRICKY

    def choose_manner(self):
        self.wild = self.random() < 0.15
        self.words = TRICKY if self.wild else PLAIN


def scalar(rng):
    kind = rng.random()
    if kind < 0.55:
        return rng.choice(rng.words)
    if kind < 0.65:
        return "'" + rng.choice(TRICKY).replace("'", "''") + "'"
    if kind < 0.72:
        return '"' + rng.choice(TRICKY).replace("\\", "\\\\").replace('"', '\\"') + '"'
    if kind < 0.74 or rng.wild and kind < 0.80:
        tags = ["!!str ", "!!null ", "! "] + (["!!int ", "!!float ", "!!bool ", "!foo "] if rng.wild else [])
        return rng.choice(tags) + rng.choice(rng.words)
    if kind < 0.90:
        return str(rng.randint(-5000, 5000)) if rng.random() < 0.5 else repr(rng.uniform(-1e6, 1e6) ** rng.randint(1, 5))
    return " ".join(rng.choice(WORDS + rng.words) for _ in range(rng.randint(1, 4)))


def key(rng):
    return rng.choice(WORDS) if rng.random() < 0.85 else scalar(rng)


def flow(rng, depth, anchors):
    kind = rng.random()
    if depth > 2 or kind < 0.6:
        return scalar(rng)
    if kind < 0.7 and anchors:
        return "*" + rng.choice(anchors)
    if kind < 0.85:
        return "[" + ", ".join(flow(rng, depth + 1, anchors) for _ in range(rng.randint(0, 3))) + "]"
    return "{" + ", ".join(f"{key(rng)}: {flow(rng, depth + 1, anchors)}" for _ in range(rng.randint(0, 3))) + "}"


class Anchors:
    """Those that a document has so far: any may be an alias, of mappings also a merge key."""

    def __init__(self, rng):
        self.rng, self.all, self.maps, self.count = rng, [], [], 0

    def mark(self):
        """An anchor to write before a value, or nothing."""
        if self.rng.random() > 0.15:
            return ""
        self.count += 1
        return f"&a{self.count if self.rng.random() < 0.98 else 1} "

    def has(self, mark, text, is_map=False):
        """`text` was written behind `mark`: only from now on it can be named without a circle."""
        if mark and not text.startswith("*"):
            self.all.append(mark[1:-1])
            if is_map or text.startswith("{"):
                self.maps.append(mark[1:-1])
        return text if text.startswith("*") else mark + text

    def merge(self):
        names = self.maps if self.maps and self.rng.random() < 0.97 else self.all
        one = "*" + self.rng.choice(names)
        return f"[{one}, *{self.rng.choice(names)}]" if self.rng.random() < 0.3 else one


def block_text(rng, indent):
    head = rng.choice("|>") + rng.choice(["", "-", "+", "2", "1-"])
    lines = [rng.choice(["x y", "", "  more", "0640", "# no comment", "a: b"]) for _ in range(rng.randint(0, 4))]
    return head + "\n" + "\n".join(" " * indent + line if line else "" for line in lines)


def mapping(rng, indent, depth, anchors):
    lines = []
    for _ in range(rng.randint(1, 5)):
        pad = " " * indent
        if anchors.maps and rng.random() < 0.15:
            lines.append(f"{pad}<<: {anchors.merge()}")
            continue
        name = key(rng)
        kind = rng.random()
        mark = anchors.mark()
        if depth < 3 and kind < 0.25:
            inner = mapping(rng, indent + rng.choice([1, 2, 4]), depth + 1, anchors)
            lines.append(f"{pad}{name}: " + anchors.has(mark, "\n" + inner, is_map=True))
        elif depth < 3 and kind < 0.35:
            lines.append(f"{pad}{name}: " + anchors.has(mark, "\n" + sequence(rng, indent + rng.choice([0, 2]), depth + 1, anchors)))
        elif kind < 0.40:
            lines.append(f"{pad}{name}: {block_text(rng, indent + 2)}")
        elif kind < 0.46:
            lines.append(f"{pad}{name}:" + rng.choice(["", " # note", " ~"]))
        else:
            end = rng.choice(["", "", "", " # note", "  "])
            lines.append(f"{pad}{name}: " + anchors.has(mark, flow(rng, 0, anchors.all)) + end)
    return "\n".join(lines)


def sequence(rng, indent, depth, anchors):
    lines = []
    for _ in range(rng.randint(1, 4)):
        pad = " " * indent
        if depth < 3 and rng.random() < 0.2:
            inner = mapping(rng, indent + 2, depth + 1, anchors)
            lines.append(pad + "- " + inner[indent + 2:])
        else:
            lines.append(f"{pad}- " + anchors.has(anchors.mark(), flow(rng, 0, anchors.all)))
    return "\n".join(lines)


def document(rng):
    rng.choose_manner()
    text = mapping(rng, 0, 0, Anchors(rng)) + "\n"
    if rng.random() < 0.1:  # and as a slip of the hand leaves it
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(PIECES) + text[at + rng.randint(0, 3):]
    if rng.random() < 0.05:
        text = rng.choice(["---\n", "%YAML 1.1\n---\n", "# top\n", "\ufeff", "\n\n"]) + text
    if rng.random() < 0.02:
        text += rng.choice(["---\nb: 1\n", "...\n", "---\n", "...\n---\n"])
    return text


def main():
    rng = Rng(int(sys.argv[2]))
    for _ in range(int(sys.argv[1])):
        text = document(rng)
        print(text.encode().hex(), read(text))


if __name__ == "__main__":
    main()
