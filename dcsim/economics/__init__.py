"""From a ledger to money, energy and carbon."""
