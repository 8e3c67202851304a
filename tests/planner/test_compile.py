"""From a recipe and a layer map to phases: what trains, what must not move, and how fast."""

import json
from dataclasses import replace

import pytest

from ftcli.errors import MachineError, RecipeError
from ftcli.planner.choose import PAYS_FROM, choose_checkpoint_metric
from ftcli.planner.compile import compile_plan
from ftcli.planner.refuse import check_device
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.layer_map import Parameter
from ftcli.plans.preprocessing import IMAGENET
from ftcli.plans.training_plan import Bf16Effect, Machine
from ftcli.recipe.schema import Recipe
from tests.maps import resnet, transformer

DECIDED = ["norm", "layer_lr", "augment", "precision", "checkpoint_rule", "fold_bn", "compile"]


def recipe(**sections):
    content = {
        "data": "digits",
        "model": {"backbone": "torchvision/resnet18"},
        "strategy": "full",
        **sections,
    }
    return Recipe.model_validate_json(json.dumps(content))


def plan(
    num_train=1000, layer_map=None, machine=None, counts=None, prefix_costs=None, evidence=None, **sections
):
    facts = DataFacts(("a", "b"), num_train, IMAGENET, counts, prefix_costs=prefix_costs or {})
    return compile_plan(recipe(**sections), layer_map or resnet(), facts, machine or Machine("cpu"), evidence)


def peak_lrs(phase, optimizer):
    return {group.stage: optimizer.lr * group.lr_scale for group in phase.groups}


@pytest.mark.parametrize("norm", ["train", "freeze_stats", "freeze", "freeze_affine"])
@pytest.mark.parametrize("strategy", ["feature_extraction", "partial", "full", "lp_ft"])
def test_batch_norm_of_a_frozen_stage_is_in_eval_mode_whatever_the_policy(strategy, norm):
    for phase in plan(strategy=strategy, norm=norm).phases:
        training = {resnet().by_name[name].stage for name in phase.mask.trainable}
        for bn in phase.batch_norms:
            if bn.stage not in training:
                assert not bn.updates_stats
                assert not bn.trains_affine
            else:
                assert bn.updates_stats == (norm in ("train", "freeze_affine"))
                assert bn.trains_affine == (norm in ("train", "freeze_stats"))


def test_classes_of_one_size_are_told_with_one_number():
    sizes = {(22, 22): "classes of 22 training", (20, 22): "classes of 20 to 22 training"}
    for counts, told in sizes.items():
        chosen = choose_checkpoint_metric(recipe(), counts)
        assert chosen.decision is not None
        assert chosen.decision.why.startswith(told)


def test_every_parameter_is_trained_in_one_group_or_frozen():
    for phase in plan(strategy={"kind": "gradual"}, norm="freeze").phases:
        grouped = [name for group in phase.groups for name in group.params]
        assert len(grouped) == len(set(grouped))
        assert set(grouped) == phase.mask.trainable
        frozen = {name for name in phase.frozen_tensors if name in resnet().by_name}
        assert frozen == set(resnet().by_name) - set(grouped)


def test_statistics_that_must_not_move_are_among_the_frozen_tensors():
    (phase,) = plan(strategy="full", norm="freeze_stats").phases
    assert set(phase.frozen_tensors) == {name for bn in resnet().batch_norms for name in bn.buffers}
    (phase,) = plan(strategy="full", norm="train").phases
    assert phase.frozen_tensors == ()


def test_default_lr_is_a_tenth_for_a_pretrained_backbone():
    made = plan(strategy="full")
    assert peak_lrs(made.phases[0], made.optimizer) == pytest.approx(
        {"stem": 1e-4, "layer1": 1e-4, "layer2": 1e-4, "layer3": 1e-4, "layer4": 1e-4, "head": 1e-3}
    )
    assert [d.what for d in made.decisions] == DECIDED
    scratch = plan(strategy="scratch")
    assert set(peak_lrs(scratch.phases[0], scratch.optimizer).values()) == {1e-3}
    assert scratch.norm.kind == "train"
    assert scratch.floor == "none"


