//! What a sum of losses is divided by.

/// The number the sum of losses is divided by: known to the host, counted by an earlier dispatch or the caller's.
fn divisor_value() -> f32 {
    if (params.n_divisors == 0u) {
        return params.divisor_value;
    }
    return sum_of_parts(params.divisor, params.n_divisors);
}

fn sum_of_parts(first: u32, n: u32) -> f32 {
    var sum = bitcast<f32>(divisor[first]);
    for (var i = 1u; i < n; i++) {
        sum += bitcast<f32>(divisor[first + i]);
    }
    return sum;
}
