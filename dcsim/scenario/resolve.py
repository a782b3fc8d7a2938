"""From what the user wrote to what the program uses: names resolved, gaps filled.

Every gap that is filled is recorded with its reason.
"""

from datetime import date
from pathlib import Path
from typing import TypeVar

from dcsim import catalogue
from dcsim.catalogue.records import NodeType, SiteFacts
from dcsim.records import Source
from dcsim.scenario.fallbacks import (
    CONFIDENCE,
    FAILURES,
    FINALISTS,
    LIFETIME_YEARS,
    RADIX,
    REGION,
    REHEARSAL_NODES,
    REHEARSAL_STORAGE,
    RESIDUAL_SHARE,
    SEEDS,
    SOFTWARE_FAMILY,
    STORAGE_FILL,
    STORAGE_SERVERS,
    STORAGE_SYSTEM,
    TOPOLOGY,
    TWO_BYTE_VOCABULARY,
)
from dcsim.scenario.redundancy import read_redundancy
from dcsim.scenario.resolve_policies import failure_rates, scheduling, trace_work
from dcsim.scenario.resolved import (
    CheckpointPolicy,
    Cluster,
    Default,
    FixedLayout,
    Money,
    Network,
    NodeGroup,
    Objective,
    Plan,
    Policies,
    RealWork,
    Rehearsal,
    Scenario,
    Site,
    Storage,
    StorageLoss,
    TrainingWork,
    Work,
)
from dcsim.scenario.schema import (
    ClusterPart,
    LossPart,
    MoneyPart,
    NetworkPart,
    NodesPart,
    ObjectivePart,
    PlanPart,
    PoliciesPart,
    RealPart,
    RehearsalPart,
    ScenarioFile,
    SitePart,
    StoragePart,
    TracePart,
    TrainingPart,
)
from dcsim.scenario.vary import ALL, Vary
from dcsim.units import SECONDS_PER_DAY, SECONDS_PER_YEAR, format_quantity, number, parse_date
from dcsim.workload.software import software

T = TypeVar("T")


class Gaps:
    """Fills what was left out, and remembers what it filled and why."""

    def __init__(self) -> None:
        self.filled: list[Default] = []

    def fill(self, written: T | None, field: str, value: T, reason: str, text: str = "") -> T:
        """`written`, or `value` with a note when nothing was written."""
        if written is not None:
            return written
        self.note(field, text or _plain(value), reason)
        return value

    def note(self, field: str, value: str, reason: str) -> None:
        """Record a default that `fill` cannot express."""
        self.filled.append(Default(field, value, reason))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def resolve(file: ScenarioFile, path: Path, text: bytes) -> Scenario:
    """The scenario in `file`, which has passed every check."""
    gaps = Gaps()
    return Scenario(
        name=file.name,
        title=file.title or _title(file),
        seed=gaps.fill(file.seed, "seed", 0, "any seed gives a fair draw; fixed to repeat it"),
        site=_site(file.site or SitePart(), gaps),
        cluster=_cluster(file, gaps),
        workload=tuple(
            trace_work(work, path) if isinstance(work, TracePart) else _work(work, gaps)
            for work in file.workload
        ),
        policies=_policies(file.policies or PoliciesPart(), file.cluster.nodes, gaps),
        money=_money(file.money or MoneyPart(), gaps),
        plan=_plan(file.plan or PlanPart(), gaps),
        objectives=tuple(_objective(part, file, gaps) for part in file.objectives),
        defaults=tuple(gaps.filled),
        path=path,
        text=text,
        rehearsal=_rehearsal(file.rehearsal, gaps) if file.rehearsal else None,
    )


def _title(file: ScenarioFile) -> str:
    """What the scenario is about, from its only training job, else its name."""
    jobs = [work for work in file.workload if isinstance(work, TrainingPart)]
    if len(jobs) != 1:
        return file.name
    return f"Train {jobs[0].model} on {format_quantity(jobs[0].tokens, 'count')} tokens"


