"""Receipts: the entries of a node's log as they come in, the chain they make, and how the controller keeps them.

The formats stand in `plumveil.terms`; see docs/consent.md.
"""
