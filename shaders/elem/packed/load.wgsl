//! Four elements from position i of SLOT, of which `left` exist; the others read as `fill`. The position may be the
//! middle of a word.

fn load_SLOT(i: u32, left: u32, fill: u32) -> vec4<u32> {
    let last = i + left - 1u;
    var bits: vec4<u32>;
    if (SLOT_storage == F32) {
        bits = vec4<u32>(
            word_SLOT(i),
            word_SLOT(min(i + 1u, last)),
            word_SLOT(min(i + 2u, last)),
            word_SLOT(min(i + 3u, last)),
        );
    } else {
        let first = word_SLOT(i / 2u);
        let second = word_SLOT(min(i + 2u, last) / 2u);
        let third = word_SLOT(min(i + 3u, last) / 2u);
        var pairs = vec2<u32>(first, second);
        if (i % 2u == 1u) {
            pairs = (pairs >> vec2<u32>(16u)) | (vec2<u32>(second, third) << vec2<u32>(16u));
        }
        bits = widened(unpacked(pairs), SLOT_storage);
    }
    return select(vec4<u32>(fill), bits, vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(left));
}
