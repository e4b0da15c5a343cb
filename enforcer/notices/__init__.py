"""Notices: who has to be told what, in which words, and whether it arrived."""
