"""Benchmarks run and their gates hold; the times themselves are for docs/performance.md."""

import pytest

from tests import programs

pytestmark = pytest.mark.long
KINDS = ("generate", "choices", "step")
STAGES = ["training", "choices", "completions", "centroids"]


def test_ours_makes_what_its_peers_make_and_everybody_is_timed():
    few = ("--model", "nano", "--repeats", "1", "--personas", "2", "--samples", "2")
    done = programs.run("-m", "benchmarks.engines", *KINDS, *few, cold=True, check=True)
    assert "greedy tokens of ours and of padded generate: the same" in done.stdout
    assert "NOT the same" not in done.stdout
    for kind in KINDS:
        assert f"{kind}, float32: least and median of 1" in done.stdout
    assert "padded generate" in done.stdout.partition("generate, float32")[2]


def test_growth_tells_what_twice_of_each_costs():
    few = (
        "--model",
        "nano",
        "--repeats",
        "1",
        "--personas",
        "1",
        "--questions",
        "1",
        "--samples",
        "1",
        "--length",
        "4",
    )
    first, *more = programs.run("-m", "benchmarks.growth", *few, cold=True, check=True).stdout.splitlines()
    assert first.startswith("1 personas, 1 questions, 1 samples, 4 length: ")
    assert [line.split()[2] for line in more] == ["personas", "questions", "samples", "length"]
    assert all(float(line.split()[3]) > 0 for line in more)


def test_the_benchmark_of_a_gpu_goes_through_its_stages_without_one():
    done = programs.run("-m", "benchmarks.gpu", "--tiny", cold=True, check=True, timeout=500)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ceilings:", *STAGES, "grid"]
    refused = programs.run("-m", "benchmarks.gpu", cold=True, env={**programs.os.environ, "CUDA_VISIBLE_DEVICES": ""})
    assert refused.returncode == 2
    assert "torch sees no GPU" in refused.stderr
