"""A bare board becomes a working node: base firmware, Plumveil, keys, configuration, self-test, receipt."""
