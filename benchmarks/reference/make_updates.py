"""Writes a few steps of each optimizer on two tensors, in double precision, for the tests: PyTorch's own where it has one.

    python benchmarks/reference/make_updates.py > src/test/resources/io/firn/oracle/updates.json

Gradients of step s (from 0): element i of tensor t is sin(1 + 3 i + 7 t + 11 s). Weights begin with cos(2 + 5 i + 13 t).
RMSprop in TensorFlow's variant and LARS are not in PyTorch: they are written out below as tf.keras' RMSprop (with momentum)
and You et al. 2017 state them, on PyTorch's tensors.
"""
import json

import torch

SIZES, STEPS, RATES = (6, 4), 4, (0.1, 0.05, 0.2, 0.1)
torch.set_default_dtype(torch.float64)


class RmsPropTf(torch.optim.Optimizer):
    def __init__(self, params, lr, alpha, eps, momentum, weight_decay):
        super().__init__(params, dict(lr=lr, alpha=alpha, eps=eps, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["square"], state["momentum"] = torch.ones_like(p), torch.zeros_like(p)
                g = p.grad + group["weight_decay"] * p
                state["square"].mul_(group["alpha"]).addcmul_(g, g, value=1 - group["alpha"])
                state["momentum"].mul_(group["momentum"]).add_(group["lr"] * g / (state["square"] + group["eps"]).sqrt())
                p.sub_(state["momentum"])


class Lars(torch.optim.SGD):
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                w, g, decay = p.norm(), p.grad.norm(), group["weight_decay"]
                trust = 1e-3 * w / (g + decay * w + 1e-8)
                p.grad = trust * (p.grad + decay * p)
            decays, group["weight_decay"] = group["weight_decay"], 0
            super().step()
            group["weight_decay"] = decays


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, lr=1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1, weight_decay=0.05),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=1, momentum=0.9, weight_decay=0.01),
    "rmsproptf": lambda p: RmsPropTf(p, 1, 0.9, 1e-3, 0.9, 0.01),
    "lars": lambda p: Lars(p, lr=1, momentum=0.9, weight_decay=0.01),
}


def run(make, clip):
    params = [torch.nn.Parameter(torch.cos(2 + 5 * torch.arange(n) + 13.0 * t)) for t, n in enumerate(SIZES)]
    optimizer = make(params)
    average = torch.optim.swa_utils.AveragedModel(torch.nn.ParameterList(params),
                                                  multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.8))
    average.update_parameters(torch.nn.ParameterList(params))  # the first only copies
    for s in range(STEPS):
        for t, p in enumerate(params):
            p.grad = torch.sin(1 + 3 * torch.arange(SIZES[t]) + 7.0 * t + 11.0 * s)
        if clip:
            torch.nn.utils.clip_grad_norm_(params, clip)
        optimizer.param_groups[0]["lr"] = RATES[s]
        optimizer.step()
        average.update_parameters(torch.nn.ParameterList(params))
    return {"weights": [p.tolist() for p in params], "averages": [p.tolist() for p in average.module.parameters()]}


print(json.dumps({"torch": torch.__version__, "rates": RATES, "clip": 1.5, "ema": 0.8, "runs":
                  {f"{name}{'-clipped' if clip else ''}": run(make, clip)
                   for name, make in OPTIMIZERS.items() for clip in (0, 1.5)}}, indent=1))
