"""Checkpoints under encryption: wrong keys and changes are refused, the last good one is used."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dcsim.cli.main import app
from dcsim.protection.cipher import is_encrypted
from dcsim.protection.keys import Secret
from dcsim.records import InputError
from dcsim.training.checkpoint import previous_path, read_arrays, write_arrays
from dcsim.training.jobs import job
from dcsim.training.run import run_job

KEY = Secret(bytes(range(32)))


def test_training_goes_on_from_an_encrypted_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    chosen = replace(job("mlp-3-5-2"), epochs=6)
    run_job(replace(chosen, epochs=2), checkpoint=path, secret=KEY)
    assert is_encrypted(path.read_bytes())
    rest = run_job(chosen, checkpoint=path, resume=True, secret=KEY)
    assert rest.history.losses == run_job(chosen).history.losses
    assert rest.notice == ""


def test_every_one_of_1000_changes_of_a_checkpoint_is_found(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    rng = np.random.default_rng(3)
    write_arrays(path, {"value": rng.normal(size=300)}, KEY)
    whole = path.read_bytes()
    for _ in range(1000):
        changed = bytearray(whole)
        changed[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        with pytest.raises(InputError) as found:
            read_arrays(path, KEY)
        assert len(str(found.value).splitlines()) == 1


def test_the_last_good_checkpoint_stands_in_for_a_tampered_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    chosen = replace(job("mlp-3-5-2"), epochs=6)
    for epochs in (2, 4):
        run_job(replace(chosen, epochs=epochs), checkpoint=path, resume=epochs > 2, secret=KEY)
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    rest = run_job(chosen, checkpoint=path, resume=True, secret=KEY)
    assert "was changed or cut" in rest.notice
    assert "the checkpoint before it" in rest.notice
    assert rest.history.losses == run_job(chosen).history.losses
    arrays, notice = read_arrays(path, KEY)
    assert notice == ""
    assert len(arrays["value"])


def test_a_gone_checkpoint_is_replaced_by_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    for number in (1.0, 2.0):
        write_arrays(path, {"value": np.array(number)})
    assert read_arrays(path)[0]["value"] == 2.0
    assert previous_path(path).is_file()
    path.unlink()
    arrays, notice = read_arrays(path)
    assert arrays["value"] == 1.0
    assert "there is no checkpoint" in notice


def test_keys_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    write_arrays(path, {"value": np.zeros(3)}, KEY)
    with pytest.raises(InputError, match="cannot be opened with this key"):
        read_arrays(path, Secret(bytes(32)))
    with pytest.raises(InputError, match="is encrypted; name its key"):
        read_arrays(path)
    plain = tmp_path / "plain.npz"
    write_arrays(plain, {"value": np.zeros(3)})
    with pytest.raises(InputError, match="is not encrypted"):
        read_arrays(plain, KEY)


def test_the_command_encrypts_resumes_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DCSIM_PASSPHRASE", raising=False)
    (tmp_path / "key").write_bytes(bytes(range(32)))
    (tmp_path / "other").write_bytes(bytes(32))
    words = ["train", "mlp-3-5-2", "--out", "here", "--epochs"]
    run = CliRunner().invoke
    first = run(app, [*words, "2", "--key", "key"])
    assert first.exit_code == 0, first.output
    assert "--key key" in first.stdout
    assert is_encrypted((tmp_path / "here" / "checkpoint.npz").read_bytes())
    assert run(app, [*words, "4", "--resume", "--key", "key"]).exit_code == 0
    for more, message in (
        (["--key", "other"], "cannot be opened with this key"),
        ([], "is encrypted; name its key"),
        (["--encrypt"], "the passphrase is empty"),
        (["--key", "absent"], "the key cannot be read"),
    ):
        refused = run(app, [*words, "6", "--resume", *more])
        assert refused.exit_code == 2
        assert message in refused.stderr
        assert "Traceback" not in refused.output
