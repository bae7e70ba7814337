"""Review-cycle artifacts as bytes, in the layout of released writers (interop: section 1.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from .review_model import OVERRIDE, ReviewArtifact

__all__ = ["encode_artifact", "encode_frontmatter"]

_NEVER_FOLD: Final = 1 << 30


class _Dumper(yaml.SafeDumper):
    # Only blocks, at the margin of their key, as real artifacts have them.
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless)


def _represent_text(dumper: Any, text: str) -> Any:
    # A line of its own may be three dashes, which would end the frontmatter for those who look for them.
    style = '"' if text and text.splitlines() != [text] else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", ""))
# By the rules of YAML 1.2 ``yes`` is a text and 1e5 a number; for 1.1 it is the other way round. Texts that are
# something else to one of the two are quoted, except the words, which every known reader takes for texts.
_Dumper.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool")]
    for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0o?[0-7]+|0x[0-9a-fA-F]+|[0-9]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def encode_frontmatter(values: Mapping[str, Any], body: str) -> bytes:
    """Return a file of ``values``, a blank line and ``body``. No rule is enforced.

    Keys stand in alphabetical order, but those of an override come last, as released writers have it.

    Raises:
        UnicodeEncodeError: a lone surrogate, which no file can hold.
    """
    _require_utf8(values)
    # What overrides a review is put after what the review said.
    ordered = {key: values[key] for key in sorted(values, key=lambda key: (key.startswith(OVERRIDE), key))}
    # Only the outermost keys are sorted: in an affected file the path comes first.
    text = yaml.dump(
        ordered, Dumper=_Dumper, width=_NEVER_FOLD, allow_unicode=True, default_flow_style=False, sort_keys=False
    )
    # The dumper leaves a blank where the value of a key is empty.
    text = re.sub(r"(?m)^((?:- )?[A-Za-z_]+:) $", r"\1", text)
    return (f"---\n{text}---\n" + (f"\n{body}" if body else "")).encode()


def encode_artifact(artifact: ReviewArtifact) -> bytes:
    """Return the bytes of an artifact, in the layout of released writers."""
    return encode_frontmatter(artifact.frontmatter(), artifact.body)


def _require_utf8(value: Any) -> None:
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _require_utf8(key)
            _require_utf8(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_utf8(item)
