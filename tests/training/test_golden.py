"""The 3-4-2 network worked out by hand, line by line, and compared with the code."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.training.jobs import build_model, job, load_data

# x = [1, 2, 3], t = [0.1, 0.9]; weights as in `training.jobs`, one column a unit.
#
# u = x W1 + b1:
#   u1 =  1·0.1  + 2·0.02 - 3·0.1  + 0.01 = -0.15
#   u2 = -1·0.2  + 2·0.1  + 3·0.05 - 0.02 =  0.13
#   u3 =  1·0.05 - 2·0.1  + 3·0.2  + 0.03 =  0.48
#   u4 =  1·0.3  - 2·0.05 + 3·0.1  + 0    =  0.50
# h = tanh u:
H = [-0.148885033623, 0.129272583606, 0.446243610249, 0.462117157260]
# z = h W2 + b2:
#   z1 =  0.2 h1 - 0.3 h2  + 0.1 h3  - 0.05 h4 + 0.05 = 0.002959721355
#   z2 = -0.1 h1 + 0.25 h2 + 0.15 h3 + 0.4 h4  - 0.05 = 0.248990053705
Z = [0.002959721355, 0.248990053705]
# p = softmax z:  e^z = 1.002964105600, 1.282728083..., sum 2.285692189...
P = [0.438800809556, 0.561199190444]
# L = -0.1 ln p1 - 0.9 ln p2 = 0.1·0.823709... + 0.9·0.577679...
LOSS = 0.602282406535
# dL/dz = p - t:
DZ = [0.338800809556, -0.338800809556]
# dL/dW2 = hᵀ dz, so its columns are h·dz1 and h·dz2; dL/db2 = dz:
DW2_1 = [-0.050442369922, 0.043797655979, 0.151187696412, 0.156565666990]
# dL/dh = dz W2ᵀ:
#   0.3388·(0.2 + 0.1), 0.3388·(-0.3 - 0.25), 0.3388·(0.1 - 0.15), 0.3388·(-0.05 - 0.4)
# dL/du = dh (1 - h²):
DU = [0.099387208684, -0.183226435377, -0.013566713304, -0.119902107871]
# dL/dW1 = xᵀ du, rows 1·du, 2·du, 3·du; dL/db1 = du.


def test_loss_and_every_gradient_follow_the_derivation() -> None:
    chosen = job("golden-3-4-2")
    data = load_data(chosen)
    model = build_model(chosen, data)
    loss = model.gradient(data.train.x, data.train.t)
    w1, b1, w2, b2 = (p.grad for p in model.network.parameters())
    near = {"rtol": 0.0, "atol": 1e-11}
    np.testing.assert_allclose(model.network.forward(data.train.x)[0], Z, **near)
    np.testing.assert_allclose(model.evaluate(data.train.x, data.train.t)[1][0], P, **near)
    assert loss == pytest.approx(LOSS, abs=1e-11)
    np.testing.assert_allclose(w2, np.outer(H, DZ), **near)
    np.testing.assert_allclose(w2[:, 0], DW2_1, **near)
    np.testing.assert_allclose(b2, DZ, **near)
    np.testing.assert_allclose(w1, np.outer([1.0, 2.0, 3.0], DU), **near)
    np.testing.assert_allclose(b1, DU, **near)


def test_one_step_of_descent_moves_against_the_gradient() -> None:
    chosen = job("golden-3-4-2")
    data = load_data(chosen)
    model = build_model(chosen, data)
    before = model.value.copy()
    model.step(data.train.x, data.train.t)
    np.testing.assert_allclose(model.value, before - 0.1 * model.grad, rtol=1e-15)
    assert model.evaluate(data.train.x, data.train.t)[0] < LOSS