def _site(part: SitePart, gaps: Gaps) -> Site:
    region = gaps.fill(part.region, "site.region", REGION, "the largest data-centre market")
    facts: SiteFacts = catalogue.site(region)
    pue_reason = facts.pue_source.text if facts.pue_source else "the region's own"
    tariff_reason = facts.tariff_source.text if facts.tariff_source else "the region's own"
    return Site(
        facts=facts,
        power_w=part.power,
        racks=part.racks,
        rack_power_w=part.rack_power,
        pue=gaps.fill(part.pue, "site.pue", facts.pue, pue_reason),
        tariff_usd_per_kwh=gaps.fill(
            part.tariff,
            "site.tariff",
            facts.tariff_usd_per_kwh,
            tariff_reason,
            format_quantity(facts.tariff_usd_per_kwh, "energy-price"),
        ),
        carbon_kg_per_kwh=gaps.fill(
            part.carbon,
            "site.carbon",
            facts.carbon_kg_per_kwh,
            facts.source.text,
            format_quantity(facts.carbon_kg_per_kwh, "carbon-intensity"),
        ),
    )


def _cluster(file: ScenarioFile, gaps: Gaps) -> Cluster:
    part: ClusterPart = file.cluster
    groups = [NodeGroup(g.name, catalogue.node(g.node), g.count) for g in part.nodes]
    here = next((group for group in groups if group.node.name == catalogue.LOCAL), None)
    if here is None and any(isinstance(work, RealPart) for work in file.workload):
        here = NodeGroup(catalogue.LOCAL, catalogue.node(catalogue.LOCAL), 1)
        gaps.note("cluster.nodes.local", "1 × local", "real jobs run on this machine")
    return Cluster(
        groups=tuple(group for group in groups if group is not here),
        local=here,
        network=_network(part.network or NetworkPart(), gaps),
        storage=_storage(part.storage or StoragePart(), gaps),
    )


def _network(part: NetworkPart, gaps: Gaps) -> Network:
    where = "cluster.network"
    if part.nic is None:
        gaps.note(f"{where}.nic", "as the node type has", "the NICs that the node is sold with")
    return Network(
        topology=gaps.fill(
            part.topology, f"{where}.topology", TOPOLOGY, "the commonest training fabric"
        ),
        radix=gaps.fill(part.radix, f"{where}.radix", RADIX, "ports of current 400 Gb/s switches"),
        oversubscription=gaps.fill(
            part.oversubscription,
            f"{where}.oversubscription",
            1.0,
            "training fabrics are built non-blocking",
        ),
        nic_bytes_per_s=part.nic,
        options=_network_options(part),
    )


def _network_options(part: NetworkPart) -> dict[str, float | int | str]:
    """Further keys of the topology, those that were written."""
    keys = ("nics", "planes", "rails", "dims", "routing", "relay", "reduces")
    return {key: getattr(part, key) for key in keys if getattr(part, key) is not None}


def _storage(part: StoragePart, gaps: Gaps) -> Storage:
    where = "cluster.storage"
    name = gaps.fill(
        part.system, f"{where}.system", STORAGE_SYSTEM, "a parallel file system on NVMe servers"
    )
    system = catalogue.storage_system(name)
    redundancy = gaps.fill(
        part.redundancy, f"{where}.redundancy", system.redundancy, f"default of {name}"
    )
    data, parity = read_redundancy(redundancy)
    servers = gaps.fill(
        part.servers,
        f"{where}.servers",
        max(STORAGE_SERVERS, data + parity),
        "a small system that holds one stripe",
    )
    return Storage(
        system=system,
        servers=servers,
        data_parts=data,
        parity_parts=parity,
        metadata_servers=part.metadata_servers or 0,
        origin_bytes_per_s=part.origin,
        cache=gaps.fill(part.cache, f"{where}.cache", "none", "data is read anew every time"),
        prefetch=gaps.fill(part.prefetch, f"{where}.prefetch", 1, "one batch is read ahead"),
        loss=_loss(part.loss, gaps) if part.loss else None,
    )


def _loss(part: LossPart, gaps: Gaps) -> StorageLoss:
    where = "cluster.storage.loss"
    return StorageLoss(
        mttf_s=part.mttf,
        lost=tuple((lost.at, lost.server) for lost in part.servers or ()),
        fill=gaps.fill(part.fill, f"{where}.fill", STORAGE_FILL, "storage is kept half full"),
        rebuild=gaps.fill(
            part.rebuild, f"{where}.rebuild", "declustered", "what large file systems do"
        ),
        rate_bytes_per_s=part.rate,
        detect_s=gaps.fill(
            part.detect, f"{where}.detect", 0.0, "a lost server is known at once", "0 s"
        ),
        replace_s=gaps.fill(
            part.replace,
            f"{where}.replace",
            SECONDS_PER_DAY,
            "a day until another server stands there",
            "1 d",
        ),
    )


