from dcsim.workers.environment import worker_environment


def test_threads_and_allocator_are_set_and_the_rest_is_kept() -> None:
    environment = worker_environment({"HOME": "here", "OMP_NUM_THREADS": "8"}, threads=2)
    assert environment["HOME"] == "here"
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "2"
    assert int(environment["MALLOC_TRIM_THRESHOLD_"]) > 1 << 30
