"""Facts become numbers and stay: the port, the memory adapter (oracle of all others), SQLite."""
