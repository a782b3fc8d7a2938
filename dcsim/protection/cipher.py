"""Encrypted bytes with a header: AES-256-GCM in chunks, in the STREAM construction.

Layout: a header of `HEADER_BYTES`, then chunks of `chunk_bytes` of plain text (the last one
shorter or empty), each followed by its 16-byte tag. The header holds the salts; from them
and the user's secret follow a key that no other file has, and a check value over the header.
The nonce of a chunk is its number and whether it is the last, so none repeats under that key
(NIST SP 800-38D, section 8.2.1); header, number and end are associated data too. A chunk that
is changed, missing, moved, repeated or added is therefore found. STREAM: Hoang, Reyhanitabar,
Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance",
CRYPTO 2015.
"""

from __future__ import annotations

import hmac
import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from dcsim.protection.keys import SALT_BYTES, ScryptCost, Secret
from dcsim.records import Fault, InputError

MAGIC = b"dcsimAE\x01"
#: Magic, log2 N, r and p of scrypt (all 0 for a key file), a zero, chunk size, salts, check.
_HEAD = struct.Struct(f">8s4BI16s{SALT_BYTES}s")
CHECK_BYTES, TAG_BYTES = 16, 16
HEADER_BYTES = _HEAD.size + CHECK_BYTES
CHUNK_BYTES = 1 << 20
MOST_CHUNK_BYTES = 1 << 30


def is_encrypted(content: bytes) -> bool:
    """Whether this begins as encrypted bytes do."""
    return content.startswith(MAGIC)


def encrypt(
    content: bytes, secret: Secret, *, chunk_bytes: int = CHUNK_BYTES, threads: int = 1
) -> bytes:
    """`content` encrypted; no two calls give the same bytes, whatever they are given.

    `threads` chunks are worked on at a time. Raises ValueError for a size of chunks that is
    not from 1 byte to 1 GiB.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not 1 <= chunk_bytes <= MOST_CHUNK_BYTES:
        raise ValueError(f"chunks of {chunk_bytes} bytes; a chunk has 1 to {MOST_CHUNK_BYTES}")
    cost = (secret.cost.log_n, secret.cost.r, secret.cost.p) if secret.cost else (0, 0, 0)
    file_salt = os.urandom(SALT_BYTES)
    head = _HEAD.pack(MAGIC, *cost, 0, chunk_bytes, secret.salt, file_salt)
    key, check = secret.file_keys(file_salt, head, secret.cost, secret.salt)
    cipher, header, view = AESGCM(key), head + check, memoryview(content)
    count = max(-(-len(content) // chunk_bytes), 1)

    def seal(index: int) -> bytes:
        nonce, data = _nonce(index, count), view[index * chunk_bytes : (index + 1) * chunk_bytes]
        return cipher.encrypt(nonce, data, header + nonce)

    return b"".join([header, *_each(seal, count, threads)])


def decrypt(content: bytes, secret: Secret, *, name: str = "", threads: int = 1) -> bytes:
    """The plain text of `encrypt`; `name` is what messages call it.

    Raises InputError, in one sentence, when it is not encrypted, was encrypted with another
    key, or is not byte for byte what was written.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    chunk_bytes, key = _opened(content, secret, name)
    header, view = content[:HEADER_BYTES], memoryview(content)[HEADER_BYTES:]
    sealed = chunk_bytes + TAG_BYTES
    count = max(-(-len(view) // sealed), 1)
    cipher = AESGCM(key)

    def unseal(index: int) -> bytes:
        nonce = _nonce(index, count)
        try:
            return cipher.decrypt(
                nonce, view[index * sealed : (index + 1) * sealed], header + nonce
            )
        except (InvalidTag, ValueError):
            raise _refused(
                f"was changed or cut after it was encrypted: part {index + 1} of {count} "
                "is not what was written",
                name,
            ) from None

    return b"".join(_each(unseal, count, threads))


def _opened(content: bytes, secret: Secret, name: str) -> tuple[int, bytes]:
    """Size of the chunks and key of an encrypted file whose header is whole."""
    if not is_encrypted(content):
        raise _refused("is not encrypted by dcsim, or its first bytes were changed", name)
    if len(content) < HEADER_BYTES:
        raise _refused("was cut after it was encrypted", name)
    head, check = content[: _HEAD.size], content[_HEAD.size : HEADER_BYTES]
    _, log_n, r, p, _, chunk_bytes, salt, file_salt = _HEAD.unpack(head)
    cost = ScryptCost(log_n, r, p) if log_n or r or p else None
    # A passphrase opens what a passphrase wrote; the costs are bounded before they are paid.
    known = (cost is None) == (secret.cost is None) and (cost is None or cost.is_sane())
    if known and 1 <= chunk_bytes <= MOST_CHUNK_BYTES:
        key, expected = secret.file_keys(file_salt, head, cost, salt)
        if hmac.compare_digest(check, expected):
            return chunk_bytes, key
    raise _refused("cannot be opened with this key or passphrase, or its header was changed", name)


def _nonce(index: int, count: int) -> bytes:
    """12 bytes: the number of the chunk, and 1 at its end for the last."""
    return index.to_bytes(11, "big") + bytes([index == count - 1])


def _each(work: Callable[[int], bytes], count: int, threads: int) -> Sequence[bytes]:
    """`work` of 0, 1, …, on so many threads; the library lets others run while it computes."""
    if threads <= 1 or count == 1:
        return [work(index) for index in range(count)]
    with ThreadPoolExecutor(min(threads, count)) as pool:
        return list(pool.map(work, range(count)))


def _refused(message: str, name: str) -> InputError:
    return InputError(Fault(message, name))
