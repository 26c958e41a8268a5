"""Numbers from PyTorch in double precision: `python generate.py > pytorch.txt` (torch 2.15; nll_* and pbce_* from torch 1.13).

Every number put in is exact in f32, so both sides compute from the same inputs. A line is a key and its numbers:
the inputs, then `<case>.values` and `<case>.dlogits`, the gradient of sum(g * values); `<case>.dtargets`, that of z.
"""
import torch
from torch.nn.functional import binary_cross_entropy as pbce, binary_cross_entropy_with_logits as bce
from torch.nn.functional import cross_entropy as ce, kl_div as kl, log_softmax, nll_loss as nll, softmax

torch.set_default_dtype(torch.float64)
INPUTS = {
    "x": [[0.5, -1.25, 2.0, 0.0], [3.0, 2.75, -4.5, 1.0], [-0.25, 18.0, 0.75, -2.0]],
    "p": [[0.5, 0.25, 0.125, 0.125], [0.0, 0.75, 0.25, 0.0], [0.0625, 0.4375, 0.25, 0.25]],
    "z": [[1.5, 0.25, -0.5, 2.0], [0.0, 1.0, 4.0, -1.0], [-3.0, 0.5, 0.5, 1.25]],
    "y": [[1.0, 0.0, 0.25, 1.0], [0.0, 1.0, 0.0, 0.625], [1.0, 0.0, 1.0, 0.0]],
    "v": [[1.0, 0.5, 2.0, 0.0], [0.75, 1.0, 3.0, 1.5], [0.25, 4.0, 1.0, 0.5]],
    "g": [[1.0, -0.5, 0.25, 2.0], [0.0, 1.0, -1.5, 0.5], [-1.0, 0.75, 1.0, 1.25]],
    "w": [0.5, 2.0, 1.25, 0.0],
    "a": [0.75, 0.25, 1.5, 0.5],
}
X, p, z, y, v, g, w, a = map(torch.tensor, INPUTS.values())
t, ignoring = torch.tensor([2, 0, 3]), torch.tensor([2, -100, 0])
lsm = lambda x: log_softmax(x, 1)
pt = lambda x: softmax(x, 1).gather(1, t[:, None])[:, 0]
miss = lambda x: 1 - torch.sigmoid(x) * y - torch.sigmoid(-x) * (1 - y)  # torchvision/ops/focal_loss.py: 1 - p_t
mixed = lambda q, p, beta: (beta * p + (1 - beta) * q).log()
each = lambda log_q, p: kl(log_q, p, reduction="none")
jsd = lambda q, p, beta: beta * each(mixed(q, p, beta), p) + (1 - beta) * each(mixed(q, p, beta), q)
CASES = {
    "log_softmax": lsm,
    "softmax": lambda x: softmax(x, 1),
    "ce_none": lambda x: ce(x, t, reduction="none"),
    "ce_ignore": lambda x: ce(x, ignoring),
    "ce_weights": lambda x: ce(x, ignoring, weight=w),
    "ce_smoothing": lambda x: ce(x, t, label_smoothing=0.125, reduction="sum"),
    "ce_all": lambda x: ce(x, ignoring, weight=w, label_smoothing=0.125),
    "nll_none": lambda x: nll(x, t, reduction="none"),
    "nll_mean": lambda x: nll(x, ignoring),
    "nll_weights": lambda x: nll(x, ignoring, weight=w),
    "soft_mean": lambda x: ce(x, p),
    "soft_all": lambda x: ce(x, p, weight=w, label_smoothing=0.25),
    "kl_batch_mean": lambda x: kl(lsm(x), p, reduction="batchmean"),
    "kl_mean": lambda x: kl(lsm(x), p, reduction="mean"),
    "kl_log_target": lambda x: kl(lsm(x), z, reduction="sum", log_target=True),
    "kl_distillation": lambda x: kl(lsm(x / 2.5), softmax(z / 2.5, 1), reduction="batchmean") * 2.5**2,
    "kl_none": lambda x: kl(lsm(x), p, reduction="none"),
    "kl_none_distillation": lambda x: kl(lsm(x / 2.5), softmax(z / 2.5, 1), reduction="none") * 2.5**2,
    "kl_none_log_probs": lambda x: kl(x, p, reduction="none"),
    "kl_log_probs": lambda x: kl(x, p, reduction="sum"),
    "reverse_kl": lambda x: kl(lsm(z), softmax(x, 1), reduction="batchmean"),
    "reverse_kl_distillation": lambda x: kl(lsm(z / 2.5), softmax(x / 2.5, 1), reduction="batchmean") * 2.5**2,
    "jensen_shannon": lambda x: jsd(softmax(x, 1), softmax(z, 1), 0.5).mean(),
    "jensen_shannon_probs": lambda x: jsd(softmax(x, 1), p, 0.125).sum(1),
    "jensen_shannon_distillation": lambda x: jsd(softmax(x / 2.5, 1), softmax(z / 2.5, 1), 0.75).sum() * 2.5**2,
    "total_variation": lambda x: (softmax(x, 1) - softmax(z, 1)).abs().sum(1) / 2,
    "total_variation_probs": lambda x: (softmax(x, 1) - p).abs().mean() / 2,
    "bce_mean": lambda x: bce(x, y),
    "bce_none": lambda x: bce(x, y, pos_weight=a, reduction="none"),
    "bce_all": lambda x: bce(x, y, weight=v, pos_weight=a),
    "focal": lambda x: ((1 - pt(x)) ** 2 * -pt(x).log()).mean(),
    "focal_alpha": lambda x: (a[t] * (1 - pt(x)) ** 0.5 * -pt(x).log()).mean(),
    "sigmoid_focal": lambda x: ((0.25 * y + 0.75 * (1 - y)) * miss(x) ** 2 * bce(x, y, reduction="none")).mean(),
    "sigmoid_focal_none": lambda x: miss(x) ** 1.5 * bce(x, y, reduction="none"),
    "entropy": lambda x: -(softmax(x, 1) * lsm(x)).sum(1),
}
PROBS = {
    "pbce_mean": lambda p: pbce(p, y),
    "pbce_none": lambda p: pbce(p, y, weight=v, reduction="none"),
}
TEACHERS = {
    "kl_teacher_logits": lambda t: kl(lsm(X / 2.5), softmax(t / 2.5, 1), reduction="batchmean") * 2.5**2,
    "kl_teacher_log_probs": lambda t: kl(lsm(X), t, reduction="mean", log_target=True),
}
line = lambda key, numbers: print(key, *numbers.flatten().tolist())
for key, numbers in INPUTS.items():
    line(key, torch.tensor(numbers))
for key, loss in [*CASES.items(), *PROBS.items()]:
    leaf = (p if key in PROBS else X).clone().requires_grad_()
    values = loss(leaf)
    (values * g.flatten()[: values.numel()].reshape(values.shape)).sum().backward()
    line(f"{key}.values", values), line(f"{key}.dlogits", leaf.grad)
for key, loss in TEACHERS.items():
    leaf = z.clone().requires_grad_()
    (loss(leaf) * g[0, 0]).backward()
    line(f"{key}.dtargets", leaf.grad)
