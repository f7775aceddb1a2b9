"""P11: no position passes unless the receipt of its consent, or the node's statement of it, came before."""

from __future__ import annotations

import pytest

from host_tools import derive, evidence, keyring, rules
from host_tools.keytable import make_table
from host_tools.registry import Node
from host_tools.validate import Message, Validator
from plumveil import terms, wire
from tests.host import messages, receipts, stores
from tests.host.messages import EPOCH, EPOCH0_DAY, NODE, NOW_S, SERIAL, START_S, only
from tests.host.receipts import WITHOUT_RECEIPT, grant, position, statement

DAY = EPOCH0_DAY + EPOCH


def controller(*nodes: Node) -> Validator:
    return messages.validator_of(*(nodes or (WITHOUT_RECEIPT,)))


def processor(node: Node = WITHOUT_RECEIPT, streams: tuple[int, ...] = (wire.LOCATION, wire.EVENTS)) -> Validator:
    return Validator(keyring.TableRing(make_table([node], streams, DAY, DAY)), NOW_S)


def granted(**changes: int) -> bytes:
    """The receipt of the consent, or of one that differs from it."""
    log = receipts.Log()
    log.add(terms.LOG_GRANTED, {**grant(), **{getattr(terms, key): value for key, value in changes.items()}})
    return receipts.receipt(log.entries[0], 40)


def refused(message: Message) -> bool:
    """Whether the position lacks evidence, and nothing else is wrong with it."""
    if message.valid:
        return False
    finding = only(message)
    assert (finding.rule, finding.where) == (rules.CONSENT, "consent")
    assert finding.what == "neither receipt nor statement of it was seen"
    return True


@pytest.mark.parametrize("reader", [controller, processor])
def test_a_position_alone_is_refused(reader) -> None:
    assert refused(reader().check(position()))


@pytest.mark.parametrize("reader", [controller, processor])
def test_a_position_with_a_receipt_on_record_needs_no_more(reader) -> None:
    assert reader(NODE).check(position()).valid


@pytest.mark.parametrize("reader", [controller, processor])
def test_a_statement_before_it_lets_it_pass_and_one_after_it_does_not(reader) -> None:
    one = reader()
    assert refused(one.check(position(0)))
    assert one.check(statement()).valid
    assert one.check(position(1)).valid


def test_the_receipt_itself_is_evidence_for_who_can_read_it() -> None:
    one = controller()
    assert one.check(granted()).valid
    assert one.check(position()).valid
    # A processor sees that there was a receipt, and not of what.
    other = processor()
    assert other.check(granted()).valid
    assert refused(other.check(position()))


def test_a_receipt_that_is_not_what_is_on_record_is_no_evidence() -> None:
    one = controller()
    assert not one.check(granted(G_EXPIRES_S=messages.NOW_S)).valid
    assert refused(one.check(position()))


def test_a_receipt_of_another_consent_is_no_evidence() -> None:
    one = controller()
    assert one.check(granted(G_SERIAL=SERIAL + 1)).valid
    assert refused(one.check(position()))


@pytest.mark.parametrize("kind", [kind for kind, _ in terms.LOG_KINDS if kind != terms.LOG_GRANTED])
def test_other_entries_of_the_log_are_no_evidence(kind: int) -> None:
    details = {terms.LOG_WITHDRAWN: [SERIAL, 1], terms.LOG_INSUFFICIENT: [SERIAL, 1]}.get(kind, [SERIAL])
    log = receipts.Log()
    log.add(kind, [terms.N_EXPIRED] if kind == terms.LOG_REFUSED else details)
    one = controller()
    assert one.check(receipts.receipt(log.entries[0])).valid
    assert refused(one.check(position()))


@pytest.mark.parametrize("reader", [controller, processor])
@pytest.mark.parametrize(("stated", "passes"), [(1, False), (2, False), (3, True)])
def test_a_statement_has_to_be_as_fine_as_the_position(reader, stated: int, passes: bool) -> None:
    one = reader()
    assert one.check(statement(stated)).valid
    assert refused(one.check(position())) is not passes


@pytest.mark.parametrize("reader", [controller, processor])
def test_a_coarser_statement_takes_nothing_back(reader) -> None:
    """It is the receipts that tell when a consent ended; messages of a stream may come late."""
    one = reader()
    for counter, tier in enumerate((3, 1), 50):
        assert one.check(statement(tier, counter)).valid
    assert one.check(position()).valid


@pytest.mark.parametrize("reader", [controller, processor])
def test_a_statement_of_another_consent_is_none_of_this_one(reader) -> None:
    one = reader()
    assert one.check(statement(serial=SERIAL + 1)).valid
    assert refused(one.check(position()))


