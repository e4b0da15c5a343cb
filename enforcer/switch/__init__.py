"""The thin asyncio shells between `wire` and real switches: links, doors, leases."""