def _work(part: TrainingPart | RealPart, gaps: Gaps) -> Work:
    return _training(part, gaps) if isinstance(part, TrainingPart) else _real(part, gaps)


def _submit(written: float | None, where: str, gaps: Gaps) -> float:
    return gaps.fill(written, f"{where}.submit", 0.0, "from the start", "0 s")


def _training(part: TrainingPart, gaps: Gaps) -> TrainingWork:
    where = f"workload.{part.name}"
    card = catalogue.model(part.model)
    token_bytes = 2.0 if card.vocab <= TWO_BYTE_VOCABULARY else 4.0
    return TrainingWork(
        name=part.name,
        model=card,
        tokens=part.tokens,
        global_batch=part.global_batch,
        seq_len=gaps.fill(
            part.seq_len, f"{where}.seq_len", card.seq_len, f"context of {card.name}"
        ),
        precision=gaps.fill(
            part.precision, f"{where}.precision", "bf16", "the usual format of large training"
        ),
        layout=_layout(part),
        software=gaps.fill(
            part.software,
            f"{where}.software",
            software(SOFTWARE_FAMILY).name,
            "the newest generation with measurements",
        ),
        accelerators=part.accelerators,
        submit_s=_submit(part.submit, where, gaps),
        priority=gaps.fill(part.priority, f"{where}.priority", 0, "all jobs are equal"),
        bytes_per_token=gaps.fill(
            part.bytes_per_token,
            f"{where}.bytes_per_token",
            token_bytes,
            f"token numbers of a vocabulary of {card.vocab:,}",
        ),
        group=part.group,
        user=part.user or "",
        dataset_tokens=part.dataset,
        file_bytes=part.file or 0.0,
        shuffle=True if part.shuffle is None else part.shuffle,
    )


def _layout(part: TrainingPart) -> FixedLayout:
    degrees = part.parallelism
    return FixedLayout(
        tp=degrees.tp if degrees else None,
        pp=degrees.pp if degrees else None,
        vp=degrees.vp if degrees else None,
        dp=degrees.dp if degrees else None,
        cp=degrees.cp if degrees else None,
        ep=degrees.ep if degrees else None,
        micro_batch=part.micro_batch,
        recompute=part.recompute,
        zero_stage=degrees.zero if degrees else None,
        sequence_parallel=degrees.sequence_parallel if degrees else None,
    )


def _real(part: RealPart, gaps: Gaps) -> RealWork:
    where = f"workload.{part.name}"
    return RealWork(
        name=part.name,
        job=part.job,
        submit_s=_submit(part.submit, where, gaps),
        priority=gaps.fill(part.priority, f"{where}.priority", 0, "all jobs are equal"),
        repeats=gaps.fill(part.repeats, f"{where}.repeats", 1, "one run of the job"),
        parameters=part.parameters.model_dump(exclude_none=True) if part.parameters else {},
        kill_after_s=part.kill,
    )


def _rehearsal(part: RehearsalPart, gaps: Gaps) -> Rehearsal:
    return Rehearsal(
        nodes=gaps.fill(part.nodes, "rehearsal.nodes", REHEARSAL_NODES, "a small cluster"),
        processors=part.processors,
        storage_bytes_per_s=gaps.fill(
            part.storage,
            "rehearsal.storage",
            REHEARSAL_STORAGE,
            "slow enough to be felt, fast enough not to rule",
            format_quantity(REHEARSAL_STORAGE, "rate"),
        ),
        load=part.load,
    )


