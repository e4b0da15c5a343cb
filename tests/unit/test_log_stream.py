"""Log lines that cannot be written are no reason to stop answering calls."""

from __future__ import annotations

import errno
import io
import json

import pytest
import structlog

from enforcer.log_stream import LogStream
from enforcer.telemetry import set_up_logging


class Full(io.StringIO):
    """A disk that fills up, and is made room on again."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_lines_that_no_disk_takes_are_counted_and_told_of_later() -> None:
    disk = Full()
    set_up_logging("json", disk)
    try:
        log = structlog.get_logger("test")
        log.info("before")
        disk.full = True
        log.info("lost")
        log.warning("lost too")
        disk.full = False
        log.info("after")
    finally:
        set_up_logging()
    lines = [json.loads(line) for line in disk.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["before", "log lines lost", "after"]
    assert lines[1]["lines"] == 2


@pytest.mark.parametrize("problem", ["closed", "full"])
def test_a_stream_that_takes_nothing_ends_nothing(problem: str) -> None:
    disk = Full()
    stream = LogStream(disk, "%d lost")
    if problem == "closed":
        disk.close()
    disk.full = True
    for _ in range(3):
        stream.write("a line\n")
        stream.flush()
    assert stream.lost == 3
