"""The JSON of vLLM's serving benchmark (`--save-result`) → one level of load.

Read are `model_id`, `request_throughput`, `output_throughput` and the milliseconds
`mean_ttft_ms`, `p99_ttft_ms`, `mean_tpot_ms`, `p99_tpot_ms`.
"""

from pathlib import Path

from dcsim.calibration.imports.text import fault, number, read_json
from dcsim.records.measurements import ServingLevel


def read_vllm(path: Path) -> ServingLevel:
    """What the server delivered; InputError where it is no such result."""
    document = read_json(path, "vLLM's benchmark")
    model = document.get("model_id")
    if not isinstance(model, str) or not model:
        raise fault(path, "has no model_id; save it with `vllm bench serve --save-result`")
    value = {
        name: number(path, document, name, "vLLM's benchmark")
        for name in (
            "request_throughput",
            "output_throughput",
            "mean_ttft_ms",
            "p99_ttft_ms",
            "mean_tpot_ms",
            "p99_tpot_ms",
        )
    }
    return ServingLevel(
        model=model,
        requests_per_s=value["request_throughput"],
        output_tokens_per_s=value["output_throughput"],
        mean_ttft_s=1e-3 * value["mean_ttft_ms"],
        p99_ttft_s=1e-3 * value["p99_ttft_ms"],
        mean_tpot_s=1e-3 * value["mean_tpot_ms"],
        p99_tpot_s=1e-3 * value["p99_tpot_ms"],
        source=f"vLLM benchmark: {path.name}",
    )
