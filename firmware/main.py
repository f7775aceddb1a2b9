# Builds the node and runs it. A fault that a person has to mend ends in one line and the prompt.
import machine

from plumveil import errors, loop, service

try:
    app = service.build()
except errors.ConfigError as e:
    print("plumveil: %s: provision this node again" % e)
except errors.SelfTestFailed:
    print(
        "plumveil: self-test failed: this node seals nothing; restart it, and replace the board if that does not help"
    )
else:
    del service
    loop.run(app, machine.reset)
