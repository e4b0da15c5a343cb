"""A bundle of files for a dispute: one zip with a manifest of digests, the same bytes for the same content.

In: files by name; or a zip. Out: a zip; or what in it does not match its manifest, or its own chain.
Refuses to know: what the files are about.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from enforcer.control.bundle_chain import contradictions
from enforcer.errors import BadInput

MANIFEST = "manifest.json"
FORMAT = "enforcer evidence 1"
# No file is as old as that, and no zip can say anything older: the time is left out of the content.
_NEVER = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o100644 << 16
_ENCRYPTED = 1
# What zipfile makes of a file that somebody tampered with.
_DAMAGED = (zipfile.BadZipFile, ValueError, RuntimeError, EOFError, OverflowError, struct.error)
# And json, of a text that is none, or is another than it should be.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def packed(files: Mapping[str, bytes]) -> bytes:
    """The zip: files in the order of their names, the manifest last. Nothing is compressed, for compressed
    bytes differ between releases of zlib."""
    manifest = {
        "format": FORMAT, "digest": "SHA-256",
        "files": {name: {"sha256": digest(files[name]), "bytes": len(files[name])} for name in sorted(files)},
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:
        for name in sorted(files):
            _put(bundle, name, files[name])
        _put(bundle, MANIFEST, text_of(manifest))
    return out.getvalue()


def save(path: Path, content: bytes) -> None:
    """Write a bundle, whole or not at all, for nobody else to read: it says who called whom. Raises
    BadInput."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(str(path), f"cannot be written: {error.strerror or error}") from None


def problems(path: Path) -> tuple[list[str], int]:
    """What does not match, each naming its file, and how many files were looked at. Raises BadInput where
    this is no bundle at all: it may come from anybody."""
    try:
        with zipfile.ZipFile(path) as bundle:
            _as_we_pack(path, bundle)
            return _problems(path, bundle)
    except OSError as error:
        raise BadInput(str(path), f"cannot be read: {error.strerror or error}") from None
    except _DAMAGED as error:
        raise BadInput(str(path), f"is no zip file, or a damaged one: {error}") from None


def digest(content: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(content).hexdigest()


def text_of(facts: object) -> bytes:
    """Facts as JSON that people can read."""
    return (json.dumps(facts, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "surrogatepass")


def _put(bundle: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _NEVER)
    entry.create_system = 3             # Unix, wherever it is made
    entry.external_attr = _READABLE
    bundle.writestr(entry, content)


def _as_we_pack(path: Path, bundle: zipfile.ZipFile) -> None:
    """Nothing compressed, nothing encrypted, nothing twice in the same place: a small file is a small bundle.
    Raises BadInput."""
    entries = bundle.infolist()
    for entry in entries:
        stored = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
        if not stored or entry.flag_bits & _ENCRYPTED:
            raise BadInput(str(path), f"is no bundle of evidence: {entry.filename} is not stored plainly")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise BadInput(str(path), "is no bundle of evidence: it says that it holds more than it does")


def _problems(path: Path, bundle: zipfile.ZipFile) -> tuple[list[str], int]:
    names = bundle.namelist()
    if MANIFEST not in names:
        raise BadInput(str(path), f"is no bundle of evidence: it has no {MANIFEST}")
    try:
        manifest = json.loads(bundle.read(MANIFEST))
        listed = {name: told["sha256"] for name, told in manifest["files"].items()}
        known = manifest["format"] == FORMAT
    except (zipfile.BadZipFile, EOFError, *_UNREADABLE):
        return [f"{MANIFEST}: cannot be read"], 1
    if not known:
        raise BadInput(str(path), f"is a bundle of another kind: {manifest['format']!r}")
    found = [f"{name}: is in the manifest and not in the bundle" for name in listed if name not in names]
    found += [
        f"{name}: is in the bundle {'twice' if names.count(name) > 1 else 'and not in the manifest'}"
        for name in dict.fromkeys(names)
        if names.count(name) > 1 or (name not in listed and name != MANIFEST)
    ]
    sound: dict[str, bytes] = {}
    for name in (name for name in listed if name in names):
        try:
            content = bundle.read(name)
        except _DAMAGED:
            found.append(f"{name}: is damaged")
            continue
        if digest(content) != listed[name]:
            found.append(f"{name}: does not match its digest in the manifest")
        else:
            sound[name] = content
    return [*found, *contradictions(sound)], len(names)
