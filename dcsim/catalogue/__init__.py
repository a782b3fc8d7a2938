"""Facts with sources: accelerators, nodes, links, storage, models, prices, sites."""
