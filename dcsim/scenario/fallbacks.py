"""What is taken when a scenario leaves something open; reasons stand in `resolve`."""

REGION = "us-virginia"
TOPOLOGY = "fat-tree"
RADIX = 64
STORAGE_SYSTEM = "nvme-pfs"
STORAGE_SERVERS = 16
STORAGE_FILL = 0.5
SOFTWARE_FAMILY = "megatron-bridge"
FAILURES = "llama3"
FINALISTS = 6
SEEDS = 32
CONFIDENCE = 0.5
REHEARSAL_NODES = 4
REHEARSAL_STORAGE = 60e6
LIFETIME_YEARS = 4
RESIDUAL_SHARE = 0.1
#: The largest vocabulary whose token numbers fit into two bytes.
TWO_BYTE_VOCABULARY = 2**16
