"""What must hold between the parts of a scenario: small checks, each with its sentence."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dcsim import catalogue
from dcsim.scenario.fallbacks import REHEARSAL_NODES, STORAGE_SYSTEM, TOPOLOGY
from dcsim.scenario.faults import Problem
from dcsim.scenario.redundancy import read_redundancy
from dcsim.scenario.schema import NodesPart, RealPart, ScenarioFile, TracePart, TrainingPart
from dcsim.units import QuantityError, number, parse_date, shown

Check = Callable[[ScenarioFile], Iterator[Problem]]


def check_all(file: ScenarioFile) -> list[Problem]:
    """Everything that any check has to say about `file`."""
    return [problem for check in CHECKS for problem in check(file)]


def names_differ(file: ScenarioFile) -> Iterator[Problem]:
    """Two things of one list must not share a name: names address them."""
    lists: tuple[tuple[tuple[str, ...], Sequence[Any]], ...] = (
        (("cluster", "nodes"), file.cluster.nodes),
        (("workload",), file.workload),
        (("objectives",), file.objectives),
    )
    for path, items in lists:
        seen: set[str] = set()
        for index, item in enumerate(items):
            name = item.name or item.metric
            if name in seen:
                message = f'the name "{name}" is taken; give every item its own name'
                yield Problem((*path, index, "name" if item.name else "metric"), message)
            seen.add(name)


def total_is_no_name(file: ScenarioFile) -> Iterator[Problem]:
    """`total.cost` addresses the whole, so no job can be called that."""
    for index, work in enumerate(file.workload):
        if work.name == "total":
            message = '"total" stands for all jobs together; choose another name'
            yield Problem(("workload", index, "name"), message)


def start_is_a_date(file: ScenarioFile) -> Iterator[Problem]:
    """The start of the scenario is a day of the calendar."""
    if file.start is not None:
        try:
            parse_date(file.start)
        except QuantityError as error:
            yield Problem(("start",), str(error))


def redundancy_is_known(file: ScenarioFile) -> Iterator[Problem]:
    """The redundancy, written or the system's own, has enough servers to spread over."""
    storage = file.cluster.storage
    if storage is None:
        return
    path = ("cluster", "storage", "redundancy" if storage.redundancy else "servers")
    system = catalogue.storage_system(storage.system or STORAGE_SYSTEM)
    redundancy = storage.redundancy or system.redundancy
    try:
        parts = sum(read_redundancy(redundancy))
    except QuantityError as error:
        yield Problem(path, str(error))
        return
    if storage.servers is not None and storage.servers < parts:
        yield Problem(
            path,
            f'"{redundancy}" of {system.name} needs {parts} servers, but there are '
            f"{storage.servers}; add servers or choose a redundancy of fewer parts",
        )


def lost_servers_exist(file: ScenarioFile) -> Iterator[Problem]:
    """Storage that can lose a server has another one, and what is lost by script exists."""
    storage = file.cluster.storage
    if storage is None or storage.loss is None:
        return
    path = ("cluster", "storage", "loss")
    loss, servers = storage.loss, storage.servers
    if loss.mttf is None and not loss.servers:
        yield Problem(path, "says nothing about what is lost; write mttf, or servers, or both")
    if servers is None:
        return
    if servers < 2:
        yield Problem(path, "storage of one server cannot lose it; use at least 2 servers")
    for place, lost in enumerate(loss.servers or ()):
        if lost.server >= servers:
            yield Problem(
                (*path, "servers", place, "server"),
                f"there is no server {lost.server}; the {servers} servers are 0 to {servers - 1}",
            )


def copies_are_of_local_saves(file: ScenarioFile) -> Iterator[Problem]:
    """Copies are asked for only where checkpoints are saved on the nodes."""
    checkpoint = file.policies.checkpoint if file.policies else None
    if checkpoint is not None and checkpoint.copies is not None and checkpoint.local is None:
        yield Problem(
            ("policies", "checkpoint", "copies"),
            "copies are of local checkpoints; write how often with local, such as local: 10 min",
        )


#: Keys of the network that only some topologies know.
_ONLY_OF = {
    "rails": ("rail-optimised", "rail-only"),
    "dims": ("torus",),
}


