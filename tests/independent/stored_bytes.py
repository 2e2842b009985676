# SPDX-License-Identifier: Apache-2.0
"""Checksums, hashes, zstd frames and packed segments as docs/formats/ says; for the readers."""
import ctypes
import hashlib
import struct

ZSTD = ctypes.CDLL("libzstd.so.1")
ZSTD.ZSTD_decompress.restype = ctypes.c_size_t
CRC_TABLE = list(range(256))
for _ in range(8):
    CRC_TABLE = [entry >> 1 ^ 0x82F63B78 * (entry & 1) for entry in CRC_TABLE]

class Damage(Exception): ...

def must(condition, what):
    if not condition:
        raise Damage(what)

def crc32c(*parts):
    crc = 0xFFFFFFFF
    for part in parts:
        for byte in part:
            crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF

def is_guarded(raw):  # by a checksum in its last four bytes
    return crc32c(raw[:-4]) == int.from_bytes(raw[-4:], "little")

def blake(raw):
    return hashlib.blake2b(raw, digest_size=32).digest()

def unpack_frame(frame, size):
    room = ctypes.create_string_buffer(size)
    got = ZSTD.ZSTD_decompress(room, ctypes.c_size_t(size), frame, ctypes.c_size_t(len(frame)))
    must(got == size, "zstd frame")
    return room.raw

def unpack_segment(raw):
    must(raw[:16] == b"PDJNLPAK" + struct.pack("<HHI", 1, 0, 64) and is_guarded(raw[:64])
         and not any(raw[40:56]), "packed header")
    length, used, size, frames = struct.unpack_from("<QQII", raw, 16)
    at = 64 + 8 * frames
    must(0 < used <= length and 4096 <= size <= 1 << 24 and frames == -(-used // size)
         and crc32c(raw[64:at]) == struct.unpack_from("<I", raw, 56)[0], "packed index")
    whole = b""
    for stored, crc in struct.iter_unpack("<II", raw[64:at]):
        must(crc32c(raw[at:at + stored]) == crc, "packed frame")
        whole += unpack_frame(raw[at:at + stored], min(size, used - len(whole)))
        at += stored
    must(at == len(raw), "bytes behind the packed frames")
    return whole + bytes(length - used)