def test_the_curve_of_lp_ft_starts_anew():
    head, body = plan(strategy={"kind": "lp_ft", "head_epochs": 2}, train={"epochs": 12}).phases
    assert (head.start_epoch, head.end_epoch, body.start_epoch, body.end_epoch) == (0, 2, 2, 12)
    assert head.lr_factor(2) == pytest.approx(0.0)
    assert body.lr_factor(2) == pytest.approx(0.1)
    assert body.lr_factor(3) == pytest.approx(1.0)
    assert body.lr_factor(12) == pytest.approx(0.0)


def test_the_curve_of_gradual_spans_the_run():
    phases = plan(strategy="gradual", train={"epochs": 12}).phases
    assert {phase.curve_start for phase in phases} == {0}
    assert phases[0].lr_factor(0.6) == pytest.approx(0.55)
    assert phases[-1].lr_factor(12) == pytest.approx(0.0)


def test_a_warmup_that_does_not_fit_into_its_phase():
    with pytest.raises(RecipeError) as caught:
        plan(strategy={"kind": "lp_ft", "head_epochs": 2}, schedule={"kind": "cosine", "warmup": 3})
    assert caught.value.problems[0].path == "schedule.warmup"
    assert "phase 'head'" in caught.value.problems[0].message


def test_steps_count_accumulated_batches():
    made = plan(num_train=1000, train={"batch_size": 32, "accumulation": 4})
    assert (made.batches_per_epoch, made.steps_per_epoch) == (32, 8)


def test_fingerprint_holds_what_decides_the_numbers():
    made = plan()
    assert made.fingerprint() == plan().fingerprint()
    assert made.fingerprint() == made.with_findings(()).fingerprint()
    for other in (plan(seed=1), plan(num_train=999), plan(optimizer={"kind": "adamw", "lr": 1e-4})):
        assert other.fingerprint() != made.fingerprint()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(
    ("bf16", "evidence", "precision", "why"),
    [
        (False, None, "fp32", "no bf16 of its own"),
        (False, Bf16Effect(0.001, 32), "fp32", "no bf16 of its own"),
        (True, None, "fp32", "until the first training images have been seen in bf16"),
        (True, Bf16Effect(0.004, 32), "bf16", "features within 0.4% of fp32 on 32 images (bound 1%)"),
        (True, Bf16Effect(0.051, 32), "fp32", "bf16 moves the features by 5.1% (bound 1%)"),
        (True, Bf16Effect(float("nan"), 1), "fp32", "bf16 turns features into infinity or NaN"),
        (False, "bf16", "bf16", "as the run chose when it began"),
        (True, "fp32", "fp32", "as the run chose when it began"),
    ],
)
def test_precision_auto(device, bf16, evidence, precision, why):
    facts = DataFacts(("a", "b"), 1000, IMAGENET)
    made = compile_plan(recipe(), resnet(), facts, Machine(device, bf16), evidence)
    decision = next(decision for decision in made.decisions if decision.what == "precision")
    assert (made.precision, decision.value) == (precision, precision)
    assert why in decision.why


def test_a_precision_that_the_recipe_names_is_taken():
    facts = DataFacts(("a", "b"), 1000, IMAGENET)
    asked = recipe(train={"precision": "bf16"})
    made = compile_plan(asked, resnet(), facts, Machine("cpu"), "fp32")
    assert made.precision == "bf16"
    assert all(decision.what != "precision" for decision in made.decisions)


def test_a_run_can_go_on_where_bf16_is_slow():
    facts = DataFacts(("a", "b"), 1000, IMAGENET)
    fast = compile_plan(recipe(), resnet(), facts, Machine("cpu", bf16=True), Bf16Effect(0.004, 32))
    slow = compile_plan(recipe(), resnet(), facts, Machine("cpu"), "bf16")
    assert fast.fingerprint() == slow.fingerprint()
    assert fast.fingerprint() != compile_plan(recipe(), resnet(), facts, Machine("cpu")).fingerprint()


