#!/usr/bin/env python3
"""Fails on an include that tools/layers.txt does not allow, and on I/O in a pure layer.

usage: check_layers.py [SOURCE_DIR]
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
PURE = ("base", "pg", "repo", "ha", "backup/options")  # with the rooms below them
IMPURE = re.compile(r"<(boost/|libpq|openssl/|spdlog/|thread|mutex|fstream|filesystem|unistd|sys/)"
                    r"|lock::now\(|std::time\(|random_device|thread_local")
# Hashes and ciphers over bytes in memory are functions; OpenSSL's sockets and random numbers are not.
FUNCTIONS = {"repo/stream": re.compile(r"<openssl/evp\.h>")}
FOR_TESTS = ("/fake", "/fixtures")
BOOST = re.compile(r"#include <boost/")


def read_layers():
    allowed = {}
    for line in (root / "tools/layers.txt").open():
        name, colon, deps = line.split("#")[0].partition(":")
        if colon:
            allowed[name.strip()] = {name.strip(), *deps.split()}
    return allowed


def layer_of(path, allowed):
    return max((d for d in allowed if path.startswith(d + "/")), key=len, default=None)


def is_pure(layer):
    return any((layer + "/").startswith(pure + "/") for pure in PURE) and not layer.endswith(FOR_TESTS)


def complaints(allowed):
    source = root / "src"
    for file in sorted(source.rglob("*/*.[hc]*")):
        here = layer_of(file.relative_to(source).as_posix(), allowed)
        if here is None:
            yield f"{file}: this folder is not in tools/layers.txt"
            continue
        test = file.stem.endswith("_test")
        for number, text in enumerate(file.open(), 1):
            include = re.match(r'#include "([^"]+)"', text)
            there = include and layer_of(include[1], allowed)
            # A contract test runs on the adapters below its port; one of a room may use its neighbours.
            own_adapter = test and there and there.split("/")[0] == here.split("/")[0]
            for_tests = test and there and there.endswith(FOR_TESTS)
            if there and there not in allowed[here] and not own_adapter and not for_tests:
                yield f"{file}:{number}: {here} may not include {there}: {text.strip()}"
            function = here in FUNCTIONS and FUNCTIONS[here].search(text)
            if is_pure(here) and not test and IMPURE.search(text) and not function:
                yield f"{file}:{number}: {here} is pure: {text.strip()}"
            if here != "io" and BOOST.search(text):
                yield f"{file}:{number}: Boost stays behind io/: {text.strip()}"


found = list(complaints(read_layers()))
print("\n".join(found) or "layers: every include follows tools/layers.txt")
sys.exit(1 if found else 0)
