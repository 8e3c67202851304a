from ftcli.plans.training_plan import batch_bounds


def test_batches_cover_every_example_once():
    assert batch_bounds(10, 4) == ((0, 4), (4, 8), (8, 10))
    assert batch_bounds(8, 4) == ((0, 4), (4, 8))


def test_a_lone_last_example_joins_the_batch_before():
    # BatchNorm in train mode cannot take the variance of one value.
    assert batch_bounds(9, 4) == ((0, 4), (4, 9))
    assert batch_bounds(1, 4) == ((0, 1),)
