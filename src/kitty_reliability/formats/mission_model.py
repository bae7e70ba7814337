"""The model of ``meta.json`` that a writer has to satisfy (interop: section 1.2)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

__all__ = ["MetaModel"]

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_Ulid = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]


class MetaModel(BaseModel):
    """``meta.json`` as writers write it. Keys that are not named here are allowed."""

    model_config = ConfigDict(extra="allow", strict=True)

    slug: _Slug
    mission_slug: _Slug
    friendly_name: _Text
    mission_type: _Text
    target_branch: _Text
    created_at: _Text
    mission_id: _Ulid | None = None
    mission_number: Annotated[int, Field(ge=0)] | None = None
    topology: Literal["single_branch", "lanes", "coord", "lanes_with_coord"] | None = None
    coordination_branch: _Text | None = None
    change_mode: Literal["bulk_edit"] | None = None
    purpose_tldr: _Text | None = None
    purpose_context: _Text | None = None

    @model_validator(mode="after")
    def _one_name(self) -> MetaModel:
        if ".." in self.slug:
            raise ValueError("slug leads out of its directory")
        if self.slug != self.mission_slug:
            raise ValueError("slug and mission_slug differ")
        return self
