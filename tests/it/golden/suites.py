"""Cases of other libraries' own suites: `python suites.py NAME > suites/NAME.txt`, NAME a function below (onnx 1.23,
torch 2.15 with expecttest, torchvision 0.29, optax 0.2.8, kornia 0.9, monai 1.6).

Inputs and options are theirs, exact in f32; the numbers expected are what their functions give for them in double
precision. A case is a paragraph: its name, the loss with its options, the tensors as rows of classes, then `values` and
`dlogits`, the gradient of sum(dloss * values). Larger cases than MOST logits are left out, and repetitions.
"""
import itertools
import sys

import numpy as np
import torch

MOST = 30
NAMES = set()


def f32(array):
    return np.asarray(array, np.float32)


def wide(array):
    """An f32 tensor in double precision."""
    return None if array is None else torch.tensor(f32(array).astype(np.float64))


def exact(number):
    return None if number is None else float(np.float32(number))


def rows(array):
    """[N, C, ...] as rows of C."""
    array = np.asarray(array)
    return np.moveaxis(array, 1, -1).reshape(-1, array.shape[1])


def last(array):
    """[..., C] as rows of C."""
    array = np.asarray(array)
    return array.reshape(-1, array.shape[-1])


def write(name, loss, logits, values, dlogits=None, **lines):
    """Lines in this order: the inputs as they are, then what came out with 13 digits."""
    if np.size(logits) > MOST or name in NAMES:
        return
    NAMES.add(name)
    print(f"case {name}\nloss {loss}\nclasses {logits.shape[1]}")
    lines["logits"] = f32(logits)
    for key, line in lines.items():
        if line is not None:
            line = f32(line) if np.asarray(line).dtype.kind == "f" else line
            print(key, line if isinstance(line, str) else " ".join(map(str, np.asarray(line).flatten())))
    for key, numbers in [("values", values), ("dlogits", dlogits)]:
        if numbers is not None:
            print(key, *(f"{number:.13g}" for number in np.asarray(numbers).flatten()))
    print()


def differentiate(name, loss, function, logits, to_rows=rows, **lines):
    """`function` in double precision, with its gradient."""
    leaf = wide(logits).requires_grad_()
    values = function(leaf)
    dloss = np.array([1.0, -0.5, 0.25, 2.0, 0.75])[np.arange(values.numel()) % 5]
    (values.flatten() * torch.tensor(dloss)).sum().backward()
    write(name, loss, to_rows(logits), values.detach(), to_rows(leaf.grad), dloss=dloss, **lines)


def divided(reduction, n):
    """Their mean over all elements where ours is over rows."""
    return f"divided_by {n}" if reduction == "mean" else reduction


def onnx():
    from onnx.backend.test.case.node import collect_testcases
    from onnx.backend.test.case.node import negativeloglikelihoodloss as nll, softmax_cross_entropy_loss as sce

    class Double:
        """numpy, in which f32 is f64."""

        def __getattr__(self, name):
            return np.float64 if name == "float32" else getattr(np, name)

    nll.np = sce.np = Double()

    def log_softmax(x, axis=1):
        x = x - x.max(axis, keepdims=True)
        return x - np.log(np.exp(x).sum(axis, keepdims=True))

    for test in collect_testcases():
        node, name = test.model.graph.node[0], test.name.removesuffix("_log_prob")
        options = {a.name: a.s.decode() if a.type == 3 else a.i for a in node.attribute}
        if node.op_type in ["LogSoftmax", "Softmax"]:
            x, axis = f32(test.data_sets[0][0][0]), options.get("axis", -1)
            log_p = log_softmax(x.astype(np.float64), axis)
            value = log_p if node.op_type == "LogSoftmax" else np.exp(log_p)
            loss = {"LogSoftmax": "log_softmax", "Softmax": "softmax"}[node.op_type]
            write(name, loss, last(np.moveaxis(x, axis, -1)), last(np.moveaxis(value, axis, -1)))
        elif node.op_type in ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"]:
            x, labels, *weight = map(np.asarray, test.data_sets[0][0])
            weight = weight[0].astype(np.float64) if weight else None
            options = dict(reduction=options.get("reduction", "mean"), ignore_index=options.get("ignore_index"))
            if node.op_type == "SoftmaxCrossEntropyLoss":
                value = sce.softmaxcrossentropy(x.astype(np.float64), labels, weight, **options)
            else:
                log_p = log_softmax(x.astype(np.float64))
                value = nll.compute_negative_log_likelihood_loss(log_p, labels, weight, **options)
            write(name, "cross_entropy", rows(x), value, class_weights=weight, labels=labels, **options)


