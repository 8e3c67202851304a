"""What computes here, and what it is good at."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import torch

from ftcli.engine.placement import CPU_INFO, cpu_has_bf16
from ftcli.plans.health import Check
from ftcli.workflows.doctor.speed import channels_last_gain, gigaflops

WORTH_IT = 1.2
"""bf16 has to be so many times as fast as fp32 before it is recommended: it costs precision."""
_DRIVER_SECONDS = 10.0


def device_checks() -> tuple[Check, ...]:
    """The processor, each CUDA device, and what torch.compile needs. Measures for about a second."""
    return (_cpu(), _speed("cpu", cpu_has_bf16()), _layout(), *_cuda(), _compiler())


def _cpu() -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads, instructions = torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()
    facts = (("cores", cores), ("threads", threads), ("instructions", instructions), ("bf16", cpu_has_bf16()))
    bf16 = "bf16 in hardware" if cpu_has_bf16() else "bf16 emulated"
    found = f"{_cpu_name()}: {cores} cores, torch threads {threads}, {instructions}, {bf16}"
    if threads < cores:
        remedy = f"torch uses {threads} of {cores} cores: unset OMP_NUM_THREADS, or set it to {cores}"
        return Check("cpu", "note", found, remedy, facts)
    return Check("cpu", "ok", found, facts=facts)


def _cpu_name() -> str:
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]


def _speed(device: str, has_bf16: bool) -> Check:
    fp32, bf16 = gigaflops(device, torch.float32), gigaflops(device, torch.bfloat16)
    gain = bf16 / fp32
    facts = (("fp32_gflops", round(fp32, 1)), ("bf16_gflops", round(bf16, 1)))
    found = f"matrix product: fp32 {fp32:,.0f} GFLOP/s, bf16 {bf16:,.0f} ({gain:.1f} times)"
    advice = "worth it" if has_bf16 and gain >= WORTH_IT else "stay with fp32"
    return Check(f"{device} speed", "ok", f"{found}: {advice}", facts=facts)


def _layout() -> Check:
    gain = channels_last_gain()
    found = f"a convolution is {gain:.1f} times as fast as in torch's own layout; ftcli always uses it"
    return Check("channels_last", "ok", found, facts=(("gain", round(gain, 2)),))


def _cuda() -> Iterator[Check]:
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield _gpu(index)
        yield _speed("cuda", torch.cuda.is_bf16_supported(including_emulation=False))
        return
    present = _driver() is not None or Path("/dev/nvidia0").exists()
    if not present:
        yield Check("cuda", "ok", "no NVIDIA device: training uses the processor")
    elif torch.version.cuda is None:
        remedy = "install torch and torchvision built for CUDA to use it"
        yield Check("cuda", "note", "there is an NVIDIA device, but this torch is built without CUDA", remedy)
    else:
        found = f"there is an NVIDIA device that torch (CUDA {torch.version.cuda}) cannot use"
        yield Check("cuda", "problem", found, "renew the driver, or install torch for an older CUDA")


def _gpu(index: int) -> Check:
    free, total = torch.cuda.mem_get_info(index)
    properties = torch.cuda.get_device_properties(index)
    capability = f"{properties.major}.{properties.minor}"
    with torch.cuda.device(index):
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    facts = (("name", properties.name), ("bytes", total), ("free_bytes", free), ("capability", capability))
    memory = f"{total / 2**30:.0f} GiB, {free / 2**30:.0f} free"
    precision = "bf16" if bf16 else "no bf16"
    found = (
        f"{properties.name}: {memory}, capability {capability}, {precision}, driver {_driver() or 'unknown'}"
    )
    return Check(f"cuda:{index}", "ok", found, facts=(*facts, ("bf16", bf16), ("driver", _driver())))


def _driver() -> str | None:
    """The version of NVIDIA's driver; None where nobody answers."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=_DRIVER_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().partition("\n")[0] or None


def _compiler() -> Check:
    """torch.compile writes C++ (on CUDA: Triton, with a launcher in C) and needs Python's own headers for it."""
    wanted = os.environ.get("CXX")
    compiler = next((c for c in ([wanted] if wanted else ["g++", "clang++", "c++"]) if shutil.which(c)), None)
    headers = (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file()
    facts = (("compiler", compiler), ("headers", headers))
    if compiler and headers:
        return Check(
            "compile", "ok", f"{compiler} and Python's headers are there for torch.compile", facts=facts
        )
    lacks = " and ".join(
        name for name, there in (("a C++ compiler", compiler), ("Python.h", headers)) if not there
    )
    remedy = "only for torch.compile: install g++ and Python's development files (python3-dev)"
    return Check("compile", "note", f"there is no {lacks}", remedy, facts)