def network_keys_fit_the_topology(file: ScenarioFile) -> Iterator[Problem]:
    """Each key of the network means something for its topology."""
    network = file.cluster.network
    if network is None:
        return
    topology = network.topology or TOPOLOGY
    path = ("cluster", "network")
    for key, known in _ONLY_OF.items():
        if getattr(network, key) is not None and topology not in known:
            message = f'"{key}" belongs to the topology {" or ".join(known)}, not to {topology}'
            yield Problem((*path, key), message, on_key=True)


def objectives_name_jobs(file: ScenarioFile) -> Iterator[Problem]:
    """A metric of a job needs that job."""
    jobs = [work.name for work in file.workload]
    for index, objective in enumerate(file.objectives):
        job = objective.target().job
        if job and job not in jobs:
            message = f'there is no job "{job}"; {catalogue.suggest(job, [*jobs, "total"])}'
            yield Problem(("objectives", index, "metric"), message)


def dates_follow_the_start(file: ScenarioFile) -> Iterator[Problem]:
    """A date as a bound needs a start to count from, and lies after it."""
    for index, objective in enumerate(file.objectives):
        target = objective.target()
        if not target.day:
            continue
        path = ("objectives", index, "by" if objective.by is not None else target.sense)
        if file.start is None:
            yield Problem(
                path,
                f'"{target.day}" is a date, but the scenario has no start; add '
                '"start: 2026-01-01" or write a duration such as "60 d"',
            )
        elif target.day <= file.start.strip():
            yield Problem(path, f"{target.day} is not after the start, {file.start}")


def confidence_can_be_reached(file: ScenarioFile) -> Iterator[Problem]:
    """A confidence finer than the number of simulated runs cannot be shown."""
    seeds = file.plan.seeds if file.plan is not None else None
    for index, objective in enumerate(file.objectives):
        asked = objective.confidence
        if asked is None or seeds is None or asked == 1.0 or 1 - asked >= 1 / seeds:
            continue
        message = (
            f"a confidence of {number(asked)} needs more than {seeds} simulated runs; "
            f"write plan.seeds: {int(1 / (1 - asked)) + 1} or more"
        )
        yield Problem(("objectives", index, "confidence"), message)


def varied_groups_exist(file: ScenarioFile) -> Iterator[Problem]:
    """`cluster.nodes.NAME.count` needs a group of that name."""
    vary = file.plan.vary if file.plan is not None else None
    if vary is None:
        return
    groups = [group.name for group in file.cluster.nodes]
    for axis, key in ((vary.node_counts, "count"), (vary.node_types, "node")):
        for name in axis:
            if name not in groups:
                full = f"cluster.nodes.{name}.{key}"
                message = f'there are no nodes "{name}"; {catalogue.suggest(name, groups)}'
                yield Problem(("plan", "vary", full), message)


def training_has_accelerators(file: ScenarioFile) -> Iterator[Problem]:
    """A training job needs nodes with accelerators, and those that it names."""
    groups = {group.name: group for group in file.cluster.nodes}
    with_accelerators = [name for name, group in groups.items() if _per_node(file, group)]
    for index, work in training(file):
        if not with_accelerators:
            message = "no node of the cluster has accelerators; add for instance hgx-h100 nodes"
            yield Problem(("workload", index), message)
        elif work.group is not None and work.group not in with_accelerators:
            hint = catalogue.suggest(work.group, with_accelerators)
            message = f'there are no nodes "{work.group}" with accelerators; {hint}'
            yield Problem(("workload", index, "group"), message)


def accelerators_are_there(file: ScenarioFile) -> Iterator[Problem]:
    """A job cannot ask for more accelerators than the cluster can ever have."""
    for index, work in training(file):
        groups = [g for g in file.cluster.nodes if work.group in (None, g.name)]
        largest = max((_most_accelerators(file, group) for group in groups), default=0)
        if work.accelerators is not None and largest and work.accelerators > largest:
            yield Problem(
                ("workload", index, "accelerators"),
                f"{work.accelerators} accelerators are more than the {largest} of the "
                "largest group of nodes; add nodes or ask for fewer",
            )


def this_machine_is_one(file: ScenarioFile) -> Iterator[Problem]:
    """`local` stands for one machine, this one, and cannot be planned."""
    here = [(i, group) for i, group in enumerate(file.cluster.nodes) if _is_local(group)]
    for position, (index, group) in enumerate(here):
        path = ("cluster", "nodes", index)
        if position or group.count != 1:
            message = "the node type local is this machine, and there is only one of it"
            yield Problem((*path, "node" if position else "count"), message)
    vary = file.plan.vary if file.plan is not None else None
    if vary is None:
        return
    for name, types in vary.node_types.items():
        if catalogue.LOCAL in types or any(group.name == name for _, group in here):
            message = "the node type local is this machine and cannot be varied"
            yield Problem(("plan", "vary", f"cluster.nodes.{name}.node"), message)
    for name in vary.node_counts:
        if any(group.name == name for _, group in here):
            message = "there is one machine of type local, so its count cannot be varied"
            yield Problem(("plan", "vary", f"cluster.nodes.{name}.count"), message)


