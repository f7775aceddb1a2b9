"""What is wrong in a node.toml, in words for who wrote it: which key, what is the matter, what would do.

A value is repeated only where it cannot be a secret: numbers, and texts of keys that name something public.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from host_tools.errors import PlumveilError
from host_tools.render import printable

SHOWN_MAX = 40  # characters of a value in a message
_UNSHOWN = (("wifi",), ("policy", "zones"))  # places of which no value is ever shown: secrets, and where people live
_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "string_sub_type": "text in quotes",
    "tuple_type": "a list",
    "model_type": "a section",
    "model_attributes_type": "a section",
    "dict_type": "a section",
    "date_type": "a date: write it as 2027-01-31, without quotes",
}
_BOUNDS = {
    "greater_than_equal": ("less than", "ge"),
    "less_than_equal": ("more than", "le"),
    "multiple_of": ("no multiple of", "multiple_of"),
}


class NodeTomlFaults(PlumveilError):
    """What is wrong in a node.toml. `faults`: a line each, without the file's name."""

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        more = len(self.faults) - 1
        rest = f" (and {more} more: `plumveil configure check {path}` shows all)" if more else ""
        super().__init__(f"{path}: {self.faults[0]}{rest}")


def known(name: str, names: Sequence[str], what: str) -> str:
    """`name`, when it is one of `names`; ValueError that says which there are."""
    if name not in names:
        raise ValueError(f"{_shown(name)} is no {what}{_suggestion(name, names)}; there are: {', '.join(names)}")
    return name


def lines(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """A line for each of the faults pydantic found in the data of `model`, whose fields are sections."""
    found: list[Any] = [*error.errors(include_url=False)]
    places = [one["loc"] for one in found]
    # A list without its wrong items is too short for pydantic; what is wrong are the items.
    told = [one for one in found if one["type"] != "too_short" or not _within(one["loc"], places)]
    return [f"{_place(one['loc'])}: {_fault(one, model)}" for one in told]


def _within(loc: tuple[int | str, ...], places: Sequence[tuple[int | str, ...]]) -> bool:
    return any(len(place) > len(loc) and place[: len(loc)] == loc for place in places)


def _place(loc: tuple[int | str, ...]) -> str:
    """("node", "sensors", 2) -> node.sensors[3], counted from 1."""
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{printable(part)[:SHOWN_MAX]}"
    return text.removeprefix(".") or "file"


def _fault(one: Mapping[str, Any], model: type[BaseModel]) -> str:
    kind, loc = one["type"], one["loc"]
    hint = _hint(loc, model)
    if kind == "extra_forbidden":
        return _unknown(loc, model)
    if kind == "missing":
        return f"is missing{hint}"
    value = "the value" if any(loc[: len(place)] == place for place in _UNSHOWN) else _shown(one["input"])
    context: dict[str, Any] = one.get("ctx", {})
    if kind in _KINDS:
        return f"{value} is not {_KINDS[kind]}{hint}"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{value} is {words} {context[bound]:g}{hint}"
    if kind == "literal_error":
        return f"{value} is none of {_choice(str(context['expected']))}"
    if kind == "value_error":
        return str(one["msg"]).removeprefix("Value error, ")
    return f"{one['msg'][:1].lower()}{one['msg'][1:]}{hint}"


def _choice(expected: str) -> str:
    # All countries there are would hide what was wrong.
    return expected if len(expected) < 400 else "those in `plumveil configure schema`"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)[:SHOWN_MAX]
    if isinstance(value, str):
        text = printable(value)
        return repr(text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "...")
    return "a list" if isinstance(value, list) else "a section" if isinstance(value, dict) else "the value"


def _section(loc: tuple[int | str, ...], model: type[BaseModel]) -> type[BaseModel] | None:
    """The model of the section that all parts of a place but the last name."""
    section: type[BaseModel] | None = model
    for part in loc[:-1]:
        found = None if section is None else section.model_fields.get(str(part))
        section = None if found is None else _model_of(found.annotation)
    return section


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for kind in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _hint(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """What the key holds, in the words of its description."""
    # What a list holds is said of the list.
    place = tuple(part for part in loc if isinstance(part, str))
    section = _section(place, model)
    found = None if section is None or not place else section.model_fields.get(place[-1])
    return "" if found is None or not found.description else f"; it holds {found.description}"


def _unknown(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """An unknown key: the nearest known one, the section it belongs into, or all there are."""
    name = str(loc[-1])
    section = _section(loc, model)
    names = list(section.model_fields) if section is not None else []
    homes = [at for at, field in model.model_fields.items() if name in _fields(field.annotation)]
    near = _suggestion(name, names)
    if not near and homes:
        near = f"; it belongs into [{homes[0]}]"
    return "is no known key" + (near or f"; there are: {', '.join(names)}")


def _fields(annotation: Any) -> list[str]:
    section = _model_of(annotation)
    return [] if section is None else list(section.model_fields)


def _suggestion(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]!r}?" if near else ""
