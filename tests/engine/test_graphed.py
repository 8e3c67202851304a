"""What is recorded, and that no bit changes. A stand-in plays CUDA; tests/numerics/test_cuda.py has it."""

import pytest
import torch
from torch import nn

from ftcli.components.head import MLP, Linear, build
from ftcli.components.objective import Objective
from ftcli.engine.batches import Batch
from ftcli.engine.graphed import MOST_PARAMETERS, GraphedHead, graphed, is_recordable
from ftcli.engine.precision import loss_scaler
from ftcli.engine.seed import seed_step
from ftcli.engine.step import Stepper
from ftcli.events import Noticed
from tests.numerics.runs import metrics, run, same_bits
from tests.toys import ignore, recipe, recorder

WIDTH, CLASSES = 6, 3
TORCHS = "torch.cuda.make_graphed_callables"
HEADS = {
    "linear": Linear(),
    "dropout": Linear(dropout=0.5),
    "mlp": MLP(kind="mlp", hidden=(5,), dropout=0.5),
}


class StandIn:
    """What torch does, on a CPU: inputs, logits and gradients lie where the next replay writes its own."""

    def __init__(self, error=0.0):
        self.error = error
        self.shapes, self.kept_weights, self.replays = [], [], 0

    def __call__(self, function, samples):
        self.shapes.append(tuple(samples[0].shape))
        self.kept_weights.append(torch.is_autocast_cache_enabled())
        trained = [sample for sample in samples if sample.requires_grad]
        logits = function(*samples).detach()  # a warm-up, which draws
        gradients = [torch.empty_like(sample) for sample in trained]
        stand_in = self

        class Replay(torch.autograd.Function):
            @staticmethod
            def forward(ctx, *inputs):
                stand_in.replays += 1
                for sample, given in zip(samples, inputs, strict=True):
                    if sample.data_ptr() != given.data_ptr():
                        sample.copy_(given)
                with torch.enable_grad():
                    ctx.made = function(*samples)
                logits.copy_(ctx.made.detach() + stand_in.error)
                return logits.detach()

            @staticmethod
            def backward(ctx, gradient):
                for place, made in zip(
                    gradients, torch.autograd.grad(ctx.made, trained, gradient), strict=True
                ):
                    place.copy_(made)
                rest = iter(gradients)
                return tuple(next(rest).detach() if sample.requires_grad else None for sample in samples)

        return Replay.apply


@pytest.fixture
def stand_in(monkeypatch):
    made = StandIn()
    monkeypatch.setattr(TORCHS, made)
    return made


def head_of(name):
    torch.manual_seed(0)
    return build(HEADS[name], WIDTH, CLASSES)


def on_features(head):
    return lambda features: head(features.clone())


def recording(head, precision="fp32", tell=ignore):
    return GraphedHead(on_features(head), head, "cpu", precision, tell)


def features(count=8, seed=0):
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


def batches(counts):
    labels = [torch.arange(count) % CLASSES for count in counts]
    parts = [features(count, seed) for seed, count in enumerate(counts)]
    return [Batch(x, y, tuple(range(len(y)))) for x, y in zip(parts, labels, strict=True)]


def stepped(forward, head, precision, accumulation, counts):
    """The losses of two epochs over batches of these sizes."""
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.1)
    loss = Objective(0.0, None, 0.0)
    stepper = Stepper(
        forward, optimizer, loss_scaler(precision, "cpu"), "cpu", precision, loss, clip_norm=1.0
    )
    made = batches(counts)
    groups = [made[at : at + accumulation] for at in range(0, len(made), accumulation)] * 2
    return [stepper.step(group, lambda at=at: seed_step(0, "cpu", at)) for at, group in enumerate(groups)]


def with_hook():
    head = nn.Sequential(nn.Linear(2, 2))
    head[0].register_forward_hook(lambda module, arguments, output: None)
    return head


@pytest.mark.parametrize(
    ("head", "recordable"),
    [
        (nn.Linear(2, 2), True),
        (head_of("mlp"), True),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), False),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval()), False),
        (with_hook(), False),
        (nn.Linear(MOST_PARAMETERS // 2, 3, device="meta"), False),
        (nn.Flatten(), False),
    ],
)
def test_a_head_that_a_replay_does_all_of_is_recorded_on_cuda(head, recordable):
    assert is_recordable(head, "cuda") == recordable
    assert not is_recordable(head, "cpu")


def test_the_forward_stays_what_it_is_on_a_cpu_and_where_more_than_the_head_runs():
    head = nn.Linear(2, 2)
    assert graphed(head.forward, head, "cpu", "fp32", ignore) == head.forward
    assert graphed(head.forward, None, "cuda", "fp32", ignore) == head.forward
    assert isinstance(graphed(head.forward, head, "cuda", "fp32", ignore), GraphedHead)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("name", HEADS)
