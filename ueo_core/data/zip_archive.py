"""The files of a zip archive, read in place: nothing is ever extracted to disk by its name."""

from __future__ import annotations

import contextlib
import functools
import stat
import struct
import unicodedata
import zipfile
import zlib
from typing import IO, BinaryIO

from ueo_core.data.bounded_reads import BoundedReads
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.safe_names import UniqueNames, hidden_reason, relative_name
from ueo_core.data.source_entries import Entry, Source
from ueo_core.utils.errors import UserError


def list_zip(
    source: Source,
    file: BinaryIO,
    shown: str,
    limits: Limits,
    names: UniqueNames,
    prefix: str = "",
    identity: tuple[int, ...] | None = None,
) -> None:
    """Add the files of the zip archive in `file`, which must stay open as long as the source.

    identity: changes if the archive changes. Raises `UserError` for a broken archive.
    """
    try:
        archive = zipfile.ZipFile(
            BoundedReads(
                file, limits.max_zip_directory_bytes, "its directory", "max_zip_directory_bytes"
            )
        )
    except RejectedFile as error:
        raise UserError(f"Zip file {shown}: {error}; split it or raise the limit.") from error
    except Exception as error:  # zipfile raises many kinds of errors on malformed bytes
        raise UserError(f"Zip file {shown}: it is broken; create it again.") from error
    source.closing.enter_context(archive)
    for info in archive.infolist():
        if info.is_dir():
            continue
        if source.full(limits):
            source.left_out += 1
            continue
        raw = member_name(info)
        try:
            name = prefix + relative_name(raw, limits)
            _check_member(info, name)
        except RejectedFile as error:
            source.skip(prefix + raw, str(error))
            continue
        member = None if identity is None else (*identity, info.CRC, info.header_offset)
        source.entries.append(
            Entry(
                names.unique(name),
                functools.partial(_open_member, archive, info),
                info.file_size,
                packed=info.compress_size,
                identity=member,
            )
        )


_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075  # Info-ZIP's extra field: version, CRC-32 of the plain name, name in UTF-8


def member_name(info: zipfile.ZipInfo) -> str:
    """The name of a member as its writer meant it, in NFC.

    The format knows CP437, UTF-8 under a flag, and an extra field with the name in UTF-8. `zip -r`
    and macOS write UTF-8 without the flag: bytes that are UTF-8 are read as that, as hardly any
    other text is valid UTF-8 by chance.
    """
    name = info.orig_filename
    if not info.flag_bits & _UTF8_FLAG:
        plain = name.encode("cp437")  # the very bytes: CP437 has a character for each
        with contextlib.suppress(UnicodeDecodeError):  # CP437, as the format says
            name = _unicode_path(info.extra, plain) or plain.decode("utf-8")
    return unicodedata.normalize("NFC", name)


def _unicode_path(extra: bytes, plain: bytes) -> str | None:
    """The name in the extra field; None without one, or where it is of another plain name.

    Raises `UnicodeDecodeError` where it is not UTF-8.
    """
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        is_name = kind == _UNICODE_PATH and len(field) > 5 and field[0] == 1
        if is_name and struct.unpack("<L", field[1:5])[0] == zlib.crc32(plain):
            return field[5:].decode("utf-8")
    return None


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    return archive.open(info)


def _check_member(info: zipfile.ZipInfo, name: str) -> None:
    if reason := hidden_reason(name):
        raise RejectedFile(reason)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise RejectedFile("a link inside the archive")
    if kind not in (0, stat.S_IFREG):
        raise RejectedFile("not a regular file")
    if info.flag_bits & 0x1:
        raise RejectedFile("encrypted; create the zip file again without a password")
    # bzip2 and LZMA files can expand to gigabytes in a single step of zipfile.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RejectedFile(
            "an unusual compression method; create the zip file again with the standard one"
        )
