"""What a user encrypts with: a key file or a passphrase, and the keys derived from it.

Nobody's key encrypts anything itself. A passphrase becomes a master key by scrypt (RFC 7914),
a key file is one; HKDF-SHA256 (RFC 5869) then makes a key of its own for each file, from a
salt that is drawn anew for each file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from dcsim.records import Fault, InputError

#: Where a passphrase is read from when nobody is asked for it.
PASSPHRASE_VARIABLE = "DCSIM_PASSPHRASE"
LEAST_KEY_BYTES, MOST_KEY_BYTES = 32, 1 << 16
SALT_BYTES, SCRYPT_SALT_BYTES = 32, 16


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """How costly guessing a passphrase is: N = 2^`log_n` rounds over 128 · r · N bytes of memory.

    The default is what the OWASP Password Storage Cheat Sheet recommends.
    """

    log_n: int = 17
    r: int = 8
    p: int = 1

    def is_sane(self) -> bool:
        """Whether it takes at most 2 GiB; a header that asks for more was tampered with."""
        return 1 <= self.log_n <= 20 and 1 <= self.r <= 16 and 1 <= self.p <= 4


@dataclass(frozen=True, slots=True)
class Secret:
    """A key file's bytes or a passphrase; never printed.

    `cost` and `salt` say how a passphrase becomes a master key in what is written; None for
    a key file, whose bytes are that key.
    """

    material: bytes = field(repr=False)
    cost: ScryptCost | None = None
    salt: bytes = bytes(SCRYPT_SALT_BYTES)

    @classmethod
    def from_file(cls, path: Path) -> Secret:
        """The key in a file of at least 32 bytes; InputError says why it is none."""
        try:
            with path.open("rb") as file:
                material = file.read(MOST_KEY_BYTES + 1)
        except OSError as error:
            reason = error.strerror or "unreadable"
            raise InputError(Fault(f"the key cannot be read: {reason}", str(path))) from None
        if not LEAST_KEY_BYTES <= len(material) <= MOST_KEY_BYTES:
            raise InputError(
                Fault(
                    f"a key file holds {LEAST_KEY_BYTES} to {MOST_KEY_BYTES} random bytes; "
                    f"make one with `openssl rand -out {path.name} {LEAST_KEY_BYTES}`",
                    str(path),
                )
            )
        return cls(material)

    @classmethod
    def from_passphrase(cls, text: str, cost: ScryptCost | None = None) -> Secret:
        """A passphrase, with a fresh salt for what is written with it."""
        if not text:
            raise InputError(f"the passphrase is empty; set {PASSPHRASE_VARIABLE} or type one")
        return cls(text.encode(), cost or ScryptCost(), os.urandom(SCRYPT_SALT_BYTES))

    def file_keys(
        self, file_salt: bytes, context: bytes, cost: ScryptCost | None, salt: bytes
    ) -> tuple[bytes, bytes]:
        """The encryption key (32 bytes) of one file, and a check value (16 bytes) of it.

        `context` is bound into both; `cost` and `salt` are those that the file was written
        with. A key file opens no file that was written with a passphrase, and the reverse.
        """
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        master = _stretched(self.material, salt, cost) if cost else self.material
        kind = b"dcsim encrypted file: passphrase" if cost else b"dcsim encrypted file: key"
        both = HKDF(SHA256(), 48, file_salt, kind + context).derive(master)
        return both[:32], both[32:]


@lru_cache(maxsize=8)
def _stretched(passphrase: bytes, salt: bytes, cost: ScryptCost) -> bytes:
    """scrypt, kept for the checkpoints that follow: it is meant to be slow."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt, 32, 1 << cost.log_n, cost.r, cost.p).derive(passphrase)