def with_wide_kernel():
    """A ResNet with a depthwise 5x5 convolution in its stem."""
    network = resnet()
    wide = Parameter("wide.weight", (8, 1, 5, 5), 0, network.stages[0], is_norm=False)
    return replace(network, parameters=(wide, *network.parameters))


@pytest.mark.parametrize(
    ("sections", "device", "made", "why"),
    [
        ({}, "cpu", "in_pieces", "gradients of 5x5 kernels, 3 columns at a time"),
        ({"runtime": {"exact": True}}, "cpu", "whole", "runtime.exact"),
        ({"runtime": {"depthwise": "off"}}, "cpu", "whole", None),
        ({"strategy": "feature_extraction"}, "cpu", "whole", None),
        ({}, "cuda", "whole", None),
    ],
)
def test_how_wide_depthwise_kernels_learn(sections, device, made, why):
    facts = DataFacts(("a", "b"), 1000, IMAGENET)
    asked = recipe(**{"strategy": "full", **sections})
    plan = compile_plan(asked, with_wide_kernel(), facts, Machine(device))
    reasons = [decision.why for decision in plan.decisions if decision.what == "depthwise"]
    assert plan.depthwise == made
    assert [why in reason for reason in reasons] == ([True] if why else [])


def test_a_run_goes_on_only_as_its_depthwise_kernels_learned():
    """Nothing is timed: the same recipe, network and device give the same plan, and another choice is another run."""
    facts = DataFacts(("a", "b"), 1000, IMAGENET)
    plans = [
        compile_plan(
            recipe(strategy="full", runtime={"depthwise": how}), with_wide_kernel(), facts, Machine("cpu")
        )
        for how in ("auto", "auto", "off")
    ]
    assert plans[0].fingerprint() == plans[1].fingerprint() != plans[2].fingerprint()


@pytest.mark.parametrize(
    ("sections", "device", "made", "why"),
    [
        ({}, "cpu", "folded", "frozen batch norms in the convolutions before them"),
        ({"runtime": {"exact": True}}, "cpu", "apart", "runtime.exact"),
        ({"runtime": {"fold_bn": "off"}}, "cpu", "apart", None),
        ({"train": {"precision": "bf16"}}, "cpu", "folded", "equal but for the rounding of bf16"),
        ({"strategy": "full"}, "cpu", "folded", "frozen batch norms"),  # of the linear probe
        ({"strategy": "scratch"}, "cpu", "apart", None),
        ({}, "cuda", "apart", None),
    ],
)
def test_how_frozen_batch_norms_are_computed(sections, device, made, why):
    facts = DataFacts(("a", "b"), 1000, IMAGENET)
    asked = recipe(**{"strategy": "feature_extraction", **sections})
    plan = compile_plan(asked, resnet(), facts, Machine(device))
    reasons = [decision.why for decision in plan.decisions if decision.what == "fold_bn"]
    assert plan.fold_bn == made
    assert [why in reason for reason in reasons] == ([True] if why else [])


COMPILE = {"compile": "on"}


