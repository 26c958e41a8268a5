//! The bits of one logit.

fn logit_bits(i: u32) -> u32 {
    return logits[i / 4u][i % 4u];
}
