"""Update rules over one flat vector that holds every parameter of a network.

Weight decay is decoupled from the gradient (Loshchilov & Hutter 2019): besides its own
step, a rule with decay λ takes p ← p - rate · λ · p on weight matrices only.
"""

from __future__ import annotations

import numpy as np

from dcsim.training.base import Array


class Optimiser:
    """Plain stochastic gradient descent, p ← p - rate · g, and the frame of the others.

    `moments` names the running vectors that a rule keeps, each the size of the parameters.
    """

    name = "sgd"
    moments: tuple[str, ...] = ()

    def __init__(self, rate: float, *, weight_decay: float = 0.0) -> None:
        self.rate = rate
        self.weight_decay = weight_decay
        self.steps = 0
        self.state: dict[str, Array] = {}
        self.decays: Array = np.zeros(0)

    def attach(self, value: Array, decays: Array) -> None:
        """Prepare for parameters like `value` (n,); `decays` (n,) is 1 where decay applies."""
        self.decays = decays
        self.state = {name: np.zeros_like(value) for name in self.moments}

    def step(self, value: Array, grad: Array) -> None:
        """Update `value` (n,) in place from `grad` (n,)."""
        self.steps += 1
        if self.weight_decay:
            value -= (self.rate * self.weight_decay) * (self.decays * value)
        self.update(value, grad)

    def update(self, value: Array, grad: Array) -> None:
        """p ← p - rate · g."""
        value -= self.rate * grad


class Momentum(Optimiser):
    """v ← β v - rate · g; p ← p + v. Polyak 1964, as in Sutskever et al. 2013, eqs. 1-2."""

    name = "momentum"
    moments = ("velocity",)

    def __init__(self, rate: float, *, weight_decay: float = 0.0, beta: float = 0.9) -> None:
        super().__init__(rate, weight_decay=weight_decay)
        self.beta = beta

    def update(self, value: Array, grad: Array) -> None:
        """The two lines above."""
        velocity = self.state["velocity"]
        velocity *= self.beta
        velocity -= self.rate * grad
        value += velocity


class Adam(Optimiser):
    """Kingma & Ba 2015, algorithm 1 in the faster form that ends their section 2.

    m ← β₁ m + (1-β₁) g;  v ← β₂ v + (1-β₂) g²;
    p ← p - rate · sqrt(1-β₂ᵗ)/(1-β₁ᵗ) · m / (sqrt(v) + ε).
    """

    name = "adam"
    moments = ("mean", "square")

    def __init__(
        self,
        rate: float,
        *,
        weight_decay: float = 0.0,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(rate, weight_decay=weight_decay)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def update(self, value: Array, grad: Array) -> None:
        """The three lines above."""
        mean, square = self.state["mean"], self.state["square"]
        mean *= self.beta1
        mean += (1.0 - self.beta1) * grad
        square *= self.beta2
        square += (1.0 - self.beta2) * (grad * grad)
        correction = (1.0 - self.beta2**self.steps) ** 0.5 / (1.0 - self.beta1**self.steps)
        value -= (self.rate * correction) * mean / (np.sqrt(square) + self.epsilon)


OPTIMISERS: dict[str, type[Optimiser]] = {"sgd": Optimiser, "momentum": Momentum, "adam": Adam}