def test_steps_move_the_weights_to_the_same_bits(name, accumulation, precision, stand_in):
    plain, replayed = head_of(name), head_of(name)
    counts = [8, 8, 8, 8, 8, 5]
    losses = stepped(on_features(plain), plain, precision, accumulation, counts)
    assert stepped(recording(replayed, precision), replayed, precision, accumulation, counts) == losses
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), replayed.parameters(), strict=True))
    assert stand_in.shapes == [(8, WIDTH)]
    assert stand_in.kept_weights == [precision == "fp32"], "where there is no autocast, it may say so"
    assert stand_in.replays == 1 + 4 + 5, "the proof, and every batch of that shape but the first"


def test_recorded_is_the_shape_that_comes_twice_in_a_row(stand_in):
    """A run that goes on in the middle of an epoch may begin with its last batch."""
    head = head_of("linear")
    forward = recording(head)
    for count in (5, 8, 5, 8, 8, 5, 5, 8):
        assert torch.equal(forward(features(count)), head(features(count)))
    assert stand_in.shapes == [(8, WIDTH)]
    assert stand_in.replays == 1 + 2


def told_by(head, calls=4):
    """The findings of some calls, each of which gives what the head gives."""
    events, tell = recorder()
    forward = recording(head, tell=tell)
    for at in range(calls):
        torch.manual_seed(at)
        made = forward(features(seed=at))
        torch.manual_seed(at)
        assert torch.equal(made, head(features(seed=at)))
    return [event.finding for event in events if isinstance(event, Noticed)]


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a CUDA device it may succeed")
@pytest.mark.parametrize("name", HEADS)
def test_where_recording_fails_the_head_goes_on_as_it_is(name):
    (finding,) = told_by(head_of(name))
    assert (finding.severity, finding.rule) == ("info", "head-not-graphed")
    assert "\n" not in finding.message


def test_a_replay_that_gives_other_bits_is_not_used(monkeypatch):
    monkeypatch.setattr(TORCHS, StandIn(error=1e-6))
    (finding,) = told_by(head_of("mlp"))
    assert "bits" in finding.message


def refuse(function, samples):
    function(*samples)
    raise torch.OutOfMemoryError("CUDA out of memory\nand more")


@pytest.mark.parametrize("torchs", [StandIn(), StandIn(error=1.0), refuse])
def test_recording_leaves_all_as_it_was(torchs, monkeypatch):
    monkeypatch.setattr(TORCHS, torchs)
    head = head_of("mlp")
    head[0].eval()
    head[0].bias.requires_grad_(False)
    head[0].weight.grad = torch.ones_like(head[0].weight)
    forward = recording(head)
    forward(features())
    before = state_of(head)
    forward._recorded(features())
    assert all(torch.equal(one, other) for one, other in zip(before, state_of(head), strict=True))
    assert head[-1].weight.grad is None
    assert [module.training for module in head] == [False, True, True, True]
    assert not head[0].bias.requires_grad


def state_of(head):
    tensors = [*head.parameters(), head[0].weight.grad]
    return [torch.get_rng_state(), *(tensor.detach().clone() for tensor in tensors)]


def toy(digits, **sections):
    kept = {
        "strategy": "feature_extraction",
        "model": {
            "backbone": "timm/test_resnet",
            "weights": "none",
            "head": {"kind": "mlp", "hidden": [16], "dropout": 0.5},
        },
        "train": {"epochs": 3, "batch_size": 5, "accumulation": 2},
        "runtime": {"device": "cpu", "cuda_graphs": True},
    }
    return recipe(digits, **{**kept, **sections})


@pytest.fixture
def as_on_cuda(stand_in, monkeypatch):
    monkeypatch.setattr("ftcli.engine.graphed.is_recordable", lambda head, device: True)
    return stand_in


@pytest.mark.parametrize(
    "sections",
    [{}, {"strategy": {"kind": "lp_ft", "head_epochs": 2}}, {"augment": {"kind": "features"}}],
    ids=["probe", "lp_ft", "features"],
)
def test_a_run_ends_with_the_same_bits(sections, digits, tmp_path, request):
    made = toy(digits, **sections)
    run(made, tmp_path / "plain")
    stand_in = request.getfixturevalue("as_on_cuda")
    result = run(made, tmp_path / "replayed")
    assert [shape[0] for shape in stand_in.shapes] == [5], "one recording, in the phase that trains the head"
    assert stand_in.replays > 10
    assert not [finding for finding in result.findings if finding.rule == "head-not-graphed"]
    assert same_bits(tmp_path / "plain", tmp_path / "replayed")
    assert metrics(tmp_path / "plain") == metrics(tmp_path / "replayed")


@pytest.mark.parametrize(
    "sections",
    [
        {"strategy": "partial"},
        {"cache": {"prefix": "off"}},
        {"runtime": {"device": "cpu", "cuda_graphs": False}},
    ],
    ids=["more trains than the head", "nothing is kept", "not asked for"],
)
def test_nothing_else_is_recorded(sections, digits, tmp_path, as_on_cuda):
    run(toy(digits, **sections), tmp_path / "run")
    assert not as_on_cuda.shapes
