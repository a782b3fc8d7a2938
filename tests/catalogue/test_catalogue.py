import csv
from pathlib import Path

import pytest

from dcsim import catalogue
from dcsim.catalogue.lookup import suggest
from dcsim.records import InputError, Source

STATUSES = {"sourced", "mixed", "from-memory", "assumption", "measured"}

#: Every way in which published tables spell an accelerator that we have.
SPELLINGS = {
    "A100": "A100-SXM-80",
    "A100-80GB-SXM": "A100-SXM-80",
    "A100-SXM-80GB": "A100-SXM-80",
    "A100-40GB-SXM": "A100-SXM-40",
    "A100-80GB-PCIe": "A100-PCIe-80",
    "A40-48GB-PCIe": "A40-PCIe",
    "B200": "B200-SXM",
    "GB200-NVL72": "GB200",
    "GH200-144GB": "GH200-144",
    "H100-80GB-SXM": "H100-SXM",
    "H100-96GB-HBM2e-500W": "H100-SXM-96-HBM2e-500W",
    "H100-PCIe-80GB": "H100-PCIe",
    "H200-SXM-141GB-CTS": "H200-SXM-CTS",
    "H800": "H800-SXM",
    "Quadro-RTX-6000-24GB": "Quadro-RTX-6000",
    "RTX-PRO-6000-Blackwell": "RTX-PRO-6000-SE",
    "TPUv5p": "TPU-v5p",
    "V100-16GB-SXM2": "V100-SXM2-16",
    "V100-PCIE-32GB": "V100-PCIe-32",
    "a100 sxm4 80gb": "A100-SXM-80",
}


@pytest.mark.parametrize(("written", "name"), SPELLINGS.items())
def test_accelerators_are_found_under_published_names(written: str, name: str) -> None:
    assert catalogue.accelerator(written).name == name


