//! The bits of one element to BUFFER; of a 16-bit one, the word's other half belongs to another row.

fn store_single_SLOT(i: u32, bits: u32) {
    if (BUFFER_storage == F32) {
        atomicStore(&BUFFER[i], bits);
    } else {
        store_half_SLOT(i / 2u, 16u * (i % 2u), narrowed(vec4<u32>(bits), BUFFER_storage).x);
    }
}
