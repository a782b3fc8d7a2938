"""What a user writes: the schema, loading with line numbers, resolving names."""

from dcsim.scenario.load import (
    json_schema,
    load_scenario,
    parse_scenario,
    with_override,
    with_overrides,
)

__all__ = ["json_schema", "load_scenario", "parse_scenario", "with_override", "with_overrides"]