@pytest.mark.parametrize(
    ("sections", "device", "num_train", "made", "why"),
    [
        ({}, "cpu", PAYS_FROM, "compiled", "50,000 image-views go through the frozen part: more than its"),
        (
            {},
            "cpu",
            PAYS_FROM - 1,
            "eager",
            "49,999 image-views go through the frozen part: it pays from 50,000",
        ),
        ({}, "cpu", None, "eager", None),
        ({}, "cuda", PAYS_FROM, "eager", None),
        (
            {"runtime": COMPILE},
            "cuda",
            500,
            "compiled",
            "500 image-views go through the frozen part: runtime",
        ),
        ({"runtime": {"compile": "off"}}, "cpu", PAYS_FROM, "eager", None),
        ({"runtime": {"exact": True}}, "cpu", PAYS_FROM, "eager", "runtime.exact"),
        ({"runtime": {"exact": True}}, "cpu", 500, "eager", "runtime.exact"),
        ({"runtime": {**COMPILE, "exact": True}}, "cpu", 500, "eager", "runtime.exact"),
        ({"strategy": "full"}, "cpu", PAYS_FROM, "compiled", "50,000 image-views"),  # of the linear probe
        ({"strategy": "full", "cache": {"prefix": "off"}}, "cpu", PAYS_FROM, "eager", None),
        (
            {"strategy": "full", "cache": {"prefix": "off"}, "runtime": COMPILE},
            "cpu",
            500,
            "eager",
            "is kept",
        ),
        ({"strategy": "scratch"}, "cpu", PAYS_FROM, "eager", None),
        (
            {"augment": "light", "cache": {"views": 4}},
            "cpu",
            PAYS_FROM // 4,
            "compiled",
            "50,000 image-views",
        ),
        ({"strategy": "partial", "augment": "none"}, "cpu", PAYS_FROM, "eager", "kept at several stages"),
    ],
)
def test_whether_the_frozen_part_is_compiled(sections, device, num_train, made, why):
    facts = DataFacts(("a", "b"), num_train, IMAGENET)
    asked = recipe(**{"strategy": "feature_extraction", **sections})
    plan = compile_plan(asked, resnet(), facts, Machine(device))
    reasons = [decision.why for decision in plan.decisions if decision.what == "compile"]
    assert plan.compile == made
    assert [why in reason for reason in reasons] == ([True] if why else [])


BATCH, LIGHT = {"crops": "batch"}, {"augment": "light"}


@pytest.mark.parametrize(
    ("sections", "device", "made", "why"),
    [
        (LIGHT, "cpu", "image", None),
        (LIGHT, "cuda", "batch", "a batch at once on the GPU"),
        ({}, "cuda", "batch", "a batch at once on the GPU"),
        ({"augment": {"kind": "light", "mix": "cutmix", "flip": False}}, "cuda", "batch", "on the GPU"),
        ({**LIGHT, "runtime": {"exact": True}}, "cuda", "image", "runtime.exact"),
        ({**LIGHT, "runtime": {"crops": "image"}}, "cuda", "image", None),
        ({"augment": "standard"}, "cuda", "image", None),
        ({"augment": "none"}, "cuda", "image", None),
        ({**LIGHT, "runtime": BATCH}, "cpu", "batch", None),
        ({**LIGHT, "runtime": {**BATCH, "exact": True}}, "cpu", "image", "runtime.exact"),
        ({"augment": "strong", "runtime": BATCH}, "cuda", "image", "augment: strong is not made of crops"),
        ({"augment": "flip", "runtime": BATCH}, "cpu", "image", "augment: flip is not made of crops"),
    ],
)
def test_where_crops_are_made(sections, device, made, why):
    decided = plan(machine=Machine(device), **sections)
    reasons = [decision.why for decision in decided.decisions if decision.what == "crops"]
    assert decided.crops == made
    assert [why in reason for reason in reasons] == ([True] if why else [])


@pytest.mark.parametrize(
    ("device", "reasons"), [("cuda", []), ("cpu", ["there is no GPU to record steps on"])]
)
def test_cuda_graphs_are_a_gpu_s_and_change_no_number(device, reasons):
    asked, plain = (plan(machine=Machine(device), runtime={"cuda_graphs": on}) for on in (True, False))
    assert (asked.cuda_graphs, plain.cuda_graphs) == (True, False)
    assert [decision.why for decision in asked.decisions if decision.what == "cuda_graphs"] == reasons
    assert asked.fingerprint() == plain.fingerprint()


def test_crops_of_batches_are_bilinear_or_bicubic():
    facts = DataFacts(("a", "b"), 1000, replace(IMAGENET, interpolation="nearest"))
    asked = recipe(**LIGHT, runtime=BATCH)
    decided = compile_plan(asked, resnet(), facts, Machine("cpu"))
    assert decided.crops == "image"
    assert any(decision.what == "crops" for decision in decided.decisions)


