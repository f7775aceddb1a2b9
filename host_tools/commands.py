"""The commands `decode` and `validate`: read messages, judge them one by one, print as they go. Keeps no message.

Must never print of a message before its gate lets it through (host_tools.message_keys).
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from host_tools import cells, message_keys, render, rules, sources
from host_tools.message_keys import Checked, Gate
from host_tools.validate import Message, Validator
from plumveil import wire

PIPE_COLUMNS = 160

VALID, INVALID = 0, 1
TABLE_ROWS = 400  # a table is printed in pieces of so many rows
REST = "here the sequence breaks off; what may follow was not read"


class Task(NamedTuple):
    """What is to be read (a path, or - for standard input), with which key file (None: looked for), as at which time
    (Unix s, None: now)."""

    path: str
    keys: Path | None = None
    now_s: int | None = None
    passphrase_file: Path | None = None


class _Tally:
    """Counts over one run."""

    def __init__(self) -> None:
        self.messages = 0
        self.invalid = 0
        self.duplicates = 0
        self.ahead = 0
        self.epochs_ahead: list[int] = []  # fewest and most
        self.streams: Counter[tuple[str, bool]] = Counter()
        self.broken: Counter[str] = Counter()

    def add(self, message: Message) -> None:
        self.messages += 1
        self.invalid += not message.valid
        self.duplicates += message.duplicate
        if message.epochs_ahead:
            self.ahead += 1
            seen = [*self.epochs_ahead, message.epochs_ahead]
            self.epochs_ahead = [min(seen), max(seen)]
        self.streams[render.stream_name(message) or "unknown", message.valid] += 1
        self.broken.update({finding.rule for finding in message.findings})

    @property
    def exit_code(self) -> int:
        return INVALID if self.invalid else VALID

    def as_json(self, forgotten: int) -> dict[str, object]:
        return {
            "messages": self.messages,
            "valid": self.messages - self.invalid,
            "invalid": self.invalid,
            "duplicates": self.duplicates,
            "forgotten": forgotten,
            "ahead": self.ahead,
            "epochs_ahead_max": max(self.epochs_ahead, default=0),
            "rules": {name: self.broken[name] for name, _ in rules.RULES if self.broken[name]},
        }


class _Run:
    """Messages of a path with their verdicts, and the counts.

    detail: what the access log is told of this run; names: whether nodes' names are shown.
    """

    def __init__(self, what: Task, detail: str, *, names: bool) -> None:
        # A path mistyped would else be answered with a search for the key file beside it.
        sources.require(what.path)
        self._path = what.path
        keys = message_keys.load(message_keys.find(what.path, what.keys), what.now_s, what.passphrase_file)
        self.searched = keys.searched
        # A search is logged with the names that it finds.
        self._gate = None if keys.log is None else Gate(keys.log, detail, names=names and keys.searched is None)
        self.validator = Validator(keys.ring, what.now_s)
        self.tally = _Tally()

    def __iter__(self) -> Iterator[Checked]:
        return self._checked() if self._gate is None else self._gate.admit(self._checked())

    def _checked(self) -> Iterator[Checked]:
        read = sources.read(self._path)
        for source in read if self.searched is None else self.searched.ahead_of(read):
            message = self.validator.check(source.data)
            self.tally.add(message)
            yield source, message


def _print_json(run: _Run, *, contents: bool, stream: str | None = None) -> int:
    """One JSON document, a message a line, written as the messages come."""
    separator = '{"messages": [\n'
    for source, message in run:
        if _shown(message, stream):
            shown = render.verdict_json(source, message)
            if contents:
                content = message.content
                shown["content"] = render.content_json(content, dated=message.dated) if content else None
            print(separator + json.dumps(shown), end="")
            separator = ",\n"
    opening = separator if run.tally.messages == 0 or separator.startswith("{") else ""
    print(f'{opening}\n], "summary": {json.dumps(run.tally.as_json(run.validator.forgotten))}}}')
    return run.tally.exit_code


def _shown(message: Message, stream: str | None) -> bool:
    """With a stream asked for: messages of it, and those whose stream could not be told."""
    return stream is None or render.stream_name(message) in (stream, None)


def validate(task: Task, *, as_json: bool) -> int:
    """Prints what is wrong with messages, and a summary. Returns the exit code."""
    run = _Run(task, "validate", names=as_json)
    if as_json:
        return _print_json(run, contents=False)
    console = console_for_output()
    for source, message in run:
        for finding in message.findings:
            stream = render.stream_name(message) or "unknown stream"
            console.print(
                Text(f"{render.place_text(source)}, {stream}: {render.finding_text(finding)}"), soft_wrap=True
            )
        if source.broken:
            console.print(Text(f"{render.place_text(source)}: {REST}"), soft_wrap=True)
    _print_summary(console, run)
    return run.tally.exit_code


def _print_summary(console: Console, run: _Run) -> None:
    tally = run.tally
    table = Table("stream", "valid", "invalid", box=box.SIMPLE_HEAD)
    for name in sorted({name for name, _ in tally.streams}):
        table.add_row(name, str(tally.streams[name, True]), str(tally.streams[name, False]))
    table.add_section()
    table.add_row("all", str(tally.messages - tally.invalid), str(tally.invalid))
    console.print(table)
    if tally.broken:
        broken = Table("rule", "messages", "demands that", box=box.SIMPLE_HEAD)
        for name, demand in rules.RULES:
            if tally.broken[name]:
                broken.add_row(name, str(tally.broken[name]), demand)
        console.print(broken)
    if tally.duplicates:
        console.print(f"{tally.duplicates} came more than once, byte for byte; that is no fault")
    _print_notes(console, run)
    if run.validator.forgotten:
        console.print(
            f"{run.validator.forgotten} were let go from memory; none was compared with them any more (replay, time)"
        )


def _print_notes(console: Console, run: _Run) -> None:
    tally = run.tally
    if run.searched is not None and run.searched.unplaced:
        console.print(
            f"{run.searched.unplaced} pseudonyms are nobody's from {run.searched.days}; for so many nodes no other"
            " days are searched (plumveil keys resolve searches any)"
        )
    if tally.ahead:
        span = " to ".join(str(epochs) for epochs in sorted(set(tally.epochs_ahead)))
        console.print(
            f"{tally.ahead} messages from nodes whose clock ran ahead: their epochs are {span} ahead of the calendar"
        )


def decode(task: Task, *, as_json: bool, stream: str | None) -> int:
    """Prints what is in messages, of one stream or all, and what is wrong with them. Returns the exit code."""
    hidden = stream not in (None, wire.STREAMS[wire.LOCATION])
    run = _Run(task, "decode not shown" if hidden else "decode", names=True)
    if as_json:
        return _print_json(run, contents=True, stream=stream)
    console = console_for_output()
    table = _contents_table(header=True)
    for source, message in run:
        if not _shown(message, stream):
            continue
        node = render.printable(message_keys.subject(message))
        name = render.stream_name(message) or ""
        at = render.time_text if message.dated else render.clock_text
        for t_s, what in render.rows(message.content) if message.content else ():
            table.add_row(at(t_s), Text(node), name, what)
        for finding in message.findings:
            fault = f"invalid, {render.place_text(source)}: {render.finding_text(finding)}"
            table.add_row("", Text(node), name, Text(fault, style="red"))
        if source.broken:
            table.add_row("", "", "", Text(f"{render.place_text(source)}: {REST}", style="red"))
        if table.row_count >= TABLE_ROWS:
            console.print(table)
            table = _contents_table(header=False)
    if table.row_count or table.show_header:
        console.print(table)
    tally = run.tally
    if not hidden and tally.streams[wire.STREAMS[wire.LOCATION], True]:
        console.print(f"+- is of {cells.UNCERTAINTY_OF}")
    _print_notes(console, run)
    console.print(f"{tally.messages} messages, {tally.invalid} invalid, {tally.duplicates} duplicates")
    return tally.exit_code


def _contents_table(*, header: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD if header else None, show_header=header, expand=True, pad_edge=header)
    table.add_column("time (UTC)", width=20, no_wrap=True)
    table.add_column("node", width=16, no_wrap=True, overflow="ellipsis")
    table.add_column("stream", width=8, no_wrap=True)
    table.add_column("what", ratio=1, overflow="fold")
    return table


class _QuietConsole(Console):
    def on_broken_pipe(self) -> None:
        """Left to the command line, for every way of printing alike."""
        raise BrokenPipeError


def console_for_output() -> Console:
    """Standard output; a reader that has gone is a BrokenPipeError."""
    # A pipe or a file has no width to fold a line for.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    return _QuietConsole(highlight=False, markup=False, soft_wrap=False, width=width)
