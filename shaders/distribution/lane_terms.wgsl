//! A read of a row whose normalisers are known: loss and slopes, term by term.

/// Those of tiles of four classes, one above the other.
struct TileTerms {
    loss: vec4<f32>,
    slopes: vec4<f32>,
}

fn with_tile(block: TileTerms, row: Row, e: array<Element, 4>) -> TileTerms {
    let c = array(class_of(row, e[0]), class_of(row, e[1]), class_of(row, e[2]), class_of(row, e[3]));
    let loss = vec4<f32>(divergence(c[0]), divergence(c[1]), divergence(c[2]), divergence(c[3]));
    return TileTerms(block.loss + loss, block.slopes + vec4<f32>(slope(c[0]), slope(c[1]), slope(c[2]), slope(c[3])));
}

fn with_block(terms: Terms, block: TileTerms) -> Terms {
    let loss = (block.loss.x + block.loss.y) + (block.loss.z + block.loss.w);
    let slopes = (block.slopes.x + block.slopes.y) + (block.slopes.z + block.slopes.w);
    return Terms(terms.loss + loss, terms.slopes + slopes);
}

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
        var block = TileTerms();
        let end = min(place.end, j + TILES_PER_BLOCK * 4u * LANES);
        loop {
            if (LANES > 1u && j >= end) {
                break;
            }
            block = with_tile(block, row, load4(place, j, place.end - j));
            j += 4u * LANES;
            if (LANES == 1u && j >= end) {
                break;
            }
        }
        terms = with_block(terms, block);
        if (LANES == 1u && j >= place.end) {
            break;
        }
    }
    return terms;
}

/// A row's terms from those of its lanes.
fn joined_terms(lane: Lane, own: Terms) -> Terms {
    let loss = reduce_Total(lane, Total(own.loss, 0u), LANES).sum;
    return Terms(loss, reduce_Total(lane, Total(own.slopes, 0u), LANES).sum);
}

fn row_terms(lane: Lane, place: Place, row: Row) -> Terms {
    return joined_terms(lane, lane_terms(place, row));
}
