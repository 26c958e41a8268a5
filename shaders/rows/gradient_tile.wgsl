//! The gradient of a tile.

/// What the gradient of a row is multiplied by, and what it is in the place of any number: all of it, where the logits
/// do not matter.
struct Scaling {
    factor: f32,
    is_settled: bool,
    settled: u32,
}

fn scaling_of(place: Place, row: Row, weight: u32) -> Scaling {
    let undefined = row.poisoned || (!row.ignored && divides_by_nothing());
    let factor = upstream(row_to_read(place)) * inverse_divisor() * params.scale * bitcast<f32>(weight);
    return Scaling(factor, row.ignored || undefined, select(0u, NAN, undefined));
}

/// The gradient of four classes, of which `left` exist; returns their loss terms.
fn write_tile(place: Place, row: Row, j: u32, left: u32, e: array<Element, 4>, scaling: Scaling) -> vec4<f32> {
    var bits = vec4<u32>(scaling.settled);
    var terms = vec4<f32>();
    if (scaling.is_settled) {
        fill_dtargets(place, j, scaling.settled);
    } else {
        let dx = vec4<f32>(
            gradient(row, e[0], j),
            gradient(row, e[1], j + 1u),
            gradient(row, e[2], j + 2u),
            gradient(row, e[3], j + 3u),
        );
        bits = bitcast<vec4<u32>>(dx * scaling.factor);
        write_dtargets(place, row, j, e, scaling.factor);
        if (LOSS_FROM_GRADIENT_PASS) {
            terms = vec4<f32>(
                loss_term(row, e[0]),
                loss_term(row, e[1]),
                loss_term(row, e[2]),
                loss_term(row, e[3]),
            );
        }
    }
    // One store for both: llvmpipe goes through either branch, lanes masked.
    store_dlogits(class_at(place.dlogits, j), left, bits);
    return terms;
}
