"""Temperature scaling (Guo et al. 2017): one number that makes a model as confident as it is right."""

from __future__ import annotations

from math import exp, log

import torch
from torch import Tensor, nn

MOST = 100.0


def fit_temperature(logits_NC: Tensor, labels_N: Tensor) -> float:
    """The T for which the cross-entropy of logits / T is least, by LBFGS on log T. Predictions stay as they are.

    T above 1: the model was too sure. Kept between 1 / MOST and MOST: where every example is right, the best T is 0.
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