def model_is_a_transformer(file: ScenarioFile) -> Iterator[Problem]:
    """Small networks are run, not planned."""
    for index, work in training(file):
        if catalogue.model(work.model).kind != "transformer":
            yield Problem(
                ("workload", index, "model"),
                f'"{work.model}" is a small network; run it with "kind: real" and "job:"',
            )


def sequence_fits_the_model(file: ScenarioFile) -> Iterator[Problem]:
    """Learned positions end where the model was built to end."""
    for index, work in training(file):
        card = catalogue.model(work.model)
        if work.seq_len and card.positions == "learned" and work.seq_len > card.seq_len:
            yield Problem(
                ("workload", index, "seq_len"),
                f'"{card.name}" has learned positions for {card.seq_len} tokens; write at most '
                f"{card.seq_len} or choose a model with rotary positions",
            )


def batch_is_within_the_tokens(file: ScenarioFile) -> Iterator[Problem]:
    """The tokens must make at least one step."""
    for index, work in training(file):
        seq_len = work.seq_len or catalogue.model(work.model).seq_len
        if seq_len and work.tokens < work.global_batch * seq_len:
            yield Problem(
                ("workload", index, "tokens"),
                f"{number(work.tokens)} tokens are less than one step of {work.global_batch} "
                f"sequences of {seq_len}; write more tokens or a smaller global_batch",
            )


def micro_batch_is_within_the_batch(file: ScenarioFile) -> Iterator[Problem]:
    """Pinned degrees must divide the global batch."""
    for index, work in training(file):
        degrees = _degrees(work)
        share = (degrees.get("dp") or 1) * (work.micro_batch or 1)
        if work.global_batch % share:
            key = "micro_batch" if work.micro_batch else "parallelism"
            yield Problem(
                ("workload", index, key),
                f"{share} sequences at a time do not divide the global batch of "
                f"{work.global_batch}; choose dp and micro_batch whose product does",
            )


def layout_divides_the_model(file: ScenarioFile) -> Iterator[Problem]:
    """Tensor parallelism divides heads, pipeline stages hold at least a layer."""
    for index, work in training(file):
        card, degrees = catalogue.model(work.model), _degrees(work)
        path = ("workload", index, "parallelism")
        tp = degrees.get("tp") or 1
        stages = (degrees.get("pp") or 1) * (degrees.get("vp") or 1)
        if card.heads and card.heads % tp:
            message = f"tp {tp} does not divide the {card.heads} heads of {card.name}"
            yield Problem((*path, "tp"), message)
        if card.layers and stages > card.layers:
            message = f"{stages} pipeline stages are more than the {card.layers} layers"
            yield Problem((*path, "pp"), message)
        if degrees.get("vp", 1) > 1 and degrees.get("pp", 2) == 1:
            message = "vp needs pp of at least 2: there is nothing to interleave on one stage"
            yield Problem((*path, "vp"), message)


def layout_fills_the_accelerators(file: ScenarioFile) -> Iterator[Problem]:
    """Degrees that are all pinned must multiply to the accelerators that are asked for."""
    for index, work in training(file):
        degrees = _degrees(work)
        if work.accelerators is None or not {"tp", "pp", "dp"} <= degrees.keys():
            continue
        product = degrees["tp"] * degrees["pp"] * degrees["dp"] * degrees.get("cp", 1)
        if product != work.accelerators:
            yield Problem(
                ("workload", index, "accelerators"),
                f"the layout takes {product} accelerators, not {work.accelerators}; leave "
                "accelerators out or change a degree",
            )


def precision_is_supported(file: ScenarioFile) -> Iterator[Problem]:
    """Some accelerator that may be chosen must know the number format."""
    for index, work in training(file):
        chips = {
            catalogue.node(name).accelerator
            for group in file.cluster.nodes
            for name in _types(file, group)
        } - {""}
        precision = work.precision
        if precision is None or not chips:
            continue
        if not any(precision in catalogue.accelerator(chip).peak_flops for chip in chips):
            known = sorted(
                {"bf16", "fp16", "fp8"} & set(catalogue.accelerator(min(chips)).peak_flops)
            )
            yield Problem(
                ("workload", index, "precision"),
                f"{', '.join(sorted(chips))} cannot compute in {shown(precision)}; "
                f"write {' or '.join(known)}",
            )