def test_every_name_in_the_published_tables_resolves(truth: Path) -> None:
    tables = [
        "training_runs.csv",
        "training_runs_small.csv",
        "training_memory.csv",
        "serving_runs.csv",
        "power_measured.csv",
    ]
    for table in tables:
        with (truth / table).open(newline="", encoding="utf-8") as file:
            for name in {row["accelerator"] for row in csv.DictReader(file)}:
                catalogue.accelerator(name)
    with (truth / "hardware.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = catalogue.accelerator(row["name"])
            for kind, peak in found.peak_flops.items():
                assert peak == float(row[kind]) * 1e12
            assert found.memory_bytes_per_s == float(row["mem_bw_gbs"]) * 1e9


def test_an_open_variant_is_the_common_one_and_the_other_is_told() -> None:
    assert catalogue.accelerator("A100").memory_bytes == 80 * 2**30
    assert [a.name for a in catalogue.could_also_be("A100")] == ["A100-SXM-40"]
    assert catalogue.could_also_be("A100-SXM-80") == ()


def test_no_two_accelerators_share_a_name() -> None:
    seen: dict[str, str] = {}
    for name in catalogue.names("accelerators"):
        for spelling in (name, *catalogue.accelerator(name).aliases):
            folded = catalogue.lookup.fold(spelling)  # type: ignore[attr-defined]
            assert seen.setdefault(folded, name) == name


def sources_of(record: object) -> list[Source]:
    fields = getattr(record, "__dataclass_fields__", {})
    return [v for f in fields if isinstance(v := getattr(record, f), Source)]


@pytest.mark.parametrize("kind", [k for k in catalogue.kinds() if k not in catalogue.named_kinds()])
def test_every_fact_has_a_source_and_a_status(kind: str) -> None:
    for name, record in catalogue.entries(kind).items():
        sources = sources_of(record)
        assert sources, name
        for source in sources:
            assert source.status in STATUSES, name
            assert source.text or source.status == "from-memory", name


def test_nodes_agree_with_their_accelerators() -> None:
    for name in catalogue.names("nodes"):
        node = catalogue.node(name)
        if not node.accelerator:
            continue
        chip = catalogue.accelerator(node.accelerator)
        assert node.fast_domain % node.accelerators == 0
        assert node.idle_w < node.peak_w <= node.rated_w
        assert node.accelerators * chip.tdp_w <= node.rated_w
        low, high = (
            node.rent_low_usd_per_accelerator_hour,
            node.rent_high_usd_per_accelerator_hour,
        )
        assert 0 < low <= node.rent_usd_per_accelerator_hour <= high
        assert node.price_usd > 0


def test_a_rack_is_one_node_and_one_fast_domain() -> None:
    rack = catalogue.node("gb200-nvl72")
    assert (rack.accelerators, rack.fast_domain) == (72, 72)


def test_rent_is_the_median_over_providers_and_their_range() -> None:
    # Cheapest region of the newest list of each: aws 6.88, azure 12.29, lambda 3.99,
    # nebius 2.95, verda 2.29.
    rent = catalogue.rent("H100-SXM")
    assert rent is not None
    assert (rent.low, rent.value, rent.high) == (2.29, 3.99, 12.29)


def test_a_dated_price_supersedes_an_undated_one() -> None:
    # nebius sold 8 x H200 for 28 USD/h in an undated snapshot and for 36 on 2026-08-28;
    # with aws 7.912, verda 3.39 and spheron 4.54 the median lies between 4.50 and 4.54.
    rent = catalogue.rent("H200-SXM")
    assert rent is not None
    assert rent.value == pytest.approx((4.5 + 4.54) / 2)


def test_few_providers_widen_the_range() -> None:
    rent = catalogue.rent("GB200")
    assert rent is not None
    assert rent.low < rent.value < rent.high
    assert catalogue.rent("TPU-v4") is None


def test_llama3_rates_follow_from_its_counts() -> None:
    rates = catalogue.failure_rates("llama3").per_accelerator_s
    # 419 unexpected interruptions in 54 days on 16,384 accelerators.
    assert sum(rates.values()) * 54 * 86400 * 16384 == pytest.approx(419)
    assert rates["hardware"] * 54 * 86400 * 16384 == pytest.approx(283)


def test_rsc1_rates_are_those_of_the_paper() -> None:
    seen = sum(catalogue.failure_rates("rsc1").per_accelerator_s.values())
    attributed = sum(catalogue.failure_rates("rsc1-attributed").per_accelerator_s.values())
    assert seen * 8 * 86400 * 1000 == pytest.approx(20.96, rel=1e-3)
    assert seen / attributed == pytest.approx(3.2, rel=0.02)


def test_models_have_the_parameters_that_they_are_known_for() -> None:
    for name in ("llama3-8b", "llama3-70b", "llama3-405b", "gpt3-175b", "gpt-530b", "gpt-1t"):
        card = catalogue.model(name)
        head = card.hidden // card.heads
        attention = card.hidden * head * (2 * card.heads + 2 * card.kv_heads)
        mlp = card.mlp_matrices * card.hidden * card.ffn_hidden
        tables = card.vocab * card.hidden * (1 if card.tied_embeddings else 2)
        total = card.layers * (attention + mlp) + tables
        assert total == pytest.approx(card.published_parameters, rel=0.01)


def test_sites_carry_grid_tariff_and_pue() -> None:
    site = catalogue.site("us-virginia")
    assert site.carbon_kg_per_kwh == pytest.approx(0.322)
    assert site.tariff_usd_per_kwh == pytest.approx(0.0892)
    assert site.pue == pytest.approx(1.125)
    # The newer of two published figures for one state.
    assert catalogue.site("us-iowa").tariff_usd_per_kwh == pytest.approx(0.0604)


def test_this_machine_is_detected() -> None:
    here = catalogue.node("local")
    assert here.cpu_cores >= 1
    assert here.accelerators == 0
    assert here.price_usd == 0


@pytest.mark.parametrize(
    ("find", "name", "hint"),
    [
        (catalogue.accelerator, "H1O0-SXM", "H100-SXM"),
        (catalogue.node, "hgx-h10", "hgx-h100"),
        (catalogue.model, "llama3-7b", "llama3-70b"),
        (catalogue.storage_system, "nvme-psf", "nvme-pfs"),
        (catalogue.link, "nvlink9", "nvlink"),
        (catalogue.site, "us-virgina", "us-virginia"),
        (catalogue.failure_rates, "lama3", "llama3"),
    ],
)
def test_an_unknown_name_gets_a_suggestion(find: object, name: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        find(name)  # type: ignore[operator]
    assert f'did you mean "{hint}' in str(caught.value)


def test_without_a_close_name_the_names_are_listed() -> None:
    assert suggest("zzz", ["a", "b"]) == "there are a, b"
    assert suggest("zzz", ["a"]) == "there is a"
    assert suggest("zzz", list("abcdefghij")).endswith("and more")
    with pytest.raises(InputError):
        catalogue.accelerator("")


def test_prices_are_dated_and_counted() -> None:
    prices = catalogue.prices()
    assert len(prices) > 100
    assert all(price.date for price in prices)
