"""The `consent` commands: open the keystore, decide, hand over, print. Returns exit codes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from host_tools.accesslog import AccessLog
from host_tools.consent import deciding, delegations, downlink, grants, publishing, show
from host_tools.consent.deciding import Decided, Given
from host_tools.consent.downlink import Command
from host_tools.consent.grants import WHAT, Terms
from host_tools.consent.publishing import Broker
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import files, passphrase, roles, when
from host_tools.keys.commands import Where, opened
from host_tools.keys.meta import CONTROLLER, TECHNICIAN
from plumveil import terms, wire

LIST = "consent_list"  # of accesslog_format.ACTIONS
DAYS_MAX = 366
DONE = 0
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Nodes:
    """Which nodes are meant: some by name, or a group."""

    names: Sequence[str]
    group: str | None

    @property
    def scope(self) -> str:
        """The same in words, as it stands in a delegation."""
        text = ", ".join(dict.fromkeys(self.names)) if self.group is None else f"group {self.group}"
        return text if len(text) <= terms.TEXT_MAX else f"{len(set(self.names))} nodes"


@dataclass(frozen=True)
class Way:
    """How commands get to nodes: over a broker, or as files for whoever runs it; neither: not yet. days: how many,
    from today on."""

    broker: Broker | None
    out: Path | None
    days: int

    def __post_init__(self) -> None:
        if self.broker is not None and self.out is not None:
            raise UsageError("give --broker or --out, not both")
        if not 1 <= self.days <= DAYS_MAX:
            raise UsageError(f"--days takes 1 to {DAYS_MAX}")


def given(tier: str, purpose: str, notice: str, who: str, starts_s: int | None, expires_s: int | None) -> Terms:
    """The terms as they were typed; starts_s, expires_s: Unix s, None for now and for what was not said."""
    if expires_s is None:
        raise UsageError("--until says when it ends")
    return Terms(tier_of(tier), purpose, notice, who, when.now_s() if starts_s is None else starts_s, expires_s)


def way(url: str | None, ca: Path | None, password_file: Path | None, out: Path | None, days: int) -> Way:
    """The way as it was typed."""
    if url is None and (ca is not None or password_file is not None):
        raise UsageError("--broker-ca and --broker-password-file are for a --broker")
    return Way(None if url is None else publishing.broker(url, ca, password_file), out, days)


def tier_of(name: str) -> int:
    """Index into wire.TIERS of a tier that can be consented to. UsageError names those there are."""
    names = [one for one, _ in wire.TIERS]
    if name not in names[1:]:
        raise UsageError(f"--tier takes one of {', '.join(names[1:])}")
    return names.index(name)


def issue(where: Where, nodes: Nodes, given: Terms, out: Path) -> int:
    """Gives consent: a grant for each node, in one file, or one file each in a folder."""
    deciding.check_terms(given)
    if not out.is_dir():
        roles.check_out(out)
    with opened(where, write=True) as store:
        made = deciding.issue(store, deciding.chosen(store, nodes.names, nodes.group), given)
    into = {one.entry.number: out / _file_name(one) if out.is_dir() else out for one in made}
    if out.is_dir():
        for one in made:
            files.write_private(into[one.entry.number], one.grant, WHAT, fresh=True)
    else:
        files.write_private(out, b"".join(one.grant for one in made), WHAT, fresh=True)
    until = when.moment_text(given.expires_s)
    for one in made:
        tier, path = wire.TIERS[given.tier][0], into[one.entry.number]
        print(f"{one.entry.name}: {tier} until {until}, serial {one.record.serial}, in {path}")
    print(f"{out} holds what turns location on: hand it over to whoever is at the node, then delete it.")
    return DONE


def _file_name(given: Given) -> str:
    # The number keeps two names apart that are the same in plain letters.
    name = _PLAIN.sub("_", given.entry.name)
    return f"{name}-{given.entry.number}-{given.record.serial}{grants.SUFFIX}"


def list_consents(where: Where, names: Sequence[str], *, as_json: bool) -> int:
    """Prints consents and delegations."""
    now_s = when.now_s()
    with opened(where) as store:
        store.require("list consents", CONTROLLER, TECHNICIAN)
        entries = [store.get(name) for name in names] if names else list(store.nodes())
        AccessLog.beside(store).append(LIST, [entry.name for entry in entries] if names else (), len(entries))
        consents = [one for entry in entries for one in show.consents_json(entry, now_s)]
        given = [show.held_json(entry, held, now_s) for entry in entries for held in entry.delegations]
        wanted = {entry.number for entry in entries}
        for one in store.meta.delegations:
            numbers = [number for number, _ in one.nodes]
            if wanted & set(numbers):
                given.append(show.delegation_json(one, [store.node(n).name for n in numbers], now_s))
    show.listing(consents, given, as_json=as_json)
    return DONE


def revoke(where: Where, nodes: Nodes, way: Way) -> int:
    """Takes consents back."""
    with opened(where, write=True) as store:
        decided = deciding.revoke(store, deciding.chosen(store, nodes.names, nodes.group))
        overwritten = [one.entry for one in decided if delegations.voids_unconfirmed(store, one.entry)]
    print(f"Taken back for {_counted(decided)}, and on record.")
    _hand_over(decided, terms.DOWN_REVOKE, way)
    for entry in overwritten:
        print(f"Note: {entry.name} hears this in place of a delegation declared void, which it did not confirm yet.")
    return DONE


def void(where: Where, number: int, names: Sequence[str], way: Way) -> int:
    """Declares a delegation void."""
    with opened(where, write=True) as store:
        decided = delegations.void(store, number, names)
    # A node hears one command a day. Who names it says that this one is it.
    waiting = [one for one in decided if not names and deciding.revocation_unconfirmed(one.entry)]
    told = [one for one in decided if one not in waiting]
    print(f"Delegation {number} is void for {_counted(decided)}, and on record.")
    _hand_over(told, terms.DOWN_VOID, way)
    for one in waiting:
        name = one.entry.name
        print(
            f"Note: {name} hears one command a day, and did not confirm yet that its consent was taken back; it was"
            f" not told of this. `plumveil consent void {number} --node {name}` tells it, in place of that."
        )
    return DONE


@dataclass(frozen=True)
class Into:
    """Where a keystore goes that is handed out, and its new passphrase comes from."""

    out: Path
    passphrase_file: Path | None


def delegate(where: Where, nodes: Nodes, given: Terms, to: Into) -> int:
    """Gives a delegation."""
    delegations.check(given)
    with opened(where, write=True) as store:
        entries = deciding.chosen(store, nodes.names, nodes.group)
        roles.check_out(to.out)
        prompt = f"New passphrase for {to.out.name}"
        secret = passphrase.get_new(to.passphrase_file, prompt, passphrase.EXPORT_VARIABLE)
        made = delegations.delegate(store, entries, nodes.scope, given, to.out, secret)
    until = when.moment_text(made.until_s)
    tier = wire.TIERS[made.tier][0]
    print(f"Delegation {made.id}: {made.person} may grant {tier} or coarser for {made.scope} until {until}.")
    print(f"{to.out} is the technician's keystore that holds it.")
    return DONE


def _counted(decided: Sequence[Decided]) -> str:
    return decided[0].entry.name if len(decided) == 1 else f"{len(decided)} nodes"


def _hand_over(decided: Sequence[Decided], kind: int, way: Way) -> None:
    """What is decided gets on its way to the nodes."""
    if way.broker is None and way.out is None:
        print("Nothing was sent: --broker or --out does. At the node `plumveil gps off` takes effect at once.")
        return
    if not decided:
        return
    today = when.today()
    commands = [command for one in decided for command in _commands(one, kind, range(today, today + way.days))]
    if way.broker is not None:
        try:
            publishing.publish(way.broker, commands)
        except PlumveilError as error:
            raise PlumveilError(f"{error}; what was decided is on record: say it again to send it") from None
        last = when.date_text(today + way.days - 1)
        print(f"{len(commands)} messages wait at {way.broker.where}, for connections up to {last}.")
    elif way.out is not None:
        _write(way.out, commands)
        print(f"{way.out} holds {len(commands)} messages: publish each one, retained, on the topic it is called by.")
    print("The node's receipt confirms it: `plumveil consent collect` takes it in, `consent list` shows it.")


def _commands(one: Decided, kind: int, days: range) -> list[Command]:
    node = one.entry.node
    return [] if node is None else downlink.commands(node, kind, one.number, days)


def _write(folder: Path, commands: Sequence[Command]) -> None:
    """A file each, its topic's levels as folders."""
    for one in commands:
        path = folder / one.topic
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder {path.parent}: {error.strerror}") from None
        files.write_private(path, one.payload, "command")