def test_a_run_goes_on_only_as_its_images_were_cropped():
    one, other = (plan(**LIGHT, runtime={"crops": how}) for how in ("image", "batch"))
    assert one.fingerprint() != other.fingerprint()


def test_asking_for_what_the_machine_has_not():
    with pytest.raises(MachineError) as caught:
        check_device(recipe(runtime={"device": "cuda"}), cuda_available=False)
    assert caught.value.exit_code == 3
    with pytest.raises(RecipeError):
        check_device(recipe(train={"precision": "fp16"}), cuda_available=False)
    check_device(recipe(runtime={"device": "cuda"}, train={"precision": "fp16"}), cuda_available=True)


@pytest.mark.parametrize(
    ("sections", "where"),
    [
        ({"optimizer": {"kind": "adamw", "lr": 0.01}, "layer_lr": "uniform"}, "optimizer.lr"),
        ({"norm": "group_norm", "layer_map": transformer()}, "norm.kind"),
        ({"norm": "freeze", "layer_map": transformer()}, "norm.kind"),
        ({"norm": "train", "train": {"batch_size": 4}}, "train.batch_size"),
        (
            {"strategy": {"kind": "gradual", "schedule": [{"stage": "layer4", "epoch": 1}]}},
            "stem, layer1, layer2, layer3",
        ),
    ],
)
def test_findings(sections, where):
    assert where in [finding.where for finding in plan(**sections).findings]


def test_batch_norm_in_train_mode_needs_more_than_one_image():
    with pytest.raises(RecipeError) as caught:
        plan(norm="train", train={"batch_size": 1})
    assert caught.value.problems[0].path == "train.batch_size"
    assert plan(norm="freeze_stats", train={"batch_size": 1}).batch_size == 1


def test_a_plain_recipe_has_no_findings():
    assert plan().findings == ()
    assert plan(strategy="feature_extraction").findings == ()


def metric_and_reason(**sections):
    made = plan(**sections)
    return made.checkpoint_metric, [d.why for d in made.decisions if d.what == "checkpoint_metric"]


def test_the_checkpoint_metric_follows_the_balance_of_the_classes():
    assert metric_and_reason() == ("accuracy", []), "nothing is told of classes that nobody counted"
    metric, (why,) = metric_and_reason(counts=(750, 250))
    assert metric == "accuracy", "three times as many are not more than three times"
    metric, (why,) = metric_and_reason(counts=(751, 250))
    assert metric == "macro_f1"
    assert "751" in why
    assert "250" in why
    assert metric_and_reason(counts=(900, 100), train={"checkpoint_metric": "loss"}) == ("loss", [])


@pytest.mark.parametrize(
    ("sections", "rule", "why"),
    [
        ({}, "last", "the LR comes down"),
        ({"strategy": "gradual"}, "last", "the LR comes down"),
        ({"schedule": {"kind": "linear", "final_factor": 0.1}}, "last", "the LR comes down"),
        ({"schedule": {"kind": "one_cycle"}}, "last", "the LR comes down"),
        ({"schedule": {"kind": "linear", "final_factor": 0.2}}, "best", "the LR ends at 20% of its peak"),
        ({"schedule": {"kind": "constant"}}, "best", "the LR ends at 100% of its peak"),
        (
            {"schedule": {"kind": "cosine", "per": "epoch"}, "train": {"epochs": 4}},
            "best",
            "the LR ends at 18%",
        ),
        ({"schedule": {"kind": "cosine", "per": "epoch"}}, "last", "the LR comes down"),
        ({"schedule": {"kind": "step", "milestones": [10]}}, "best", "the LR ends at 100% of its peak"),
        ({"schedule": {"kind": "step", "milestones": [9]}}, "last", "the LR comes down"),
        ({"train": {"early_stopping": {"patience": 3}}}, "best", "early stopping goes by it"),
        ({"train": {"checkpoint_metric": "loss"}}, "best", "a score of classes"),
        ({"train": {"checkpoint_rule": "best"}}, "best", None),
        (
            {"schedule": "constant", "train": {"checkpoint_rule": "last"}},
            "last",
            None,
        ),
    ],
)
def test_the_last_epoch_is_kept_where_the_weights_have_settled(sections, rule, why):
    made = plan(**sections)
    assert made.checkpoint_rule == rule
    told = [decision.why for decision in made.decisions if decision.what == "checkpoint_rule"]
    assert [each.startswith(why) for each in told] == ([] if why is None else [True])


