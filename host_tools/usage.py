"""What the command line's parser refuses, in one line: what is wrong, where, and where to look next.

Must never repeat a value as it was typed: it may be a place, a key or an id.
"""

from __future__ import annotations

import re
from typing import Any

import typer

# Of a name that was typed only what can be no number; no id or key is that short.
_NAME = re.compile(r"(--?)?[a-z]+(-[a-z]+)*")
NAME_MAX = 24
# What the parser says of a value begins with the value; the last of these ends it.
_OF_VALUE = re.compile(r".*( (?:is not|does not match) .*?)\.?", re.DOTALL)
_OF_INPUT = re.compile(r"Input( should be [^,]*)")
_QUOTED = re.compile(r"'((?:--)?[a-z-]+)'")


def is_name(text: str) -> bool:
    """Whether something typed may be repeated as a mistyped option or command."""
    return len(text) <= NAME_MAX and _NAME.fullmatch(text) is not None


def refused(error: typer.TyperException) -> str:
    """The parser's error as one line; empty where the help that it printed is the answer."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    context: typer.Context | None = getattr(error, "ctx", None)
    where = f"{context.command_path} --help" if context else "the command's --help"
    return f"{_fault(error, context)}; see {where}"


def _fault(error: typer.TyperException, context: typer.Context | None) -> str:
    option, message = getattr(error, "option_name", None), str(getattr(error, "message", ""))
    if isinstance(error, typer.BadParameter):
        name = _shown(error.param) if error.param else "a value"
        # Of a missing one the parser says nothing but that.
        return f"{name}: {_value_fault(message)}" if type(error) is typer.BadParameter else f"{name} is missing"
    if message.startswith("No such option"):
        return f"no such option{_typed(str(option))}{_meant(getattr(error, 'possibilities', None))}"
    if message.startswith("No such command"):
        typed, _, meant = message.partition("Did you mean")
        return f"no such command{_typed(typed[17:].rstrip('. ')[:-1])}{_meant(_QUOTED.findall(meant))}"
    if option is not None:  # one the parser knows
        return f"{option} {'takes no value' if 'not take' in message else 'needs a value'}"
    if "extra argument" in message and context is not None:
        # Where numbers may begin with a minus sign, options that there are not come as arguments.
        for word in filter(is_name, re.findall(r"(?<=[( ])--[^ )]+", message)):
            return f"no such option {word}"
        takes = [_shown(one) for one in context.command.params if one.param_type_name == "argument"]
        return f"more than {context.command_path} takes: {' '.join(takes) or 'options only'}"
    return "not to be understood"


def _shown(parameter: Any) -> str:
    """A parameter as help shows it."""
    named = parameter.param_type_name == "option"
    return str(max(parameter.opts, key=len) if named else parameter.metavar or parameter.name)


def _value_fault(message: str) -> str:
    found = _OF_VALUE.fullmatch(message) or _OF_INPUT.match(message)
    return f"what was given{found[1]}" if found else "not a value it takes"


def _typed(text: str) -> str:
    return f" {text}" if is_name(text) else ""


def _meant(names: list[str] | None) -> str:
    return f", perhaps {' or '.join(sorted(names))}" if names else ""