def pytorch():
    from torch.nn import functional as F
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db

    def options(kwargs):
        kwargs = {"reduction": "mean", **kwargs}
        own = {key: wide(value) if torch.is_tensor(value) else value for key, value in kwargs.items()}
        return kwargs, own

    def cross_entropy(name, x, t, kwargs):
        kwargs["label_smoothing"] = exact(kwargs.get("label_smoothing", 0.0))
        (kwargs, own), hard = options(kwargs), t.dtype == torch.long
        targets = dict(labels=t, ignore_index=kwargs.get("ignore_index", -100)) if hard else dict(targets=rows(t))
        targets |= dict(class_weights=kwargs.get("weight"), label_smoothing=kwargs["label_smoothing"])
        loss = "cross_entropy" if hard else "soft_cross_entropy"
        truth = t if hard else wide(t)
        function = lambda z: F.cross_entropy(z, truth, **own)
        differentiate(name, loss, function, x, reduction=kwargs["reduction"], **targets)

    def nll_loss(name, x, t, kwargs):
        kwargs, own = options(kwargs)
        lines = dict(labels=t, ignore_index=kwargs.get("ignore_index", -100), class_weights=kwargs.get("weight"))
        function = lambda z: F.nll_loss(F.log_softmax(z, 1), t, **own)
        differentiate(name, "cross_entropy", function, x, reduction=kwargs["reduction"], **lines)

    def kl_div(name, x, t, kwargs):
        kwargs, own = options(kwargs)
        form = "log_probs" if kwargs.get("log_target") else "probs"
        per_row = lambda values: values.sum(-1) if kwargs["reduction"] == "none" else values
        reduction = f"divided_by {len(x)}" if kwargs["reduction"] == "batchmean" else kwargs["reduction"]
        function = lambda z: per_row(F.kl_div(z, wide(t), **own))
        differentiate(name, f"kl_from_log_probs {form}", function, x, last, targets=last(t), reduction=reduction)

    def binary_cross_entropy(name, x, t, kwargs):
        kwargs, own = options(kwargs)
        weight, pos_weight, lines = kwargs.get("weight"), kwargs.get("pos_weight"), {}
        if weight is not None:
            lines = dict(weights=np.broadcast_to(weight, x.shape), broadcast="per_element")
        lines |= dict(pos_weight=pos_weight, reduction=kwargs["reduction"], targets=last(t))
        function = lambda z: F.binary_cross_entropy_with_logits(z, wide(t), **own)
        differentiate(name, "binary_cross_entropy", function, x, last, **lines)

    def softmax(name, x, dim, kwargs):
        moved = torch.movedim(x, dim, -1)
        kind = name.split(".")[0]
        function = lambda z: getattr(torch, kind)(z, -1)
        differentiate(name, kind, function, moved, last)

    runs = {
        "nn.functional.cross_entropy": cross_entropy,
        "CrossEntropyLoss": cross_entropy,
        "nn.functional.nll_loss": nll_loss,
        "NLLLoss": nll_loss,
        "nn.functional.kl_div": kl_div,
        "KLDivLoss": kl_div,
        "nn.functional.binary_cross_entropy_with_logits": binary_cross_entropy,
        "BCEWithLogitsLoss": binary_cross_entropy,
        "softmax": softmax,
        "log_softmax": softmax,
    }
    torch.manual_seed(0)
    samples = []
    for op in op_db:
        if op.name in runs and not op.variant_test_name:
            for i, sample in enumerate(op.sample_inputs("cpu", torch.float32)):
                samples.append((op.name, i, sample.input, sample.args[0], sample.kwargs))
    for module in module_db:
        kind = module.module_cls.__name__
        if kind in runs:
            for sample in module.module_inputs_func(module, "cpu", torch.float32, False, True):
                samples.append((kind, sample.desc, *sample.forward_input.args, sample.constructor_input.kwargs))
    for kind, which, x, t, kwargs in samples:
        if x.ndim > 0 and x.numel() > 0 and x.isfinite().all():
            x, t = x.detach(), t.detach() if torch.is_tensor(t) else t
            if x.ndim == 1 and "soft" not in kind:
                x, t = x[None], t[None]
            runs[kind](f"{kind}.{which}", x, t, dict(kwargs))


