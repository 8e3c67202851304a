"""The table of where the time went."""

from __future__ import annotations

from dataclasses import replace

from ftcli.plans.profile import Compute, Part, Profile
from ftcli.report.profile import profile_view
from tests.report.report_samples import in_pipe

PROFILE = Profile(
    seconds=100.0,
    parts=(
        Part((), 4.0),
        Part(("imports",), 6.0),
        Part(("phase fine-tune",), 5.0),
        Part(("phase fine-tune", "forward"), 25.0, 1_000),
        Part(("phase fine-tune", "batches"), 10.0),
        Part(("phase fine-tune", "batches", "augment"), 50.0, 1_000),
    ),
    beside=(Part(("decode",), 12.5, 1_797),),
    compute=Compute(2.5e11, 50.0, 1e10, "fp32"),
)


def rows(profile: Profile = PROFILE) -> list[list[str]]:
    return [line.split() for line in in_pipe(profile_view(profile)).splitlines()]


def test_each_part_its_own_time_and_with_what_lies_in_it() -> None:
    found = rows()
    assert ["phase", "fine-tune", "5.00", "5.0%", "90.00"] in found
    assert ["forward", "25.00", "25.0%", "1,000", "40"] in found
    assert ["batches", "10.00", "10.0%", "60.00"] in found
    assert ["augment", "50.00", "50.0%", "1,000", "20"] in found
    assert ["all", "100.00", "100.0%"] in found
    assert found.index(["other", "4.00", "4.0%"]) == found.index(["all", "100.00", "100.0%"]) - 2


def test_other_threads_and_the_ceiling_below() -> None:
    text = in_pipe(profile_view(PROFILE))
    assert "meanwhile in other threads: decode 12.50 s\n" in text
    assert "forward and backward reached 50% of this machine's 10 GFLOP/s (fp32, measured)\n" in text
    little = replace(PROFILE, compute=Compute(1e8, 50.0, 1e10, "bf16"))
    assert "reached 0.02% of this machine's 10 GFLOP/s (bf16, measured)" in in_pipe(profile_view(little))
    assert "GFLOP/s" not in in_pipe(profile_view(replace(PROFILE, compute=None)))


def test_it_fits_eighty_columns_whatever_a_phase_is_called() -> None:
    long = (Part(("phase " + "x" * 60,), 5e4), Part(("phase " + "x" * 60, "forward"), 4e4, 10**8))
    for profile in (PROFILE, replace(PROFILE, seconds=9e4, parts=(Part((), 0.0), *long))):
        text = in_pipe(profile_view(profile))
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
