"""The ready jobs learn what they are meant to, and refuse parameters that make no sense."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.records import InputError
from dcsim.training.jobs import build_model, job, load_data, names
from dcsim.training.run import run_job, step_operators


def test_the_names_are_those_of_the_project() -> None:
    expected = {
        "mlp-3-5-2",
        "golden-3-4-2",
        "medical-classifier",
        "digits-mlp",
        "char-transformer",
        "text-classifier",
        "digits-cnn",
        "recommender",
        "fraud-detector",
    }
    assert set(names()) == expected


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_medical_classifier_is_accurate(seed: int) -> None:
    outcome = run_job(job("medical-classifier", seed=seed))
    assert len(outcome.history.evaluations) == 10
    assert outcome.model.parameter_count == 30 * 128 + 128 + 128 * 64 + 64 + 64 + 1
    assert outcome.figures["test_accuracy"] >= 0.95
    assert outcome.figures["test_auc"] >= 0.98


def test_digits_are_read() -> None:
    assert run_job(job("digits-mlp")).figures["test_accuracy"] >= 0.96


def test_the_small_perceptron_beats_the_commonest_class() -> None:
    figures = run_job(job("mlp-3-5-2")).figures
    assert figures["test_accuracy"] >= 0.85 > figures["test_majority_accuracy"]


def test_the_golden_job_reaches_the_entropy_of_its_target() -> None:
    entropy = -0.1 * np.log(0.1) - 0.9 * np.log(0.9)
    assert run_job(job("golden-3-4-2")).history.losses[-1] == pytest.approx(entropy, abs=1e-5)


def test_a_few_steps_of_the_transformer_beat_letter_frequencies() -> None:
    small = {"max_steps": 80, "context": 16, "width": 32, "hidden": 64, "depth": 1}
    figures = run_job(job("char-transformer", **small)).figures
    assert figures["test_loss"] < figures["test_unigram_loss"] - 0.3


def test_images_of_digits_are_read() -> None:
    figures = run_job(job("digits-cnn", epochs=15)).figures
    assert figures["test_accuracy"] >= 0.98


@pytest.mark.parametrize("seed", [0, 1])
def test_fraud_is_found_better_than_by_a_logistic_model(seed: int) -> None:
    figures = run_job(job("fraud-detector", seed=seed)).figures
    assert figures["test_average_precision"] >= figures["test_logistic_average_precision"] + 0.1
    assert figures["test_calibration_error"] <= 0.01


def test_recommendations_beat_popularity() -> None:
    figures = run_job(job("recommender", epochs=2)).figures
    assert figures["test_ndcg"] >= 1.2 * figures["test_popularity_ndcg"]
    assert figures["test_hit_rate"] >= 1.1 * figures["test_popularity_hit_rate"]


def test_a_short_run_tells_most_passages_apart() -> None:
    figures = run_job(job("text-classifier", epochs=1, rate=2e-3)).figures
    assert figures["test_accuracy"] >= 0.7 > 0.3 > figures["test_majority_accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_application_reaches_its_bar(seed: int) -> None:
    figures = {
        name: run_job(job(name, seed=seed)).figures
        for name in ("digits-cnn", "recommender", "text-classifier", "fraud-detector")
    }
    assert figures["digits-cnn"]["test_accuracy"] >= 0.98
    ranking, text = figures["recommender"], figures["text-classifier"]
    assert ranking["test_ndcg"] >= 1.3 * ranking["test_popularity_ndcg"]
    # Single words say nearly all here: the classical method for them is hard to beat.
    assert text["test_accuracy"] >= text["test_naive_bayes_accuracy"] - 0.01
    fraud = figures["fraud-detector"]
    assert fraud["test_average_precision"] >= fraud["test_logistic_average_precision"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_the_medical_classifier_means_its_probabilities(seed: int) -> None:
    figures = run_job(job("medical-classifier", seed=seed)).figures
    assert figures["test_brier"] <= 0.035
    # Few rows alone make an error of some three hundredths of a perfect forecaster.
    assert figures["test_calibration_error"] <= figures["test_chance_calibration_error"] + 0.03


@pytest.mark.slow
def test_the_transformer_beats_the_letter_before() -> None:
    figures = run_job(job("char-transformer")).figures
    assert figures["test_loss"] < figures["test_bigram_loss"] - 0.2


@pytest.mark.parametrize("name", ["mlp-3-5-2", "digits-mlp", "char-transformer", "digits-cnn"])
def test_a_step_counts_its_batch_and_its_products(name: str) -> None:
    chosen = job(name)
    data = load_data(chosen)
    calls = step_operators(chosen, build_model(chosen, data), data)
    picked = [call for call in calls[:2] if call.kind == "gather"]
    assert sum(call.count for call in picked) == 2
    assert sum(call.bytes * call.count for call in picked) >= 2 * chosen.batch_size * 8
    assert {call.phase for call in calls} == {"forward", "loss", "backward", "update"}


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("mlp-352", {}, 'did you mean "mlp-3-5-2"'),
        ("digits-mlp", {"epochs": 0}, "from 1 to"),
        ("digits-mlp", {"epochs": 2.5}, "whole"),
        ("digits-mlp", {"epochs": True}, "whole"),
        ("digits-mlp", {"rate": "fast"}, "a number"),
        ("digits-mlp", {"rate": float("nan")}, "must be"),
        ("digits-mlp", {"rate": float("inf")}, "must be"),
        ("digits-mlp", {"epochs": float("inf")}, "must be"),
        ("digits-mlp", {"seed": -1}, "from 0"),
        ("digits-mlp", {"hidden": "64-"}, "write sizes"),
        ("digits-mlp", {"hidden": "0"}, "write sizes"),
        ("digits-mlp", {"activation": "rel"}, 'did you mean "relu"'),
        ("digits-mlp", {"depth": 2}, "no such parameter"),
        ("char-transformer", {"heads": 5}, "not a multiple"),
        ("char-transformer", {"table": "x.csv"}, "no table"),
        ("digits-mlp", {"target_metric": "acuracy"}, 'did you mean "accuracy"'),
    ],
)
def test_wrong_parameters_are_refused(name: str, overrides: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        job(name, **overrides)


def test_a_target_must_be_a_figure_of_the_task() -> None:
    with pytest.raises(InputError, match="auc is not measured on digits; take loss, accuracy"):
        run_job(job("digits-mlp", target_metric="auc"))


def test_overrides_take_the_type_of_their_field() -> None:
    chosen = job("digits-mlp", epochs=3.0, rate=1, hidden=64)
    assert (chosen.epochs, chosen.rate, chosen.hidden) == (3, 1.0, "64")
    assert isinstance(chosen.epochs, int)
