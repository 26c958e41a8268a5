//! What a sum of losses is divided by.

/// The number the sum of losses is divided by: known to the host, counted by an earlier dispatch or the caller's.
fn divisor_value() -> f32 {
    if (params.n_divisors == 0u) {
        return params.divisor_value;
    }
    var sum = bitcast<f32>(divisor[params.divisor]);
    for (var i = 1u; i < params.n_divisors; i++) {
        sum += bitcast<f32>(divisor[params.divisor + i]);
    }
    return sum;
}
