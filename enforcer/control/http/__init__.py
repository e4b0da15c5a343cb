"""The enforcer over HTTP: everything the command line does, as JSON, for programs and the live page."""
