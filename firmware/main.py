# Builds the node and runs it. A fault that a person has to mend ends in one line and the prompt.
import machine

from plumveil import errors, loop, service

try:
    app = service.build()
except errors.ConfigError as e:
    print("plumveil: %s: provision this node again" % e)
else:
    if app.self_test:
        print("plumveil: self-test failed: this node seals nothing; replace the board if a restart does not help")
    del service
    loop.run(app, machine.reset)
