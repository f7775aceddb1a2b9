# Builds the node and runs it. A fault that a person has to mend ends in one line and the prompt.
from plumveil import errors, service

try:
    app = service.build()
except errors.ConfigError as e:
    print("plumveil: %s: provision this node again" % e)
else:
    service.run(app)
