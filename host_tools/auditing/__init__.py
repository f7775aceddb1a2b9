"""The audit of consent: what messages and the controller's keystore show of each position, each grant and each
reader.

Collects, judges and prints; changes neither messages nor keystore. See docs/consent.md.
"""
