# Stand-in for `select` in a VM that has no serial line: nobody types anything. A virtual board has the VM's own.
POLLIN = 1


class poll:
    def register(self, stream, events):
        pass

    def ipoll(self, timeout_ms):
        return ()
