#!/usr/bin/env python3
"""Fails on a comment that cites a rule, a heading or a document that is not in docs/.

usage: check_references.py [SOURCE_DIR]

Rules are cited by their code (L6, N1, G3a), headings by document and number ("patroni-compatibility.md 1.10",
"safety-model.md, section 5").
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
CODE = re.compile(r"(?<![\w-])([LFXGMNPI]\d{1,2}a?)(?![\w-])")
CITED = re.compile(r"([a-z0-9-]+\.md)(?:,? (?:section )?(\d+(?:\.\d+)*))?")
HEADING = re.compile(r"^#+ (\d+(?:\.\d+)*)\.? ", re.MULTILINE)
DEFINED = re.compile(r"\*\*([LFXGMNPI]\d{1,2}a?)\b")
COMMENT = {".cpp": re.compile(r"//+<? ?(.*)"), ".h": re.compile(r"//+<? ?(.*)"), ".py": re.compile(r"# (.*)")}


def documents():
    return {path.name: path.read_text() for path in (root / "docs").rglob("*.md")}


def complaints():
    docs = documents()
    rules = set(DEFINED.findall(docs["safety-model.md"]))
    headings = {name: set(HEADING.findall(text)) for name, text in docs.items()}
    for folder in ("src", "sim", "tests"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in COMMENT:
                continue
            for number, line in enumerate(file.read_text().splitlines(), 1):
                comment = COMMENT[file.suffix].search(line)
                if not comment:
                    continue
                for code in CODE.findall(comment[1]):
                    if code not in rules:
                        yield f"{file}:{number}: {code} is no rule of docs/reference/safety-model.md"
                for name, heading in CITED.findall(comment[1]):
                    if name not in docs:
                        yield f"{file}:{number}: {name} is not in docs/"
                    elif heading and headings[name] and heading not in headings[name]:
                        yield f"{file}:{number}: {name} has no heading {heading}"


found = list(complaints())
print("\n".join(found) or "references: every rule and heading that a comment cites is in docs/")
sys.exit(1 if found else 0)
