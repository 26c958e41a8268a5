//! Focal loss through a sigmoid (Lin et al. 2017): a q^gamma ce, with q = sigmoid(x)(1-y) + sigmoid(-x) y, the binary
//! cross-entropy ce = y sp(-x) + (1-y) sp(x) and a = alpha y + (1-alpha)(1-y). For hard labels q is one of the two
//! sigmoids and nothing cancels.

fn focus(q: f32) -> f32 {
    return pow32(q, params.loss_args.x, params.loss_args.y);
}

fn balance(y: f32) -> f32 {
    return params.loss_args.z * y + params.loss_args.w * (1f - y);
}

fn miss(s: Sigmoid, y: f32) -> f32 {
    return s.up * (1f - y) + s.down * y;
}

fn cross_entropy(s: Sigmoid, y: f32) -> f32 {
    return times(y, s.minus) + times(1f - y, s.plus);
}

fn loss(e: Element) -> f32 {
    let s = sigmoid_of(logit(e));
    let y = bitcast<f32>(e.y);
    return times(balance(y) * focus(miss(s, y)), cross_entropy(s, y));
}

/// a q^gamma [ gamma (1-2y) sigmoid(x) sigmoid(-x) ce / q + (1-y) sigmoid(x) - y sigmoid(-x) ]; for hard labels the
/// first term is +-gamma (1-q) ce, and no power below gamma is needed.
fn dloss_dx(e: Element) -> f32 {
    let s = sigmoid_of(logit(e));
    let y = bitcast<f32>(e.y);
    let q = miss(s, y);
    var dq = s.up * s.down * (1f - 2f * y) / q;
    dq = select(dq, s.down, y == 0f);
    dq = select(dq, -s.up, y == 1f);
    let slope = times(params.loss_args.x * dq, cross_entropy(s, y)) + (1f - y) * s.up - y * s.down;
    return times(balance(y) * focus(q), slope);
}

/// A target outside 0..=1: q may be negative, and has no power.
fn is_undefined(e: Element) -> bool {
    return is_no_probability(e.y);
}

fn slope_is_infinite(e: Element) -> bool {
    return false;
}
