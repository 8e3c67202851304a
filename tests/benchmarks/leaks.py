"""How many planted leaks does the audit find, and how much that is none does it report?

python -m tests.benchmarks.leaks --fashion-mnist FOLDER --emoji PACKAGE [--emoji PACKAGE]

FOLDER holds train-images-idx3-ubyte.gz. A PACKAGE is an unpacked emoji-datasource package: package/emoji.json and
package/img/NAME/64/*.png. 20 leaks of each kind are planted from train into test; 5,000 images of train and 5,000 of
test are clean, so that every one of their 25 million pairs may be reported wrongly. Emoji that are variants of
another one (skin tones, joined sequences such as "woman astronaut") are not taken as clean images, and neither are
those that come in families of nearly one drawing: faces, flags, symbols, swatches, clocks, moons.

A few pairs of the clean images are copies themselves: a magnifying glass tilted left, and the same tilted right. To
report one is no mistake and no merit; it is counted apart. Which these are is decided on the images' own pixels, by a
criterion that shares nothing with the audit and is stricter (`already_a_copy`): laid on each other as they are or
mirrored, moved by a pixel at most, they differ by less than a copy of quality 60 in JPEG differs from its original.
Look-alikes that fail it count as mistakes, though some show the same article of clothing in another colour.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from PIL.PngImagePlugin import PngInfo

from ftcli.components.data.image import to_rgb
from ftcli.engine.audit.fingerprint import fingerprint
from ftcli.engine.audit.neighbours import near_pairs
from ftcli.plans.data_splits import DataSplits, Example
from ftcli.workflows.audit import audit_splits

PER_KIND = 20
FAMILIES = (
    "Smileys & Emotion",
    "Flags",
    "Symbols",
    "Component",
    "time",
    "sky & weather",
    "award-medal",
    "sound",
    "book-paper",
)
"""Categories and subcategories of emoji that are left out of the clean images."""
Picture = Image.Image
Change = Callable[[Picture, random.Random], Picture]


def saved(image: Picture, **how: Any) -> Picture:
    packed = io.BytesIO()
    image.save(packed, **how)
    packed.seek(0)
    opened = Image.open(packed)
    opened.load()
    return opened


def half(image: Picture) -> Picture:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


def cropped(image: Picture, rng: random.Random) -> Picture:
    less_x, less_y = round(image.width * 0.05), round(image.height * 0.05)
    x, y = rng.randint(0, less_x), rng.randint(0, less_y)
    return image.crop((x, y, image.width - less_x + x, image.height - less_y + y))


def other_metadata(image: Picture) -> Picture:
    notes = PngInfo()
    notes.add_text("Comment", "made elsewhere")
    return saved(image, format="PNG", pnginfo=notes, compress_level=1)


KINDS: dict[str, Change] = {
    "the same file": lambda image, rng: image.copy(),
    "PNG, other metadata": lambda image, rng: other_metadata(image),
    "lossless WebP": lambda image, rng: saved(image, format="WEBP", lossless=True),
    "JPEG, quality 60": lambda image, rng: saved(image, format="JPEG", quality=60),
    "half the size": lambda image, rng: half(image),
    "half the size, JPEG 75": lambda image, rng: saved(half(image), format="JPEG", quality=75),
    "cropped by 5%": cropped,
    "cropped by 5%, resized": lambda image, rng: cropped(image, rng).resize(image.size),
    "mirrored": lambda image, rng: ImageOps.mirror(image),
    "20% brighter": lambda image, rng: ImageEnhance.Brightness(image).enhance(1.2),
    "20% darker": lambda image, rng: ImageEnhance.Brightness(image).enhance(0.8),
}
GROUP = "emoji skin tones (group)"


@dataclass
class Set:
    """Images as they are collected; `planted` maps a pair of indices to its kind."""

    images: list[Picture] = field(default_factory=list)
    streams: dict[str, list[int]] = field(default_factory=lambda: {"train": [], "val": [], "test": []})
    groups: list[str | None] = field(default_factory=list)
    planted: dict[tuple[int, int], str] = field(default_factory=dict)

    def add(self, image: Picture, stream: str, group: str | None = None) -> int:
        self.images.append(image)
        self.groups.append(group)
        self.streams[stream].append(len(self.images) - 1)
        return len(self.images) - 1

    def splits(self) -> DataSplits:
        names = [f"{index:05d}" for index in range(len(self.images))]
        examples = tuple(
            Example(name, i % 2, group=group)
            for i, (name, group) in enumerate(zip(names, self.groups, strict=True))
        )
        streams = {stream: tuple(indices) for stream, indices in self.streams.items()}
        return DataSplits("planted leaks", ("a", "b"), examples, streams, self.images.__getitem__)


@dataclass(frozen=True)
class Emoji:
    single: list[Picture]
    """Drawn for themselves: no variant of another one."""
    tones: list[tuple[str, Picture, Picture]]
    """Name, a light and a dark variant."""


def read_emoji(packages: list[Path]) -> Emoji:
    single: list[Picture] = []
    tones = []
    for package in packages:
        (folder,) = package.glob("package/img/*/64")
        for entry in json.loads((package / "package" / "emoji.json").read_text(encoding="utf-8")):
            variants = entry.get("skin_variations", {})
            light, dark = (variants.get(code, {}).get("image", "-") for code in ("1F3FB", "1F3FF"))
            if (folder / light).exists() and (folder / dark).exists():
                name = f"{folder.parent.name}/{entry['short_name']}"
                tones.append((name, _opened(folder / light), _opened(folder / dark)))
            elif _alone(entry) and (folder / entry["image"]).exists():
                single.append(_opened(folder / entry["image"]))
    return Emoji(single, tones)


def _alone(entry: dict[str, Any]) -> bool:
    return (
        "200d" not in entry["image"]
        and entry["category"] not in FAMILIES
        and entry["subcategory"] not in FAMILIES
    )


def _opened(path: Path) -> Picture:
    with Image.open(path) as image:
        return to_rgb(image)


def read_fashion(folder: Path) -> np.ndarray:
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)


def planted_set(fashion: np.ndarray, emoji: Emoji, clean: int, rng: random.Random) -> Set:
    """Half of each kind's leaks are clothes and half emoji; a fifth of the clean images are emoji, or all there are."""
    made = Set()
    clothes = [to_rgb(Image.fromarray(fashion[i])) for i in rng.sample(range(len(fashion)), 2 * clean)]
    singles = rng.sample(emoji.single, min(len(emoji.single), 2 * clean // 5))
    each = len(singles) // 2
    for stream in ("train", "test"):
        taken = [singles.pop() for _ in range(each)]
        taken += [clothes.pop() for _ in range(clean - len(taken))]
        for image in taken:
            made.add(image, stream)
    number = len(made.streams["train"])
    drawn = [i for i in range(number) if made.images[i].width == 64]
    worn = [i for i in range(number) if made.images[i].width == 28]
    rng.shuffle(drawn)
    rng.shuffle(worn)
    for kind, change in KINDS.items():
        for count in range(PER_KIND):
            source = (drawn if count % 2 else worn).pop()
            made.planted[source, made.add(change(made.images[source], rng), "test")] = kind
    for name, light, dark in rng.sample(emoji.tones, PER_KIND):
        made.planted[made.add(light, "train", name), made.add(dark, "test", name)] = GROUP
    return made


def already_a_copy(first: Picture, second: Picture) -> bool:
    """Whether two clean images differ by less than a compressor makes an image differ from itself."""
    if first.size != second.size:
        return False
    moves = [(x / 2, y / 2) for x in range(-2, 3) for y in range(-2, 3)]
    turned = (first, ImageOps.mirror(first))
    apart = min(_difference(_moved(image, *move), second) for image in turned for move in moves)
    return apart < min(_difference(_as_jpeg(image), image) for image in (first, second))


def _as_jpeg(image: Picture) -> Picture:
    return saved(image.convert("RGB"), format="JPEG", quality=60)


def _moved(image: Picture, x: float, y: float) -> Picture:
    how = Image.Transform.AFFINE, (1, 0, x, 0, 1, y), Image.Resampling.BILINEAR
    return image.convert("RGB").transform(image.size, *how)


def _difference(first: Picture, second: Picture) -> float:
    """The root of the mean square, but for the outermost pixels: a moved image has none there."""
    one, other = (np.asarray(image.convert("RGB"), np.float64)[1:-1, 1:-1] for image in (first, second))
    return float(np.sqrt(np.mean((one - other) ** 2)))


def measure(made: Set) -> None:
    started = time.perf_counter()
    report = audit_splits(made.splits(), workers=1)
    seconds = time.perf_counter() - started
    reported = {(pair.first, pair.second) for pair in report.pairs if pair.streams == ("train", "test")}
    by_group = {pair for pair in made.planted if made.planted[pair] == GROUP and pair[1] in report.leaked}
    print(f"{'kind of leak':28} {'planted':>8} {'found':>6} {'recall':>7}")
    for kind in [*KINDS, GROUP]:
        pairs = [pair for pair, planted in made.planted.items() if planted == kind]
        found = sum(pair in reported or pair in by_group for pair in pairs)
        print(f"{kind:28} {len(pairs):8} {found:6} {found / len(pairs):7.1%}")
    right = len((reported | by_group) & set(made.planted))
    others = sorted(reported - set(made.planted))
    wrong = [pair for pair in others if not already_a_copy(*(made.images[index] for index in pair))]
    there = len(others) - len(wrong)
    print(f"\nreported pairs: {right + len(others)}, planted among them: {right}, others: {len(others)}")
    print(f"of the others {there} were copies before anything was planted, and {len(wrong)} are look-alikes")
    print(f"precision, without the former: {right / max(right + len(wrong), 1):.2%}")
    counts = ", ".join(f"{len(i):,} {s}" for s, i in made.streams.items())
    print(f"whole audit of {counts}: {seconds:.1f} s on one core")
    for first, second in wrong:
        pair = next(p for p in report.pairs if (p.first, p.second) == (first, second))
        print(f"  not planted: {pair.first_key} {pair.second_key} {pair.how} {pair.distance:.3f}")
    _save_wrong(made, wrong)


def _save_wrong(made: Set, wrong: list[tuple[int, int]]) -> None:
    """Side by side in not_planted.png of the current directory, for a look: some are real copies."""
    if not wrong:
        return
    page = Image.new("RGB", (132 * 6, 66 * -(-len(wrong) // 6)), "gray")
    for place, pair in enumerate(wrong):
        for side, index in enumerate(pair):
            shown = made.images[index].convert("RGB").resize((64, 64))
            page.paste(shown, (132 * (place % 6) + 65 * side, 66 * (place // 6)))
    page.save("not_planted.png")


def time_fingerprints(images: list[Picture]) -> None:
    """By the time of the processor: what else runs on the machine does not count."""
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 256, (375, 500, 3), dtype=np.uint8))
    for name, pictures in (("28 and 64 pixels", images[:2000]), ("500 x 375 pixels", [photo] * 200)):
        started = time.process_time()
        for image in pictures:
            fingerprint(image)
        rate = len(pictures) / (time.process_time() - started)
        print(f"fingerprints of decoded images of {name}: {rate:,.0f} a second on one core")


def time_neighbours(number: int = 100_000) -> None:
    """Random hashes, a tenth of them with a near copy, and a crowd of equal ones."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, number, dtype=np.uint64, endpoint=False)
    tenth = number // 10
    hashes[:tenth] = hashes[tenth : 2 * tenth] ^ np.uint64(0b1000000010000000100000001)
    hashes[-tenth // 2 :] = 0
    started = time.perf_counter()
    pairs = near_pairs(hashes, hashes)
    seconds = time.perf_counter() - started
    near = set(map(tuple, pairs[(pairs[:, 0] < tenth)].tolist()))
    found = sum((i, i + tenth) in near for i in range(tenth))
    print(
        f"{number:,} hashes: {seconds:.1f} s, {len(pairs):,} pairs, {found / tenth:.1%} of the planted ones"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fashion-mnist", type=Path, required=True)
    parser.add_argument("--emoji", type=Path, action="append", required=True)
    parser.add_argument("--clean", type=int, default=5000, help="clean images in train, and as many in test")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    time_neighbours()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process so far: {peak:,.0f} MiB")
    rng = random.Random(given.seed)
    made = planted_set(read_fashion(given.fashion_mnist), read_emoji(given.emoji), given.clean, rng)
    time_fingerprints(made.images)
    measure(made)


if __name__ == "__main__":
    main()