def training(file: ScenarioFile) -> Iterator[tuple[int, TrainingPart]]:
    """The training jobs with their positions in the workload."""
    for index, work in enumerate(file.workload):
        if isinstance(work, TrainingPart):
            yield index, work


def _is_local(group: NodesPart) -> bool:
    return group.node == catalogue.LOCAL


def _degrees(work: TrainingPart) -> dict[str, int]:
    return work.parallelism.model_dump(exclude_none=True) if work.parallelism else {}


def _types(file: ScenarioFile, group: NodesPart) -> tuple[str, ...]:
    vary = file.plan.vary if file.plan is not None else None
    return (vary.node_types.get(group.name) if vary else None) or (group.node,)


def _per_node(file: ScenarioFile, group: NodesPart) -> int:
    return max(catalogue.node(name).accelerators for name in _types(file, group))


def _most_accelerators(file: ScenarioFile, group: NodesPart) -> int:
    vary = file.plan.vary if file.plan is not None else None
    counts = (vary.node_counts.get(group.name) if vary else None) or (group.count,)
    return max(counts) * _per_node(file, group)


def rehearsed_jobs_fit(file: ScenarioFile) -> Iterator[Problem]:
    """No job of a rehearsal asks for more worker processes than there are."""
    if file.rehearsal is None:
        return
    nodes = file.rehearsal.nodes or REHEARSAL_NODES
    if file.rehearsal.processors is not None and file.rehearsal.processors > nodes:
        message = f"{nodes} worker processes cannot use more than {nodes} processors"
        yield Problem(("rehearsal", "processors"), message)
    for index, work in enumerate(file.workload):
        parameters = work.parameters if isinstance(work, RealPart) else None
        workers = parameters.workers if parameters else None
        if workers is not None and workers > nodes:
            yield Problem(
                ("workload", index, "parameters", "workers"),
                f"{workers} workers are more than the {nodes} nodes of the rehearsal; "
                "ask for fewer, or write more nodes",
            )


def windows_lie_in_the_cluster(file: ScenarioFile) -> Iterator[Problem]:
    """A window closes nodes that there are, for some time."""
    counts = {group.name: group.count for group in file.cluster.nodes}
    for index, window in enumerate(file.policies.windows if file.policies else ()):
        path = ("policies", "windows", index)
        if window.nodes not in counts:
            yield Problem(
                (*path, "nodes"),
                f'there are no nodes called "{window.nodes}"; '
                f"{catalogue.suggest(window.nodes, counts)}",
            )
        elif not window.first <= window.last < counts[window.nodes]:
            last = counts[window.nodes] - 1
            yield Problem((*path, "last"), f"{window.nodes} has nodes 0 to {last}, first to last")
        if window.end <= window.start:
            yield Problem((*path, "end"), "the window ends before it starts; write a later end")


def traces_have_nodes(file: ScenarioFile) -> Iterator[Problem]:
    """A trace runs on nodes that there are."""
    names = [group.name for group in file.cluster.nodes if not _is_local(group)]
    for index, work in enumerate(file.workload):
        if isinstance(work, TracePart) and (not names or work.group not in (None, *names)):
            yield Problem(
                ("workload", index, "group" if work.group else "file"),
                "the jobs of a trace need a group of nodes with accelerators"
                + (f"; there are {', '.join(names)}" if names else ""),
            )


CHECKS: tuple[Check, ...] = (
    windows_lie_in_the_cluster,
    traces_have_nodes,
    names_differ,
    total_is_no_name,
    start_is_a_date,
    redundancy_is_known,
    lost_servers_exist,
    copies_are_of_local_saves,
    network_keys_fit_the_topology,
    objectives_name_jobs,
    dates_follow_the_start,
    confidence_can_be_reached,
    varied_groups_exist,
    training_has_accelerators,
    accelerators_are_there,
    this_machine_is_one,
    model_is_a_transformer,
    sequence_fits_the_model,
    batch_is_within_the_tokens,
    micro_batch_is_within_the_batch,
    layout_divides_the_model,
    layout_fills_the_accelerators,
    precision_is_supported,
    rehearsed_jobs_fit,
)
