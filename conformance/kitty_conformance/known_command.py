"""``kitty-conform known``: keep a list of known deviations."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import tomlkit
from packaging.version import InvalidVersion, Version
from tomlkit.items import AoT, Table

from kitty_reliability.formats.visible import visible

from .exit_status import WRONG_LIST, refuse
from .known import MOST_DAYS, NAMED_ONLY, Deviation, KnownError, parse_known, read_known, today
from .reporting.document import Document, ReportError, read_report

__all__ = ["register"]


def register(commands: Any) -> None:
    """Add the subcommand; its parts have the function that does them as ``action``."""
    known = commands.add_parser("known", help="keep a list of known deviations", description="Keep a list of known deviations. Exit status: 0 the list is right, 3 a file cannot be read, 4 the list is wrong.")  # fmt: skip
    parts = known.add_subparsers(required=True, metavar="PART")
    check = parts.add_parser("check", help="say what is wrong with the list")
    prune = parts.add_parser("prune", help="remove what the list is wrong about")
    add = parts.add_parser("add", help="add an entry for each failure of a run that has none")
    for part, action in ((check, _check), (prune, _prune), (add, _add)):
        part.add_argument("file", type=Path, metavar="FILE", help="the list, TOML")
        part.add_argument("report", type=Path, metavar="REPORT", help="what --report-json wrote")
        part.set_defaults(action=_told(action))
    add.add_argument("--reason", required=True, help="why it is known")
    add.add_argument("--link", required=True, help="where it is followed up")
    add.add_argument(
        "--days",
        type=_days,
        default=90,
        metavar="N",
        help=f"until then; at most {MOST_DAYS}, 90 when not given",
    )
    add.add_argument("--scenario", metavar="NAME", help="only this one; needed for a hang, a crash and a protocol violation")  # fmt: skip


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 to {MOST_DAYS}")
    return int(text)


def _told(action: Any) -> Any:
    """Return ``action`` with its errors told as sentences."""

    def told(options: argparse.Namespace) -> int:
        try:
            return int(action(options, _whole(options.report)))
        except KnownError as error:
            return refuse(error, WRONG_LIST)
        except OSError as error:
            return refuse(f"{error.filename}: {error.strerror}; name a list in a directory that is there")
        except ReportError as error:
            return refuse(error)

    return told


def _whole(path: Path) -> Document:
    report = read_report(path)
    if report.footer is None:
        raise ReportError(f"{path}: it has no footer: that run did not come to its end")
    return report


def _check(options: argparse.Namespace, report: Document) -> int:
    wrong = _problems(options.file, report)
    for entry, text in wrong:
        print(f"{visible(str(entry))}: {visible(text)}")
    return WRONG_LIST if wrong else 0


def _prune(options: argparse.Namespace, report: Document) -> int:
    wrong = {entry for entry, _ in _problems(options.file, report)}
    document = tomlkit.parse(options.file.read_text(encoding="utf-8"))
    entries = document.get("deviation", [])
    for number in reversed(range(len(entries))):
        entry = Deviation(**entries[number].unwrap())
        if entry in wrong:
            print(f"removed {visible(str(entry))}")
            del entries[number]
    if isinstance(entries, AoT) and not entries:
        del document["deviation"]
    options.file.write_text(tomlkit.dumps(document), encoding="utf-8")
    return 0


def _add(options: argparse.Namespace, report: Document) -> int:
    data = options.file.read_bytes() if options.file.exists() else b""
    # What is not right now would be worse with entries in it.
    parse_known(data, options.file, today())
    document = tomlkit.parse(data)
    if not document.get("deviation"):
        document["deviation"] = tomlkit.aot()
    entries = document["deviation"]
    if not isinstance(entries, AoT):
        raise KnownError(f"{options.file}: write each entry as a [[deviation]] table; an inline list is not added to")
    failed = [result for result in report.results if result["verdict"] == "fail"]
    named = options.scenario
    if named is not None and not any(result["scenario"] == named for result in failed):
        raise ReportError(f"{options.report}: {visible(named)} did not fail in that run; name it as the report does")
    added = []
    listed = {(one.get("scenario"), one.get("finding"), one.get("applies")) for one in entries}
    for result in _new(options, failed):
        table = _table(options, report, result)
        if (table["scenario"], table["finding"], table["applies"]) not in listed:
            entries.append(table)
            added.append(result)
    try:
        data = tomlkit.dumps(document).encode("utf-8")
    except UnicodeEncodeError as error:
        raise KnownError(f"{options.file}: a text has half of a character, which no file can have: {error}") from None
    parse_known(data, options.file, today())
    options.file.write_bytes(data)
    for result in added:
        print(f"added {visible(result['scenario'])} ({result['finding']})")
    return 0


def _new(options: argparse.Namespace, failed: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for result in failed:
        if options.scenario not in (None, result["scenario"]):
            continue
        if result["finding"] in NAMED_ONLY and options.scenario is None:
            print(f"not added: {visible(result['scenario'])}: a {result['finding']} is named with --scenario")
        else:
            yield result


def _table(options: argparse.Namespace, report: Document, result: Mapping[str, Any]) -> Table:
    implementation = report.header["implementation"]
    table = tomlkit.table()
    table["scenario"] = result["scenario"]
    table["finding"] = result["finding"]
    table["applies"] = f"{implementation['name']} {_exactly(implementation['version'])}"
    table["reason"] = options.reason
    table["link"] = options.link
    table["expires"] = today() + timedelta(days=options.days)
    return table


def _exactly(version: str) -> str:
    try:
        return f"=={Version(version)}"
    except InvalidVersion:
        return f"==={version}"


def _problems(file: Path, report: Document) -> list[tuple[Deviation, str]]:
    known = read_known(file, today())
    known.begin(report.header["implementation"]["name"], report.header["implementation"]["version"])
    assert report.footer is not None
    return known.problems(report.results, report.footer["not_decided"])
