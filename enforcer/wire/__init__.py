"""Bytes to messages to facts, and answers to bytes. Pure: `feed(bytes) -> list`, never awaits."""
