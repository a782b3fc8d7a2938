"""What a fabric is asked to be; `scenario.resolved` satisfies these shapes."""

from collections.abc import Mapping
from typing import Protocol

from dcsim.catalogue.records import NodeType


class NetworkLike(Protocol):
    """The network part of a resolved scenario (`scenario.resolved.Network`)."""

    @property
    def topology(self) -> str:
        """Name of the topology (`fat-tree`, `rail-optimised`, `torus`, …)."""

    @property
    def radix(self) -> int:
        """Ports of one switch."""

    @property
    def oversubscription(self) -> float:
        """Downlinks over uplinks of a leaf; 1 is non-blocking."""

    @property
    def nic_bytes_per_s(self) -> float | None:
        """Rate of a NIC for each accelerator and direction; None takes the node's own."""

    @property
    def options(self) -> Mapping[str, float | int | str]:
        """Further keys of the topology, by name."""


class GroupLike(Protocol):
    """Nodes of one type (`scenario.resolved.NodeGroup`)."""

    @property
    def name(self) -> str:
        """Name of the group."""

    @property
    def node(self) -> NodeType:
        """Type of its nodes."""

    @property
    def count(self) -> int:
        """How many."""
