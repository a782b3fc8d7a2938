"""The training-step model once more, for one row, in plain Python and by loops.

Written from the formulas, not from the vectorised code: scalars only, no NumPy.
"""

from dataclasses import dataclass
from math import ceil, floor, log2, sqrt
from typing import Any

from dcsim.cost.parameters import generation_of, prior
from dcsim.workload.software import generations

BITS = {"fp32": 32, "tf32": 32, "fp16": 16, "bf16": 16, "fp8": 8, "mxfp8": 8, "nvfp4": 4}
UNITS = {"A100-SXM-80": 108, "H100-SXM": 132, "B200-SXM": 148}


@dataclass
class Row:
    """One configuration; names as in TrainingTable."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    kv: int
    head_dim: int
    vocab: int
    seq: int
    mats: int
    tied: bool
    experts: int
    topk: int
    moe_ffn: int
    shared: int
    chip: str
    peak: float
    peak16: float
    bandwidth: float
    tiers: list[tuple[float, float, float, bool]]
    batch: int
    precision: str
    software: str
    tp: int
    pp: int
    vp: int
    dp: int
    cp: int
    ep: int
    micro: int
    recompute: str
    zero: int
    sp: bool


def value(name: str) -> float:
    return prior(name).value


def collective(kind: str, size: float, group: int, stride: int, tiers: list, step: float) -> float:
    """Seconds of one collective; tiers are (size, attainable bytes/s, latency, reduces)."""
    if group <= 1:
        return 0.0
    if kind == "p2p":
        for extent, rate, latency, _ in tiers:
            if 2 * stride <= extent:
                return size / rate + latency + step
        return size / tiers[-1][1] + tiers[-1][2] + step
    moving, waiting, below = 0.0, 0.0, 1.0
    passes = 2 if kind == "all_reduce" else 1
    for number, (extent, rate, latency, reduces) in enumerate(tiers):
        members = min(max(floor(extent / stride), 1), group)
        if kind == "all_to_all":
            if members > below:
                moving = max(moving, size * (group - below) / group / rate)
                waiting += latency + step * log2(1 + members)
        else:
            here = passes * size * (group - 1) / group / (rate * max(below, 1))
            if kind == "all_reduce" and number == 0 and reduces and members >= group and group > 4:
                here = size / rate
            if members > below:
                moving = max(moving, here)
            ratio = members / below
            hops = ratio - 1 if number == 0 else 2 * log2(max(ratio, 1))
            waiting += passes * hops * (latency + step)
        below = members
    return moving + waiting


def smooth_max(a: float, b: float, p: float) -> float:
    top = max(a, b)
    return top * ((a / top) ** p + (b / top) ** p) ** (1 / p) if top > 0 else 0.0


def shown(communication: float, window: float, share: float) -> float:
    share = min(share, 1.0)
    over, corner = communication - window, 0.1 * communication
    excess = 0.5 * (over + sqrt(over * over + corner * corner))
    return share * communication + (1 - share) * min(excess, communication)


def idle(rows: float, columns: float, units: int) -> float:
    """Share that the best of three tile sizes computes beyond a result of rows × columns."""
    best = float("inf")
    for height, width, pace in ((128, 256, 1.0), (128, 128, 1.08), (64, 64, 1.4)):
        waves = ceil(ceil(rows / height) * ceil(columns / width) / units)
        best = min(best, waves * units * height * width * pace)
    return best / (rows * columns) - 1


class Oracle:
    """All parameters at their priors."""

    def __init__(self, row: Row) -> None:
        self.r = row
        self.s = generations()[row.software]
        self.gen = generation_of(row.chip)
        self.bits = BITS[row.precision]
        family = [g.year for g in generations().values() if g.family == self.s.family]
        mean = sum(family) / len(family)
        self.pace = (
            value(f"pace.family.{self.s.family}")
            * value(f"pace.trend.{self.s.family}") ** (self.s.year - mean)
            * value(f"pace.software.{self.s.name}")
            * value(f"pace.accelerator.{row.chip}")
        )
        self.mixture = 1.0
        if row.experts:
            self.mixture = value("moe.trend") ** (self.s.year - 2026.0)
            self.mixture *= value(f"moe.software.{self.s.name}")
        self.moe = 1.0 if row.experts else 0.0
        self.unfused = self.s.attention == "unfused"
        self.tokens = row.micro * row.seq / row.cp
        self.split = row.tp if row.sp else 1
        self.full = row.recompute == "full"
        self.some = row.recompute == "selective"
        self.speed = row.bandwidth * value(f"traffic.share.{self.gen}") / self.pace
        across = "network.shared" if row.tiers[-1][1] < 12.5e9 else "network.outer"
        efficiency = (value("network.inner"), value(across))
        self.tiers = [
            (t[0], t[1] * efficiency[min(i, 1)], t[2], t[3]) for i, t in enumerate(row.tiers)
        ]

    def network(self, kind: str, size: float, group: int, stride: int) -> float:
        return collective(kind, size, group, stride, self.tiers, value("network.step_s"))

    def product(
        self, m: float, n: float, k: float, wide: bool = False, groups: float | None = None
    ) -> float:
        peak = self.r.peak16 if wide else self.r.peak
        bits = 16 if wide else self.bits
        knee = value("gemm.knee") * peak / self.r.bandwidth
        if not wide and bits < 16:
            knee *= value(f"gemm.knee.{bits}")
        rate = peak * value(f"gemm.share.{bits}.{self.gen}") / self.pace
        p = value("gemm.sharpness")
        surface = knee * (1 / m + 1 / n + 1 / k)
        units = UNITS[self.r.chip]
        if groups is None:
            lost = idle(m, n, units) + idle(m, k, units) + idle(n, k, units)
        else:
            half = 0.5 * 128 * 256 * units / groups
            lost = half * (1 / (m * n) + 1 / (m * k) + 1 / (n * k))
        lost *= value("gemm.wave") / 3
        return 2 * m * n * k / rate * ((1 + surface**p) ** (1 / p) + lost)

    def layer(self) -> dict[str, float]:
        r, m = self.r, self.tokens
        width = r.heads * r.head_dim
        dense = self.product(m, (width + 2 * r.kv * r.head_dim) / r.tp, r.hidden)
        dense += self.product(m, r.hidden, width / r.tp)
        up = r.mats - 1
        if not r.experts:
            dense += self.product(m, up * r.ffn / r.tp, r.hidden)
            dense += self.product(m, r.hidden, r.ffn / r.tp)
        experts = 0.0
        routed = m / r.tp * r.topk
        if r.experts:
            local = r.experts / r.ep
            each = max(routed / local, 1)
            one = self.product(each, up * r.moe_ffn, r.hidden, groups=local)
            one += self.product(each, r.hidden, r.moe_ffn, groups=local)
            experts = local * one * value("gemm.grouped") * value("moe.imbalance") * self.mixture
        span = r.seq if self.unfused else r.seq / 2
        kernel = self.s.attention
        half = value(f"attention.half_seq.{kernel}")
        rate = r.peak16 * value(f"attention.share.{kernel}.{self.gen}") / self.pace
        rate *= r.seq / (r.seq + half) * r.head_dim / (r.head_dim + value("attention.half_head"))
        attention = 2 * m * span * 2 * r.head_dim * r.heads / r.tp / rate
        if self.unfused and r.head_dim % 8:
            attention *= value("attention.misaligned")
        scores = 0.0
        if self.unfused:
            elements = m * r.seq * r.heads / r.tp
            scores = elements * 2 * value("attention.score_passes") / self.speed
        passes = self.passes(routed)
        repeat = value(f"recompute.products.{self.s.family}") if self.some else 0.0
        repeat = 1.0 if self.full else (0.0 if self.unfused else repeat)
        core = 1.0 if self.full or (self.some and self.unfused) else repeat
        again = value(f"recompute.selective.{self.s.family}") if self.some else 0.0
        again = 1.0 if self.full else (0.0 if self.unfused else again)
        host = value("host.layer_s") * value(f"host.family.{self.s.family}")
        host *= value(f"host.software.{self.s.name}")
        host *= 1 + (value("host.moe") * self.mixture - 1) * self.moe
        if r.tp > 1:
            host *= value("host.tp")
        sums = (self.layer_weights() + self.expert_weights()) * self.accumulate()
        return {
            "dense": dense * (3 + repeat),
            "experts": experts * (3 + repeat),
            "attention": attention * ((3 if self.unfused else 3.5) + core),
            "traffic": scores * (1 + 0.4 * core) + passes * (1 + 0.4 * again) + sums,
            "host": host * (1 + (1.0 if self.full else 0.5 * self.some) / 3),
        }

    def passes(self, routed: float) -> float:
        r, fusion = self.r, value(f"traffic.family.{self.s.family}")
        cast = value(f"traffic.cast.{self.bits}") if self.bits < 16 else 0.0
        qkv = (r.heads + 2 * r.kv) * r.head_dim / r.tp
        inner = 0.0 if r.experts else r.ffn / r.tp
        up = r.mats - 1
        token = value("traffic.norm") * fusion * r.hidden / self.split
        token += value("traffic.qkv") * fusion * qkv
        token += value("traffic.mlp") * fusion * up * inner
        token += cast * (2 * r.hidden + qkv + inner)
        elements = self.tokens * token
        if r.experts:
            each = value("moe.traffic") * r.hidden
            each += (value("traffic.mlp") * fusion * up + cast) * r.moe_ffn
            elements += routed * each * self.mixture
        return elements * 2 / self.speed

    def iteration(self) -> dict[str, float]:
        r, layer = self.r, self.layer()
        m = max(round(r.batch / (r.dp * r.micro)), 1)
        stage, mean = self.stage_layers(), r.layers / r.pp
        loss = value(f"loss.bytes.{self.s.loss}")
        end = 3 * self.product(self.tokens, r.vocab / r.tp, r.hidden, wide=True)
        end += r.hidden * r.vocab / r.tp * self.accumulate()
        end += self.tokens * r.vocab / r.tp * loss / self.speed
        first = 6 * self.tokens * r.hidden * 2 / self.speed
        tp_s, cp_s, ep_s = self.tp_s(), self.cp_s(layer["attention"]), self.ep_s()
        device = sum(layer[k] for k in ("dense", "experts", "attention", "traffic"))
        each = device + tp_s + cp_s + ep_s
        sharp = value("host.sharpness")
        on_device = mean * each + (end + first) / r.pp
        typical = smooth_max(on_device, (mean + 1 / r.pp) * layer["host"], sharp)
        slowest = typical
        if r.pp > 1:
            last = min(max(r.layers - (r.pp - 1) * stage, 0), stage)
            slowest = max(
                typical,
                smooth_max(stage * each, stage * layer["host"], sharp),
                smooth_max(last * each + end, (last + 1) * layer["host"], sharp),
            )
        bubble = m * (slowest - typical)
        bubble += value("pp.bubble") * (r.pp - 1) / r.vp * typical
        bubble += 2 * (m * r.vp + r.pp - 1) * self.hand_over()
        parts = {
            "compute_s": m * (mean * device + (end + first) / r.pp),
            "tp_s": m * mean * tp_s,
            "pp_bubble_s": bubble,
            "dp_s": self.dp_s(typical, m),
            "ep_s": m * mean * ep_s,
            "cp_s": m * mean * cp_s,
            "optimizer_s": self.optimizer(),
            "other_s": m * (typical - on_device)
            + value("step.overhead_s") * value(f"step.family.{self.s.family}"),
        }
        nodes = max(r.tp * r.pp * r.dp * r.cp / 8, 1)
        parts["other_s"] += value("network.jitter") * log2(nodes) * sum(parts.values())
        return parts

    def stage_layers(self) -> float:
        r, chunks = self.r, self.r.pp * self.r.vp
        if r.layers % chunks == 0:
            return r.layers / r.pp
        if self.s.interleaves_embedding and (r.layers + 2) % chunks == 0:
            return (r.layers + 2) / r.pp
        return ceil(r.layers / r.pp)

    def tp_s(self) -> float:
        r, size = self.r, self.tokens * self.r.hidden * 2
        one = self.network("all_reduce", size, r.tp, 1)
        if r.sp:
            one = 2 * self.network("all_gather", size, r.tp, 1)
        count = 4 + 2 * self.full - 2 * self.moe
        exposed = value(f"tp.exposed.{self.s.family}") * value(f"tp.software.{self.s.name}")
        return count * one * exposed

    def cp_s(self, attention: float) -> float:
        r = self.r
        width = 2 * r.kv * r.head_dim / min(r.tp, r.kv)
        gather = self.network("all_gather", self.tokens * r.cp * width * 2, r.cp, r.tp)
        return shown(3 * gather, attention, value("cp.exposed")) if r.cp > 1 else 0.0

    def ep_s(self) -> float:
        r = self.r
        if not r.experts:
            return 0.0
        size = self.tokens / r.tp * r.topk * r.hidden * 2
        count = 4 + 2 * self.full
        exposed = value(f"ep.exposed.{self.s.family}") * self.mixture
        return count * self.network("all_to_all", size, r.ep, 1) * exposed

    def accumulate(self) -> float:
        return self.s.accumulate_bytes * value("gradient.traffic") / self.speed

    def layer_weights(self) -> float:
        r = self.r
        width = r.heads * r.head_dim
        layer = r.hidden * (2 * width + 2 * r.kv * r.head_dim) + 4 * r.hidden
        layer += r.hidden * r.experts if r.experts else r.mats * r.hidden * r.ffn
        return layer / r.tp

    def expert_weights(self) -> float:
        r = self.r
        return r.mats * r.hidden * r.moe_ffn * r.experts / r.ep if r.experts else 0.0

    def weights(self) -> tuple[float, float]:
        r = self.r
        ends = 1 if r.pp > 1 or r.tied else 2
        dense = r.layers / r.pp * self.layer_weights() + ends * r.vocab * r.hidden / r.tp
        return dense, r.layers / r.pp * self.expert_weights()

    def reduction(self, weights: float, group: int, stride: int) -> float:
        size = weights * self.s.gradient_bytes
        if self.r.zero == 0:
            return self.network("all_reduce", size, group, stride)
        gather = self.network("all_gather", 2 * weights, group, stride)
        return self.network("reduce_scatter", size, group, stride) + gather

    def dp_s(self, typical: float, m: int) -> float:
        r, (dense, experts) = self.r, self.weights()
        group = r.dp * r.cp
        plain = self.reduction(dense, group, r.tp)
        if r.experts:
            plain += self.reduction(experts, max(group * r.tp / r.ep, 1), r.ep)
        traffic = value(f"dp.traffic.{self.s.family}")
        if r.zero < 3:
            window = value("dp.window") * self.s.overlap_dp * typical * 2 / 3
            return shown(traffic * plain, window, value(f"dp.floor.{self.s.family}"))
        volume = 2 * self.network("all_gather", 2 * dense, group, r.tp)
        volume += self.network("reduce_scatter", dense * self.s.gradient_bytes, group, r.tp)
        volume = traffic * (volume + (plain if r.experts else 0))
        return m * shown(volume, typical, value(f"fsdp.floor.{self.s.family}"))

    def hand_over(self) -> float:
        r = self.r
        if r.pp == 1:
            return 0.0
        size = self.tokens * r.hidden * 2 / r.tp
        wire = self.network("p2p", size, r.pp, r.tp * r.cp * r.dp)
        return value("pp.exposed") * wire + value(f"pp.handover_s.{self.s.family}")

    def optimizer(self) -> float:
        shard = self.r.dp * self.r.cp if self.r.zero >= 1 else 1
        whole = 0.0 if self.r.zero == 3 else 0.2
        moved = sum(self.weights()) * value("optimizer.bytes")
        return moved * (whole + (1 - whole) / shard) / self.speed


def predict(row: Row) -> dict[str, Any]:
    """The eight parts in seconds."""
    return Oracle(row).iteration()
