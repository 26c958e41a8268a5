//! A read of a row whose normalisers are known: loss and slopes, term by term.

fn lane_terms(place: Place, row: Row) -> Terms {
    var terms = Terms(0f, 0f);
    var j = place.first;
    if (j >= place.end) {
        return terms;
    }
    loop {
        if (LANES > 1u && j >= place.end) {
            break;
        }
        var loss = vec4<f32>();
        var slopes = vec4<f32>();
        let end = min(place.end, j + TILES_PER_BLOCK * 4u * LANES);
        loop {
            if (LANES > 1u && j >= end) {
                break;
            }
            let e = load4(place, j, place.end - j);
            let c = array(class_of(row, e[0]), class_of(row, e[1]), class_of(row, e[2]), class_of(row, e[3]));
            loss += vec4<f32>(divergence(c[0]), divergence(c[1]), divergence(c[2]), divergence(c[3]));
            slopes += vec4<f32>(slope(c[0]), slope(c[1]), slope(c[2]), slope(c[3]));
            j += 4u * LANES;
            if (LANES == 1u && j >= end) {
                break;
            }
        }
        terms.loss += (loss.x + loss.y) + (loss.z + loss.w);
        terms.slopes += (slopes.x + slopes.y) + (slopes.z + slopes.w);
        if (LANES == 1u && j >= place.end) {
            break;
        }
    }
    return terms;
}

fn row_terms(lane: Lane, place: Place, row: Row) -> Terms {
    let own = lane_terms(place, row);
    let loss = reduce_Total(lane, Total(own.loss, 0u), LANES).sum;
    return Terms(loss, reduce_Total(lane, Total(own.slopes, 0u), LANES).sum);
}