def torchvision():
    from torchvision.ops import sigmoid_focal_loss

    def logits(low, high):
        p = torch.testing.make_tensor((1, 2), low=low, high=high, dtype=torch.float32, device="cpu")
        return torch.log(p / (1 - p))

    torch.manual_seed(0)
    spans = [(0.0, 0.2), (0.8, 1.0), (0.0, 1.0)]
    labels = [torch.zeros(1, 2), torch.ones(1, 2), torch.tensor([[0.0, 1.0]])]
    pairs = [(logits(*span), label) for span, label in itertools.product(spans, labels)]
    x, t = map(torch.cat, zip(*pairs))
    for alpha, gamma, reduction in itertools.product([-1, 0.0, 0.58, 1.0], [0, 2], ["none", "mean", "sum"]):
        function = lambda z: sigmoid_focal_loss(z, wide(t), exact(alpha), gamma, reduction)
        lines = dict(gamma=gamma, alpha=None if alpha < 0 else alpha, reduction=reduction, targets=t)
        differentiate(f"alpha_{alpha}_gamma_{gamma}_{reduction}", "sigmoid_focal", function, x, **lines)


def optax():
    import jax

    jax.config.update("jax_enable_x64", True)
    from jax import numpy as jnp
    from optax import losses

    double = lambda array: jnp.asarray(f32(array).astype(np.float64))

    def run(name, loss, function, x, reduction="none", **lines):
        values = function(double(x))
        dloss = np.array([1.0, -0.5, 0.25, 2.0])[np.arange(values.size) % 4]
        gradient = jax.grad(lambda z: (function(z).flatten() * dloss).sum())(double(x))
        write(name, loss, f32(x), values, gradient, reduction=reduction, dloss=dloss, **lines)

    ys, ts, hard = [[10.0, 1.0, -2.0], [1.0, 4.0, 0.2]], [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], np.array([1, 0])
    function = lambda z: losses.softmax_cross_entropy(z, double(ts))
    run("softmax_cross_entropy", "soft_cross_entropy", function, ys, targets=ts)
    function = lambda z: losses.softmax_cross_entropy_with_integer_labels(z, hard)
    run("softmax_cross_entropy_with_integer_labels", "cross_entropy", function, ys, labels=hard)
    # A common offset changes nothing, but costs their lse - x_t its digits even in f64: it is taken off first.
    function = lambda z: losses.softmax_cross_entropy_with_integer_labels(z - z.max(), hard)
    for shift in [-1e8, -1e6, 1e6, 1e8]:
        hard = np.array([0, 2])
        run(f"integer_labels_at_{shift:.0e}", "cross_entropy", function, np.full((2, 3), shift), labels=hard)
    hard = np.ones(6, int)
    run("integer_labels_shifted", "cross_entropy", function, np.arange(24.0).reshape(6, 4) / 8 + 1e6, labels=hard)
    hard, logits = np.array([0]), f32([[1e8, -np.inf, 1e8]])
    write("integer_labels_masked", "cross_entropy", logits, function(double(logits)), reduction="none", labels=hard)
    ys = [*ys, [-np.inf, 0.0, 0.0], [-np.inf, 0.0, 0.0], [-np.inf, 0.0, -np.inf]]
    ts = [*ts, [0.0, 0.5, 0.5], [0.4, 0.3, 0.3], [0.0, 1.0, 0.0]]
    values = losses.safe_softmax_cross_entropy(double(ys), double(ts))
    write("safe_softmax_cross_entropy", "soft_cross_entropy", f32(ys), values, reduction="none", targets=ts)
    for i, (a, b, y) in enumerate(itertools.product([-1e9, 1e9], [-1e-9, 1e-9], [[1.0, 0.0], [0.0, 1.0]])):
        function = lambda z: losses.sigmoid_binary_cross_entropy(z, double([y])).mean()
        run(f"sigmoid_binary_cross_entropy_{i}", "binary_cross_entropy", function, [[a, b]], "mean", targets=[y])
    x = [[4.0, 2.0, 1.0, 0.134, 1.3515], [0.0, 5.0, 1.0, 0.5215, 5.616]]
    y = [[0.5, 0.0, 0.0, 0.0, 0.5], [0.0, 0.12, 0.2, 0.56, 0.12]]
    function = lambda z: losses.poly_loss_cross_entropy(z, double(y), epsilon=0.0)
    run("poly_loss_cross_entropy", "soft_cross_entropy", function, x, targets=y)
    x, y = [[4.0, 2.0, 1.0], [0.0, 5.0, 1.0]], np.array([0, 1])
    for e1 in [2.0, 1.0, -0.5, 1.15, 1.214, 5.45]:
        function = lambda z: losses.poly_loss_cross_entropy(z, double(np.eye(3)[y]), epsilon=exact(e1))
        run(f"poly_loss_of_labels_{e1}", "cross_entropy", function, x, poly1=e1, labels=y)
    log_p = [[-2.9957, -3.5066, -3.9120, -1.2040, -0.6931, -2.3026], [-1.6094] * 3 + [-2.3026, -1.8971, -1.8971]]
    q = [[0.2, 0.2, 0.2, 0.1, 0.15, 0.15], [0.05, 0.03, 0.02, 0.3, 0.5, 0.0]]
    function = lambda z: losses.kl_divergence(z, double(q))
    run("kl_divergence", "kl_from_log_probs probs", function, log_p, targets=q)
    run("kl_divergence_of_logits", "kl_from_logits probs", lambda z: function(jax.nn.log_softmax(z)), log_p, targets=q)
    function = lambda z: losses.kl_divergence_with_log_targets(z, double(log_p[::-1]))
    run("kl_divergence_with_log_targets", "kl_from_log_probs log_probs", function, log_p, targets=log_p[::-1])
    logit = lambda p: np.log(np.array(p) / (1 - np.array(p)))
    mixed = ([[2.0, 0.1, -2.0], [0.3, -0.1, 1.2]], [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    large, small = ([logit([0.9, 0.98, 0.3, 0.99])], [[1.0] * 4]), ([logit([0.1, 0.02, 0.09, 0.15])], [[1.0] * 4])
    extreme = ([[100.0, -100.0, 75.0, -75.0, 50.0, -50.0]], [[0.9, 0.1, 0.8, 0.2, 1.0, 0.0]])
    for i, (x, y) in enumerate([mixed, large, small, extreme]):
        for alpha, gamma in itertools.product([None, 0.0, 0.25, 1.0], [0.0, 0.5, 2.0]):
            function = lambda z: losses.sigmoid_focal_loss(z, double(y), alpha=alpha, gamma=gamma)
            run(f"sigmoid_focal_{i}_{alpha}_{gamma}", "sigmoid_focal", function, x, gamma=gamma, alpha=alpha, targets=y)


def class_factors(alpha, weight):
    """Class 0, the background, counts 1 - alpha, the others alpha, each times its weight; exact in f32."""
    alpha = np.array([1 - alpha, alpha, alpha]) if alpha is not None else np.ones(3)
    return None if (alpha == 1).all() and weight is None else alpha * (1 if weight is None else weight)


def kornia():
    from kornia.losses import binary_focal_loss_with_logits, focal_loss

    torch.manual_seed(0)
    x, t = torch.rand(2, 3, 2, 2), torch.randint(3, (2, 2, 2))
    some = t.where(torch.rand(2, 2, 2) <= 0.6, torch.tensor(255))
    per_row = lambda values: values.sum(1) if values.ndim else values
    alphas, gammas, weights = [None, 0.25], [0.5, 2.0], [None, [0.25, 0.5, 0.75]]
    options = itertools.product(alphas, gammas, weights, [None, 255], ["none", "mean", "sum"])
    for alpha, gamma, weight, ignored, reduction in options:
        labels = t if ignored is None else some
        function = lambda z: per_row(focal_loss(z, labels, alpha, gamma, reduction, wide(weight), ignored))
        lines = dict(gamma=gamma, ignore_index=ignored, alpha=class_factors(alpha, weight), labels=labels)
        name = f"focal_{alpha}_{gamma}_{weight is not None}_{ignored}_{reduction}"
        if (alpha is None) == (weight is None) or reduction == "mean":
            differentiate(name, "softmax_focal", function, x, reduction=divided(reduction, x.numel()), **lines)
    extreme, labels = float(np.finfo(np.float32).max), torch.tensor([-100, 0])
    logits = torch.tensor([[extreme, -extreme], [0.0, 0.0]])
    function = lambda z: per_row(focal_loss(z, labels, None, 2.0, "none"))
    lines = dict(gamma=2.0, ignore_index=-100, reduction="none", labels=labels)
    differentiate("ignored_extreme_logits", "softmax_focal", function, logits, **lines)
    x, y = torch.rand(4, 3), torch.rand(4, 3)
    options = itertools.product(["none", "mean"], [None, [1.0, 2.0, 5.0]], [None, [0.2, 0.5, 0.8]])
    for reduction, pos_weight, weight in options:
        factors = wide(pos_weight), wide(weight)
        function = lambda z: binary_focal_loss_with_logits(z, wide(y), None, 0.0, reduction, *factors)
        lines = dict(pos_weight=pos_weight, reduction=reduction, targets=y)
        lines |= dict(weights=weight, broadcast="per_class") if weight else {}
        name = f"binary_{reduction}_{pos_weight is not None}_{weight is not None}"
        differentiate(name, "binary_cross_entropy", function, x, **lines)
    function = lambda z: binary_focal_loss_with_logits(z, wide([[1.0, 0.0]]), 0.25, 2.0)
    lines = dict(gamma=2.0, alpha=0.25, reduction="none", targets=[[1.0, 0.0]])
    differentiate("numeric_stability", "sigmoid_focal", function, torch.tensor([[100.0, -100.0]]), **lines)


def monai():
    from monai.losses.focal_loss import sigmoid_focal_loss, softmax_focal_loss
    from torch.nn.functional import one_hot

    x, t = torch.tensor([[[[1.0, 1.0], [0.5, 0.0]]] * 3]), torch.tensor([[[0, 1], [2, 0]]])
    hot = one_hot(t).movedim(-1, 1).double()
    reduce = {"none": lambda values: values, "mean": torch.mean, "sum": torch.sum}
    options = itertools.product([None, 0.75], [0.5, 2.0], [None, [0.5, 0.125, 0.25]], ["none", "mean", "sum"])
    for alpha, gamma, weight, reduction in options:
        name = f"{alpha}_{gamma}_{weight is not None}_{reduction}"
        each = 1.0 if weight is None else wide(weight).view(1, 3, 1, 1)
        per_row = lambda values: values.sum(1) if reduction == "none" else values
        function = lambda z: reduce[reduction](per_row(softmax_focal_loss(z, hot, gamma, alpha) * each))
        lines = dict(gamma=gamma, alpha=class_factors(alpha, weight), labels=t, reduction=divided(reduction, x.numel()))
        differentiate(f"softmax_{name}", "softmax_focal", function, x, **lines)
        function = lambda z: reduce[reduction]((sigmoid_focal_loss(z, hot, gamma, alpha) * each).movedim(1, -1))
        lines = dict(gamma=gamma, alpha=alpha, targets=rows(hot), reduction=reduction)
        lines |= dict(weights=weight, broadcast="per_class") if weight else {}
        differentiate(f"sigmoid_{name}", "sigmoid_focal", function, x, **lines)
    labels = torch.tensor([0, 1, 2, 0, 3, 4])
    hot = one_hot(labels, 6).double()
    for size in [50, 500]:
        good, lines = (2 * hot - 1) * size, dict(gamma=2.0, reduction=f"divided_by {hot.numel()}")
        function = lambda z: softmax_focal_loss(z, hot, 2.0).mean()
        differentiate(f"softmax_very_good_{size}", "softmax_focal", function, good, labels=labels, **lines)
        function = lambda z: sigmoid_focal_loss(z, hot, 2.0).mean()
        differentiate(f"sigmoid_very_good_{size}", "sigmoid_focal", function, good, targets=hot, **lines)


{suite.__name__: suite for suite in [onnx, pytorch, torchvision, optax, kornia, monai]}[sys.argv[1]]()