def test_a_loss_has_no_standard_error():
    with pytest.raises(ValueError, match=r"not by a loss; set train\.checkpoint_rule: best"):
        recipe(train={"checkpoint_metric": "loss", "checkpoint_rule": "last"})


def test_which_epoch_is_kept_decides_the_numbers_of_a_run():
    assert plan().fingerprint() != plan(train={"checkpoint_rule": "best"}).fingerprint()


@pytest.mark.parametrize(
    ("sections", "noticed"),
    [
        ({}, True),
        ({"counts": (500, 500)}, False),
        ({"counts": None}, False),
        ({"train": {"checkpoint_metric": "macro_f1"}}, True),
        ({"train": {"sampler": "balanced"}}, False),
        ({"objective": "focal"}, False),
        ({"objective": {"kind": "cross_entropy", "class_weights": "balanced"}}, False),
        ({"objective": {"kind": "cross_entropy", "class_weights": {"b": 5.0}}}, False),
    ],
)
def test_classes_out_of_balance_are_noticed_where_nothing_makes_up_for_it(sections, noticed):
    made = plan(**{"counts": (900, 100), **sections})
    assert ("class-imbalance" in [finding.rule for finding in made.findings]) is noticed


def test_balanced_weights_are_in_the_plan():
    made = plan(counts=(900, 100), objective={"kind": "focal", "class_weights": "balanced"})
    assert made.objective.class_weights == pytest.approx((1000 / 1800, 5.0))
    assert made.objective.settings == {"gamma": 2.0}
    assert made.fingerprint() != plan(counts=(900, 100), objective="focal").fingerprint()


def test_a_weight_for_a_class_that_is_not_there():
    weights = {"objective": {"kind": "cross_entropy", "class_weights": {"c": 2.0}}}
    with pytest.raises(RecipeError) as caught:
        plan(**weights)
    assert caught.value.problems[0].path == "objective.class_weights.c"
    assert plan(num_train=None, **weights).objective.class_weights == (1.0, 1.0)
    with pytest.raises(RecipeError) as caught:
        plan(objective={"kind": "cross_entropy", "class_weights": {"a": 0.0, "b": 0.0}})
    assert caught.value.problems[0].message == "every class weighs 0"


def test_mixed_images_go_through_the_backbone_in_every_epoch():
    (phase,) = plan(strategy="feature_extraction", augment={"kind": "light", "mix": "mixup"}).phases
    assert not phase.prefix.kept
    assert phase.prefix.reason == "images are augmented and mixed anew in each epoch"


def test_the_plan_names_its_transforms():
    made = plan(augment={"kind": "light", "flip": False, "mix": "cutmix"})
    assert made.transforms == ("RandomResizedCrop(224, 0.7-1)", "CutMix(1)")


@pytest.mark.parametrize(("sampler", "noticed"), [("balanced", True), ("shuffle", False)])
def test_balancing_twice_is_told(sampler, noticed):
    """Weights on batches that are balanced already make a rare class count many times too much."""
    objective = {"kind": "cross_entropy", "class_weights": "balanced"}
    train = {"sampler": sampler}
    made = plan(counts=(900, 100), objective=objective, train=train)
    assert ("balanced-twice" in [finding.rule for finding in made.findings]) is noticed
