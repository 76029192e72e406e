"""A document whose console blocks are commands with their output: read here, run and compared by a test.

    ```console
    postgres@pgvm2:~$ howdah list -c /etc/patroni.yml
    + Cluster: postgres (7653…) -+----+-----------+
    ```

A line of output stands for all that differ from it only in what no two runs share: times, durations, LSNs, labels, sums,
sizes, identifiers of systems, pids. `...` stands for any number of lines, `…` for some of a line. The names of members, roles, states,
timelines and everything else are compared as they stand.
"""
import dataclasses
import re

PROMPT = re.compile(r"^(\w+)@(\w+):[^#$]*[#$] ?(.*)$")

# In this order: what comes first is not looked at by what comes later.
VOLATILE = [
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z| UTC|[+-]\d\d(?::?\d\d)?)?", "TIME"),
    (r"\b\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?\b", "LABEL"),
    (r"\b[0-9a-f]{40}\b", "SUM"),
    (r"\b[0-9A-F]{24}\b", "SEGMENT"),
    (r"\b[0-9A-F]{16}\b(?=/)", "FOLDER"),
    (r"\b[0-9A-F]{1,8}/[0-9A-F]{1,8}\b", "LSN"),
    (r"\b\d{18,20}\b", "SYSTEM"),
    (r"\b\d+(?:\.\d+)?(?:[kKMGT]i?)?B\b", "SIZE"),
    (r"\b\d+(?:\.\d+)? ?(?:ms|s)\b", "DURATION"),
    (r"\b\d+%", "SHARE"),
    (r"\bpid \d+", "PID"),
]


@dataclasses.dataclass
class Step:
    line: int  # of the document
    user: str
    host: str
    command: str
    output: list  # of lines; empty: whatever it prints
    chapter: str


def steps(text):
    found, chapter, inside = [], "", False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
            continue
        if line.startswith("#") and not inside:
            chapter = line.strip("# ")
        if not inside:
            continue
        prompt = PROMPT.match(line)
        if prompt:
            found.append(Step(number, prompt[1], prompt[2], prompt[3], [], chapter))
        elif found[-1].command.endswith("\\") and not found[-1].output:
            found[-1].command = found[-1].command[:-1] + line.strip()
        else:
            found[-1].output.append(line.rstrip())
    return found


def normalised(line):
    for pattern, name in VOLATILE:
        line = re.sub(pattern, name, line)
    if line.startswith("+ "):  # a title cuts off as many columns of its rule as it is long
        return line.rstrip("-+ ")
    # Columns and rules are as wide as what stands in them.
    return re.sub(r"-{2,}", "--", re.sub(r" {2,}", " ", line)).rstrip()


def difference(expected, actual):
    """What differs; empty: nothing does. Lines that are empty at the end don't count."""
    want, have = [normalised(line) for line in expected], [normalised(line) for line in actual]
    while want and not want[-1]:
        want.pop()
    while have and not have[-1]:
        have.pop()
    if matches(want, have):
        return ""
    return "expected\n  " + "\n  ".join(want) + "\nbut it printed\n  " + "\n  ".join(have)


def matches(want, have):
    if not want:
        return not have
    if want[0].strip() == "...":
        return any(matches(want[1:], have[skipped:]) for skipped in range(len(have) + 1))
    return bool(have) and same(want[0], have[0]) and matches(want[1:], have[1:])


def same(want, have):
    return re.fullmatch(".*".join(re.escape(part) for part in want.split("…")), have) is not None
