"""JUnit XML, as continuous integration reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from .document import Document
from .view import View

__all__ = ["junit"]


def junit(document: Document) -> str:
    """Return the report as JUnit XML: a suite for each clause, a case for each scenario.

    What was not decided is an error, not a skip: a skip is read as no harm. A known deviation is a skip that says so.
    A scenario of two clauses is a case of the first.
    """
    view = View(document)
    root = Element("testsuites", name=f"{view.subject}, {view.header['profile']}")
    suites: dict[str, list[Element]] = {}
    for result in view.results:
        suites.setdefault(result["clauses"][0], []).append(_case(view, result))
    for scenario in view.footer.get("not_decided", ()):
        case = Element("testcase", classname="not decided", name=scenario, time="0")
        SubElement(case, "error", type="not decided", message="not run to its end")
        suites.setdefault("not decided", []).append(case)
    if document.footer is None:
        case = Element("testcase", classname="the run", name="the run comes to its end", time="0")
        SubElement(case, "error", type="no footer", message=view.sentence)
        suites["the run"] = [case]
    for name in sorted(suites):
        root.append(_suite(name, suites[name], view))
    _count(root, [case for cases in suites.values() for case in cases])
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(name: str, cases: list[Element], view: View) -> Element:
    suite = Element("testsuite", name=name)
    _count(suite, cases)
    properties = SubElement(suite, "properties")
    told = {"implementation": view.subject, "profile": view.header["profile"], "seed": str(view.header["seed"])}
    for key, value in {**told, "clauses": view.header["contract"]["hash"]}.items():
        SubElement(properties, "property", name=key, value=value)
    suite.extend(cases)
    return suite


def _count(element: Element, cases: list[Element]) -> None:
    element.set("tests", str(len(cases)))
    for plural, tag in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
        element.set(plural, str(sum(case.find(tag) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _case(view: View, result: Mapping[str, Any]) -> Element:
    module = str(result["module"]).removesuffix(".py")
    case = Element("testcase", classname=module, name=result["scenario"], time=f"{result['seconds']:.3f}")
    verdict = result["verdict"]
    if verdict == "fail":
        told = "\n".join([view.meaning(result["finding"]), result["detail"], *result["story"], view.command(result)])
        SubElement(case, "failure", type=result["finding"], message=result["detail"]).text = told
    elif verdict in ("error", "inconclusive"):
        SubElement(case, "error", type=verdict, message=result["detail"])
    elif verdict == "known deviation":
        known = result["deviation"]
        message = f"known deviation ({result['finding']}), {known['days_left']} days left: {known['reason']}"
        SubElement(case, "skipped", type=verdict, message=message).text = known["link"]
    elif verdict == "not applicable":
        SubElement(case, "skipped", type=verdict, message=result["detail"])
    return case
