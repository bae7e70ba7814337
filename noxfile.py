"""Other interpreters, other pytests, the oldest dependencies: ``nox`` where one environment is not enough.

    nox -l                                      what there is
    nox -s tests                                a part of the tests, on every Python and pytest that is at hand
    nox -s "tests-3.13(pytest='8')"              on one of them; paths behind -- are run in place of the part
    nox -s lowest                               the same with the oldest release of each direct dependency
    nox -s audit                                known vulnerabilities of what is installed

``make test`` stays what CI runs. An interpreter that is not there is skipped, and nox says so.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2024.4"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests"]

#: What differs between Pythons and pytests: the plugin, the process limits, the suite's own machinery, annotations.
PART = (
    "tests/test_plugin.py",
    "tests/test_expected_failures.py",
    "tests/test_completion.py",
    "tests/test_build.py",
    "tests/test_protocol.py",
    "tests/test_observe.py",
    "tests/test_registry.py",
    "tests/downstream",
)
#: Two groups of clauses against the reference.
CLAUSES = ("LOG-001", "LOG-003", "RAC-001", "SEC-003")


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
@nox.parametrize("pytest", ["8", "9"])
def tests(session: nox.Session, pytest: str) -> None:
    """Run a part of the tests, or what stands behind --, and a part of the suite against the reference."""
    session.install("-e", ".[test]", f"pytest=={pytest}.*")
    _part(session)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Run the same with the oldest release of each direct dependency that pyproject.toml allows."""
    oldest = f"{session.create_tmp()}/oldest.txt"
    compiled = ("uv", "pip", "compile", "--quiet", "--resolution", "lowest-direct", "--python-version", "3.11")
    session.run(*compiled, "--output-file", oldest, "pyproject.toml", external=True)
    session.install("-e", ".[test]", "-r", oldest)
    _part(session)


@nox.session
def audit(session: nox.Session) -> None:
    """Ask whether what the wheel depends on has known vulnerabilities; skipped where the service cannot be reached."""
    session.install("-e", ".", "pip-audit")
    # What could not be looked up is no clean bill; 1 says that something was found, and so does a traceback.
    found = session.run("pip-audit", "--local", "--skip-editable", "--strict", silent=True, success_codes=[0, 1])
    if "No known vulnerabilities found" in str(found):
        return
    if "Found " in str(found) and "known vulnerabilit" in str(found):
        session.error(found)
    session.skip(f"the vulnerability service cannot be asked: {str(found).strip().splitlines()[-1]}")


def _part(session: nox.Session) -> None:
    session.run("python", "-m", "pytest", "-n", "2", "-q", *(session.posargs or PART))
    if not session.posargs:
        asked = (f"--kitty-clause={clause}" for clause in CLAUSES)
        suite = ("-p", "kitty", "--pyargs", "kitty_conformance", "--kitty-implementation", "reference")
        session.run(
            "python", "-m", "pytest", "-c", "conformance/kitty_conformance/pytest.ini", "-n", "2", *suite, *asked
        )
