"""A calibration as a JSON document and as text for a terminal."""

from typing import Any

from dcsim.calibration.calibrate import held_out_report
from dcsim.records.profile import HostProfile, OperatorParameters

#: Classes shown one by one in the terminal; all others only in JSON and in the profile.
SHOWN = (
    "gemm.nn.f4",
    "gemm.nt.f4",
    "gemm.tn.f4",
    "gemm.nn.f8",
    "batched_gemm.nn.f4",
    "gemv.nn.f4",
    "elementwise.arithmetic.c.f4",
    "elementwise.arithmetic.b.f4",
    "transcendental.exp.c.f4",
    "transcendental.tanh.c.f4",
    "reduce.sum.c.f4",
    "gather.take.c.f4",
    "scatter.add.at.c.f4",
)


def calibration_json(host: HostProfile) -> dict[str, Any]:
    """The document of `dcsim calibrate --json`; errors are fractions."""
    from dataclasses import asdict

    return {
        "machine": {**asdict(host.machine), "noise": host.noise},
        "seconds": host.measured_in_s,
        "operators": [
            {
                "name": operator.name,
                "overhead_s": operator.overhead_s,
                "peak_flops": operator.peak_flops,
                "bandwidth_bytes_per_s": operator.bandwidth_bytes_per_s[-1],
                "median_error": operator.median_error,
            }
            for _, operator in sorted(host.operators.items())
        ],
        "held_out": {
            **held_out_report(host.held_out),
            "rows": [
                {
                    "name": row.name,
                    "measured_s": row.measured_s,
                    "predicted_s": row.predicted_s,
                    "low_s": row.low_s,
                    "high_s": row.high_s,
                }
                for row in host.held_out
            ],
        },
    }


def calibration_text(host: HostProfile) -> str:
    """At most 80 columns: the machine, chosen operators, every held-out step, the errors."""
    lines = [
        f"{host.machine.cpu}, {host.machine.cores} cores, NumPy {host.machine.numpy},",
        f"{host.machine.blas}; noise of a timing {host.noise:.1%}",
        "",
        f"{'operator':<30}{'overhead':>11}{'peak':>14}{'bandwidth':>12}{'error':>9}",
    ]
    lines += [_operator_line(host.operators[n]) for n in SHOWN if n in host.operators]
    lines.append(f"and {len(host.operators)} classes in all (--json, or the profile)")
    if not host.held_out:
        return "\n".join(lines)
    lines += [
        "",
        f"{'step of a network never seen':<42}{'measured':>9}{'predicted':>10}{'90 %':>18}",
    ]
    for row in host.held_out:
        interval = f"{_seconds(row.low_s)} – {_seconds(row.high_s)}"
        mark = " " if row.low_s <= row.measured_s <= row.high_s else "*"
        lines.append(
            f"{_short(row.name, 41):<42}{_seconds(row.measured_s):>9}"
            f"{_seconds(row.predicted_s):>10}{interval:>18}{mark}"
        )
    report = held_out_report(host.held_out)
    lines += [
        "",
        f"{report['n']} steps: median error {report['median_error']:.1%}, "
        f"P90 {report['p90_error']:.1%}, bias {report['bias']:+.1%}",
        f"{report['coverage90']:.0%} of them inside the 90 % interval (* marks the others)",
        f"measured twice: median difference {report['repeat_median']:.1%}, "
        f"P90 {report['repeat_p90']:.1%}",
    ]
    return "\n".join(lines)


def _operator_line(operator: OperatorParameters) -> str:
    return (
        f"{operator.name:<30}{operator.overhead_s * 1e6:>8.2f} µs"
        f"{operator.peak_flops / 1e9:>7.1f} GFLOP/s"
        f"{operator.bandwidth_bytes_per_s[-1] / 1e9:>7.1f} GB/s"
        f"{operator.median_error:>8.1%}"
    )


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
