"""Acceptable-use enforcement on the switch itself.

Bytes become facts (`wire`), facts become numbers (`ledger`), numbers and a policy become a
decision (`domain`), a decision becomes one line back to the switch (`switch`); everything
else watches or steers. Start reading at `enforcer/domain/decide.py`.
"""
