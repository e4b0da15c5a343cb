"""The lab: a real Asterisk 22 and SIPp on the loopback, for the tests, the bench and `make run`.

Nothing here is imported by `enforcer`; the lab may be deleted from an installation.
"""