def _policies(part: PoliciesPart, nodes: list[NodesPart], gaps: Gaps) -> Policies:
    interval: float | None = None
    if part.checkpoint is None:
        gaps.note("policies.checkpoint.interval", "optimal", "least expected loss to failures")
    elif not isinstance(part.checkpoint.interval, str):
        interval = part.checkpoint.interval
    written = part.failures.rates if part.failures is not None else None
    rates = gaps.fill(written, "policies.failures.rates", FAILURES, "the largest published run")
    return Policies(
        scheduler=gaps.fill(
            part.scheduler, "policies.scheduler", "fifo", "first come, first served"
        ),
        placement=gaps.fill(
            part.placement, "policies.placement", "best-fit", "keeps whole nodes free"
        ),
        checkpoint=CheckpointPolicy(
            interval_s=interval,
            blocking=gaps.fill(
                part.checkpoint.blocking if part.checkpoint else None,
                "policies.checkpoint.blocking",
                True,
                "the cautious case: training waits while its state is written",
            ),
            sharded=True if part.checkpoint is None else part.checkpoint.sharded is not False,
            local_interval_s=part.checkpoint.local if part.checkpoint else None,
            local_copies=(part.checkpoint.copies if part.checkpoint else None) or 1,
        ),
        failures=failure_rates(part.failures, rates),
        spares=gaps.fill(part.spares, "policies.spares", 0, "no node stands idle on purpose"),
        scheduling=scheduling(part, nodes),
    )


def _money(part: MoneyPart, gaps: Gaps) -> Money:
    terms = gaps.fill(part.terms, "money.terms", "rent", "prices of renting are published")
    lifetime, residual = part.lifetime, part.residual
    if terms == "buy":
        lifetime = gaps.fill(
            lifetime,
            "money.lifetime",
            LIFETIME_YEARS * SECONDS_PER_YEAR,
            "accounting lives of servers are 4 to 6 years, from memory",
            f"{LIFETIME_YEARS} years",
        )
        residual = gaps.fill(
            residual,
            "money.residual",
            RESIDUAL_SHARE,
            "our own; 0.25-0.35 is quoted after 36 months",
        )
    return Money(
        terms=terms,
        lifetime_s=LIFETIME_YEARS * SECONDS_PER_YEAR if lifetime is None else lifetime,
        residual_share=RESIDUAL_SHARE if residual is None else residual,
        source=Source(
            "server depreciation life of 4-6 years (from memory); residual value of 0.25-0.35 "
            "after 36 months, v2-pseo-ai.pages.dev gpu-tco-analysis",
            "assumption",
            "2025-26",
        ),
    )


def _plan(part: PlanPart, gaps: Gaps) -> Plan:
    vary = part.vary or Vary()
    open_reason = "whatever a job does not pin is left to the planner"
    types: dict[str, tuple[NodeType, ...]] = {
        group: tuple(map(catalogue.node, names)) for group, names in vary.node_types.items()
    }
    if vary.parallelism is None:
        gaps.note("plan.vary.parallelism", ALL, open_reason)
    if vary.micro_batches is None:
        gaps.note("plan.vary.micro_batch", ALL, open_reason)
    if vary.recomputes is None:
        gaps.note("plan.vary.recompute", ALL, open_reason)
    return Plan(
        node_counts=dict(vary.node_counts),
        node_types=types,
        parallelism=ALL if vary.parallelism is None else vary.parallelism,
        micro_batches=vary.micro_batches or (),
        recomputes=vary.recomputes or (),
        finalists=gaps.fill(
            part.finalists, "plan.finalists", FINALISTS, "the best few; the rest is far behind"
        ),
        seeds=gaps.fill(part.seeds, "plan.seeds", SEEDS, "confidence in steps of about 3 %"),
    )


def _objective(part: ObjectivePart, file: ScenarioFile, gaps: Gaps) -> Objective:
    target = part.target()
    name = part.name or target.metric
    value = target.value
    if target.day and file.start is not None:
        days = date.fromisoformat(target.day) - parse_date(file.start)
        value = days.days * SECONDS_PER_DAY
    return Objective(
        name=name,
        metric=target.metric,
        sense=target.sense,
        target=value,
        unit=target.unit,
        hard=gaps.fill(
            part.hard, f"objectives.{name}.hard", False, "a plan that misses it is still a plan"
        ),
        confidence=gaps.fill(
            part.confidence,
            f"objectives.{name}.confidence",
            CONFIDENCE,
            "met in the median run",
            number(CONFIDENCE, 1),
        ),
        text=f"{target.metric} {target.words}",
    )
