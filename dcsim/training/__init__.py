"""Real training in NumPy alone: layers with hand-written gradients, optimisers, jobs, the loop.

`jobs.job(name)` gives a ready job, `run.run_job` trains it; `models.build_mlp` and
`models.build_transformer` make networks of any size, whose `operators(batch)` counts the
NumPy calls of one training step.
"""