@pytest.mark.parametrize("reader", [controller, processor])
def test_a_statement_that_breaks_a_rule_is_no_evidence(reader) -> None:
    one = reader()
    assert only(one.check(statement(time=START_S + 1))).rule == rules.RESOLUTION
    assert refused(one.check(position()))


@pytest.mark.parametrize("reader", [controller, processor])
def test_a_forged_statement_is_no_evidence(reader) -> None:
    one = reader()
    data = statement()
    assert only(one.check(data[:-1] + bytes((data[-1] ^ 1,)))).rule == rules.AUTHENTICITY
    assert refused(one.check(position()))


def test_a_statement_is_of_one_epoch() -> None:
    """The reference is another in each: what the node says today is nothing for tomorrow."""
    lasting = receipts.UNSEEN.model_copy(update={"expires_s": NOW_S})
    one = controller(WITHOUT_RECEIPT.model_copy(update={"consents": (lasting,)}))
    assert one.check(statement()).valid
    tomorrow = messages.location(time=START_S + 86400, consent=messages.reference(epoch=EPOCH + 1))
    data = receipts.sealed(wire.LOCATION, tomorrow, epoch=EPOCH + 1)
    assert refused(one.check(data))


def test_another_node_cannot_vouch() -> None:
    """By the keys of its own events stream a node may send anything, also a reference that is another's."""
    truck = stores.OTHER.model_copy(update={"consents": ()})
    own = receipts.sealed(wire.EVENTS, messages.event(wire.E_CONSENT, 3, consent=messages.reference()), node=truck)
    log = receipts.Log()
    log.add(terms.LOG_GRANTED, grant())
    receipt = receipts.receipt(log.entries[0], 1, node=truck)
    one = controller(WITHOUT_RECEIPT, truck)
    assert one.check(own).valid
    assert one.check(receipt).valid
    assert refused(one.check(position()))


def test_who_was_given_no_events_goes_by_the_flag_alone() -> None:
    assert refused(processor(streams=(wire.LOCATION,)).check(position()))
    assert processor(NODE, streams=(wire.LOCATION,)).check(position()).valid


def test_a_statement_of_a_narrower_consent_is_found_out_by_the_controller() -> None:
    """A node that states more than it was given has said so itself."""
    narrow = receipts.UNSEEN.model_copy(update={"tier": 2})
    one = controller(WITHOUT_RECEIPT.model_copy(update={"consents": (narrow,)}))
    assert only(one.check(statement(3))).rule == rules.CONSENT
    message = one.check(position())
    assert {finding.rule for finding in message.findings} == {rules.CONSENT}


def test_keys_of_before_and_after_are_not_mixed_up() -> None:
    """A statement under earlier keys of the node is none for a position under its present ones."""
    earlier = WITHOUT_RECEIPT.model_copy(update={"k_id": "9a" * 32, "k_chain": "9b" * 32})
    one = controller(WITHOUT_RECEIPT, earlier)
    reference = receipts.sender(wire.EVENTS, earlier).consent_reference(SERIAL)
    stated = messages.event(wire.E_CONSENT, 3, consent=reference)
    assert one.check(receipts.sealed(wire.EVENTS, stated, node=earlier)).valid
    assert refused(one.check(position()))


def test_what_is_forgotten_is_counted_and_lets_nothing_pass() -> None:
    one = controller()
    one._evidence = evidence.Evidence(3)
    assert one.check(statement(counter=10)).valid
    for n in range(3):
        assert one.check(statement(counter=11 + n, serial=SERIAL + 1 + n)).valid
    assert one.forgotten == 1
    assert refused(one.check(position()))
    assert one.check(statement(counter=20)).valid
    assert one.check(position(1)).valid


def test_the_flag_is_set_when_a_table_is_made() -> None:
    for node, flag in ((NODE, True), (WITHOUT_RECEIPT, False)):
        rows = make_table([node], (wire.LOCATION,), DAY, DAY).rows
        assert [one.receipted for row in rows for one in row.consents] == [flag]


def test_the_mask_hangs_on_tenant_epoch_and_salt() -> None:
    secret = bytes(32)
    seen = {
        derive.receipt_mask(secret, "a", bytes(16), 64),
        derive.receipt_mask(secret, "b", bytes(16), 64),
        derive.receipt_mask(secret, "a", bytes([1] * 16), 64),
        derive.receipt_mask(derive.next_secret(secret), "a", bytes(16), 64),
    }
    assert len(seen) == 4
