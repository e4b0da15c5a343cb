"""Hostile bytes for everything that reads what others wrote: targets, mutations, a kept corpus."""
