"""``kitty-conform certify``: prove the suite."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_kitty.report import ClauseVerdict

from .exit_status import CONFORMS, IN_ERROR, VIOLATED, refuse
from .reporting.options import put, unwritable

__all__ = ["register"]


def register(commands: Any, jobs: Callable[[str], int]) -> None:
    """Add the subcommand; it has the function that does it as ``action``, and ``jobs`` reads how many processes."""
    certify = commands.add_parser(
        "certify",
        help="prove the suite",
        description="Run the reference, the nulls and every mutant. Exit status 0: the reference conforms, no null holds a clause, each mutant is killed.",
    )
    certify.add_argument("--clause", action="append", default=[], metavar="ID", help="only its mutants; repeatable")
    certify.add_argument("-n", "--jobs", type=jobs, metavar="N", help="run in N processes (default: two a processor)")
    certify.add_argument("--json", type=Path, metavar="FILE", help="write the certificate to FILE")
    certify.add_argument("--table", type=Path, metavar="FILE", help="write the table of clauses and mistakes to FILE")
    certify.add_argument("--caught", type=Path, metavar="FILE", help="write to FILE which assertion catches whom, and do not judge that")  # fmt: skip
    certify.add_argument("--search", action="store_true", help="look for who is caught by each other assertion; takes long")  # fmt: skip
    certify.set_defaults(action=_certify)


def _certify(options: argparse.Namespace) -> int:
    from .certificate import certify, clauses

    unknown = sorted(set(options.clause) - clauses().keys())
    if unknown:
        return refuse(f"no scenario of {', '.join(unknown)}")
    for option in ("json", "table", "caught"):
        path = getattr(options, option)
        if path is not None and (problem := unwritable(f"--{option}", path)):
            return refuse(problem)
    certificate = certify(options.clause, jobs=options.jobs, anew=options.caught is not None, search=options.search)
    problems = []
    for option, text in (
        ("json", json.dumps(certificate.value(), indent=1) + "\n"),
        ("table", certificate.table()),
        ("caught", json.dumps(certificate.caught.record(), indent=0) + "\n"),
    ):
        if (file := getattr(options, option)) is not None:
            problems += put(f"--{option}", file, text)
    killed = sum(not result.missed for result in certificate.mutants)
    for fault in certificate.faults:
        print(fault)
    held = Counter(certificate.reference.values())[ClauseVerdict.HOLDS]
    print(f"reference: {held} of {len(certificate.reference)} clauses hold")
    for name, clauses_held in certificate.nulls.items():
        print(f"null:{name}: {len(clauses_held)} of {len(certificate.reference)} clauses hold")
    print(f"mutants: {killed} of {len(certificate.mutants)} killed by their own scenario with their own finding")
    if not options.clause:
        record = certificate.caught.record()
        print(
            f"assertions: {sum(who is not None for who in record.values())} of {len(record)} catch a mutant or a null"
        )
    for said in problems:
        refuse(said)
    return IN_ERROR if problems else VIOLATED if certificate.faults else CONFORMS
