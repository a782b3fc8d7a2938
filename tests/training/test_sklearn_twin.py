"""The 128-64-1 network against scikit-learn's MLPClassifier: same weights, same batches."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from dcsim.training.data import Dataset
from dcsim.training.jobs import build_model, job, load_data
from dcsim.training.layers import Dense
from dcsim.training.loop import Schedule, Trainer
from dcsim.training.model import Model

EPOCHS = 10
BATCH = 32


class Twin(MLPClassifier):
    """An MLPClassifier that starts from the weights of a model of ours."""

    def start_from(self, model: Model) -> Twin:
        self.starts = [
            (layer.w.value.copy(), layer.b.value.copy())
            for layer in model.network.walk()
            if isinstance(layer, Dense)
        ]
        return self

    def _init_coef(self, fan_in, fan_out, dtype):
        return self.starts.pop(0)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_data(job("medical-classifier"))


@pytest.mark.parametrize(("solver", "rate"), [("adam", 1e-3), ("sgd", 0.05)])
def test_losses_and_predictions_follow(data: Dataset, solver: str, rate: float) -> None:
    optimiser = "momentum" if solver == "sgd" else "adam"
    chosen = job("medical-classifier", optimiser=optimiser, rate=rate, weight_decay=0.0)
    model = build_model(chosen, data)
    twin = Twin(
        (128, 64),
        solver=solver,
        alpha=0.0,
        batch_size=BATCH,
        learning_rate_init=rate,
        nesterovs_momentum=False,
        max_iter=EPOCHS,
        shuffle=False,
    ).start_from(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        twin.fit(data.train.x, data.train.t[:, 0])

    trainer = Trainer(model, data, Schedule(EPOCHS, BATCH, seed=0, shuffle=False))
    trainer.run()
    losses, n = np.array(trainer.history.losses), len(data.train)
    sizes = np.tile(np.minimum(BATCH, n - BATCH * np.arange(trainer.batches)), EPOCHS)
    by_epoch = (losses * sizes).reshape(EPOCHS, -1).sum(axis=1) / n
    np.testing.assert_allclose(by_epoch, twin.loss_curve_, rtol=0.0, atol=1e-6)
    ours = model.evaluate(data.test.x, data.test.t)[1][:, 0]
    theirs = twin.predict_proba(data.test.x)[:, 1]
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1e-6)
