"""Writes ``schemas/``, a JSON Schema for every format: ``make docs``."""

from __future__ import annotations

from pathlib import Path

from kitty_conformance.schemas import NAMES, text
from kitty_conformance.vectors import expected_files

FOLDER = Path(__file__).parent.parent / "schemas"


def fresh() -> dict[str, bytes]:
    """Return every file of the folder, by name; those of the golden vectors are copies of what lies beside them."""
    made = {f"{name}.schema.json": text(name).encode() for name in NAMES}
    vectors = {name: data for name, data in expected_files().items() if name.startswith("schemas/")}
    return made | {f"vectors/{Path(name).name}": data for name, data in vectors.items()}


if __name__ == "__main__":
    wanted = fresh()
    for path in FOLDER.rglob("*.json"):
        if path.relative_to(FOLDER).as_posix() not in wanted:
            path.unlink()
    for name, data in wanted.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_bytes(data)
