"""Physics as vectorised functions of workload, tiers and Profile."""
