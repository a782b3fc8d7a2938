"""Encrypted bytes: what goes in comes out, and whatever is changed is found."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.protection.cipher import HEADER_BYTES, TAG_BYTES, decrypt, encrypt
from dcsim.protection.keys import ScryptCost, Secret
from dcsim.records import InputError

KEY = Secret(bytes(range(32)))


@given(st.binary(max_size=400), st.integers(1, 64), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_what_is_encrypted_comes_back(content: bytes, chunk: int, threads: int) -> None:
    sealed = encrypt(content, KEY, chunk_bytes=chunk, threads=threads)
    assert decrypt(sealed, KEY, threads=threads) == content
    chunks = max(-(-len(content) // chunk), 1)
    assert len(sealed) == HEADER_BYTES + len(content) + chunks * TAG_BYTES


def test_every_one_of_1000_random_changes_of_a_byte_is_found() -> None:
    rng = np.random.default_rng(5)
    sealed = encrypt(rng.bytes(5000), KEY, chunk_bytes=256)
    for _ in range(1000):
        changed = bytearray(sealed)
        changed[rng.integers(len(sealed))] ^= int(rng.integers(1, 256))
        with pytest.raises(InputError):
            decrypt(bytes(changed), KEY)


def test_every_byte_of_the_header_counts() -> None:
    sealed = encrypt(b"something", KEY)
    for place in range(HEADER_BYTES):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[place] ^= 1 << bit
            with pytest.raises(InputError):
                decrypt(bytes(changed), KEY)


def test_chunks_that_are_cut_moved_repeated_or_added_are_found() -> None:
    sealed = encrypt(bytes(1000), KEY, chunk_bytes=100)
    head, body, size = sealed[:HEADER_BYTES], sealed[HEADER_BYTES:], 100 + TAG_BYTES
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    wrong = {
        "cut": parts[:-1],
        "all cut": [],
        "first gone": parts[1:],
        "moved": [parts[1], parts[0], *parts[2:]],
        "repeated": [*parts, parts[-1]],
        "last moved in": [parts[-1], *parts[:-1]],
    }
    for chosen in wrong.values():
        with pytest.raises(InputError):
            decrypt(head + b"".join(chosen), KEY)
    other = encrypt(bytes(1000), KEY, chunk_bytes=100)
    swapped = head + other[HEADER_BYTES : HEADER_BYTES + size] + b"".join(parts[1:])
    with pytest.raises(InputError):
        decrypt(swapped, KEY)
    for length in range(0, len(sealed), 7):
        with pytest.raises(InputError):
            decrypt(sealed[:length], KEY)


def test_no_two_files_share_a_key() -> None:
    sealed = {encrypt(b"the same", KEY) for _ in range(50)}
    assert len({content[HEADER_BYTES:] for content in sealed}) == 50


def test_wrong_keys_are_refused_in_one_sentence() -> None:
    cheap = ScryptCost(4, 1, 1)
    phrase = Secret.from_passphrase("open sesame", cheap)
    by_phrase, by_key = encrypt(b"x", phrase), encrypt(b"x", KEY)
    assert decrypt(by_phrase, Secret.from_passphrase("open sesame", ScryptCost(5, 1, 1))) == b"x"
    for content, wrong in (
        (by_phrase, Secret.from_passphrase("open barley", cheap)),
        (by_phrase, KEY),
        (by_key, phrase),
        (by_key, Secret(bytes(32))),
        # The bytes of a passphrase are no key file either.
        (by_phrase, Secret(b"open sesame")),
    ):
        with pytest.raises(InputError, match="cannot be opened with this key") as found:
            decrypt(content, wrong, name="model.npz")
        assert len(found.value.faults) == 1
        assert str(found.value).startswith("model.npz")


def test_a_header_that_asks_for_endless_work_is_refused_at_once() -> None:
    sealed = bytearray(encrypt(b"x", Secret.from_passphrase("p", ScryptCost(4, 1, 1))))
    sealed[8] = 60  # log2 of the number of rounds
    with pytest.raises(InputError, match="cannot be opened"):
        decrypt(bytes(sealed), Secret.from_passphrase("p", ScryptCost(4, 1, 1)))


def test_a_key_file_must_hold_a_key(tmp_path) -> None:
    path = tmp_path / "key"
    with pytest.raises(InputError, match="the key cannot be read"):
        Secret.from_file(path)
    path.write_bytes(b"short")
    with pytest.raises(InputError, match="32 to 65536 random bytes"):
        Secret.from_file(path)
    path.write_bytes(os.urandom(32))
    secret = Secret.from_file(path)
    assert decrypt(encrypt(b"x", secret), secret) == b"x"
    assert "material" not in repr(secret)


def test_an_empty_passphrase_is_none() -> None:
    with pytest.raises(InputError, match="empty"):
        Secret.from_passphrase("")


def test_a_chunk_has_at_least_a_byte() -> None:
    with pytest.raises(ValueError, match="chunks of 0 bytes"):
        encrypt(b"x", KEY, chunk_bytes=0)
