//! Binary cross-entropy: b y sp(-x) + (1-y) sp(x), sp the softplus, b = pos_weight.

fn loss(e: Element) -> f32 {
    let s = sigmoid_of(logit(e));
    let y = bitcast<f32>(e.y);
    return times(e.factor * y, s.minus) + times(1f - y, s.plus);
}

/// (1-y) sigmoid(x) - b y sigmoid(-x).
fn dloss_dx(e: Element) -> f32 {
    let s = sigmoid_of(logit(e));
    let y = bitcast<f32>(e.y);
    return (1f - y) * s.up - e.factor * y * s.down;
}

fn is_undefined(e: Element) -> bool {
    return false;
}

fn slope_is_infinite(e: Element) -> bool {
    return false;
}
