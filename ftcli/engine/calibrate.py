"""How far a model is from as confident as it is right, and the one number that makes it so (Guo et al. 2017)."""

from __future__ import annotations

from math import exp, log

import torch
from torch import Tensor, nn

MOST = 100.0
ECE_BINS = 15


def expected_calibration_error(confidence_N: Tensor, right_N: Tensor) -> float:
    """The mean gap between confidence (0 to 1) and the share that is right, over ECE_BINS bins of confidence.

    Of double sums. What is wholly sure, 1, has a bin of its own, as in torchmetrics.
    """
    bounds = torch.linspace(0, 1, ECE_BINS + 1, dtype=confidence_N.dtype, device=confidence_N.device)
    bin_N = torch.bucketize(confidence_N, bounds, right=True) - 1
    sums = [torch.bincount(bin_N, each.double(), ECE_BINS + 1) for each in (confidence_N, right_N)]
    return ((sums[0] - sums[1]).abs().sum() / len(confidence_N)).item()


def fit_temperature(logits_NC: Tensor, labels_N: Tensor) -> float:
    """The T for which the cross-entropy of logits / T is least, by LBFGS on log T. Predictions stay as they are.

    Temperature scaling. T above 1: the model was too sure. Kept between 1 / MOST and MOST: where every example is
    right, the best T is 0.
    """
    logits_NC = logits_NC.detach().double().cpu().clone()  # autograd takes no tensors of inference mode
    several = labels_N.ndim == 2  # multi-label: floats (N, C)
    labels_N = labels_N.cpu().double() if several else labels_N.cpu().clone()
    measure = nn.functional.binary_cross_entropy_with_logits if several else nn.functional.cross_entropy
    bound = log(MOST)
    log_t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = measure(logits_NC / log_t.clamp(-bound, bound).exp(), labels_N)
        loss.backward()
        return loss

    optimizer.step(closure)
    return exp(min(max(log_t.item(), -bound), bound))
