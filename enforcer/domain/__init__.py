"""What an acceptable-use policy means, as values and arithmetic: no clock, no I/O, no logging.

Read `decide.py` first. Words are defined in the README's glossary.
"""
