"""What several tests share: the corpus of real missions, and the released package in its own environment."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from kitty_reliability.faults.network import only_loopback

# How long an example takes says how busy the machine is, and nothing about the product.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

pytest_plugins = ["pytester"]
# Somebody else's: tests/downstream/test_release.py runs it.
collect_ignore = ["downstream/project"]

ROOT = Path(__file__).parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail whoever tries to reach anything but the loopback, whatever becomes of the attempt."""
    if item.path.name == "test_network_guard.py":  # its own subject
        return (yield)
    with only_loopback():
        return (yield)


@pytest.fixture(scope="session")
def corpus() -> Path:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real missions is not beside the project (../shared/corpus)")
    return CORPUS


@pytest.fixture(scope="session")
def oracle(corpus: Path) -> Callable[[str], Iterator[dict[str, Any]]]:
    """Reads an oracle of the corpus, one object a line."""

    def read(name: str) -> Iterator[dict[str, Any]]:
        with gzip.open(corpus / f"{name}.jsonl.gz", "rb") as file:
            for line in file:
                yield json.loads(line)

    return read


@pytest.fixture(scope="session")
def real_missions(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of real missions, unpacked for this session."""
    directory = tmp_path_factory.mktemp("corpus")
    with tarfile.open(corpus / "dev-corpus.tar.gz") as archive:
        archive.extractall(directory, filter="data")
    return directory / "kitty-specs"


@pytest.fixture(scope="session")
def released_python() -> Path:
    """The interpreter of the environment that has the released package; `make test` installs it."""
    from kitty_reliability.implementations.base import ImplementationError
    from kitty_reliability.implementations.released import find

    try:
        executable = find("", ROOT / ".kitty" / "released")
    except ImplementationError as error:
        pytest.skip(str(error))
    python = executable.with_name("python.exe" if executable.suffix == ".exe" else "python")
    assert python.exists()
    return python


@pytest.fixture(params=["memory", "disk"])
def memory_or_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Where to build: on a file system in memory, which shows the work, and where tests build by default."""
    if request.param == "disk":
        yield tmp_path
    elif not os.access("/dev/shm", os.W_OK):
        pytest.skip("there is no /dev/shm")
    else:
        with TemporaryDirectory(dir="/dev/shm") as folder:
            yield Path(folder)
